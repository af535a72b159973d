"""What the definitions of this project give, computed naively in double precision.

Standard form: a query y moves to sum_j a_j x_j / sum_j a_j with a_j = w_j s_j k(u_j), u_j = distance(x_j, y) / h_j.
Here w_j is the sample weight, and s_j = h_j^-(d+2) where each point has its own bandwidth, else 1.
Cosine distance: rows are normalised first and the mean after each step; u = (1 - cos) / h.
Blurring form: all points move at once in this way, and the next step sees them where they are then.
"""

import numpy as np

from datasets import around, rounded

WEIGHTS = {
    "gaussian": lambda u: np.exp(-u * u / 2),
    "triangular": lambda u: np.maximum(1 - u, 0),
    "flat": lambda u: (u <= 1).astype(u.dtype),
    "epanechnikov": lambda u: np.maximum(1 - u * u, 0),
    "biweight": lambda u: np.maximum(1 - u * u, 0) ** 2,
}

# A query has arrived when a step moves it at most STOP bandwidths.
STOP = 1e-10
MOST_STEPS = 20_000
BLURRING_STEPS = 4


def unit(rows):
    return rows / np.sqrt((rows * rows).sum(axis=1, keepdims=True))


def scaled_distances(rows, others, setting, h):
    """u (m x n): `h` is a number, one for each dimension (`per_dimension`), or one for each of `others`."""
    if setting["metric"] == "cosine":
        return (1 - rows @ others.T) / h
    per_dimension = setting["bandwidth_is"] == "per_dimension"
    delta = np.abs(rows[:, None, :] - others[None, :, :]) / (h if per_dimension else 1)
    p = setting["p"]
    if p == 2:
        length = np.sqrt((delta * delta).sum(axis=2))
    else:
        length = (delta**p).sum(axis=2) ** (1 / p)
    return length if per_dimension else length / h


def step(rows, points, setting, h, weight):
    """One step of every row, and its support sum_j a_j; a row with no support stays."""
    a = WEIGHTS[weight](scaled_distances(rows, points, setting, h)) * setting["sample_weight_used"]
    if setting["bandwidth_is"] == "per_point":
        a = a * h ** -(points.shape[1] + 2.0)
    support = a.sum(axis=1)
    reached = support > 0
    moved = rows.copy()
    moved[reached] = (a[reached] @ points) / support[reached, None]
    if setting["metric"] == "cosine":
        moved[reached] = unit(moved[reached])
    return moved, support


def climb(setting, points, queries, h, weight):
    """The end of every query, its support there, and the number of steps until all had moved at most 1e-6 h."""
    at, smallest, steps = queries, np.min(h), None
    for count in range(1, MOST_STEPS):
        moved, support = step(at, points, setting, h, weight)
        shift = np.sqrt(((moved - at) ** 2).sum(axis=1)).max() / smallest
        at = moved
        steps = count if steps is None and shift <= 1e-6 else steps
        if shift <= STOP:
            return at, support, steps
    raise AssertionError("no convergence")


def components(table, least):
    """Labels of the connected components of `table` <= least, numbered by first member."""
    labels = np.full(len(table), -1)
    for first in range(len(table)):
        if labels[first] < 0:
            front, label = [first], labels.max() + 1
            labels[first] = label
            while front:
                reached = np.flatnonzero((table[front.pop()] <= least) & (labels < 0))
                labels[reached] = label
                front.extend(reached)
    return labels


def labels_of(setting, ends, support, h):
    """Ends no farther apart than h/2, over any chain, share a label; queries without support have -1."""
    found = np.flatnonzero(support > 0)
    # With a bandwidth a point the ends are so clear that any of them gives the same components: see `clear`.
    scale = np.min(h) if setting["bandwidth_is"] == "per_point" else h
    between = scaled_distances(ends[found], ends[found], setting, scale)
    labels = np.full(len(ends), -1)
    labels[found] = components(between, 0.5)
    return labels, between


def clear(setting, between, labels, h):
    """Ends of one label coincide, and those of different labels are out of reach of each other."""
    inside = labels[labels >= 0][:, None] == labels[labels >= 0][None, :]
    widest = np.max(h) / np.min(h) if setting["bandwidth_is"] == "per_point" else 1.0
    assert between[inside].max() <= 1e-4, between[inside].max()
    assert inside.all() or between[~inside].min() >= 1.0 * widest, (between[~inside].min(), widest)


def inputs(setting, dtype=np.float64):
    data = setting["data"]
    queries = data if setting["queries"] is None else setting["queries"]
    if setting["metric"] == "cosine":
        data, queries = unit(data), unit(queries)
    weights = np.ones(len(data)) if setting["sample_weight"] is None else setting["sample_weight"]
    return {**setting, "sample_weight_used": weights.astype(dtype)}, data.astype(dtype), queries.astype(dtype)


def single_precision(setting, h, weight, ends, labels):
    """Float32 arithmetic must lead to the same labels and, within 2e-3 h, the same ends."""
    used, points, queries = inputs(setting, np.float32)
    h32 = np.float32(h)
    at = queries
    for _ in range(400):
        at, support = step(at, points, used, h32, weight)
    assert at.dtype == np.float32
    found, _ = labels_of(used, at.astype(np.float64), support, h)
    assert np.array_equal(found, labels), "labels in float32"
    off = np.sqrt(((at - ends) ** 2).sum(axis=1)).max() / np.min(h)
    assert off <= 2e-3, f"ends in float32 are {off:.2g} h off"


