"""The fused step in Triton: differences for few dimensions, products of tiles for many."""

from __future__ import annotations

import math

from peers import triton_tiles
from peers.interface import Peer, Prepared
from peers.torch_expert import to_tf32

LOG2_E = math.log2(math.e)


class Fused(Peer):
    """What both kernels have in common."""

    kinds = ("step",)
    needs = ("torch", "triton")
    tiles: tuple = ()

    def available(self, setting):
        reason = super().available(setting)
        if reason is None and setting.device == "cpu" and not setting.tried:
            return "Triton's interpreter is not worth timing"
        return reason

    def moved(self, points, h: float, queries: int, tile, setting):
        """The first queries moved, with tiles of this size."""
        raise NotImplementedError

    def prepare(self, case, inputs, setting) -> Prepared:
        points, h = inputs.tensor("points"), case.h
        if setting.device == "cpu":
            tile, note = triton_tiles.TRIED, "Triton's interpreter"
        else:
            clock = setting.clock("step", False)
            few = min(case.n, triton_tiles.COMPARED)

            def seconds_of(tile):
                def once():
                    return self.moved(points, h, few, tile, setting)

                once()
                return min(clock.seconds(once) for _ in range(3))

            tile, note = triton_tiles.fastest(self.tiles, seconds_of)
        return Prepared(lambda queries, batch: self.moved(points, h, queries, tile, setting), note=note)


class Differences(Fused):
    """sum (x - y)^2 by coordinates, for d <= 5: no cancellation, no padding."""

    key = "triton-differences"
    name = "Triton, differences"
    tiles = triton_tiles.DIFFERENCES

    def suits(self, case) -> bool:
        return case.d <= 5

    def moved(self, points, h, queries, tile, setting):
        from peers.triton_kernels import shift_differences

        n, d = points.shape
        scale = math.sqrt(LOG2_E / 2) / h
        columns = (points * scale).T.contiguous()
        parts = triton_tiles.splits(queries, n, tile, multiprocessors(setting))
        sums = points.new_empty((parts, d + 1, queries))
        grid = (-(-queries // tile.queries), parts)
        shift_differences[grid](
            columns, sums, n, queries, triton_tiles.range_of_keys(n, parts, tile),
            D=d, QUERIES=tile.queries, KEYS=tile.keys, num_warps=tile.warps, num_stages=tile.stages,
        )
        total = sums.sum(0) if parts > 1 else sums[0]
        return (total[1:] / (total[0] * scale)).T


class Products(Fused):
    """x . y by tiles, as attention kernels do, with f32 products in full precision."""

    key = "triton-ieee"
    name = "Triton, products, IEEE f32"
    tiles = triton_tiles.IEEE
    input_precision = "ieee"

    def suits(self, case) -> bool:
        return case.d > 5

    def moved(self, points, h, queries, tile, setting):
        from peers.triton_kernels import shift_products

        n, d = points.shape
        scale = math.sqrt(LOG2_E) / h
        scaled = points * scale
        if self.input_precision == "tf32":
            # Rounded first, so that |x|^2 is that of what the products see.
            scaled = to_tf32(scaled)
        halves = scaled.square().sum(1) * 0.5
        low, high = triton_tiles.columns(d)
        parts = triton_tiles.splits(queries, n, tile, multiprocessors(setting))
        sums = points.new_empty((parts, queries, d + 1))
        grid = (-(-queries // tile.queries), parts)
        shift_products[grid](
            scaled, halves, sums, n, queries, triton_tiles.range_of_keys(n, parts, tile),
            D=d, LOW=low, HIGH=high, QUERIES=tile.queries, KEYS=tile.keys, PRECISION=self.input_precision,
            num_warps=tile.warps, num_stages=tile.stages,
        )
        total = sums.sum(0) if parts > 1 else sums[0]
        return total[:, :-1] / (total[:, -1:] * scale)


class ProductsTf32x3(Products):
    """Three TF32 products for one: nearly f32, on tensor cores."""

    key = "triton-tf32x3"
    name = "Triton, products, TF32 x 3"
    precision = "tf32x3"
    tiles = triton_tiles.TENSOR
    input_precision = "tf32x3"


class ProductsTf32(Products):
    """TF32 inputs, f32 sums, on tensor cores."""

    key = "triton-tf32"
    name = "Triton, products, TF32"
    precision = "tf32"
    tiles = triton_tiles.TENSOR
    input_precision = "tf32"


def multiprocessors(setting) -> int:
    """Multiprocessors of the device; few where the interpreter stands for one, so that keys are cut there too."""
    if setting.device == "cpu":
        return 2
    return setting.torch.cuda.get_device_properties(0).multi_processor_count
