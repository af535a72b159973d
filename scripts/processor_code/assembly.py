"""Reads what objdump prints of a program: the kernels' functions, their instructions and innermost loops."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

FUNCTION = re.compile(r"^[0-9a-f]+ <(.+)>:$")
KERNEL = re.compile(r"(?:^|[:<])(\w+)::processor::(baseline|avx2|avx512)::")
INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\t(?:\{\w+\} |(?:rep\w*|lock|notrack|data16) )*([\w.]+)\s*(.*)$")
TARGET = re.compile(r"([0-9a-f]+)(?: <|$)")
COMMA = re.compile(r",(?![^()]*\))")


@dataclass(frozen=True)
class Instruction:
    """One instruction, its operands as AT&T's syntax has them: the destination last."""

    address: int
    name: str
    operands: tuple[str, ...]

    @property
    def target(self) -> int | None:
        """Where a jump goes, if it says so."""
        match = TARGET.match(self.operands[0]) if self.name.startswith("j") and self.operands else None
        return int(match[1], 16) if match else None


@dataclass(frozen=True)
class Function:
    """A function of a kernel for one kind of processor."""

    kernel: str
    kind: str
    code: list[Instruction]


def functions(lines: Iterable[str]) -> Iterator[Function]:
    """The kernels' functions in a listing."""
    current: Function | None = None
    for line in lines:
        if line.endswith(">:\n") and (header := FUNCTION.match(line)):
            if current:
                yield current
            name = KERNEL.search(header[1])
            current = Function(name[1], name[2], []) if name else None
        elif current and (match := INSTRUCTION.match(line.partition("#")[0])):
            operands = tuple(part.strip() for part in COMMA.split(match[3]) if part.strip())
            current.code.append(Instruction(int(match[1], 16), match[2], operands))
    if current:
        yield current


def innermost_loops(code: list[Instruction]) -> list[list[Instruction]]:
    """What lies between a jump backward and its target, and holds no other such target."""
    place = {instruction.address: index for index, instruction in enumerate(code)}
    ends: dict[int, int] = {}
    for index, instruction in enumerate(code):
        start = place.get(instruction.target, index + 1) if instruction.target is not None else index + 1
        if start <= index:
            ends[start] = index
    inner = [(start, end) for start, end in ends.items() if not any(start < other <= end for other in ends)]
    return [code[start : end + 1] for start, end in sorted(inner)]
