"""scikit-learn's MeanShift, and the same rules written naively so that they can be disturbed.

The naive form must agree with scikit-learn on the undisturbed run. Then it is run again with the bandwidth,
the data, the arithmetic, the stopping rule, the order of ties and the origin of the bins changed a little:
a run is *firm* if all of these give the same clustering. Only firm runs are fair to compare for equality.
"""

import warnings
from dataclasses import dataclass, field

import numpy as np
from sklearn.cluster import MeanShift, get_bin_seeds

# Firm: centres within CENTRE_TOLERANCE and borders no nearer than BORDER, both in bandwidths.
CENTRE_TOLERANCE = 2.5e-4
BORDER = 5e-4

TIES = "ties the other way"
BINS_FROM_MEAN = "bins from the mean"


@dataclass
class Options:
    bandwidth: float
    bin_seeding: bool = False
    min_bin_freq: int = 1
    cluster_all: bool = True
    max_iter: int = 300
    seeds: list | None = None


@dataclass
class Disturbance:
    """How a naive run departs from scikit-learn's rules; the default departs in nothing."""

    name: str = "none"
    bandwidth_times: float = 1.0
    points: np.ndarray | None = None
    dtype: type = np.float64
    stop: float = 1e-3
    ties_up: bool = False
    bins_from: np.ndarray | float = 0.0


@dataclass
class Clustering:
    labels: np.ndarray
    centres: np.ndarray
    n_iter: int
    n_seeds: int
    intensity: np.ndarray = None
    predictions: np.ndarray = None
    borders: float = np.inf
    n_iter_range: list = field(default_factory=list)
    bins_any_origin: bool = True
    ties_any_order: bool = True


def distances(a, b):
    """Euclidean distances (m x n), in the type of the arguments."""
    if a.shape[1] > 32:
        # Many columns: by products of matrices, whose cancellation is far less than the borders that are asked for.
        squares = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2 * (a @ b.T)
        return np.sqrt(np.maximum(squares, 0))
    total = np.zeros((len(a), len(b)), dtype=a.dtype)
    for k in range(a.shape[1]):
        total += (a[:, k, None] - b[None, :, k]) ** 2
    return np.sqrt(total)


def with_scikit_learn(points, options):
    repeated = points.data if points.weights is None else np.repeat(points.data, points.weights, axis=0)
    settings = {**vars(options), "seeds": None if options.seeds is None else np.array(options.seeds)}
    with warnings.catch_warnings():
        # With as many bins as points scikit-learn warns and takes the points.
        warnings.simplefilter("ignore", UserWarning)
        model = MeanShift(**settings).fit(repeated)
        if options.seeds is not None:
            n_seeds = len(options.seeds)
        elif options.bin_seeding:
            n_seeds = len(get_bin_seeds(repeated, options.bandwidth, options.min_bin_freq))
        else:
            n_seeds = len(points.data)
    labels = model.labels_
    if points.weights is not None:
        first = np.concatenate([[0], np.cumsum(points.weights)[:-1]])
        labels = labels[first]
    reach = distances(model.cluster_centers_, points.data) <= options.bandwidth
    intensity = reach @ (np.ones(len(points.data)) if points.weights is None else points.weights)
    predictions = model.predict(points.new)
    return Clustering(labels, model.cluster_centers_, model.n_iter_, n_seeds, intensity, predictions)


def bins(data, weights, h, least, origin):
    """The centres of the occupied bins; all points where each is alone in its bin."""
    cells, cell_of = np.unique(np.round((data - origin) / h), axis=0, return_inverse=True)
    weight_of = np.bincount(cell_of.ravel(), weights=weights)
    kept = cells[weight_of >= least]
    return data if len(kept) == weights.sum() else kept * h + origin


def climb(data, weights, seeds, h, max_iter, stop):
    """Each seed moves to the mean of the points in reach until it moves at most `stop` h."""
    at, seen = seeds.copy(), np.zeros(len(seeds))
    steps = np.zeros(len(seeds), dtype=int)
    moving = np.arange(len(seeds))
    while len(moving):
        near = (distances(at[moving], data) <= h) * weights
        seen[moving] = near.sum(axis=1)
        moving, near = moving[seen[moving] > 0], near[seen[moving] > 0]
        means = (near @ data) / near.sum(axis=1, keepdims=True)
        shift = np.sqrt(((means - at[moving]) ** 2).sum(axis=1))
        at[moving] = means
        moving = moving[(shift > stop * h) & (steps[moving] < max_iter)]
        steps[moving] += 1
    return at[seen > 0], seen[seen > 0], steps


def merge(ends, seen, h, ties_up):
    """The heaviest end removes every other within h, then the next heaviest that is left, and so on."""
    order = sorted(range(len(ends)), key=lambda i: (seen[i], tuple(ends[i] * (-1 if ties_up else 1))), reverse=True)
    ends, kept = ends[order], []
    alive = np.ones(len(ends), dtype=bool)
    for i in range(len(ends)):
        if alive[i]:
            kept.append(i)
            alive[distances(ends[i : i + 1], ends)[0] <= h] = False
    return ends[kept]


