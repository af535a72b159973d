"""
torch eager, as the lecture does it: for a batch of b queries, by broadcasting,

    d = sqrt(sum((x - X)^2))          b x n x d, then b x n
    w = exp(-d^2 / 2h^2) / (h sqrt(2 pi))
    x' = (w @ X) / rowsum(w)
"""

from __future__ import annotations

import math

from peers.interface import Peer, Prepared

# Fraction of the free memory that the largest batch may fill.
FILL = 0.8


def gaussian(d, h: float):
    """The lecture's weight of a distance."""
    return ((-0.5 * (d / h) ** 2).exp()) / (h * math.sqrt(2 * math.pi))


def move(x, points, h: float):
    """One step of the queries x."""
    d = ((x[:, None] - points[None]) ** 2).sum(2).sqrt()
    w = gaussian(d, h)
    return w @ points / w.sum(1, keepdim=True)


def in_batches(move_batch, points, queries: int, batch: int):
    """The first `queries` points moved, a batch at a time."""
    moved = points.new_empty((queries, points.shape[1]))
    for start in range(0, queries, batch):
        end = min(start + batch, queries)
        moved[start:end] = move_batch(points[start:end])
    return moved


def bytes_of_query(n: int, d: int) -> int:
    """Memory that one query of a batch takes: differences and their squares, and three arrays of n."""
    return 4 * n * (2 * d + 3)


class Lecture(Peer):
    """Batches of a fixed size."""

    key = "lecture-1024"
    name = "torch eager, lecture, batch 1024"
    kinds = ("step",)

    def batch(self, case, setting) -> int:
        """Queries of a batch: half of them while they do not fit a processor's memory, whose system ends who takes too much of it."""
        batch = min(1024, case.n)
        while setting.device == "cpu" and batch > 1 and batch * bytes_of_query(case.n, case.d) > FILL * setting.free_bytes():
            batch //= 2
        return batch

    def prepare(self, case, inputs, setting) -> Prepared:
        points, h = inputs.tensor("points"), case.h

        def call(queries, batch):
            return in_batches(lambda x: move(x, points, h), points, queries, batch)

        return Prepared(call, self.batch(case, setting))


class LargestBatch(Lecture):
    """The largest batch that fits in memory."""

    key = "lecture-largest"
    name = "torch eager, lecture, largest batch"

    def batch(self, case, setting) -> int:
        return max(1, min(case.n, int(FILL * setting.free_bytes()) // bytes_of_query(case.n, case.d)))

    def refuses(self, case, setting):
        if self.batch(case, setting) <= 1024:
            return "no batch above 1024 fits, or there are no more points"
        return None
