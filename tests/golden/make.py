#!/usr/bin/env python3
"""Makes the golden files next to it, or checks that they are what it would make.

    make.py            writes scikit_learn/*.json and definitions/*.json
    make.py --check    compares them instead: numbers to 1e-6 bandwidth, everything else exactly
    make.py --check iris wine  the same for some of them
    make.py --survey iris    which bandwidths give a firm clustering, to choose from

It needs numpy and scikit-learn. The format is described in README.md.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import sklearn

import datasets
import definitions
from flat_kernel import Options, examined

HERE = Path(__file__).resolve().parent
LIMIT = 600_000
ARRAYS = ("data", "sample_weight", "point_bandwidths", "queries")
COMPUTED = {"cluster_centers", "ends", "support"}


def three(bandwidth):
    """Every point a seed; occupied bins; bins of four points or more, with points out of reach left out."""
    return [
        Options(bandwidth),
        Options(bandwidth, bin_seeding=True),
        Options(bandwidth, bin_seeding=True, min_bin_freq=4, cluster_all=False),
    ]


def strict(bandwidth):
    return Options(bandwidth, cluster_all=False)


def binned(bandwidth):
    return Options(bandwidth, bin_seeding=True)


# Bandwidths are multiples of 1/64, hence exact in float32, and chosen with --survey.
RUNS = {
    "blobs_2d": [
        *three(2.640625),
        strict(2.640625),
        Options(1.9375),
        Options(4.953125),
        strict(4.953125),
        Options(6.5625),
        Options(2.640625, seeds=[[9.0, 2.0], [-8.0, 6.0], [0.0, 0.0], [3.5, -7.5], [-6.0, -6.0], [90.0, 90.0]]),
        Options(2.640625, max_iter=4),
    ],
    "blobs_3d": [*three(2.640625), Options(1.734375), Options(1.84375), binned(2.234375)],
    "blobs_8d": [*three(4.3125), Options(3.765625), binned(3.765625), Options(10.84375)],
    "blobs_20d": [Options(5.390625), Options(6.375), strict(6.375), binned(7.375)],
    "far_away": [*three(2.640625), *three(3.3125)],
    "iris": [*three(1.078125), Options(0.703125), Options(0.859375), strict(0.859375)],
    "wine": [*three(3.78125), Options(2.5), strict(3.515625)],
    "digits": [Options(33.125)],
    "moons": [Options(0.640625), Options(0.78125), strict(0.78125), binned(0.78125), *three(0.921875)],
    "duplicates": [*three(2.390625), Options(1.1875), Options(2.046875), binned(2.046875)],
    "multiplicities": [*three(2.390625), Options(1.109375), Options(2.078125)],
    "outlier": [*three(2.234375), Options(5.421875), strict(5.421875)],
    "line": [*three(0.4375), *three(0.65625), Options(0.265625)],
    "one": [*three(1.0)[:2], strict(1.0)],
    "two_near": [*three(1.0)[:2], strict(1.0)],
    "two_apart": [*three(1.0)[:2], strict(1.0)],
}


def shortest(values):
    """Each number as the shortest decimal that reads back as the same float32."""
    flat = np.asarray(values, dtype=np.float64).ravel()
    found = [float(str(np.float32(value))) for value in flat]
    assert np.array_equal(np.float32(found), flat.astype(np.float32))
    return [int(value) if value == int(value) else value for value in found]


def digits_of(values, digits=9):
    return [float(f"{value:.{digits}g}") for value in np.asarray(values, dtype=np.float64).ravel()]


def plain(value):
    if not isinstance(value, np.ndarray):
        return value
    return digits_of(value) if value.dtype.kind == "f" else value.tolist()


def run_of(points, options):
    found, reasons = examined(points, options)
    assert not reasons, (points.name, options, reasons)
    return {
        "bandwidth": options.bandwidth,
        "bin_seeding": options.bin_seeding,
        "min_bin_freq": options.min_bin_freq,
        "cluster_all": options.cluster_all,
        "max_iter": options.max_iter,
        "seeds": None if options.seeds is None else shortest(options.seeds),
        "n_seeds": int(found.n_seeds),
        "n_iter": int(found.n_iter),
        "n_iter_range": found.n_iter_range,
        "bins_any_origin": bool(found.bins_any_origin),
        "ties_any_order": bool(found.ties_any_order),
        "n_clusters": len(found.centres),
        "cluster_centers": digits_of(found.centres),
        "intensity": [int(count) for count in found.intensity],
        "labels": [int(label) for label in found.labels],
        "predictions": [int(label) for label in found.predictions],
    }


def scikit_learn_files(wanted):
    for name, points in datasets.every().items():
        if wanted and name not in wanted:
            continue
        n, d = points.data.shape
        yield f"scikit_learn/{name}.json", {
            "name": name,
            "about": points.about,
            "scikit_learn": sklearn.__version__,
            "n": n,
            "d": d,
            "data": shortest(points.data),
            "sample_weight": None if points.weights is None else [int(weight) for weight in points.weights],
            "new_points": shortest(points.new),
            "runs": [run_of(points, options) for options in RUNS[name]],
        }


def definition_files(wanted):
    for setting in definitions.every():
        if wanted and setting["name"] not in wanted:
            continue
        yield f"definitions/{setting['name']}.json", {
            **{key: value for key, value in setting.items() if key not in ARRAYS and key != "cases"},
            **{key: None if setting[key] is None else shortest(setting[key]) for key in ARRAYS},
            "cases": [{key: plain(value) for key, value in case.items()} for case in setting["cases"]],
        }


def text_of(golden):
    """JSON with one line a field, and one line a field of each run or case."""
    lines = []
    for key, value in golden.items():
        if key in ("runs", "cases"):
            fields = [",\n".join(f"   {json.dumps(k)}: {compact(v)}" for k, v in item.items()) for item in value]
            lines.append(f" {json.dumps(key)}: [\n" + ",\n".join(f"  {{\n{item}\n  }}" for item in fields) + "\n ]")
        else:
            lines.append(f" {json.dumps(key)}: {compact(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def compact(value):
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def departures(path, made, stored, scale=None):
    """Where two goldens differ. Computed numbers may by 1e-6 `scale`; versions may."""
    if isinstance(made, dict) and isinstance(stored, dict):
        if made.keys() != stored.keys():
            return [f"{path}: fields {sorted(made.keys() ^ stored.keys())}"]
        keys = [key for key in made if key != "scikit_learn"]
        scales = {key: np.max(made["bandwidth"]) for key in COMPUTED & made.keys()}
        return [line for key in keys for line in departures(f"{path}.{key}", made[key], stored[key], scales.get(key))]
    if isinstance(made, list) and isinstance(stored, list):
        if len(made) != len(stored):
            return [f"{path}: {len(stored)} values, not {len(made)}"]
        pairs = enumerate(zip(made, stored, strict=True))
        return [line for i, (a, b) in pairs for line in departures(f"{path}[{i}]", a, b, scale)]
    if scale is not None and isinstance(stored, (int, float)):
        same = abs(made - stored) <= 1e-6 * max(scale, abs(made))
    else:
        same = type(made) is type(stored) and made == stored
    return [] if same else [f"{path}: {stored!r}, not {made!r}"]


def check(files, everything):
    found = []
    for name, golden in files.items():
        path = HERE / name
        if not path.is_file():
            found.append(f"{name}: missing")
            continue
        stored = json.loads(path.read_text())
        lines = departures(path.stem, json.loads(text_of(golden)), stored)
        found += [f"{name}: {line}" for line in lines[:5]]
    for folder in ("scikit_learn", "definitions") if everything else ():
        stray = {f"{folder}/{path.name}" for path in (HERE / folder).glob("*.json")} - files.keys()
        found += [f"{name}: nothing makes it" for name in sorted(stray)]
    return found


def survey(name):
    points = datasets.every()[name]
    table = np.sort(np.linalg.norm(points.data[:, None] - points.data[None], axis=2), axis=1)
    middle = table[:, int(0.2 * len(table))].mean()
    for h in np.unique(np.round(np.linspace(0.3, 1.6, 40) * middle * 64) / 64):
        for options in three(float(h)):
            try:
                found, reasons = examined(points, options)
            except ValueError as error:
                print(f"{h:<10} {str(error).split('.')[0]}")
                continue
            words = "; ".join(reasons) or "firm"
            print(f"{h:<10} {found.n_seeds:>5} seeds {len(found.centres):>4} clusters  {words}", end=" ")
            loose = [] if found.ties_any_order else ["ties matter"]
            loose += [] if found.bins_any_origin else ["origin of bins matters"]
            print(" ".join(f"({word})" for word in loose), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--check", action="store_true", help="compare the files instead of writing them")
    action.add_argument("--survey", metavar="NAME", help="examine bandwidths for one set of points")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these files, without .json")
    arguments = parser.parse_args()
    print(f"Python {sys.version.split()[0]}, numpy {np.__version__}, scikit-learn {sklearn.__version__}")
    if arguments.survey:
        survey(arguments.survey)
        return 0
    wanted = set(arguments.names)
    files = dict([*scikit_learn_files(wanted), *definition_files(wanted)])
    assert len(files) >= max(1, len(wanted)), f"no such file among {sorted(wanted)}"
    total = sum(len(text_of(golden)) for golden in files.values())
    assert total <= LIMIT, f"{total} bytes"
    if arguments.check:
        found = check(files, not wanted)
        print("\n".join(found) or f"{len(files)} files, {total} bytes: as made")
        return 1 if found else 0
    for name, golden in files.items():
        (HERE / name).parent.mkdir(exist_ok=True)
        (HERE / name).write_text(text_of(golden))
        print(f"{len(text_of(golden)):>8} {name}")
    print(f"{total:>8} bytes in {len(files)} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
