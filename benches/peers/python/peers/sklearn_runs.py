"""
scikit-learn on the processor. n_jobs is left alone: with -1, MeanShift took longer wherever it was tried.

Its MeanShift has a flat kernel. The flat ball of radius r in d dimensions has variance r^2 / (d + 2) in each
coordinate, and the Gaussian h^2: they match at r = h sqrt(d + 2), which is the bandwidth given here.
"""

from __future__ import annotations

import math

import numpy as np

from peers.interface import Found, Peer, Prepared

# Sizes that finish in minutes on two cores.
ALL_SEEDS = 2000
ALL_SEEDS_TRIED = 300
BINNED = 100000
BINNED_DIMENSIONS = 8
STARTS = 10


def flat_radius(h: float, d: int) -> float:
    """The flat kernel's radius with the variance of a Gaussian of bandwidth h."""
    return h * math.sqrt(d + 2)


class MeanShift(Peer):
    """Every point a seed."""

    key = "sklearn-meanshift"
    name = "scikit-learn MeanShift, all seeds"
    kinds = ("run",)
    needs = ("sklearn",)
    processor_only = True
    binned = False

    def refuses(self, case, setting):
        most = ALL_SEEDS_TRIED if setting.tried else ALL_SEEDS
        return "for %d points at most, else it takes long" % most if case.n > most else None

    def prepare(self, case, inputs, setting) -> Prepared:
        from sklearn.cluster import MeanShift as Estimator

        radius = flat_radius(case.h, case.d)
        points = case.array("points")

        def call(queries, batch):
            fitted = Estimator(bandwidth=radius, bin_seeding=self.binned).fit(points)
            return Found(fitted.labels_, fitted.n_iter_)

        note = "flat kernel of radius h sqrt(d + 2) = %.3g; iterations are of its slowest seed" % radius
        return Prepared(call, note=note)


class BinSeeding(MeanShift):
    """Seeds are the occupied cells of a grid as wide as the kernel's radius."""

    key = "sklearn-binned"
    name = "scikit-learn MeanShift, bin seeding"
    binned = True

    def refuses(self, case, setting):
        if case.n > BINNED or case.d > BINNED_DIMENSIONS:
            return "for %d points of %d dimensions at most" % (BINNED, BINNED_DIMENSIONS)
        return None


class KMeans(Peer):
    """A yardstick of another kind: it is told the number of clusters, which mean shift finds."""

    key = "sklearn-kmeans"
    name = "scikit-learn KMeans, k given (yardstick)"
    kinds = ("run",)
    needs = ("sklearn",)
    processor_only = True

    def prepare(self, case, inputs, setting) -> Prepared:
        from sklearn.cluster import KMeans as Estimator

        points = case.array("points")
        k = int(np.unique(case.array("labels")).size)

        def call(queries, batch):
            fitted = Estimator(n_clusters=k, n_init=STARTS, random_state=0).fit(points)
            return Found(fitted.labels_, fitted.n_iter_, float(STARTS) * fitted.n_iter_ * case.n * k)

        return Prepared(call, note="k = %d; %d starts, because one often ends in a local minimum" % (k, STARTS))
