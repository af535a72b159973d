"""A folder as `device export --tried` writes it, for the tests; and to try run.py by hand: exported.py FOLDER."""

from __future__ import annotations

import json
import os
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)
# Triton reads this when it is imported: its kernels are interpreted in these tests.
os.environ.setdefault("TRITON_INTERPRET", "1")

from rig import oracle  # noqa: E402  the path is set above


def blobs(n: int, d: int, seed: int = 14):
    """Six clusters as the lecture draws them, centred: points and labels."""
    random = np.random.default_rng(seed)
    centroids = random.uniform(-35, 35, (6, d))
    labels = np.sort(np.arange(n) % 6)
    points = centroids[labels] + random.normal(0, 5**0.5, (n, d))
    return (points - points.mean(axis=0)).astype(np.float32), labels.astype(np.uint32)


def bandwidth(d: int) -> float:
    """The cases' bandwidth."""
    return 2.5 * (d / 2) ** 0.5


class Folder:
    """Writes cases and their index."""

    def __init__(self, path: str):
        self.path, self.index = path, []
        os.makedirs(path, exist_ok=True)

    def add(self, case: str, kind: str, arrays: dict, **sizes) -> dict:
        """A case with its arrays."""
        files = {}
        for name, values in arrays.items():
            suffix = ".u32" if values.dtype == np.uint32 else ".f32"
            file = "%s-%s%s" % (case.replace("/", "-"), name, suffix)
            values.astype("<u4" if suffix == ".u32" else "<f4").tofile(os.path.join(self.path, file))
            files[name] = {"file": file, "shape": list(values.shape)}
        entry = dict(case=case, kind=kind, files=files, **sizes)
        self.index.append(entry)
        return entry

    def step(self, case: str, n: int, d: int, checked=None) -> dict:
        """A step, with moved points of the first `checked` queries."""
        points, _ = blobs(n, d)
        moved = oracle.step(points, points[:checked], bandwidth(d)).astype(np.float32)
        sizes = {"checked": checked} if checked else {}
        return self.add(case, "step", {"points": points, "moved": moved}, n=n, d=d, bandwidth=bandwidth(d), **sizes)

    def run(self, case: str, n: int, d: int, iterations: int = 0) -> dict:
        """A whole run."""
        points, labels = blobs(n, d)
        sizes = dict(n=n, d=d, bandwidth=bandwidth(d), iterations=iterations)
        return self.add(case, "run", {"points": points, "labels": labels}, **sizes)

    def write(self) -> str:
        """index.json, and the folder's name."""
        with open(os.path.join(self.path, "index.json"), "w", encoding="utf-8") as file:
            json.dump(self.index, file)
        return self.path


def tried(path: str) -> str:
    """Every kind of case, at the sizes at which cases are tried."""
    folder, random = Folder(path), np.random.default_rng(3)
    for case, n, d in (
        ("step/1500x2", 300, 2), ("step/62500x5", 260, 5), ("step/37749x32", 150, 32), ("step/7000x150", 100, 150),
        ("step/153600x64", 130, 64), ("step/153600x128", 130, 128), ("step/1000000x3", 350, 3),
    ):
        folder.step(case, n, d, checked=64 if d == 3 else None)
    a, b = random.random((70, 90), np.float32) - 0.5, random.random((90, 50), np.float32) - 0.5
    expected = oracle.product(a, b).astype(np.float32)[[0, 9, 69]]
    arrays = {"a": a, "b": b, "rows": np.array([0, 9, 69], np.uint32), "expected": expected}
    folder.add("product/4096", "product", arrays, m=70, k=90, n=50)
    folder.add("product/8192", "product", {}, m=60, k=40, n=80, drawn=True)
    for case, m, n, d in (("pairwise/20000x20000x2", 90, 110, 2), ("pairwise/16000x16000x64", 70, 50, 64)):
        folder.add(case, "pairwise", {"a": blobs(m, d)[0], "b": blobs(n, d, 15)[0]}, m=m, n=n, d=d)
    for case, m, n, d in (("reduce/8192x200000x2", 40, 500, 2), ("reduce/8192x150000x32", 20, 300, 32)):
        folder.add(case, "reduce", {"points": blobs(n, d)[0]}, m=m, n=n, d=d)
    folder.run("run/lecture", 300, 2, 5)
    folder.run("run/10000x2", 500, 2)
    folder.run("run/62500x5", 400, 5)
    folder.run("run/37749x32", 200, 32)
    return folder.write()


if __name__ == "__main__":
    print(tried(sys.argv[1]))
