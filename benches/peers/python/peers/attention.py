"""
Mean shift as attention: with queries x, keys and values X,

    softmax(x . X / h^2 - |X|^2 / 2h^2) @ X

is scaled_dot_product_attention with scale 1 / h^2, where the keys have columns -|X|^2 / 2 beside them and the
queries ones. Heads are padded with zeros to the multiple that the kernel asks for.

In BF16 the points are rounded first and their squares summed in f32, so that the score is that of the rounded
points; three columns carry the sum, each the BF16 of what the ones before it left.
"""

from __future__ import annotations

from peers.interface import Peer, Prepared


def heads(points, kind, multiple: int):
    """Keys, queries and values, each 1 x 1 x n x (d + columns + zeros)."""
    import torch

    rounded = points.to(kind)
    rest = rounded.float().square().sum(1, keepdim=True) * -0.5
    columns = []
    for _ in range(1 if kind == torch.float32 else 3):
        columns.append(rest.to(kind))
        rest = rest - columns[-1].float()
    bias = torch.cat(columns, 1)
    zeros = rounded.new_zeros((points.shape[0], -(points.shape[1] + bias.shape[1]) % multiple))
    ones = torch.ones_like(bias)
    keys = torch.cat([rounded, bias, zeros], 1)
    queries = torch.cat([rounded, ones, zeros], 1)
    values = torch.cat([rounded, torch.zeros_like(bias), zeros], 1)
    return keys[None, None], queries[None, None], values[None, None]


class Attention(Peer):
    """A back end of scaled_dot_product_attention, and a number format."""

    kinds = ("step",)
    # Versions of torch and cuDNN differ in the widest head that they have a kernel for.
    refusals = (
        "No available kernel", "No viable backend", "No valid execution plans", "No execution plans support",
    )
    backend = ""
    cpu_backend = "FLASH_ATTENTION"
    kind = "float32"
    multiple = 4

    def suits(self, case) -> bool:
        return case.d in (64, 128)

    def prepare(self, case, inputs, setting) -> Prepared:
        import torch
        from torch.nn.attention import SDPBackend, sdpa_kernel

        points, scale, d = inputs.tensor("points"), 1 / case.h**2, case.d
        kind = getattr(torch, self.kind)
        backend = getattr(SDPBackend, self.backend if setting.device == "cuda" else self.cpu_backend)

        def call(queries, batch):
            keys, asking, values = heads(points, kind, self.multiple)
            with sdpa_kernel([backend]):
                moved = torch.nn.functional.scaled_dot_product_attention(
                    asking[:, :, :queries], keys, values, scale=scale
                )
            return moved[0, 0, :, :d]

        width = heads(points[:1], kind, self.multiple)[0].shape[-1]
        return Prepared(call, note="heads of %d, padded with zeros to %d" % (d, width))


class MemoryEfficient(Attention):
    """f32. The flash back end has no f32."""

    key = "attention-f32"
    name = "torch attention, f32"
    backend = "EFFICIENT_ATTENTION"


class Flash(Attention):
    """BF16 by the flash back end."""

    key = "attention-bf16"
    name = "torch attention, BF16, flash"
    backend = "FLASH_ATTENTION"
    kind = "bfloat16"
    precision = "bf16"
    multiple = 8


class CuDnn(Flash):
    """BF16 by cuDNN, which has kernels of its own for Hopper."""

    key = "attention-cudnn"
    name = "torch attention, BF16, cuDNN"
    backend = "CUDNN_ATTENTION"

    def available(self, setting):
        return "cuDNN is for CUDA" if setting.device != "cuda" else super().available(setting)
