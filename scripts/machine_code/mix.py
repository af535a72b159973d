"""Sorts the instructions of a loop into classes, and counts them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from .sass import Instruction

ARITHMETIC = {"FFMA", "FADD", "FMUL", "FFMA2", "FADD2", "FMUL2", "DFMA", "DADD", "DMUL"}
COMPARISON = {"FSETP", "FSET", "FSEL", "FMNMX", "FMNMX3", "FCHK"}
TENSOR = {"HMMA", "IMMA", "BMMA", "DMMA", "HGMMA", "QGMMA", "IGMMA", "OMMA", "QMMA", "UTCHMMA", "UTCQMMA"}
MEMORY = {"LDS", "STS", "LDSM", "LDG", "STG", "LDGSTS", "LD", "ST", "LDL", "STL", "ATOM", "ATOMS", "ATOMG", "RED"}
LOCAL = {"LDL", "STL"}
GENERIC = {"LD", "ST"}
WIDTHS = {"U8", "S8", "U16", "S16", "64", "128", "256"}
OTHER = "integer and control"


def classify(instruction: Instruction) -> str:
    """The class of an instruction: arithmetic by name, MUFU by function, memory by width, the rest in one."""
    name = instruction.name
    if name in ARITHMETIC | COMPARISON | TENSOR:
        return name
    if name == "MUFU":
        return ".".join(["MUFU", *instruction.suffixes[:1]])
    if name in MEMORY:
        width = [suffix for suffix in instruction.suffixes if suffix in WIDTHS]
        return ".".join([name, *width[-1:]])
    return OTHER


def count(instructions: Iterable[Instruction]) -> Counter[str]:
    """How many instructions of each class."""
    return Counter(classify(instruction) for instruction in instructions)


def floating_point_work(mix: Counter[str]) -> int:
    """Instructions that compute with floats: what the hottest loop has most of."""
    return sum(n for kind, n in mix.items() if kind.partition(".")[0] in ARITHMETIC | COMPARISON | TENSOR | {"MUFU"})


def order(kind: str) -> tuple[int, str]:
    """A sort key: arithmetic first, then special functions, comparisons, memory, the rest."""
    name = kind.partition(".")[0]
    for rank, group in enumerate((TENSOR, ARITHMETIC, {"MUFU"}, COMPARISON, MEMORY)):
        if name in group:
            return rank, kind
    return 5, kind
