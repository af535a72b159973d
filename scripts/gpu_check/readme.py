"""The figures of README.md and docs/figures.md: generated from records between two marks, never typed."""

from __future__ import annotations

import difflib
import os
import re
import sys
from pathlib import Path
from typing import Callable, Dict, List, Optional, Set

from . import beside, figures, headlines, record, report
from .errors import FAILED, Refused
from .record import Record
from .rows import measured
from .spelling import digits, duration, percent, table

BLOCK = re.compile(r"(?P<begin><!-- record:(?P<name>[a-z-]+) -->\n)(?P<text>.*?)(?P<end><!-- /record -->)", re.DOTALL)
MARK = re.compile(r"<!-- (?:record:|/record)")

NO_GPU = "No whole record of a GPU has been made yet."

# The pages that have such blocks, in the checkout.
PAGES = ("README.md", "docs/figures.md")


def renewed(page: Path, text: str, records: List[Record]) -> str:
    """A page's text with every block made again; links are relative to its folder."""
    blocks = list(BLOCK.finditer(text))
    if not blocks:
        raise Refused(f"{page.name} has no blocks <!-- record:NAME --> ... <!-- /record -->")
    if 2 * len(blocks) != len(MARK.findall(text)):
        raise Refused(f"{page.name} has a <!-- record:NAME --> without its <!-- /record -->, or the reverse")
    unknown = sorted({block["name"] for block in blocks} - MAKERS.keys())
    if unknown:
        raise Refused(f"{page.name} has a block {', '.join(unknown)}; known are {', '.join(MAKERS)}")
    return BLOCK.sub(lambda block: block["begin"] + MAKERS[block["name"]](records, page.parent) + block["end"], text)


def main_command(records: List[Record], base: Path) -> str:
    """What the main command printed, on the newest GPU there is a record of, else on a processor."""
    with_sample = [one for one in records if sample(one)]
    chosen = record.newest(with_sample, on_gpu=True) or record.newest(with_sample, on_gpu=False)
    if chosen is None:
        return "No record holds the output of this command yet: `scripts/gpu-check run --parts runs` makes one.\n"
    printed = sample(chosen) or {}
    # Packs are release builds; the command that is shown makes one in the development profile.
    build = ", built with `--release`" if "glibc_needed" in chosen.get("origin", {}) else ""
    return (
        f"```console\n$ {printed['command']}\n{printed['text']}\n```\n\n"
        f"(On {described(chosen)}{build}: {link(chosen, base)}.)\n"
    )


def sample(one: Record) -> Optional[Dict[str, str]]:
    """The printed output of the main command; none where the program failed or sizes were only tried."""
    if one.get("tried"):
        return None
    for part in one.get("parts", []):
        printed = part.get("printed", {}).get("main")
        if printed and printed["text"] and part["state"] != "failed":
            return dict(printed)
    return None


def few(records: List[Record], base: Path) -> str:
    """Some figures in plain words, of a GPU and of a processor."""
    return by_device(
        records,
        lambda chosen, older: [
            f"On {described(chosen)}:", "",
            *headlines.rows([(one, f"[{str(one['date'])[:10]}]({report_of(one, base)})") for one in (chosen, *older)]),
        ],
    )


def speed(records: List[Record], base: Path) -> str:
    """Figures of all cases in the newest record of a GPU and of a processor."""
    return by_device(
        records,
        lambda chosen, older: [
            f"On {described(chosen)} ({link(chosen, base)}):", "", *rows_of(chosen), *left_out(chosen, older, base),
        ],
    )


def by_device(records: List[Record], said: Callable[[Record, List[Record]], List[str]]) -> str:
    """What is said of the newest record of a GPU, then of a processor, each with the device's older ones."""
    timed = [one for one in records if not one.get("tried")]
    lines: List[str] = []
    for on_gpu in (True, False):
        # A newer record of runs alone takes no steps away.
        chosen = record.newest([one for one in timed if has_steps(one)], on_gpu)
        chosen = chosen or record.newest([one for one in timed if rows_of(one)], on_gpu)
        if chosen is not None:
            device = chosen["device"], described(chosen)
            older = [one for one in timed[timed.index(chosen) + 1:] if (one["device"], described(one)) == device]
            lines += ["", *said(chosen, older)]
        elif on_gpu:
            lines += ["", NO_GPU]
    return "\n".join(lines[1:]) + "\n"


