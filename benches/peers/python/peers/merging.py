"""From end positions to labels."""

from __future__ import annotations

import numpy as np

# End positions of a blurring run within this many bandwidths belong together, as in modeseek.
BLURRED = 0.5
# More groups than this are not told apart: a run that found so many has not converged.
MOST = 1000


def by_radius(positions: np.ndarray, radius: float, order=None) -> np.ndarray:
    """
    A group for each position. The first position in `order` that has no group founds one, and takes in all
    that have none within the radius.
    """
    positions = positions.astype(np.float64)
    labels = np.full(positions.shape[0], -1, np.int64)
    places = np.arange(positions.shape[0]) if order is None else np.asarray(order)
    for group in range(MOST):
        places = places[labels[places] < 0]
        if places.size == 0:
            break
        near = ((positions[places] - positions[places[0]]) ** 2).sum(axis=1) <= radius**2
        near[0] = True
        labels[places[near]] = group
    return labels
