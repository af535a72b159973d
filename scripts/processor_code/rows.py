"""Kernels that take rows of a field's nodes (gpu/node_rows.rs), whose lanes are words and do move, and are joined and parted.

Of them the share of single numbers in all arithmetic is looked at. It was 0.57 to 1 where LLVM had taken the vectors to pieces, and is
0.05 to 0.39 where they are whole: a thread has loops over single numbers too. Of the baseline, whose vectors are short, it says less.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from .assembly import Function
from .instructions import OPERATION, is_packed
from .specification import KERNELS, SpecificationError

SINGLE = re.compile(OPERATION + "s[sd]")
KINDS = ("avx2", "avx512")
MOST_SINGLE = 0.5


def load_rows(path: Path = KERNELS) -> list[str]:
    """The kernels that kernels.toml names as [rows]."""
    names = tomllib.loads(path.read_text()).get("rows", {}).get("names", [])
    if not all(isinstance(name, str) for name in names):
        raise SpecificationError(f"{path.name}: the names of [rows] are no names")
    return names


class Rows:
    """Operations on single numbers and on vectors, by kernel and kind of processor."""

    def __init__(self, names: Iterable[str]) -> None:
        self.counts: dict[tuple[str, str], tuple[int, int]] = {(name, kind): (0, 0) for name in names for kind in KINDS}

    def watch(self, functions: Iterable[Function]) -> Iterator[Function]:
        """The same functions, which are looked at in passing."""
        for function in functions:
            if (function.kernel, function.kind) in self.counts:
                # A kernel may be several functions.
                single, packed = self.counts[function.kernel, function.kind]
                single += sum(SINGLE.fullmatch(instruction.name) is not None for instruction in function.code)
                packed += sum(map(is_packed, function.code))
                self.counts[function.kernel, function.kind] = (single, packed)
            yield function

    def violations(self) -> list[str]:
        """Every breach, one line each."""
        found = []
        for (kernel, kind), (single, packed) in self.counts.items():
            share = single / max(single + packed, 1)
            if single + packed == 0:
                found.append(f"{kernel} on {kind}: no arithmetic was found; is the kernel in the program?")
            elif share > MOST_SINGLE:
                found.append(f"{kernel} on {kind}: {share:.2f} of its arithmetic is of single numbers; allowed {MOST_SINGLE}")
        return found
