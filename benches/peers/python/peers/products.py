"""Matrix products by torch, which calls cuBLAS on a GPU."""

from __future__ import annotations

from peers.interface import Peer, Prepared


class Product(Peer):
    """f32, TF32 off: SGEMM."""

    key = "matmul-f32"
    name = "torch.matmul, f32"
    kinds = ("product",)

    def prepare(self, case, inputs, setting) -> Prepared:
        a, b = inputs.tensor("a"), inputs.tensor("b")
        return Prepared(lambda queries, batch: a @ b)


class ProductTf32(Product):
    """f32, with inputs rounded to TF32."""

    key = "matmul-tf32"
    name = "torch.matmul, TF32"
    precision = "tf32"
    tf32 = True


class ProductBf16(Product):
    """BF16 inputs and output."""

    key = "matmul-bf16"
    name = "torch.matmul, BF16"
    precision = "bf16"

    def prepare(self, case, inputs, setting) -> Prepared:
        a, b = inputs.tensor("a").bfloat16(), inputs.tensor("b").bfloat16()
        return Prepared(lambda queries, batch: a @ b, note="inputs are BF16 already; half the bytes that are counted")
