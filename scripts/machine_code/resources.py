"""What a kernel takes of a multiprocessor: ptxas's figures, and the occupancy they allow."""

from __future__ import annotations

import re
from dataclasses import dataclass

ENTRY = re.compile(r"Compiling entry function '([^']+)'")
PROPERTIES = re.compile(r"Function properties for (\S+)")
FRAME = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers")
SHARED = re.compile(r"(\d+) bytes smem")


@dataclass
class Resources:
    """Of one kernel on one architecture: registers a thread, bytes of the rest."""

    registers: int = 0
    shared: int = 0
    stack: int = 0
    spill_stores: int = 0
    spill_loads: int = 0


def parse(messages: str) -> dict[str, Resources]:
    """What `ptxas -v` says of each kernel."""
    kernels: dict[str, Resources] = {}
    entry = function = ""
    for line in messages.splitlines():
        if found := ENTRY.search(line):
            entry = function = found[1]
            kernels[entry] = Resources()
        elif found := PROPERTIES.search(line):
            function = found[1]
        elif (found := FRAME.search(line)) and function in kernels:
            frame = kernels[function]
            frame.stack, frame.spill_stores, frame.spill_loads = (int(n) for n in found.groups())
        elif (found := USED.search(line)) and entry in kernels:
            kernels[entry].registers = int(found[1])
            shared = SHARED.search(line)
            kernels[entry].shared = int(shared[1]) if shared else 0
    return kernels


@dataclass(frozen=True)
class Multiprocessor:
    """The limits of one multiprocessor (CUDA C++ Programming Guide, compute capabilities)."""

    registers: int
    shared: int
    warps: int
    blocks: int
    # Granularity: registers of a warp, bytes of shared memory; bytes that the system takes of each block.
    register_unit: int
    shared_unit: int
    shared_reserved: int


SM_90 = Multiprocessor(65536, 228 * 1024, 64, 32, 256, 128, 1024)


def resident_warps(
    resources: Resources, threads: int, dynamic_shared: int, sm: Multiprocessor = SM_90
) -> tuple[int, str]:
    """Warps resident on a multiprocessor, and what limits them."""
    warps = -(-threads // 32)
    of_warp = _rounded_up(resources.registers * 32, sm.register_unit)
    of_block = _rounded_up(resources.shared + dynamic_shared + sm.shared_reserved, sm.shared_unit)
    # Each of the four schedulers has a quarter of the registers.
    by_registers = (sm.registers // 4 // of_warp) * 4 // warps
    limits = {
        "registers": by_registers,
        "shared memory": sm.shared // of_block,
        "warps": sm.warps // warps,
        "blocks": sm.blocks,
    }
    blocks = min(limits.values())
    reason = "warps" if limits["warps"] == blocks else min(limits, key=lambda name: limits[name])
    return blocks * warps, reason


def _rounded_up(value: int, unit: int) -> int:
    """The next multiple of a unit."""
    return -(-value // unit) * unit
