"""
Points in the cells of a grid, and sums over neighbouring cells: what MeanShift++ and GridShift share.

The 3^d cells about a point's own, of side a, are a box with variance (3a)^2 / 12 in each coordinate, and the
Gaussian has h^2: they match at a = 2h / sqrt(3).
"""

from __future__ import annotations

import itertools
import math

import numpy as np

# 3^d cells are looked up for every cell, so that few dimensions are possible.
DIMENSIONS = 6


def side(h: float) -> float:
    """The side of a cell with which 3^d cells have the variance of a Gaussian of bandwidth h."""
    return 2 * h / math.sqrt(3)


class NumpyArrays:
    """On the processor."""

    def put(self, values: np.ndarray):
        return values.astype(np.float32)

    def ones(self, like):
        return np.ones(like.shape[0], np.float32)

    def cells(self, positions, width: float):
        cells = np.floor(positions / width).astype(np.int64)
        return cells - cells.min(axis=0)

    def strides(self, cells) -> list[int]:
        return strides_of(cells.max(axis=0).tolist())

    def keys(self, cells, strides):
        return (cells + 1) @ np.asarray(strides)

    def unique(self, keys):
        found, inverse = np.unique(keys, return_inverse=True)
        return found, inverse.reshape(-1)

    def sums(self, values, groups, count: int):
        columns = [np.bincount(groups, weights=column, minlength=count) for column in values.T]
        return np.stack(columns, axis=1).astype(np.float32)

    def find(self, keys, wanted):
        places = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
        return places, (keys[places] == wanted)[:, None]

    def largest_move(self, one, other) -> float:
        return float(np.sqrt(((one - other) ** 2).sum(axis=1)).max())

    def column(self, values):
        return values[:, None]

    def beside(self, *parts):
        return np.concatenate(parts, axis=1)

    def host(self, values) -> np.ndarray:
        return values


class TorchArrays:
    """The same by torch, on its device."""

    def __init__(self, torch, device: str):
        self.torch, self.device = torch, device

    def put(self, values: np.ndarray):
        return self.torch.from_numpy(values.astype(np.float32)).to(self.device)

    def ones(self, like):
        return like.new_ones(like.shape[0])

    def cells(self, positions, width: float):
        cells = (positions / width).floor().long()
        return cells - cells.min(0).values

    def strides(self, cells) -> list[int]:
        return strides_of(cells.max(0).values.tolist())

    def keys(self, cells, strides):
        return ((cells + 1) * cells.new_tensor(strides)).sum(1)

    def unique(self, keys):
        return keys.unique(return_inverse=True)

    def sums(self, values, groups, count: int):
        return values.new_zeros((count, values.shape[1])).index_add_(0, groups, values)

    def find(self, keys, wanted):
        places = self.torch.searchsorted(keys, wanted).clamp_(max=keys.shape[0] - 1)
        return places, (keys[places] == wanted)[:, None]

    def largest_move(self, one, other) -> float:
        return float((one - other).norm(dim=1).max())

    def column(self, values):
        return values[:, None]

    def beside(self, *parts):
        return self.torch.cat(parts, 1)

    def host(self, values) -> np.ndarray:
        return values.cpu().numpy()


def strides_of(largest: list[int]) -> list[int]:
    """Factors that make one number of a cell's coordinates, with room for a neighbour on either side."""
    strides, size = [], 1
    for last in reversed(largest):
        strides.append(size)
        size *= int(last) + 3
    if size >= 1 << 62:
        raise OverflowError("the grid has too many cells for one 64-bit number")
    return strides[::-1]


class Cells:
    """The occupied cells of weighted positions: their keys in order, the cell of each, weight and sum in each."""

    def __init__(self, arrays, positions, weights, width: float):
        self.arrays = arrays
        cells = arrays.cells(positions, width)
        self.strides = arrays.strides(cells)
        self.keys, self.cell_of = arrays.unique(arrays.keys(cells, self.strides))
        weights = arrays.column(weights)
        values = arrays.beside(weights, positions * weights)
        self.count = int(self.keys.shape[0])
        self.totals = arrays.sums(values, self.cell_of, self.count)

    def shifted(self):
        """For each cell, the weighted mean over it and the cells about it."""
        around = self.totals * 0
        for offset in itertools.product((-1, 0, 1), repeat=len(self.strides)):
            step = sum(o * stride for o, stride in zip(offset, self.strides))
            places, there = self.arrays.find(self.keys, self.keys + step)
            around = around + self.totals[places] * there
        return around[:, 1:] / around[:, :1]
