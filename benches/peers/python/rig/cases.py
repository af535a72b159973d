"""The cases as `device export` wrote them: sizes in index.json, data as raw little-endian numbers."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field

import numpy as np

# What is measured first, because the time is limited: one of each kind, then the others that a report is read for. A
# name ending in "/" stands for all of its cases.
IMPORTANT = (
    "step/200000x2", "run/lecture", "step/153600x64", "product/4096", "step/1000000x2", "step/1000000x3",
    "pairwise/", "reduce/", "run/2000x8", "run/100000x2", "product/",
)

# Rows of a product, of distances or of a reduction that are compared with f64.
CHECKED_ROWS = 8

SEED = 14


@dataclass
class Case:
    """One case: its sizes (n points, d dimensions, bandwidth h; m x k times k x n for products) and its data."""

    name: str
    kind: str
    entry: dict
    folder: str
    drawn: dict = field(default_factory=dict)

    def size(self, letter: str) -> int:
        """A size by its letter in index.json."""
        return int(self.entry[letter])

    @property
    def n(self) -> int:
        return self.size("n")

    @property
    def d(self) -> int:
        return self.size("d")

    @property
    def h(self) -> float:
        return float(self.entry["bandwidth"])

    @property
    def iterations(self) -> int:
        """Iterations of a run; 0: until converged."""
        return int(self.entry.get("iterations", 0))

    def has(self, name: str) -> bool:
        """Whether these data were exported."""
        return name in self.entry.get("files", {})

    def array(self, name: str) -> np.ndarray:
        """Exported data, or the draw of those that are too large to export."""
        if name not in self.drawn:
            self.drawn[name] = self._read(name) if self.has(name) else self._draw(name)
        return self.drawn[name]

    def forget(self) -> None:
        """Frees the data."""
        self.drawn.clear()

    def _read(self, name: str) -> np.ndarray:
        described = self.entry["files"][name]
        file = described["file"]
        kind = {".f32": "<f4", ".u32": "<u4"}[os.path.splitext(file)[1]]
        values = np.fromfile(os.path.join(self.folder, file), dtype=kind)
        return values.reshape(described["shape"])

    def _draw(self, name: str) -> np.ndarray:
        shapes = {("product", "a"): "mk", ("product", "b"): "kn", ("pairwise", "a"): "md", ("pairwise", "b"): "nd"}
        letters = shapes.get((self.kind, name))
        if letters is None:
            raise KeyError("index.json has no data %r for %s" % (name, self.name))
        random = np.random.default_rng(SEED + ord(name))
        shape = tuple(self.size(letter) for letter in letters)
        return random.random(shape, dtype=np.float32) - np.float32(0.5)


def read(folder: str) -> list[Case]:
    """The cases of an exported folder, the important ones first."""
    with open(os.path.join(folder, "index.json"), encoding="utf-8") as file:
        entries = json.load(file)
    cases = [Case(entry["case"], entry["kind"], entry, folder) for entry in entries]
    return sorted(cases, key=lambda case: importance(case.name))


def importance(name: str) -> int:
    """The place of a case in the order of measuring; Python's sort keeps the index's order among equals."""
    for place, important in enumerate(IMPORTANT):
        if name == important or (important.endswith("/") and name.startswith(important)):
            return place
    return len(IMPORTANT)
