"""Gathers, of all kernels: where a compiler takes the wrong numbers for a vector's lanes, it fetches each from where it stands.

`nearest_l2` was 20 times as slow with AVX-512 as it is, when its vectors were of four neighbouring modes and no longer of queries: 33
gathers. Kernels whose vectors are whole have 15 at most, but for those that kernels.toml names.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from .assembly import Function
from .specification import KERNELS, SpecificationError

MOST = 16


def load_allowed(path: Path = KERNELS) -> frozenset[str]:
    """The kernels that kernels.toml allows more, each with a reason."""
    table = tomllib.loads(path.read_text()).get("gathers", {})
    if not isinstance(table, dict) or not all(isinstance(reason, str) and reason for reason in table.values()):
        raise SpecificationError(f"{path.name}: [gathers] wants a reason for each kernel")
    return frozenset(table)


class Gathers:
    """How many instructions gather, by kernel and kind of processor."""

    def __init__(self, allowed: frozenset[str]) -> None:
        self.allowed = allowed
        self.counts: Counter[tuple[str, str]] = Counter()

    def watch(self, functions: Iterable[Function]) -> Iterator[Function]:
        """The same functions, which are looked at in passing."""
        for function in functions:
            # A kernel may be several functions.
            self.counts[function.kernel, function.kind] += sum("gather" in instruction.name for instruction in function.code)
            yield function

    def violations(self) -> list[str]:
        """Every breach, one line each."""
        return [
            f"{kernel} on {kind}: {count} instructions gather numbers one by one; allowed {MOST}, or a reason in kernels.toml"
            for (kernel, kind), count in self.counts.items()
            if count > MOST and kernel not in self.allowed
        ]
