"""
Linear mean shift by grids.

MeanShift++: J. Jang and H. Jiang, "MeanShift++: Extremely Fast Mode-Seeking With Applications to Segmentation and
Object Tracking", CVPR 2021. Each iteration puts every point into the cell of a grid, and moves it to the mean of
the points in its cell and the 3^d - 1 about it.

GridShift: A. Kumar, O. S. Ajani, S. Das and R. Mallipeddi, "GridShift: A Faster Mode-Seeking Algorithm for Image
Segmentation and Object Tracking", CVPR 2022. The occupied cells move instead of the points: each has a centroid
and a count, and cells whose centroids come to lie in one cell are merged, so that there are ever fewer.

Where these differ from the papers: the side of a cell is chosen by variance (see `grid`), not equal to the
bandwidth; all cells move at once, from the sums before; cells are found by sorting their numbers, not by hashing;
end positions within a bandwidth of each other are one cluster.
"""

from __future__ import annotations

from peers import grid
from peers.interface import Found, Peer, Prepared
from peers.merging import by_radius

TOLERANCE = 1e-3
MOST_ITERATIONS = 100


def mean_shift_pp(arrays, points, h: float) -> Found:
    """Points move. All points of a cell move to one place."""
    positions = arrays.put(points)
    weights = arrays.ones(positions)
    done, looked_up = 0, 0
    for done in range(1, MOST_ITERATIONS + 1):
        cells = grid.Cells(arrays, positions, weights, grid.side(h))
        shifted = cells.shifted()
        moved = shifted[cells.cell_of]
        looked_up += cells.count * 3 ** points.shape[1]
        moves = arrays.largest_move(moved, positions)
        positions = moved
        if moves < TOLERANCE * h:
            break
    labels = by_radius(arrays.host(shifted), h)[arrays.host(cells.cell_of)]
    return Found(labels, done, looked_up)


def grid_shift(arrays, points, h: float) -> Found:
    """Cells move. `owner` is the cell that each point has come to."""
    positions = arrays.put(points)
    weights = arrays.ones(positions)
    owner = None
    done, looked_up = 0, 0
    for done in range(1, MOST_ITERATIONS + 1):
        cells = grid.Cells(arrays, positions, weights, grid.side(h))
        owner = cells.cell_of if owner is None else cells.cell_of[owner]
        weights = cells.totals[:, 0]
        centroids = cells.totals[:, 1:] / cells.totals[:, :1]
        positions = cells.shifted()
        looked_up += cells.count * 3 ** points.shape[1]
        if arrays.largest_move(positions, centroids) < TOLERANCE * h:
            break
    labels = by_radius(arrays.host(positions), h)[arrays.host(owner)]
    return Found(labels, done, looked_up)


class Grid(Peer):
    """What the four have in common."""

    kinds = ("run",)
    algorithm = staticmethod(mean_shift_pp)

    def suits(self, case) -> bool:
        return case.d <= grid.DIMENSIONS

    def arrays(self, setting):
        """What computes."""
        return grid.TorchArrays(setting.torch, setting.device)

    def prepare(self, case, inputs, setting) -> Prepared:
        points, arrays = case.array("points"), self.arrays(setting)
        note = "cells of side 2h / sqrt(3); pairs are cells looked up"
        return Prepared(lambda queries, batch: self.algorithm(arrays, points, case.h), note=note)


class OnNumpy(Grid):
    """By NumPy, on the processor."""

    needs = ()
    processor_only = True

    def arrays(self, setting):
        return grid.NumpyArrays()


class MeanShiftPp(Grid):
    """MeanShift++ by torch."""

    key = "meanshift++"
    name = "MeanShift++, torch"


class MeanShiftPpNumpy(OnNumpy):
    """MeanShift++ by NumPy."""

    key = "meanshift++-numpy"
    name = "MeanShift++, NumPy"


class GridShift(Grid):
    """GridShift by torch."""

    key = "gridshift"
    name = "GridShift, torch"
    algorithm = staticmethod(grid_shift)


class GridShiftNumpy(OnNumpy):
    """GridShift by NumPy."""

    key = "gridshift-numpy"
    name = "GridShift, NumPy"
    algorithm = staticmethod(grid_shift)
