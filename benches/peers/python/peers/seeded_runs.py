"""
The seeded scheme of Faster Mean-shift: M. Zhao et al., "Faster Mean-shift: GPU-accelerated clustering for cosine
embedding-based cell segmentation and tracking", Medical Image Analysis 71 (2021).

A few seeds, drawn from the points, climb together in one batch while the data stay where they are. How many are
needed follows from what they find: with K clusters that hold a fraction r of the points evenly, one draw finds a
given cluster with probability r / K, so that all K are found with probability P by

    N = ln(1 - P^(1 / K)) / ln(1 - r / K)

seeds. If there were fewer than L N, the seeds are doubled and drawn again. Climbing stops early, once most seeds
rest; those that do not are dropped. Every point goes to the nearest mode.

Where this differs from the paper: Euclidean distance and modeseek's Gaussian kernel instead of the cosine; no
background, so r = 1; a seed that rests keeps climbing with the others; modes within a bandwidth are one.
"""

from __future__ import annotations

import math

from peers.interface import Found, Peer, Prepared
from peers.lecture_runs import MOST_ITERATIONS, TOLERANCE
from peers.merging import by_radius
from peers.torch_expert import bias_of

# The paper's first number of seeds and its factor L.
SEEDS = 128
FACTOR = 2
# P, and the fraction of seeds that must rest.
PROBABILITY = 0.95
RESTING = 0.9
# Distances computed at a time for the labels.
BATCH = 1 << 26


def seeds_needed(clusters: int, probability: float = PROBABILITY) -> int:
    """Draws with which all of so many even clusters are found."""
    if clusters <= 1:
        return 1
    return math.ceil(math.log(1 - probability ** (1 / clusters)) / math.log(1 - 1 / clusters))


def climb(seeds, points, h: float):
    """Seeds until most rest: those that do, and the iterations."""
    bias = bias_of(points, h)
    done = 0
    for done in range(1, MOST_ITERATIONS + 1):
        moved = bias.addmm(seeds, points.T, alpha=1 / h**2).softmax(1) @ points
        rests = (moved - seeds).norm(dim=1) < TOLERANCE * h
        seeds = moved
        if int(rests.sum()) >= RESTING * seeds.shape[0]:
            break
    return seeds[rests], done


def nearest(points, modes):
    """The nearest mode of every point."""
    import torch

    batch = max(1, BATCH // modes.shape[0])
    parts = [torch.cdist(part, modes).argmin(1) for part in points.split(batch)]
    return torch.cat(parts).cpu().numpy()


def seeded(points, h: float, generator) -> Found:
    """The whole scheme."""
    import torch

    n, count, iterations, pairs = points.shape[0], SEEDS, 0, 0.0
    while True:
        count = min(count, n)
        chosen = torch.randperm(n, generator=generator)[:count].to(points.device)
        ends, done = climb(points[chosen], points, h)
        iterations += done
        pairs += float(done) * count * n
        if ends.shape[0] == 0:
            raise ArithmeticError("no seed rests after %d iterations" % done)
        groups = torch.from_numpy(by_radius(ends.cpu().numpy(), h)).to(points.device)
        modes = torch.stack([ends[groups == group].mean(0) for group in range(int(groups.max()) + 1)])
        if FACTOR * seeds_needed(modes.shape[0]) <= count or count == n:
            return Found(nearest(points, modes), iterations, pairs + float(n) * modes.shape[0])
        count *= 2


class Seeded(Peer):
    """Seeds in one batch, more where the clusters found ask for them."""

    key = "seeded"
    name = "Faster Mean-shift (seeded), torch"
    kinds = ("run",)

    def prepare(self, case, inputs, setting) -> Prepared:
        import torch

        host = torch.from_numpy(case.array("points"))

        def call(queries, batch):
            return seeded(host.to(setting.device), case.h, torch.Generator().manual_seed(14))

        return Prepared(call, note="moves seeds alone; points go to the nearest mode")
