"""Measures the hot loops of kernels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from .assembly import Function, Instruction, innermost_loops
from .instructions import forbidden, is_anchor, is_packed, width
from .specification import KINDS, KernelSpec

BYTES_OF_NUMBER = 4


@dataclass(frozen=True)
class Loop:
    """A hot loop: where it is, its instructions, pairs a turn, and what it should not have."""

    address: int
    instructions: int
    pairs: int
    forbidden: Counter[str]

    @property
    def per_pair(self) -> float:
        """Instructions a pair."""
        return self.instructions / self.pairs


@dataclass(frozen=True)
class Measured:
    """A kernel for one kind of processor."""

    kind: str
    loops: list[Loop] = field(default_factory=list)

    @property
    def dearest(self) -> Loop:
        """The loop with the most instructions a pair."""
        return max(self.loops, key=lambda loop: loop.per_pair)

    @property
    def per_vector(self) -> float:
        """Instructions for as many pairs as the widest vectors of the processor hold."""
        return self.dearest.per_pair * KINDS[self.kind]

    @property
    def forbidden(self) -> Counter[str]:
        """What no hot loop should have, of all together."""
        return sum((loop.forbidden for loop in self.loops), Counter())


Results = dict[tuple[str, str], Measured]


def measure(functions: Iterable[Function], kernels: dict[str, KernelSpec]) -> Results:
    """Every kernel on every kind of processor, without loops where none was found."""
    results = {(name, kind): Measured(kind) for name in kernels for kind in KINDS}
    for function in functions:
        if spec := kernels.get(function.kernel):
            found = (hot_loop(code, spec) for code in innermost_loops(function.code))
            results[function.kernel, function.kind].loops.extend(loop for loop in found if loop)
    return results


def hot_loop(code: list[Instruction], spec: KernelSpec) -> Loop | None:
    """A loop as one of the kernel's hot loops, if it is one."""
    anchors = [width(instruction) for instruction in code if is_anchor(instruction, spec.anchor)]
    if not anchors or not any(map(is_packed, code)):
        return None
    found = (forbidden(instruction, max(anchors)) for instruction in code)
    return Loop(code[0].address, len(code), sum(anchors) // BYTES_OF_NUMBER, Counter(name for name in found if name))
