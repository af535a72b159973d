"""Writes bandwidth.json: what scikit-learn's estimate_bandwidth and scipy's gaussian_kde give for small sets.

Run: python tests/golden/bandwidth.py   (needs scikit-learn, scipy and numpy)

Coordinates are rounded to multiples of 2^-10, so that they are the same numbers in f32.
"""

import json
import pathlib

import numpy as np
import scipy
import sklearn
from scipy.stats import gaussian_kde
from sklearn.cluster import estimate_bandwidth

QUANTILES = [0.05, 0.3, 0.5, 1.0]


def sets():
    random = np.random.default_rng(5)
    for d, n in [(1, 60), (2, 90), (3, 64), (5, 70), (20, 50)]:
        centres = random.uniform(-10, 10, (3, d))
        yield f"blobs{d}", centres[np.arange(n) % 3] + random.normal(0, 1, (n, d))
    yield "two", np.array([[0.0, 1.0], [3.0, 5.0]])
    yield "lattice", np.stack(np.meshgrid(np.arange(8.0), np.arange(8.0)), -1).reshape(-1, 2)
    yield "duplicates", np.repeat(random.uniform(-4, 4, (6, 2)), 5, axis=0)
    yield "outlier", np.concatenate([random.normal(0, 1, (40, 2)), [[1e4, -1e4]]])


def case(name, points):
    points = np.round(points * 1024) / 1024
    n, d = points.shape
    rules = {}
    if n > d and n > 2:
        weights = 1 + np.arange(n) % 3
        # A point of weight 2 is two points, which is not what scipy makes of weights.
        for key, given in [("unweighted", points), ("weighted", np.repeat(points, weights, axis=0))]:
            kde = gaussian_kde(given.T)
            deviations = np.sqrt(np.atleast_1d(np.diag(kde._data_covariance)))
            rules[key] = {
                "scott": (deviations * kde.scotts_factor()).tolist(),
                "silverman": (deviations * kde.silverman_factor()).tolist(),
            }
    return {
        "name": name,
        "dimensions": d,
        "rows": points.ravel().tolist(),
        "quantiles": [[q, float(estimate_bandwidth(points, quantile=q))] for q in QUANTILES],
        "rules": rules,
    }


golden = {
    "versions": {"scikit-learn": sklearn.__version__, "scipy": scipy.__version__, "numpy": np.__version__},
    "cases": [case(name, points) for name, points in sets()],
}
target = pathlib.Path(__file__).with_suffix(".json")
target.write_text(json.dumps(golden) + "\n")
print(f"{target}: {len(golden['cases'])} cases")