def left_out(chosen: Record, older: List[Record], base: Path) -> List[str]:
    """Cases that a record has no figure of, since its time had ended or they failed, from older ones of the device."""
    known = {entry["case"] for group in chosen.get("cases", {}).values() if isinstance(group, list) for entry in group}
    missing = known - cases_of(chosen)
    lines: List[str] = []
    for one in older:
        there = missing & cases_of(one)
        if there:
            lines += ["", f"Cases that it has no figure of, from a run before ({link(one, base)}):", "", *rows_of(one, there)]
            missing -= there
    return lines


def cases_of(one: Record) -> Set[str]:
    """The cases that a record has figures of."""
    return {row["case"] for row in one["rows"] if measured(row) and str(row["implementation"]).startswith(figures.OURS)}


def has_steps(one: Record) -> bool:
    """Whether a step was measured."""
    return bool(rows_of(one)) and any(row["case"].startswith("step/") and measured(row) for row in one["rows"])


def rows_of(one: Record, wanted: Optional[Set[str]] = None) -> List[str]:
    """modeseek beside the fastest peer, of all cases or those, for each precision; nothing where none passed its check."""
    body = []
    rates = figures.ceilings(one["rows"])
    device = "cuda" if one["device"].startswith("cuda") else one["device"]
    for (case, on), group in report.grouped(one["rows"]).items():
        if on != device or case.startswith(figures.CEILING) or wanted is not None and case not in wanted:
            continue
        for ours, peer in beside.pairs(group):
            least = figures.floor(ours, rates.get(on, {}), figures.dimensions(case, one.get("cases", {})))
            median = beside.median(ours)
            ratio = figures.ratio(peer, ours) if peer else None
            precision = str(ours.get("precision", "f32"))
            way = ", ".join(word for word in (precision if precision != "f32" else "", beside.way_of(ours)) if word)
            body.append([
                case, way, duration(median), report.rate_of(ours),
                f"{percent(least.seconds / median)} of {least.bound}" if least else "",
                str(peer["implementation"]) if peer else "none ran", "" if ratio is None else digits(ratio),
                beside.work_beside(ours, peer) if peer else "",
            ])
    head = [
        "case", "way", "modeseek:", "rate:", "floor / time:", "fastest peer", "its time / ours:", "work, ours / its",
    ]
    return table(head, body) if body else []


def described(one: Record) -> str:
    """The device, in words."""
    host = one.get("host", {})
    name = one.get("name", "an unknown device")
    return name if one["device"].startswith("cuda") else f"{host.get('cores')} cores of {name}"


def link(one: Record, base: Path) -> str:
    """A link to the report."""
    return f"[record of {str(one['date'])[:10]}]({report_of(one, base)})"


def report_of(one: Record, base: Path) -> str:
    """The report's path from a folder."""
    return os.path.relpath(str(one["folder"] / record.REPORT), str(base)).replace(os.sep, "/")


MAKERS: Dict[str, Callable[[List[Record], Path], str]] = {"main-command": main_command, "headlines": few, "speed": speed}


def settle_all(root: Path, check: bool) -> int:
    """Writes the pages of a checkout that have blocks, or says how they differ."""
    records = record.all_of(root / "benches/record")
    return max(settle(root / page, records, check) for page in PAGES)


def settle(page: Path, records: List[Record], check: bool) -> int:
    """Writes a page, or says how it differs."""
    try:
        there = page.read_text(encoding="utf-8")
    except OSError as error:
        raise Refused(f"{page} cannot be read: {error.strerror}") from error
    new = renewed(page, there, records)
    if new == there:
        print(f"{page.name} is what the records make it")
        return 0
    if not check:
        try:
            record.replace(page, new)
        except OSError as error:
            raise Refused(f"{page} cannot be written: {error.strerror}") from error
        print(f"wrote {page}")
        return 0
    lines = there.splitlines(), new.splitlines()
    difference = difflib.unified_diff(*lines, "there", "from the records", lineterm="", n=0)
    print("\n".join(list(difference)[:40]), file=sys.stderr)
    print(f"gpu-check: {page.name} is not what the records make it: run scripts/gpu-check readme", file=sys.stderr)
    return FAILED
