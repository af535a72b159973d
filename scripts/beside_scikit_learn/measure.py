"""Fits of both sides in turn, and what they amount to."""

from __future__ import annotations

import math
import statistics
from typing import Any, Callable, Dict, List, Protocol, Sequence, Tuple

from .cases import BANDWIDTH, DIMENSIONS, Blobs, Case
from .sides import Fit


class Side(Protocol):
    """Who fits."""

    name: str

    def fit(self, case: Case, blobs: Blobs) -> Fit:
        """One fit."""


# The program, and scikit-learn in one way or more.
Sides = Tuple[Side, Sequence[Side]]


def compare(case: Case, blobs: Blobs, sides: Sides, repeats: int, told: Callable[[str], None]) -> Dict[str, Any]:
    """One case: a fit of each side by turns, so that all see the same noise. The first of each is a warm-up, whose
    time is kept apart. The ratio is that of scikit-learn's fastest way."""
    ours, others = sides
    everyone = [ours, *others]
    fits: Dict[str, List[Fit]] = {side.name: [] for side in everyone}
    for number in range(repeats + 1):
        for side in everyone:
            fit = side.fit(case, blobs)
            fits[side.name].append(fit)
            told(f"{case.name}: {side.name} {fit.seconds:.3f} s{' (warm-up)' if number == 0 else ''}")
    mine = summary(fits[ours.name])
    theirs = [{"name": side.name, **summary(fits[side.name])} for side in others]
    fastest = min(side["median_s"] for side in theirs)
    centres = fits[ours.name][-1].centres
    return {
        "case": case.name, "points": len(blobs), "dimensions": DIMENSIONS, "kernel": "flat", "bandwidth": BANDWIDTH,
        "seeds": case.seeds(), "modeseek": mine, "scikit_learn": theirs,
        "ratio": fastest / mine["median_s"] if mine["median_s"] > 0.0 else math.nan,
        "modes_apart": max(apart(fits[side.name][-1].centres, centres) for side in others) / BANDWIDTH,
    }


def summary(fits: Sequence[Fit]) -> Dict[str, Any]:
    """What one side did: the first fit is the warm-up."""
    samples = [fit.seconds for fit in fits[1:]]
    last = fits[-1]
    return {
        "warm_up_s": fits[0].seconds, "samples_s": samples, "median_s": statistics.median(samples),
        "clusters": last.clusters, "adjusted_rand_index": last.adjusted_rand_index, "iterations": last.iterations,
    }


def apart(centres: Sequence[Sequence[float]], others: Sequence[Sequence[float]]) -> float:
    """The largest distance from a centre to the nearest of the others."""
    if not centres or not others:
        return math.inf
    return max(min(math.dist(centre, other) for other in others) for centre in centres)