def naive(points, options, how):
    given = points.data if how.points is None else how.points
    middle = given.mean(axis=0)
    # Single precision works on centred points, or the clusters far away would have no digits left.
    centred = how.dtype != np.float64
    data = (given - middle).astype(how.dtype) if centred else given
    new = (points.new - middle).astype(how.dtype) if centred else points.new
    h = how.dtype(options.bandwidth * how.bandwidth_times)
    weights = np.ones(len(data), dtype=how.dtype) if points.weights is None else points.weights.astype(how.dtype)
    if options.seeds is not None:
        seeds = (np.array(options.seeds) - (middle if centred else 0.0)).astype(how.dtype)
    elif options.bin_seeding:
        found = bins(given, weights, options.bandwidth * how.bandwidth_times, options.min_bin_freq, how.bins_from)
        seeds = (found - (middle if centred else 0.0)).astype(how.dtype)
    else:
        seeds = data
    ends, seen, steps = climb(data, weights, seeds, h, options.max_iter, how.stop)
    if not len(ends):
        return Clustering(np.full(len(data), -1), np.empty((0, data.shape[1])), 0, len(seeds))
    centres = merge(ends, seen, h, how.ties_up)
    to_centres = distances(data, centres)
    labels = to_centres.argmin(axis=1)
    if not options.cluster_all:
        labels[to_centres.min(axis=1) > h] = -1
    found = Clustering(labels, centres.astype(np.float64) + (middle if centred else 0.0), steps.max(), len(seeds))
    found.intensity = (to_centres.T <= h) @ weights
    found.predictions = distances(new, centres).argmin(axis=1)
    found.borders = borders(to_centres, distances(new, centres), h, options.cluster_all)
    return found


def borders(to_centres, new_to_centres, h, cluster_all):
    """How near, in bandwidths, any point comes to having another label."""
    least = np.inf
    for table in (to_centres, new_to_centres):
        if table.shape[1] > 1:
            first, second = np.sort(table, axis=1)[:, :2].T
            least = min(least, (second - first).min() / h)
    if not cluster_all:
        least = min(least, np.abs(to_centres.min(axis=1) - h).min() / h)
    return least


def disturbances(points, options):
    rng = np.random.default_rng(99)
    half_ulp = np.spacing(np.abs(points.data).astype(np.float32)).astype(np.float64) / 2
    yield Disturbance("bandwidth up", bandwidth_times=1 + 1e-4)
    yield Disturbance("bandwidth down", bandwidth_times=1 - 1e-4)
    yield Disturbance("data not rounded", points=np.asarray(points.raw, dtype=np.float64))
    yield Disturbance("data jittered", points=points.data + rng.uniform(-1, 1, size=half_ulp.shape) * half_ulp)
    yield Disturbance("float32", dtype=np.float32)
    if options.max_iter >= 300:
        yield Disturbance("stop at 1e-5", stop=1e-5)
    yield Disturbance(TIES, ties_up=True)
    if options.bin_seeding:
        yield Disturbance(BINS_FROM_MEAN, bins_from=points.data.mean(axis=0))


def differences(base, other, h):
    """What differs between two clusterings, in words; empty if nothing does. And the largest distance of centres."""
    if len(base.centres) != len(other.centres):
        return [f"{len(other.centres)} clusters, not {len(base.centres)}"], np.inf
    table = distances(base.centres, other.centres) / h
    match = table.argmin(axis=1)
    spread = table.min(axis=1).max()
    found = []
    if len(set(match)) != len(match) or not spread <= CENTRE_TOLERANCE:
        found.append(f"centres differ by {spread:.2g} h")
    else:
        renumbered = np.append(match, -1)
        for what in ("labels", "predictions"):
            changed = (renumbered[getattr(base, what)] != getattr(other, what)).sum()
            if changed:
                found.append(f"{changed} {what} differ")
        if not np.array_equal(base.intensity, other.intensity[match]):
            found.append("intensities differ")
    return found, spread


def examined(points, options):
    """scikit-learn's clustering, and the reasons why it is not firm.

    That ties decide it, or the origin of the bins, is noted in the clustering and is no reason: a program can
    follow scikit-learn in both.
    """
    base = with_scikit_learn(points, options)
    same = naive(points, options, Disturbance())
    found, _ = differences(base, same, options.bandwidth)
    for what in ("n_iter", "n_seeds"):
        if getattr(same, what) != getattr(base, what):
            found.append(f"{what} {getattr(same, what)}, not {getattr(base, what)}")
    reasons = [f"naive: {reason}" for reason in found]
    if not same.borders >= BORDER:
        reasons.append(f"a border at {same.borders:.2g} h")
    iterations = [same.n_iter]
    for how in disturbances(points, options):
        other = naive(points, options, how)
        found, _ = differences(base, other, options.bandwidth)
        if how.name == BINS_FROM_MEAN:
            base.bins_any_origin = not found
        elif how.name == TIES:
            base.ties_any_order = not found
        else:
            reasons += [f"{how.name}: {reason}" for reason in found]
        if not found and how.stop == 1e-3 and how.name != BINS_FROM_MEAN:
            iterations.append(other.n_iter)
    base.n_iter_range = [int(min(iterations)), int(max(iterations))]
    if options.bin_seeding and not same_bins_in_float32(points, options.bandwidth):
        reasons.append("float32 puts points in other bins")
    return base, reasons


def same_bins_in_float32(points, h):
    """Whether single precision puts every point in the bin that double precision gives it."""
    single = np.round(points.data.astype(np.float32) / np.float32(h))
    return bool(np.array_equal(single, np.round(points.data / h)))
