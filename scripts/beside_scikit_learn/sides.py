"""The two sides: the program, and scikit-learn in this process."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List

from gpu_check import child
from gpu_check.environment import json_line
from gpu_check.errors import Refused, one_line

from .cases import BANDWIDTH, DIMENSIONS, Blobs, Case

# The longest that a child may take.
LIMIT_S = 3600.0

# What of the program's time is the fit: scikit-learn's points are there, too, when its time begins.
PHASES = ("prepare", "iterate", "label", "download")


@dataclass(frozen=True)
class Fit:
    """One fit, from points in memory to labels in memory."""

    seconds: float
    clusters: int
    # With the clusters from which the points were drawn.
    adjusted_rand_index: float
    # Of the slowest seed.
    iterations: int
    centres: List[List[float]]


class Ours:
    """The program."""

    name = "modeseek"

    def __init__(self, program: Path, device: str, jobs: int) -> None:
        self.program, self.device, self.jobs = program, device, jobs

    def command(self, case: Case, points: int) -> List[str]:
        """What is typed."""
        return [
            str(self.program), "--points", str(points), "--dim", str(DIMENSIONS), *case.options(),
            "--device", self.device, "--threads", str(self.jobs), "--json",
        ]

    def fit(self, case: Case, blobs: Blobs) -> Fit:
        """Runs the program, which generates the same points."""
        outcome = child.run(self.command(case, len(blobs)), LIMIT_S)
        if not outcome.passed:
            raise Refused(f"{case.name}: {outcome.why()}")
        report = json_line(outcome.output)
        try:
            if report is None:
                raise ValueError("its last line is no JSON object")
            return fit_of(report)
        except (KeyError, TypeError, ValueError) as error:
            raise Refused(f"{case.name}: the program's report is not as expected: {error!r}") from error


def fit_of(report: Dict[str, Any]) -> Fit:
    """What the program's report says."""
    if report["converged"] is not True:
        raise ValueError("the fit did not converge")
    return Fit(
        seconds=sum(float(report["seconds"][phase]) for phase in PHASES),
        clusters=len(report["clusters"]),
        adjusted_rand_index=float(report["adjusted_rand_index"]),
        iterations=int(report["iterations"]),
        centres=[[float(x) for x in cluster["mode"]] for cluster in report["clusters"]],
    )


class Theirs:
    """scikit-learn's MeanShift, with n_jobs."""

    def __init__(self, jobs: int) -> None:
        self.jobs, self.name = jobs, f"scikit-learn, n_jobs={jobs}"
        try:
            import numpy
            import sklearn
            from sklearn.cluster import MeanShift
            from sklearn.metrics import adjusted_rand_score
        except ImportError as error:
            raise Refused(
                f"scikit-learn is needed, and {sys.executable} does not have it ({one_line(str(error))}); run this "
                "with a Python that has benches/peers/python/requirements.txt"
            ) from error
        self._numpy, self._estimator, self._agreement = numpy, MeanShift, adjusted_rand_score
        self.version = str(sklearn.__version__)

    def fit(self, case: Case, blobs: Blobs) -> Fit:
        """Fits; only the call of `fit` is timed. Points are float64, as its users' are."""
        points = self._numpy.asarray(blobs.points, dtype=self._numpy.float64).reshape(-1, DIMENSIONS)
        estimator = self._estimator(bandwidth=BANDWIDTH, bin_seeding=case.binned, n_jobs=self.jobs)
        begin = time.perf_counter()
        estimator.fit(points)
        seconds = time.perf_counter() - begin
        return Fit(
            seconds=seconds,
            clusters=len(estimator.cluster_centers_),
            adjusted_rand_index=float(self._agreement(self._numpy.asarray(blobs.labels), estimator.labels_)),
            iterations=int(estimator.n_iter_),
            centres=[[float(x) for x in centre] for centre in estimator.cluster_centers_],
        )
