"""torch.cdist: the 2-norm of every row of a to every row of b."""

from __future__ import annotations

from peers.interface import Peer, Prepared


class ByMatmul(Peer):
    """|a|^2 - 2ab + |b|^2, which cancels between near points."""

    key = "cdist-matmul"
    name = "torch.cdist, by matmul"
    kinds = ("pairwise",)
    mode = "use_mm_for_euclid_dist"

    def prepare(self, case, inputs, setting) -> Prepared:
        import torch

        a, b = inputs.tensor("a"), inputs.tensor("b")
        return Prepared(lambda queries, batch: torch.cdist(a, b, compute_mode=self.mode))


class ByDifferences(ByMatmul):
    """Differences first, as modeseek does."""

    key = "cdist-differences"
    name = "torch.cdist, by differences"
    mode = "donot_use_mm_for_euclid_dist"
