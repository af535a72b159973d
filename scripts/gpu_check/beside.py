"""modeseek's fastest way beside the fastest peer of a case, for each precision."""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence, Tuple

from . import figures
from .figures import times
from .rows import Row, is_number, measured

# In the name of what solves another problem, such as one that is told how many clusters there are.
YARDSTICK = "yardstick"

# At the end of the names of distances that are not the case's, beside which they are measured.
OTHER_DISTANCES = (", squared L2", ", L1")

# Numbers of 16 bits are held against each other; the reports say of which kind.
SIXTEEN = "16 bits"
PRECISIONS = ("f32", "tf32", SIXTEEN)


def precision_of(row: Row) -> str:
    """The precision that a row is compared in."""
    precision = str(row.get("precision", "f32"))
    return SIXTEEN if precision in ("f16", "bf16") else precision


def way_of(row: Row) -> str:
    """What of modeseek it is: nothing for the kernel that the case is named for."""
    return str(row["implementation"])[len(figures.OURS):].lstrip(", ")


def pairs(group: Sequence[Row]) -> List[Tuple[Row, Optional[Row]]]:
    """Of the rows of a case, for each precision: the fastest of modeseek's whose check passed, and the fastest peer.

    There is always f32, where modeseek has it; others where both have them.
    """
    ours: Dict[str, List[Row]] = {}
    peers: Dict[str, List[Row]] = {}
    for row in group:
        name = str(row["implementation"])
        if not measured(row) or YARDSTICK in name or name.endswith(OTHER_DISTANCES):
            continue
        among = ours if name.startswith(figures.OURS) else peers
        among.setdefault(precision_of(row), []).append(row)
    found = []
    for precision in PRECISIONS:
        if precision not in ours or precision not in peers and precision != "f32":
            continue
        fastest = min(ours[precision], key=lambda row: figures.seconds_a_unit(row, row))
        others = peers.get(precision, [])
        peer = min(others, key=lambda row, own=fastest: figures.ratio(row, own) or 0.0) if others else None
        found.append((fastest, peer))
    return found


def work_beside(ours: Row, peer: Row) -> str:
    """Pairs, and for whole runs how good the clusters are, of both: whoever does less is faster for no merit."""
    both = []
    for key, of, name in (("pairs", "work", "pairs"), ("adjusted_rand_index", "found", "adjusted Rand index")):
        values = [(row.get(of) or {}).get(key) for row in (ours, peer)]
        if all(is_number(value) for value in values):
            both.append(f"{name} {values[0]:.3g} / {values[1]:.3g}")
    return ", ".join(both)


def median(row: Row) -> float:
    """The median of all samples, in seconds."""
    return times(row).median
