"""What samples amount to: medians, spread, rates, and the floors they are held against."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence

from .rows import Row, is_number, measured

# The kernels that measure what a device can do: case, and the unit of work that they count.
CEILINGS = {"copy": "bytes", "fma": "flops", "ex2": "exponentials", "mma": "flops"}
CEILING = "ceiling/"

OURS = "modeseek"
# In the names of our rows that multiply in tensor cores.
TENSOR = "tensor cores"

# Behind the names of cases; their weights are no exponentials.
OTHER_WEIGHTS = ("/triangular", "/flat")


@dataclass(frozen=True)
class Times:
    """The samples of a row, both passes together."""

    median: float
    low: float
    high: float
    count: int
    # Of the passes' medians: the last over the first, less 1. None where there was one pass.
    drift: Optional[float]


def times(row: Row) -> Times:
    """Median and quartiles of all samples."""
    passes: List[List[float]] = row["samples_s"]
    samples = sorted(sample for one in passes for sample in one)
    low, high = quartiles(samples)
    drift = None
    if len(passes) > 1:
        drift = statistics.median(passes[-1]) / statistics.median(passes[0]) - 1.0
    return Times(statistics.median(samples), low, high, len(samples), drift)


def quartiles(samples: Sequence[float]) -> "tuple[float, float]":
    """The first and the third quartile, between samples by their distance; of one sample, itself."""
    if len(samples) < 2:
        return samples[0], samples[0]
    cuts = statistics.quantiles(samples, n=4, method="inclusive")
    return cuts[0], cuts[2]


def ceilings(rows: Sequence[Row]) -> Dict[str, Dict[str, float]]:
    """What was measured of each device: units of work a second, under the ceiling's name."""
    found: Dict[str, Dict[str, float]] = {}
    for row in rows:
        if not row["case"].startswith(CEILING) or not measured(row):
            continue
        for name, unit in CEILINGS.items():
            amount = row.get("work", {}).get(unit)
            if name in row["case"][len(CEILING):] and is_number(amount):
                rates = found.setdefault(row["device"], {})
                rates[name] = max(rates.get(name, 0.0), float(amount) / times(row).median)
    return found


@dataclass(frozen=True)
class Floor:
    """The least time that the formula's operations take at the measured ceilings."""

    seconds: float
    bound: str


def floor(row: Row, rates: Dict[str, float], dimensions: Optional[int]) -> Optional[Floor]:
    """The floor of a row, from what its formula must do whatever the implementation.

    A pair of a step costs 3 d + 1 operations of the fma unit (d differences, d squares added up, a sum of
    weights, d weighted sums) and one exponential. A GPU does exponentials in units of their own, so that the slower
    of the two bounds; a processor does both in the same units, one after the other. On tensor cores differences are none,
    and products take their place.
    """
    work = row.get("work", {})
    kind = row["case"].split("/")[0]
    parts: Dict[str, float] = {}
    if kind in ("step", "run") and is_number(work.get("pairs")) and dimensions:
        parts = _of_pairs(row, rates, dimensions)
    elif is_number(work.get("flops")):
        # The ceiling of products is that of f16, which TF32 does not reach.
        unit = {"f32": "fma", "f16": "mma", "bf16": "mma"}.get(row.get("precision", "f32"), "")
        flops = work["flops"]
        if unit == "fma" and TENSOR in row["implementation"]:
            # Six products of parts for one of f32.
            unit, flops = "mma", 6 * flops
        if rates.get(unit):
            parts[unit] = flops / rates[unit]
    if is_number(work.get("bytes")) and rates.get("copy"):
        parts["copy"] = work["bytes"] / rates["copy"]
    if not parts:
        return None
    bound = max(parts, key=lambda part: parts[part])
    return Floor(parts[bound], bound)


def _of_pairs(row: Row, rates: Dict[str, float], dimensions: int) -> Dict[str, float]:
    """Seconds of each unit for the pairs of a step or a run."""
    parts: Dict[str, float] = {}
    pairs = row["work"]["pairs"]
    if TENSOR in row["implementation"]:
        # Two products of d numbers a pair; each is three where numbers are two halves, for the precision of f32.
        flops = pairs * 4 * dimensions * (3 if row.get("precision") == "f32" else 1)
        if rates.get("mma"):
            parts["mma"] = flops / rates["mma"]
    elif rates.get("fma"):
        parts["fma"] = pairs * (3 * dimensions + 1) / (rates["fma"] / 2.0)  # a ceiling counts an fma as two flops
    if row["case"].endswith(OTHER_WEIGHTS):
        return parts
    if rates.get("ex2"):
        parts["ex2"] = pairs / rates["ex2"]
    if row["device"] == "cpu":
        return {"fma and ex2": sum(parts.values())} if len(parts) == 2 else {}
    return parts


def ours(rows: Sequence[Row]) -> Optional[Row]:
    """Among rows of one case and device, the one that others are held against; None where it did not pass."""
    named = [row for row in rows if row["implementation"] == OURS]
    if not named:
        named = [row for row in rows if row["implementation"].startswith(OURS)]
    return named[0] if named and measured(named[0]) else None


def ratio(row: Row, baseline: Optional[Row]) -> Optional[float]:
    """The row's time over ours, for the same amount of work; over 1 where ours is faster."""
    if baseline is None or baseline is row or not measured(row):
        return None
    return seconds_a_unit(row, baseline) / seconds_a_unit(baseline, row)


def seconds_a_unit(row: Row, other: Row) -> float:
    """Seconds for a pair where both rows of a step count pairs (one may handle a part of them), else for a repeat."""
    if row["case"].startswith("step/"):
        amounts = [one.get("work", {}).get("pairs") for one in (row, other)]
        if all(is_number(amount) and amount > 0 for amount in amounts):
            return times(row).median / float(amounts[0])
    return times(row).median


def dimensions(case: str, cases: Dict[str, Any]) -> Optional[int]:
    """The d of a case, as benches/cases.json gives it; `step/200000x2/flat` is a case with another weight."""
    for entry in cases.get(case.split("/")[0], []):
        if isinstance(entry, dict) and entry.get("case") in (case, without_weight(case)) and "d" in entry:
            return int(entry["d"])
    return None


def without_weight(case: str) -> str:
    """The case of which this is one with another weight than the Gaussian."""
    return case.rsplit("/", 1)[0] if case.endswith(OTHER_WEIGHTS) else case
