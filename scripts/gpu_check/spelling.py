"""How figures are written."""

from __future__ import annotations

import math
from typing import Iterable, List, Optional


def digits(value: float, places: int = 3) -> str:
    """The value to so many digits, without an exponent."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    rounded = float(f"{value:.{places - 1}e}")  # 9.996 becomes 10.0, which has a digit more before its point
    decimals = places - 1 - math.floor(math.log10(abs(rounded)))
    return f"{rounded:.{max(0, decimals)}f}"


def duration(seconds: float) -> str:
    """12.3 ms and the like."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= 0.9995 * scale:
            return f"{digits(seconds / scale)} {unit}"
    return f"{digits(seconds / 1e-6)} us"


def rate(amount: float, unit: str) -> str:
    """6.45 Gpairs/s and the like."""
    for prefix, scale in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if amount >= scale:
            return f"{digits(amount / scale)} {prefix}{unit}/s"
    return f"{digits(amount)} {unit}/s"


def signed_percent(part: Optional[float]) -> str:
    """+1.2 %; nothing where there is no figure."""
    return "" if part is None else f"{100.0 * part:+.1f} %"


def percent(part: float) -> str:
    """63 %."""
    return f"{100.0 * part:.0f} %" if part >= 0.095 else f"{digits(100.0 * part, 2)} %"


def cell(text: object) -> str:
    """Text that cannot end a table's cell or row."""
    return " ".join(str(text).replace("|", "\\|").split())


def table(head: List[str], body: Iterable[List[str]]) -> List[str]:
    """A Markdown table; a head that ends with a colon is a column of numbers."""
    names = [name[:-1] if name.endswith(":") else name for name in head]
    rules = ["---:" if name.endswith(":") else "---" for name in head]
    return ["| " + " | ".join(cells) + " |" for cells in (names, rules, *([cell(one) for one in row] for row in body))]
