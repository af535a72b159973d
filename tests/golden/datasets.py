"""The points of the golden files: what they are, and the float32 values that every program is given."""

from dataclasses import dataclass

import numpy as np
from sklearn import datasets as bundled


@dataclass
class Points:
    """`raw` (n x d) as drawn or as published; `data` is `raw` rounded to float32, held as float64."""

    name: str
    about: str
    raw: np.ndarray
    new: np.ndarray
    weights: np.ndarray | None = None

    def __post_init__(self):
        self.data = rounded(self.raw)
        self.new = rounded(self.new)


def rounded(values):
    return np.asarray(values, dtype=np.float64).astype(np.float32).astype(np.float64)


def around(rng, centres, counts, spread):
    """Normal clouds of `counts` points around `centres`, in random order."""
    pairs = zip(centres, counts, strict=True)
    rows = [rng.normal(centre, spread, size=(count, len(centre))) for centre, count in pairs]
    return rng.permutation(np.concatenate(rows))


def apart(rng, clusters, d, side, least):
    """Centres in a cube, no two nearer than `least`."""
    centres = []
    while len(centres) < clusters:
        candidate = rng.uniform(-side, side, size=d)
        if all(np.linalg.norm(candidate - other) >= least for other in centres):
            centres.append(candidate)
    return np.array(centres)


def blobs(name, about, seed, d, counts, spread=1.0, side=10.0, least=5.0, offset=0.0):
    rng = np.random.default_rng(seed)
    centres = apart(rng, len(counts), d, side, least) + offset
    raw = around(rng, centres, counts, spread)
    return Points(name, about, raw, around(rng, centres, [4] * len(counts), 1.5 * spread))


def held_out(name, about, table, fit, new):
    """`fit` rows to cluster and `new` others to predict, drawn from a published table."""
    order = np.random.default_rng(17).permutation(len(table))
    assert fit + new <= len(table)
    return Points(name, about, table[np.sort(order[:fit])], table[np.sort(order[fit : fit + new])])


def standardised(table):
    return (table - table.mean(axis=0)) / table.std(axis=0)


def moons():
    raw, _ = bundled.make_moons(200, noise=0.05, random_state=5)
    new, _ = bundled.make_moons(20, noise=0.05, random_state=6)
    return Points("moons", "Two half circles, one inside the other (make_moons, noise 0.05)", raw, new)


def outlier():
    rng = np.random.default_rng(31)
    centres = np.array([[0.0, 0.0], [7.0, 1.0], [2.0, 8.0]])
    raw = np.concatenate([around(rng, centres, [50, 40, 30], 0.9), [[500.0, -300.0]]])
    new = np.concatenate([around(rng, centres, [4, 4, 4], 1.2), [[400.0, -200.0], [-1000.0, 1000.0]]])
    return Points("outlier", "Three clouds, and one point far from them (the last row)", raw, new)


def duplicates():
    """Every distinct point one to five times, and the same points once with the number of times as the weight."""
    rng = np.random.default_rng(41)
    centres = np.array([[-4.0, 0.0, 1.0], [3.0, 3.0, -2.0], [2.0, -6.0, 0.0]])
    distinct = around(rng, centres, [25, 20, 15], 1.0)
    times = rng.integers(1, 6, size=len(distinct))
    new = around(rng, centres, [3, 3, 3], 1.5)
    repeated = rng.permutation(np.repeat(distinct, times, axis=0))
    about = "The 60 points of duplicates once each, times repeated as weights"
    return (
        Points("duplicates", "60 points, each repeated one to five times, in random order", repeated, new),
        Points("multiplicities", about, distinct, new, times),
    )


def line():
    rng = np.random.default_rng(43)
    centres = np.array([[-3.0], [0.5], [6.0]])
    raw = around(rng, centres, [40, 30, 30], 0.5)
    return Points("line", "Three groups on a line (d = 1)", raw, around(rng, centres, [4, 4, 4], 0.8))


def few(name, about, rows, new):
    return Points(name, about, np.array(rows), np.array(new))


def every():
    duplicate, multiplicity = duplicates()
    iris, wine = bundled.load_iris().data, standardised(bundled.load_wine().data)
    digits = bundled.load_digits().data
    found = [
        blobs("blobs_2d", "Six normal clouds in the plane", 1, 2, [70, 60, 50, 50, 40, 30]),
        blobs("blobs_3d", "Three normal clouds in space", 2, 3, [80, 70, 50]),
        blobs("blobs_8d", "Five normal clouds, d = 8", 3, 8, [60, 50, 50, 40, 40], least=9.0),
        blobs("blobs_20d", "Four normal clouds, d = 20", 4, 20, [50, 50, 40, 40], least=15.0),
        blobs("far_away", "Four normal clouds around (10000, 10000, 10000)", 6, 3, [60, 50, 50, 40], offset=1e4),
        held_out("iris", "Fisher's irises, in centimetres; 15 rows held out", iris, 135, 15),
        held_out("wine", "Wines of three growers, standardised; 18 held out", wine, 160, 18),
        held_out("digits", "Handwritten digits, 8 x 8 grey levels 0 to 16; 600 rows, 30 held out", digits, 600, 30),
        moons(),
        duplicate,
        multiplicity,
        outlier(),
        line(),
        few("one", "One point", [[3.7, -2.9]], [[0.0, 0.0]]),
        few("two_near", "Two points within one bandwidth", [[0.0, 1.0], [0.3, 1.4]], [[9.0, 9.0]]),
        few("two_apart", "Two points out of reach of each other", [[-4.0, 1.0], [4.0, 2.5]], [[1.0, 1.0]]),
    ]
    return {points.name: points for points in found}
