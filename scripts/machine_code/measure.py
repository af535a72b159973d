"""Assembles kernels and their peers, and measures what came out."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from . import mix, resources, sass
from .specification import PEERS, KernelSpec, LoopSpec, SpecificationError
from .toolchain import Tools, ToolError, run

# The folders of PTX, and each architecture with the newest of them that a driver takes for it, where that has the
# family; else it takes the next older, which is then no different.
FOLDERS = ("sm_75", "sm_80", "sm_90")
# PTX that runs on one architecture alone, beside the above.
EXACT_OF = {"sm_90": "sm_90a"}
OLDEST = FOLDERS[0]
PTX_OF = {
    "sm_75": "sm_75",
    "sm_80": "sm_80",
    "sm_86": "sm_80",
    "sm_89": "sm_80",
    "sm_90": "sm_90",
    "sm_100": "sm_90",
    "sm_120": "sm_90",
}


@dataclass
class HotLoop:
    """A measured loop: its instructions by class, and the units that one turn works on."""

    spec: LoopSpec
    counts: Counter[str]

    @property
    def units(self) -> float:
        """Units a turn."""
        return self.spec.units(self.counts)

    @property
    def per_unit(self) -> float:
        """Instructions a unit, all of them."""
        return sum(self.counts.values()) / self.units

    def shares(self) -> dict[str, float]:
        """Instructions a unit by class, arithmetic first."""
        return {kind: self.counts[kind] / self.units for kind in sorted(self.counts, key=mix.order)}


@dataclass
class Kernel:
    """A kernel on an architecture: resources, local memory instructions anywhere in it, hot loops.
    A loop that was not found is missing."""

    resources: resources.Resources
    local_instructions: int
    loops: dict[str, HotLoop] = field(default_factory=dict)


# By architecture, then kernel.
Measurements = dict[str, dict[str, Kernel]]


@dataclass
class Results:
    """Everything measured: ours, and the same in CUDA C++."""

    ours: Measurements
    peers: Measurements


def measure(tools: Tools, ptx: Path, kernels: dict[str, KernelSpec], archs: Iterable[str]) -> Results:
    """Assembles and measures all kernels and peers for all architectures, on all cores."""
    jobs: list[tuple[str, str, Callable[[Path], dict[str, Kernel]]]] = []
    peers = sorted({spec.peer for spec in kernels.values() if spec.peer})
    for arch in archs:
        modules = modules_of(ptx, arch)
        if not modules:
            raise ToolError(f"no PTX in {ptx / OLDEST}; build it with `cargo run -p cuda_builder -- build gpu`")
        for module in modules:
            jobs.append(("ours", arch, lambda out, m=module, a=arch: assemble(tools, m, a, kernels, out)))
        for peer in peers:
            jobs.append(("peer", arch, lambda out, p=peer, a=arch: assemble_peer(tools, p, a, kernels, out)))
    results = Results({}, {})
    with TemporaryDirectory() as scratch, ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        done = [(whose, arch, pool.submit(job, Path(scratch) / str(at))) for at, (whose, arch, job) in enumerate(jobs)]
        for whose, arch, future in done:
            side = results.ours if whose == "ours" else results.peers
            side.setdefault(arch, {}).update(future.result())
    _complete(results.ours, kernels)
    return results


def modules_of(ptx: Path, arch: str) -> list[Path]:
    """The modules that a driver takes for an architecture, by the names of their families."""
    folders = FOLDERS[: FOLDERS.index(PTX_OF[arch]) + 1]
    exact = [EXACT_OF[arch]] if arch in EXACT_OF else []
    families = {module.name: module for folder in (*folders, *exact) for module in (ptx / folder).glob("*.ptx")}
    return [families[name] for name in sorted(families)]


def target_of(ptx: Path, arch: str) -> str:
    """What a module is assembled for: the architecture, or the name of it alone by which it was made."""
    exact = EXACT_OF.get(arch)
    return exact if exact and ptx.parent.name == exact else arch


def _complete(ours: Measurements, kernels: dict[str, KernelSpec]) -> None:
    """Fails where the table names a kernel that the PTX lacks."""
    for arch, found in ours.items():
        wanted = {name for name, spec in kernels.items() if spec.runs_on(PTX_OF[arch], arch)}
        if missing := sorted(wanted - found.keys()):
            raise SpecificationError(f"kernels.toml names kernels that the PTX for {arch} lacks: {', '.join(missing)}")


def assemble_peer(tools: Tools, peer: str, arch: str, kernels: dict[str, KernelSpec], out: Path) -> dict[str, Kernel]:
    """Compiles and measures a file of CUDA C++ kernels."""
    ptx = out.with_suffix(".ptx")
    tools.compile_peer(PEERS / peer, arch, ptx)
    return assemble(tools, ptx, arch, kernels, out)


def assemble(tools: Tools, ptx: Path, arch: str, kernels: dict[str, KernelSpec], out: Path) -> dict[str, Kernel]:
    """Assembles a module for an architecture and measures its kernels."""
    cubin = out.with_suffix(".cubin")
    messages = run([tools.ptxas, "-v", f"-arch={target_of(ptx, arch)}", "-o", cubin, ptx])
    # Without its analysis of stacks of branches, which nothing here looks at, it takes a third less.
    functions = sass.parse(run([tools.nvdisasm, "-c", "-ndf", cubin]))
    measured = {}
    for name, found in resources.parse(messages).items():
        if name not in kernels:
            raise SpecificationError(f"{ptx.name} has a kernel that kernels.toml does not name: {name}")
        measured[name] = inspect(functions[name], found, kernels[name])
    return measured


def inspect(function: sass.Function, found: resources.Resources, spec: KernelSpec) -> Kernel:
    """Measures a kernel's hot loops."""
    local = sum(instruction.name in mix.LOCAL for instruction in function.instructions)
    kernel = Kernel(found, local)
    for loop in spec.loops:
        if (instructions := loop.find(function)) is not None:
            kernel.loops[loop.name] = HotLoop(loop, mix.count(instructions))
    return kernel
