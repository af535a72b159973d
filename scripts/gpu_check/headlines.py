"""The few figures that README begins with, in plain words: everything else is in docs/figures.md."""

from __future__ import annotations

import re
from typing import Dict, List, Optional, Sequence, Tuple

from . import beside, figures, report
from .record import Record
from .rows import Row
from .spelling import digits, duration, table

# Their order is the table's.
CASES = (
    "run/lecture", "run/2000x8", "run/100000x2", "step/200000x2", "step/1000000x2", "step/1000000x3", "step/100000x8",
    "step/37749x32", "step/153600x64", "product/4096", "product/8192", "pairwise/20000x20000x2", "reduce/8192x200000x2",
)

# The words of a case by its kind, with its sizes in order.
WORDS = {
    "step": "step of {0} points in {1} dimensions",
    "run": "fit of {0} points in {1} dimensions",
    "product": "product of {0} x {0} matrices",
    "pairwise": "distances of {0} x {1} pairs in {2} dimensions",
    "reduce": "weighted means: {0} x {1} weights, {2} columns",
}


# What is said of a whole run's way; as the library chooses, nothing.
SEEDED = "seeded"
WAYS = {"": ", all pairs", SEEDED: ", from 117 random seeds"}


def in_words(case: str) -> str:
    """What is done, for someone who does not know the cases' names."""
    if case == "run/lecture":
        return "the lecture's fit: 1,500 points, five iterations"
    kind, sizes = case.split("/", 1)
    return WORDS[kind].format(*(f"{int(size):,}" for size in re.findall(r"[0-9]+", sizes)))


def rows(among: Sequence[Tuple[Record, str]]) -> List[str]:
    """A table of the cases, of each from the first record that has it, whose rows link to it; nothing where none has any."""
    body = []
    for case in CASES:
        for one, where in among:
            pairs = pairs_of(one, case)
            for ours, peer in pairs:
                body.append(row(case, ours, peer, where))
            if pairs:
                break
    head = ["case", "precision", "modeseek:", "fastest other", "its time / ours:", "measured"]
    return table(head, body) if body else []


def row(case: str, ours: Row, peer: Optional[Row], where: str) -> List[str]:
    """A row of the table."""
    ratio = figures.ratio(peer, ours) if peer else None
    way = WAYS.get(beside.way_of(ours), "") if case.startswith("run/") else ""
    return [
        in_words(case) + way, str(ours.get("precision", "f32")), duration(beside.median(ours)),
        str(peer["implementation"]) if peer else "none ran", "" if ratio is None else digits(ratio), where,
    ]


def pairs_of(one: Record, case: str) -> List[Tuple[Row, Optional[Row]]]:
    """modeseek beside the fastest peer, for each precision, on the record's device; runs from seeds by themselves."""
    device = "cuda" if one["device"].startswith("cuda") else one["device"]
    groups: Dict[Tuple[str, str], List[Row]] = report.grouped(one["rows"])
    group = groups.get((case, device), [])
    seeded = [row for row in group if row["implementation"] == "%s, %s" % (figures.OURS, SEEDED)]
    if not seeded:
        return beside.pairs(group)
    peers = [row for row in group if not str(row["implementation"]).startswith(figures.OURS)]
    return beside.pairs([row for row in group if row not in seeded]) + beside.pairs([*seeded, *peers])
