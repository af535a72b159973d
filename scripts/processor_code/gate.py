"""What the gate refuses, and what it prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from .measure import Loop, Results
from .specification import Budgets, KernelSpec

# Loops differ a little with how a crate is split into units, and from a version of a compiler to the next; what is to be
# found are vectors in pieces, which cost factors.
SLACK = 1.15
# Of a budget; with less than that, it guards nothing any more.
LOOSE = 0.85


def missing(results: Results) -> list[str]:
    """Kernels without a hot loop, one line each."""
    return [
        f"{kernel} on {kind}: no hot loop in packed form was found; is the kernel in the program, are its vectors whole, "
        "and does kernels.toml still describe it?"
        for (kernel, kind), measured in results.items()
        if not measured.loops
    ]


def violations(results: Results, kernels: dict[str, KernelSpec], budgets: Budgets) -> list[str]:
    """Every breach, one line each."""
    found = missing(results)
    for (kernel, kind), measured in results.items():
        if not measured.loops:
            continue
        for loop in measured.loops:
            if pieces := _pieces(loop, kernels[kernel], kind):
                text = ", ".join(f"{count} {name}" for name, count in sorted(pieces.items()))
                where = f"{kernel} on {kind}: the loop at {loop.address:#x}"
                found.append(f"{where} takes vectors to pieces: {text}; allowed 0")
        cost, budget = measured.per_vector, budgets[kernel][kind]
        if cost > budget * SLACK:
            found.append(f"{kernel} on {kind}: {cost:.2f} instructions a vector of pairs; budget {budget:.2f} and 15 %")
    return found


def notes(results: Results, kernels: dict[str, KernelSpec], budgets: Budgets) -> Iterator[str]:
    """Budgets and permissions that have lost their object."""
    for (kernel, kind), measured in results.items():
        if measured.loops and measured.per_vector < budgets[kernel][kind] * LOOSE:
            cost = f"{measured.per_vector:.2f} instructions a vector of pairs"
            yield f"{kernel} on {kind} takes {cost} now; lower its budget (--write-budgets)"
        if stale := sorted(kernels[kernel].allowed.get(kind, frozenset()) - measured.forbidden.keys()):
            yield f"{kernel} on {kind} has no {', '.join(stale)} any more: remove it from [[allowed]] in kernels.toml"


def proposed_budgets(results: Results) -> Budgets:
    """Budgets for what was measured."""
    budgets: Budgets = {}
    for (kernel, kind), measured in results.items():
        budgets.setdefault(kernel, {})[kind] = round(measured.per_vector, 2)
    return budgets


def table(results: Results) -> Iterator[str]:
    """Kernel, kind of processor, instructions a pair, forbidden instructions."""
    longest = max(len(kernel) for kernel, _ in results)
    yield f"{'kernel':{longest}} | kind     | instructions a pair | forbidden"
    for (kernel, kind), measured in results.items():
        cost = f"{measured.dearest.per_pair:.2f}" if measured.loops else "no loop"
        yield f"{kernel:{longest}} | {kind:8} | {cost:>19} | {measured.forbidden.total()}"


def _pieces(loop: Loop, spec: KernelSpec, kind: str) -> Counter[str]:
    """What a loop should not have, less what it may have all the same."""
    allowed = spec.allowed.get(kind, frozenset())
    return Counter({name: count for name, count in loop.forbidden.items() if name not in allowed})
