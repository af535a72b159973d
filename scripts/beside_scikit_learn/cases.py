"""The cases, and their points."""

from __future__ import annotations

import array
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import List

from gpu_check.errors import Refused

# In two dimensions the flat kernel of this radius has the variance of a Gaussian of bandwidth 2.5, the lecture's:
# a uniform disc of radius r has r^2 / 4 in each coordinate.
BANDWIDTH = 5.0
DIMENSIONS = 2


@dataclass(frozen=True)
class Case:
    """What both cluster: six blobs, as the program generates them."""

    name: str
    points: int
    # Seeds at the occupied bins of a grid; else every point is one.
    binned: bool
    # As many points where things are only tried.
    tried: int

    def options(self) -> List[str]:
        """The program's words for what scikit-learn computes; iterations and tolerance are its own, too."""
        return [
            "--form", "standard", "--kernel", "flat", "--merging", "densest", "--bandwidth", str(BANDWIDTH),
            "--seeding", "bins" if self.binned else "every-point",
        ]

    def seeds(self) -> str:
        """Where queries start, for a person."""
        return "occupied bins" if self.binned else "every point"


CASES = {
    case.name: case
    for case in (
        Case("all-2000", 2_000, False, 300),
        Case("all-10000", 10_000, False, 400),
        Case("bins-100000", 100_000, True, 600),
    )
}


@dataclass(frozen=True)
class Blobs:
    """Points by rows, and the cluster from which each was drawn."""

    points: "array.array[float]"
    labels: "array.array[int]"

    def __len__(self) -> int:
        return len(self.labels)


def read(folder: Path) -> Blobs:
    """What `device blobs` wrote: little-endian numbers of 4 bytes."""
    points, labels = _numbers(folder / "points.f32", "f"), _numbers(folder / "labels.u32", "I")
    if not labels or len(points) != DIMENSIONS * len(labels):
        raise Refused(f"{folder} has {len(points)} coordinates for {len(labels)} points: another device program's?")
    return Blobs(points, labels)


def _numbers(path: Path, kind: str) -> "array.array":
    """A file's numbers."""
    numbers = array.array(kind)
    try:
        numbers.frombytes(path.read_bytes())
    except (OSError, ValueError) as error:
        raise Refused(f"{path} cannot be read: {error}") from error
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
