"""The weighted mean (W @ X) / rowsum(W), by torch."""

from __future__ import annotations

from peers.interface import Peer, Prepared

# Fraction of the free memory that a batch's products may fill.
FILL = 0.4


class ByMatmul(Peer):
    """A matrix product and a sum: the weights are read twice."""

    key = "reduce-matmul"
    name = "torch (W @ X) / W.sum(1)"
    kinds = ("reduce",)

    def prepare(self, case, inputs, setting) -> Prepared:
        w, x = inputs.tensor("weights"), inputs.tensor("points")
        return Prepared(lambda queries, batch: w @ x / w.sum(1, keepdim=True))


class ByBroadcast(Peer):
    """All products of a batch of rows, then their sum."""

    key = "reduce-broadcast"
    name = "torch (W[:, :, None] * X).sum(1) / W.sum(1)"
    kinds = ("reduce",)

    def prepare(self, case, inputs, setting) -> Prepared:
        w, x = inputs.tensor("weights"), inputs.tensor("points")
        rows = case.size("m")

        def call(queries, batch):
            moved = x.new_empty((rows, case.d))
            for start in range(0, rows, batch):
                part = w[start : start + batch]
                moved[start : start + batch] = (part[:, :, None] * x[None]).sum(1) / part.sum(1, keepdim=True)
            return moved

        fits = int(FILL * setting.free_bytes()) // (4 * case.n * case.d)
        return Prepared(call, max(1, min(rows, fits)))
