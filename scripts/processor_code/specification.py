"""The two tables that the gate goes by: kernels.toml, written by hand, and budgets.toml, written by the gate."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KERNELS = Path(__file__).with_name("kernels.toml")
BUDGETS = Path(__file__).with_name("budgets.toml")
# Kinds of processor, and the numbers that their widest vectors hold.
KINDS = {"baseline": 4, "avx2": 8, "avx512": 16}
ANCHORS = ("exponential", "root")

HEAD = """\
# Instructions of the dearest hot loop for one vector of pairs (baseline 4, AVX2 8, AVX-512 16 pairs), by kernel and kind of
# processor. Written by `scripts/processor-code --write-budgets`; --check allows 15 % more, since the loops differ a
# little with the splits of a crate into units. A change here is a decision: say in the commit why.

"""

Budgets = dict[str, dict[str, float]]


class SpecificationError(Exception):
    """A table that does not hold what it should; the text says what to do."""


@dataclass(frozen=True)
class KernelSpec:
    """What the gate knows of a kernel; see kernels.toml. Allowed: names of instructions, by kind of processor."""

    name: str
    anchor: str
    allowed: dict[str, frozenset[str]]


def load_kernels(path: Path = KERNELS) -> dict[str, KernelSpec]:
    """The kernels of kernels.toml."""
    table = _read(path)
    try:
        allowed: dict[str, dict[str, frozenset[str]]] = {}
        for entry in table.get("allowed", []):
            if entry["kind"] not in KINDS or not entry["reason"]:
                wanted = f"wants a kind of {', '.join(KINDS)}, and a reason"
                raise SpecificationError(f"{path.name}: [[allowed]] {entry['kernel']} {wanted}")
            allowed.setdefault(entry["kernel"], {})[entry["kind"]] = frozenset(entry["instructions"])
        kernels = {}
        for entry in table["kernel"]:
            if entry["anchor"] not in ANCHORS:
                raise SpecificationError(f"{path.name}: {entry['names']}: the anchor is not one of {', '.join(ANCHORS)}")
            for name in entry["names"]:
                kernels[name] = KernelSpec(name, entry["anchor"], allowed.pop(name, {}))
    except (KeyError, TypeError, AttributeError) as error:
        what_to_do = "its head says what an entry holds"
        raise SpecificationError(f"{path.name} lacks, or has in another form: {error}; {what_to_do}") from error
    if allowed:
        raise SpecificationError(f"{path.name}: [[allowed]] names {', '.join(sorted(allowed))}, which no [[kernel]] does")
    return kernels


def load_budgets(kernels: dict[str, KernelSpec], path: Path = BUDGETS) -> Budgets:
    """The budgets, each a positive number of a known kernel and kind; none may be missing."""
    rewrite = "run scripts/processor-code --write-budgets and review the difference"
    table = _read(path, rewrite)
    if strange := sorted(table.keys() - kernels.keys()):
        raise SpecificationError(f"{path.name} names {', '.join(strange)}, which kernels.toml does not; {rewrite}")
    for name in kernels:
        for kind in KINDS:
            entry = table.get(name)
            budget: Any = entry.get(kind) if isinstance(entry, dict) else None
            if isinstance(budget, bool) or not isinstance(budget, (int, float)) or not 0 < budget < float("inf"):
                raise SpecificationError(f"{path.name} has no positive number for {name} on {kind}; {rewrite}")
    return table


def write_budgets(budgets: Budgets, path: Path = BUDGETS) -> None:
    """Writes budgets.toml."""
    lines = []
    for name, kinds in budgets.items():
        cells = ", ".join(f"{kind} = {kinds[kind]:.2f}" for kind in KINDS)
        lines.append(f"{name} = {{ {cells} }}\n")
    path.write_text(HEAD + "".join(lines))


def _read(path: Path, what_to_do: str = "restore it from the repository") -> dict[str, Any]:
    """A TOML file's table."""
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise SpecificationError(f"cannot read {path}: {error.strerror}; {what_to_do}") from error
    except ValueError as error:
        raise SpecificationError(f"{path.name} is damaged: {error}; {what_to_do}") from error
