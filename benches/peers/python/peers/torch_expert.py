"""
torch eager, as an expert would: the distance expanded, so that both halves are matrix products,

    x' = softmax(x . X / h^2 - |X|^2 / 2h^2) @ X

|x|^2 is the same for a whole row, and the softmax takes it out.
"""

from __future__ import annotations

from peers.interface import Peer, Prepared
from peers.torch_lecture import in_batches

# Bytes of a batch's scores. The softmax makes a second array of this size.
SCORES = 1 << 30


def move(x, points, bias, h: float):
    """One step of the queries x, with bias = -|X|^2 / 2h^2."""
    return bias.addmm(x, points.T, alpha=1 / h**2).softmax(1) @ points


def bias_of(points, h: float):
    """-|X|^2 / 2h^2, of shape 1 x n."""
    return points.square().sum(1)[None] * (-0.5 / h**2)


def batch_of(case) -> int:
    """Queries of a batch."""
    return max(1, min(case.n, SCORES // (4 * case.n)))


class Expert(Peer):
    """f32 products in full precision."""

    key = "expert"
    name = "torch eager, expert"
    kinds = ("step",)

    def prepare(self, case, inputs, setting) -> Prepared:
        points, h = inputs.tensor("points"), case.h

        def call(queries, batch):
            bias = bias_of(points, h)
            return in_batches(lambda x: move(x, points, bias, h), points, queries, batch)

        return Prepared(call, batch_of(case))


class ExpertTf32(Expert):
    """f32 products with inputs rounded to TF32, for the dimensions where products dominate."""

    key = "expert-tf32"
    name = "torch eager, expert, TF32"
    precision = "tf32"
    tf32 = True

    def suits(self, case) -> bool:
        return case.d >= 16

    def prepare(self, case, inputs, setting) -> Prepared:
        points, h = inputs.tensor("points"), case.h

        def call(queries, batch):
            rounded = to_tf32(points)
            bias = bias_of(rounded, h)
            return in_batches(lambda x: move(x, rounded, bias, h), rounded, queries, batch)

        return Prepared(call, batch_of(case), "points rounded to TF32 first, so that |X|^2 fits the products")


def to_tf32(values):
    """f32 rounded to the 10 bits of fraction that TF32 has, to nearest, ties away from zero."""
    import torch

    bits = values.view(torch.int32)
    return ((bits + 0x1000) & -0x2000).view(torch.float32)
