"""What the gate refuses."""

from __future__ import annotations

from collections.abc import Iterator

from . import mix
from .measure import HotLoop, Kernel, Results
from .specification import Budgets, KernelSpec, of_class

# What budgets leave for a new version of a compiler.
SLACK = 1.02
# Numbers are printed, and budgets kept, with four digits behind the point.
ROUNDING = 5e-5

FORBIDDEN_LOADS = {"shared": ("LDG",), "global": ("LDS",), "both": (), "none": ("LDG", "LDS")}
# One of them at least: `ldmatrix` is LDSM.
WANTED_LOADS = {"shared": ("LDS", "LDSM"), "global": ("LDG",), "both": (), "none": ()}


def violations(results: Results, kernels: dict[str, KernelSpec], budgets: Budgets) -> list[str]:
    """Every breach, one line each: kernel, architecture, what was found, what is allowed."""
    found = []
    for arch, measured in results.ours.items():
        for name, kernel in sorted(measured.items()):
            peer = results.peers.get(arch, {}).get(name)
            problems = [*_memory(kernel), *_loops(kernel, peer, kernels[name], budgets.get(name, {}), arch)]
            found += [f"{name} on {arch}: {problem}" for problem in problems]
    return found


def _memory(kernel: Kernel) -> Iterator[str]:
    """Spills, stack, local memory."""
    figures = kernel.resources
    if figures.spill_stores or figures.spill_loads:
        yield f"{figures.spill_stores} bytes of spill stores and {figures.spill_loads} of spill loads; allowed 0"
    if figures.stack:
        yield f"{figures.stack} bytes of stack; allowed 0"
    if kernel.local_instructions:
        yield f"{kernel.local_instructions} instructions on local memory (LDL, STL); allowed 0"


def _loops(
    kernel: Kernel, peer: Kernel | None, spec: KernelSpec, budgets: dict[str, dict[str, float]], arch: str
) -> Iterator[str]:
    """Hot loops: that they are there, what they load, what they cost."""
    for loop_spec in spec.loops:
        loop = kernel.loops.get(loop_spec.name)
        if loop is None:
            anchors = ", ".join(loop_spec.anchor)
            yield f"no hot loop `{loop_spec.name}` with {anchors} was found; does kernels.toml still describe it?"
            continue
        yield from (f"loop `{loop_spec.name}`: {problem}" for problem in _loads(loop))
        bound = peer.loops.get(loop_spec.name) if peer and spec.never_above else None
        for problem in _cost(loop, bound, spec, budgets.get(loop_spec.name, {}).get(arch)):
            yield f"loop `{loop_spec.name}`: {problem}"


def _loads(loop: HotLoop) -> Iterator[str]:
    """Generic accesses, and loads from where the loop should not load."""
    for kind in sorted(mix.GENERIC):
        if generic := of_class(loop.counts, kind):
            yield f"{generic} generic accesses ({kind} instead of {kind}S or {kind}G); allowed 0"
    for kind in FORBIDDEN_LOADS[loop.spec.loads]:
        if forbidden := of_class(loop.counts, kind):
            yield f"{forbidden} {kind}; its data is in {loop.spec.loads} memory, allowed 0"
    wanted = WANTED_LOADS[loop.spec.loads]
    if wanted and not any(of_class(loop.counts, kind) for kind in wanted):
        yield f"no {wanted[0]}; its data is in {loop.spec.loads} memory"


def _cost(loop: HotLoop, peer: HotLoop | None, spec: KernelSpec, budget: float | None) -> Iterator[str]:
    """Instructions a unit, against the budget, and the budget against CUDA C++."""
    unit = loop.spec.unit
    if budget is None:
        yield f"{loop.per_unit:.4f} instructions a {unit}, and no budget; run with --write-budgets and review it"
        return
    if loop.per_unit > budget + ROUNDING:
        yield f"{loop.per_unit:.4f} instructions a {unit}; budget {budget:.4f}"
    if peer and not spec.above_peer and budget > peer.per_unit + ROUNDING:
        yield f"budget {budget:.4f} instructions a {unit}; CUDA C++ takes {peer.per_unit:.4f}, and no reason is given"


def notes(results: Results, kernels: dict[str, KernelSpec]) -> list[str]:
    """Reasons for being above CUDA C++ that no longer have anything to excuse."""
    stale = []
    for name, spec in sorted(kernels.items()):
        if spec.above_peer and not any(_above(results, name, arch) for arch in results.ours):
            stale.append(f"{name} is nowhere above CUDA C++ any more: remove `above_peer` from kernels.toml")
    return stale


def _above(results: Results, name: str, arch: str) -> bool:
    """Whether a hot loop takes more than in CUDA C++."""
    ours, peer = results.ours[arch][name], results.peers[arch].get(name)
    pairs = [(loop, peer.loops[key]) for key, loop in ours.loops.items() if peer and key in peer.loops]
    return any(loop.per_unit > other.per_unit + ROUNDING for loop, other in pairs)


def proposed_budgets(results: Results, kernels: dict[str, KernelSpec], before: Budgets) -> Budgets:
    """Budgets for what was measured; those of architectures that were not measured stay."""
    budgets: Budgets = {}
    for arch, measured in results.ours.items():
        for name, kernel in measured.items():
            for key, loop in kernel.loops.items():
                kept = budgets.setdefault(name, {}).setdefault(key, dict(before.get(name, {}).get(key, {})))
                peer = results.peers.get(arch, {}).get(name)
                bound = peer.loops.get(key) if peer else None
                kept[arch] = _budget(loop, bound, kernels[name])
    return budgets


def _budget(loop: HotLoop, peer: HotLoop | None, spec: KernelSpec) -> float:
    """What was measured and some slack, but not above CUDA C++ where that is the bound and kept already."""
    budget = loop.per_unit * SLACK
    if peer and spec.never_above and loop.per_unit <= peer.per_unit + ROUNDING:
        budget = min(budget, peer.per_unit)
    return round(budget, 4)
