"""The hand-written table of kernels, kernels.toml, and the committed budgets, budgets.toml."""

from __future__ import annotations

import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from . import mix, sass

HERE = Path(__file__).resolve().parent
KERNELS = HERE / "kernels.toml"
BUDGETS = HERE / "budgets.toml"
PEERS = HERE.parents[1] / "benches/peers/cuda"

# Budgets by kernel, loop and architecture: instructions a unit.
Budgets = dict[str, dict[str, dict[str, float]]]


class SpecificationError(Exception):
    """The table does not fit the kernels."""


@dataclass(frozen=True)
class LoopSpec:
    """How to find a hot loop and what to divide its instructions by. The fields: see kernels.toml."""

    name: str
    unit: str
    anchor: tuple[str, ...]
    loads: str
    per_unit: int = 1
    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()

    def matches(self, counts: Counter[str]) -> bool:
        """Whether a loop with these instructions can be this one."""
        wanted = all(of_class(counts, kind) for kind in self.has) and self.units(counts) > 0
        return wanted and not any(of_class(counts, kind) for kind in self.lacks)

    def units(self, counts: Counter[str]) -> float:
        """Units that one turn of a loop with these instructions works on."""
        return sum(of_class(counts, kind) for kind in self.anchor) / self.per_unit

    def find(self, function: sass.Function) -> list[sass.Instruction] | None:
        """The instructions of the hot loop, if there is one: most floating-point work, then shortest."""
        loops = [loop for loop in function.innermost_loops() if self.matches(mix.count(loop))]
        return max(loops, key=lambda loop: (mix.floating_point_work(mix.count(loop)), -len(loop)), default=None)


@dataclass(frozen=True)
class KernelSpec:
    """What the gate knows of a kernel. The fields: see kernels.toml."""

    name: str
    threads: int
    loops: tuple[LoopSpec, ...]
    dynamic_shared: int = 0
    peer: str | None = None
    never_above: bool = False
    above_peer: str | None = None
    no_loop: str | None = None
    needs: str | None = None
    only: str | None = None

    def runs_on(self, folder: str, arch: str) -> bool:
        """Whether there is code of it for GPUs of an architecture, which take the PTX of a folder."""
        if self.only is not None:
            return self.only == arch
        return self.needs is None or int(folder.removeprefix("sm_")) >= int(self.needs.removeprefix("sm_"))


def of_class(counts: Counter[str], kind: str) -> int:
    """Instructions of a class; `MUFU` stands for `MUFU.EX2` and all others of its kind."""
    return sum(n for found, n in counts.items() if found == kind or found.startswith(kind + "."))


def load_kernels(path: Path = KERNELS) -> dict[str, KernelSpec]:
    """The table of kernels, by name."""
    with path.open("rb") as file:
        entries = tomllib.load(file)["kernel"]
    kernels: dict[str, KernelSpec] = {}
    for entry in entries:
        names = entry.pop("names")
        loops = tuple(_loop(loop) for loop in entry.pop("loop", []))
        for name in names:
            if name in kernels:
                raise SpecificationError(f"{path.name}: {name} is there twice")
            kernels[name] = KernelSpec(name=name, loops=loops, **entry)
            if bool(loops) == bool(kernels[name].no_loop):
                raise SpecificationError(f"{path.name}: {name} needs either loops or a reason for none")
    return kernels


def _loop(entry: dict) -> LoopSpec:
    """A loop from its table."""
    return LoopSpec(**{key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()})


def load_budgets(path: Path = BUDGETS) -> Budgets:
    """The committed budgets; none if there is no file."""
    if not path.exists():
        return {}
    with path.open("rb") as file:
        return tomllib.load(file)


def write_budgets(budgets: Budgets, path: Path = BUDGETS) -> None:
    """Writes budgets, by kernel and loop."""
    lines = [
        "# Instructions a unit of each hot loop that must not be passed, by kernel, loop and architecture.",
        "# Written by `scripts/machine-code --write-budgets`: what was measured and 2 %, and where kernels.toml",
        "# says so no more than CUDA C++ needs. A change here is a decision: say in the commit why.",
    ]
    for kernel, loops in sorted(budgets.items()):
        lines += ["", f"[{kernel}]"]
        for loop, archs in loops.items():
            values = ", ".join(f"{arch} = {value:.4f}" for arch, value in archs.items())
            lines.append(f"{loop} = {{ {values} }}")
    path.write_text("\n".join(lines) + "\n")
