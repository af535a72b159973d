"""The lecture's whole algorithm: every point moves in every iteration (the blurring form), then labels."""

from __future__ import annotations

from peers import torch_expert, torch_lecture
from peers.interface import Found, Peer, Prepared
from peers.merging import BLURRED, by_radius

# A run that is to converge stops when no point moves further than this many bandwidths.
TOLERANCE = 1e-3
MOST_ITERATIONS = 100
# Points that the loop over points can take in seconds, and pairs an iteration that the processor can.
LOOP_POINTS = 2000
PROCESSOR_PAIRS = 4e8


def blurred(step, points, case) -> Found:
    """Moves all points until the case's iterations are done, or until they rest."""
    most = case.iterations or MOST_ITERATIONS
    done = 0
    for done in range(1, most + 1):
        moved = step(points)
        rests = case.iterations == 0 and bool((moved - points).norm(dim=1).max() < TOLERANCE * case.h)
        points = moved
        if rests:
            break
    labels = by_radius(points.cpu().numpy(), BLURRED * case.h)
    return Found(labels, done, float(done) * case.n**2)


class Batched(Peer):
    """Batches of 1024, by broadcasting."""

    key = "run-lecture"
    name = "torch eager, lecture, batch 1024"
    kinds = ("run",)
    batch = 1024

    def refuses(self, case, setting):
        if setting.device == "cpu" and case.n**2 > PROCESSOR_PAIRS:
            return "%.0e pairs an iteration would take minutes on the processor" % case.n**2
        return None

    def step(self, points, case, batch: int):
        """Every point moved once."""
        return torch_lecture.in_batches(
            lambda x: torch_lecture.move(x, points, case.h), points, points.shape[0], batch
        )

    def prepare(self, case, inputs, setting) -> Prepared:
        import torch

        host = torch.from_numpy(case.array("points"))

        def call(queries, batch):
            return blurred(lambda points: self.step(points, case, batch), host.to(setting.device), case)

        return Prepared(call, min(self.batch, case.n), "from the host's points to labels on the host")


class Expert(Batched):
    """Batches as memory allows, by matrix products and softmax."""

    key = "run-expert"
    name = "torch eager, expert"

    def step(self, points, case, batch: int):
        bias = torch_expert.bias_of(points, case.h)
        return torch_lecture.in_batches(
            lambda x: torch_expert.move(x, points, bias, case.h), points, points.shape[0], batch
        )

    def prepare(self, case, inputs, setting) -> Prepared:
        prepared = super().prepare(case, inputs, setting)
        prepared.batch = torch_expert.batch_of(case)
        return prepared


class PointByPoint(Batched):
    """The lecture's first version: a loop over points, on the processor."""

    key = "run-loop"
    name = "torch, lecture, point by point"
    processor_only = True

    def refuses(self, case, setting):
        return "for %d points at most" % LOOP_POINTS if case.n > LOOP_POINTS else None

    def prepare(self, case, inputs, setting) -> Prepared:
        import torch

        host = torch.from_numpy(case.array("points"))

        def step(points):
            moved = torch.empty_like(points)
            for i, x in enumerate(points):
                w = torch_lecture.gaussian(((x - points) ** 2).sum(1).sqrt(), case.h)
                moved[i] = (w[:, None] * points).sum(0) / w.sum()
            return moved

        return Prepared(lambda queries, batch: blurred(step, host, case))
