"""torch.compile of the lecture's step and of the expert's. Batches have one size, so that each compiles once."""

from __future__ import annotations

import shutil

from peers import torch_expert, torch_lecture
from peers.interface import COMPILED_CASE, COMPILED_CASES, Peer, Prepared
from rig.setting import installed


def in_full_batches(move_batch, points, queries: int, batch: int):
    """As `in_batches`, but the last batch reaches back, so that it has as many queries as the others."""
    moved = points.new_empty((queries, points.shape[1]))
    for start in range(0, queries, batch):
        start = max(0, min(start, queries - batch))
        moved[start : start + batch] = move_batch(points[start : start + batch])
    return moved


class Compiled(Peer):
    """What both have in common."""

    kinds = ("step",)
    late = True

    def available(self, setting):
        reason = super().available(setting)
        if reason is None and setting.device == "cpu" and shutil.which("g++") is None:
            return "torch.compile on the processor needs g++"
        if reason is None and setting.device == "cuda" and not installed("triton"):
            return "torch.compile for CUDA needs triton"
        return reason

    def refuses(self, case, setting):
        if setting.tried and case.name != COMPILED_CASE:
            return "tried at %s alone, because compiling takes long" % COMPILED_CASE
        if setting.device == "cuda" and not setting.tried and case.name not in COMPILED_CASES:
            return "measured at %s alone, because compiling takes long" % " and ".join(COMPILED_CASES)
        return None

    def compile(self, function):
        """A function compiled for the shapes that it is first called with."""
        import torch

        # The compiler counts the shapes of a function, and silently gives up after eight.
        torch._dynamo.reset()
        return torch.compile(function, dynamic=False, fullgraph=True)


class CompiledLecture(Compiled):
    """The lecture's step, compiled."""

    key = "compiled-lecture"
    name = "torch.compile, lecture"

    def prepare(self, case, inputs, setting) -> Prepared:
        points, h = inputs.tensor("points"), case.h
        move = self.compile(torch_lecture.move)

        def call(queries, batch):
            return in_full_batches(lambda x: move(x, points, h), points, queries, batch)

        return Prepared(call, min(1024, case.n))


class CompiledExpert(Compiled):
    """The expert's step, compiled."""

    key = "compiled-expert"
    name = "torch.compile, expert"

    def prepare(self, case, inputs, setting) -> Prepared:
        points, h = inputs.tensor("points"), case.h
        move = self.compile(torch_expert.move)

        def call(queries, batch):
            bias = torch_expert.bias_of(points, h)
            return in_full_batches(lambda x: move(x, points, bias, h), points, queries, batch)

        return Prepared(call, torch_expert.batch_of(case))