def standard(setting, weight, bandwidth):
    used, points, queries = inputs(setting)
    h = setting["point_bandwidths"] * bandwidth if setting["bandwidth_is"] == "per_point" else np.array(bandwidth)
    ends, support, steps = climb(used, points, queries, h, weight)
    labels, between = labels_of(used, ends, support, h)
    clear(used, between, labels, h)
    assert 2 <= labels.max() + 1 <= 6, labels.max() + 1
    for times in (1 - 1e-4, 1 + 1e-4):
        other, its_support, _ = climb(used, points, queries, h * times, weight)
        assert np.array_equal(labels_of(used, other, its_support, h)[0], labels)
        assert np.abs(other - ends).max() <= 1e-3 * np.max(h)
    single_precision(setting, h, weight, ends, labels)
    return case(weight, "standard", bandwidth, steps, labels, ends, support)


def blurring(setting, weight, bandwidth):
    """Positions after BLURRING_STEPS steps: the form has no other end than a wait long enough."""
    used, points, _ = inputs(setting)
    for _ in range(BLURRING_STEPS):
        points, support = step(points, points, used, np.array(bandwidth), weight)
    return case(weight, "blurring", bandwidth, BLURRING_STEPS, None, points, support)


def case(weight, form, bandwidth, steps, labels, ends, support):
    return {
        "weight": weight,
        "form": form,
        "bandwidth": bandwidth,
        "steps": steps,
        "labels": labels,
        "ends": np.asarray(ends),
        "support": np.asarray(support),
    }


def setting(name, about, data, metric="l2", p=2, bandwidth_is="scalar", **more):
    """One set of points and one meaning of the distance; `cases` are the weight functions over it."""
    found = {"name": name, "about": about, "n": len(data), "d": data.shape[1], "metric": metric, "p": p}
    found |= {"bandwidth_is": bandwidth_is, "data": rounded(data), "sample_weight": None, "point_bandwidths": None}
    return found | {"queries": None} | {key: rounded(value) for key, value in more.items()}


def with_cases(found, bandwidths, forms=(standard,)):
    cases = [form(found, weight, bandwidth) for form in forms for weight, bandwidth in bandwidths.items()]
    return {**found, "cases": cases}


def every():
    rng = np.random.default_rng(2027)
    plane = around(rng, np.array([[-6.0, 0.0], [5.0, 4.0], [3.0, -7.0]]), [40, 30, 20], 0.8)
    corners = np.array([[-5.0, 0.0, 2.0], [5.0, 4.0, -1.0], [3.0, -6.0, 5.0], [-2.0, 6.0, -6.0]])
    space = around(rng, corners, [20] * 4, 0.7)
    importance = np.round(rng.uniform(0.25, 4.0, size=len(plane)) * 64) / 64
    importance[[7, 23, 61]] = 0.0
    stretched = around(rng, np.array([[-5.0, 0.0], [5.0, 2.0], [0.0, -7.0]]), [30, 30, 30], 0.8) * [1.0, 20.0]
    uneven = np.concatenate([around(rng, np.array([centre]), [30], spread) for centre, spread in UNEVEN])
    directions = np.array([[1.0, 0.2, 0.1], [-0.2, 1.0, 0.3], [-0.5, -0.4, 1.0], [-0.6, -1.0, -1.0]])
    rays = around(rng, unit(directions), [20] * 4, 0.12)
    rays *= rng.uniform(0.2, 5.0, size=(len(rays), 1))
    neighbour = np.sort(np.linalg.norm(uneven[:, None] - uneven[None], axis=2), axis=1)[:, 15]
    first = rng.uniform(-1, 1, size=(20, 2)) + [-6.0, 0.5]
    queries = np.concatenate([first, rng.uniform(-1, 1, size=(10, 2)) + [4.5, 4.0], [[60.0, 60.0]]])
    narrow = {weight: h for weight, h in WIDE.items() if weight != "gaussian"}
    yield with_cases(setting("plain", "Three clouds in the plane", plane), WIDE, (standard, blurring))
    about = "The same clouds with sample weights, three of them 0"
    yield with_cases(setting("weighted", about, plane, sample_weight=importance), WIDE)
    about = "The same clouds, other queries; the last is out of reach"
    yield with_cases(setting("queries", about, plane, queries=queries), narrow)
    apiece = {weight: [h, 20 * h] for weight, h in WIDE.items()}
    about = "Clouds 20 times as high as wide"
    yield with_cases(setting("per_dimension", about, stretched, bandwidth_is="per_dimension"), apiece)
    about = "Clouds of different width; the bandwidth of a point is `bandwidth` times its entry of point_bandwidths"
    yield with_cases(
        setting("per_point", about, uneven, bandwidth_is="per_point", point_bandwidths=neighbour),
        {"gaussian": 1.0, "triangular": 3.0, "flat": 2.5, "epanechnikov": 3.0, "biweight": 3.0},
    )
    yield with_cases(setting("l1", "Four clouds in space, sum of absolute differences", space, metric="l1", p=1), TALL)
    yield with_cases(setting("l3", "Four clouds in space, p = 3", space, metric="lp", p=3), WIDE)
    yield with_cases(
        setting("cosine", "Four bundles of rays of any length", rays, metric="cosine", p=2),
        {"gaussian": 0.0625, "triangular": 0.25, "flat": 0.25, "epanechnikov": 0.25, "biweight": 0.25},
    )


UNEVEN = (([-12.0, 0.0], 0.5), ([6.0, 9.0], 1.0), ([9.0, -12.0], 1.5))
WIDE = {"gaussian": 1.25, "triangular": 4.0, "flat": 3.0, "epanechnikov": 3.5, "biweight": 4.0}
TALL = {"gaussian": 1.5, "triangular": 6.0, "flat": 5.5, "epanechnikov": 5.5, "biweight": 6.0}
