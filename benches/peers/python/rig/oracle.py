"""What is right: direct computations in f64, too short to be wrong, and the measures of error."""

from __future__ import annotations

import numpy as np


def step(points: np.ndarray, queries: np.ndarray, h: float) -> np.ndarray:
    """One Gaussian mean-shift step: sum_j w_j X_j / sum_j w_j with w_j = exp(-|x - X_j|^2 / 2h^2)."""
    data = points.astype(np.float64)
    moved = np.empty(queries.shape, np.float64)
    for i, x in enumerate(queries.astype(np.float64)):
        weights = np.exp(-0.5 * ((x - data) ** 2).sum(axis=1) / h**2)
        moved[i] = weights @ data / weights.sum()
    return moved


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a @ b"""
    return a.astype(np.float64) @ b.astype(np.float64)


def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The 2-norm of every row of a to every row of b."""
    columns = b.astype(np.float64)
    return np.stack([np.sqrt(((x - columns) ** 2).sum(axis=1)) for x in a.astype(np.float64)])


def weighted_means(weights: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(W @ X) / rowsum(W)"""
    w = weights.astype(np.float64)
    return w @ points.astype(np.float64) / w.sum(axis=1, keepdims=True)


def relative_l2(found: np.ndarray, expected: np.ndarray) -> float:
    """|found - expected| / |expected|; NaN where either has one."""
    expected = expected.astype(np.float64)
    scale = np.linalg.norm(expected)
    return float(np.linalg.norm(found.astype(np.float64) - expected) / (scale if scale > 0 else 1.0))


def mean_error(found: np.ndarray, weights: np.ndarray, points: np.ndarray) -> float:
    """The error of weighted means, relative to what was added: centred points cancel, and the means are near 0."""
    added = weighted_means(weights, np.abs(points))
    apart = found.astype(np.float64) - weighted_means(weights, points)
    return float(np.linalg.norm(apart) / np.linalg.norm(added))


def shift_error(found: np.ndarray, expected: np.ndarray, h: float) -> float:
    """The largest distance between a moved point and where it should be, in bandwidths; NaN where either has one."""
    apart = np.linalg.norm(found.astype(np.float64) - expected.astype(np.float64), axis=1)
    return float(np.max(apart) / h)


def adjusted_rand_index(one: np.ndarray, other: np.ndarray) -> float:
    """Hubert and Arabie's index of two labellings: 1 where they agree, about 0 where they are unrelated."""
    one, other = np.ravel(one), np.ravel(other)
    if one.shape != other.shape:
        raise ValueError("%d labels against %d" % (one.size, other.size))
    _, first = np.unique(one, return_inverse=True)
    columns, second = np.unique(other, return_inverse=True)
    _, shared = np.unique(first.astype(np.int64) * columns.size + second, return_counts=True)
    together = pairs(shared)
    in_one, in_other, in_all = pairs(np.bincount(first)), pairs(np.bincount(second)), pairs(np.array([one.size]))
    expected = in_one * in_other / in_all if in_all else 0.0
    most = 0.5 * (in_one + in_other)
    return 1.0 if most == expected else float((together - expected) / (most - expected))


def pairs(counts: np.ndarray) -> float:
    """sum of c (c - 1) / 2"""
    counts = counts.astype(np.float64)
    return float((counts * (counts - 1) / 2).sum())
