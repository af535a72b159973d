"""ptxas's messages, the table of kernels, and what the gate refuses."""

import tempfile
import unittest
from collections import Counter
from dataclasses import replace
from pathlib import Path

from machine_code import gate, mix, resources
from machine_code.measure import HotLoop, Kernel, Results
from machine_code.specification import (
    KernelSpec,
    LoopSpec,
    SpecificationError,
    load_budgets,
    load_kernels,
    write_budgets,
)

MESSAGES = """
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'shift' for 'sm_75'
ptxas info    : Function properties for shift
    16 bytes stack frame, 8 bytes spill stores, 12 bytes spill loads
ptxas info    : Used 101 registers, used 1 barriers, 16384 bytes smem, 408 bytes cmem[0]
ptxas info    : Compiling entry function 'axpy' for 'sm_75'
ptxas info    : Function properties for axpy
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 8 registers
ptxas info    : Compile time = 95.700 ms
"""

PAIRS = LoopSpec(name="pairs", unit="pair", anchor=("MUFU.EX2",), loads="shared")
SPEC = KernelSpec(name="shift", threads=128, loops=(PAIRS,), peer="shift.cu", never_above=True)
GOOD = Counter({"FFMA": 12, "MUFU.EX2": 4, "LDS.128": 1, mix.OTHER: 3})
BUDGETS = {"shift": {"pairs": {"sm_90": 5.0}}}


def refused(counts: Counter[str] = GOOD, spec: KernelSpec = SPEC, budgets=BUDGETS, peer=GOOD, **fields) -> list[str]:
    """What is refused of one kernel with one loop."""
    ours = Kernel(resources.Resources(registers=32), 0, {"pairs": HotLoop(PAIRS, counts)})
    ours = replace(ours, **fields)
    theirs = Kernel(resources.Resources(), 0, {"pairs": HotLoop(PAIRS, peer)})
    return gate.violations(Results({"sm_90": {"shift": ours}}, {"sm_90": {"shift": theirs}}), {"shift": spec}, budgets)


class Resources(unittest.TestCase):
    def test_figures_of_each_kernel(self) -> None:
        found = resources.parse(MESSAGES)
        self.assertEqual(found["shift"], resources.Resources(101, 16384, 16, 8, 12))
        self.assertEqual(found["axpy"], resources.Resources(8, 0, 0, 0, 0))

    def test_occupancy(self) -> None:
        cases = [
            # registers, shared, threads, warps, limit
            (32, 0, 128, 64, "warps"),
            (96, 16384, 128, 20, "registers"),
            (32, 8192, 32, 25, "shared memory"),
            (16, 0, 32, 32, "blocks"),
        ]
        for registers, shared, threads, warps, limit in cases:
            found = resources.resident_warps(resources.Resources(registers, shared), threads, 0)
            self.assertEqual(found, (warps, limit))


class Gate(unittest.TestCase):
    def test_a_kernel_within_its_bounds_passes(self) -> None:
        self.assertEqual(refused(), [])

    def test_spills_stack_and_local_memory(self) -> None:
        spilled = resources.Resources(spill_stores=8, spill_loads=4, stack=16)
        found = refused(resources=spilled, local_instructions=2)
        self.assertEqual(len(found), 3)
        self.assertTrue(all(line.startswith("shift on sm_90: ") and "allowed 0" in line for line in found))

    def test_generic_and_wrong_loads(self) -> None:
        self.assertIn("1 generic accesses (LD", refused(GOOD - Counter({mix.OTHER: 1}) + Counter({"LD.128": 1}))[0])
        found = refused(Counter({"FFMA": 12, "MUFU.EX2": 4, "LDG": 4}))
        self.assertEqual(len(found), 2)
        self.assertIn("4 LDG", found[0])
        self.assertIn("no LDS", found[1])

    def test_a_budget_that_is_passed_or_missing(self) -> None:
        (line,) = refused(GOOD + Counter({mix.OTHER: 1}))
        self.assertIn("5.2500 instructions a pair; budget 5.0000", line)
        (line,) = refused(budgets={})
        self.assertIn("no budget", line)

    def test_a_budget_above_cuda_needs_a_reason(self) -> None:
        leaner = GOOD - Counter({mix.OTHER: 1})
        (line,) = refused(peer=leaner)
        self.assertIn("CUDA C++ takes 4.7500", line)
        self.assertEqual(refused(peer=leaner, spec=replace(SPEC, above_peer="it rounds exactly")), [])

    def test_a_loop_that_is_gone(self) -> None:
        (line,) = refused(loops={})
        self.assertIn("no hot loop `pairs`", line)

    def test_proposed_budgets_stay_below_cuda(self) -> None:
        ours = {"sm_90": {"shift": Kernel(resources.Resources(), 0, {"pairs": HotLoop(PAIRS, GOOD)})}}
        self.assertEqual(gate.proposed_budgets(Results(ours, ours), {"shift": SPEC}, {}), BUDGETS)
        free = replace(SPEC, never_above=False)
        self.assertEqual(gate.proposed_budgets(Results(ours, {}), {"shift": free}, {})["shift"]["pairs"]["sm_90"], 5.1)


class Specification(unittest.TestCase):
    def test_units_follow_the_anchor(self) -> None:
        l1 = LoopSpec(name="l", unit="u", anchor=("FADD",), loads="global", per_unit=2, lacks=("MUFU",))
        self.assertEqual(l1.units(Counter({"FADD": 32})), 16)
        self.assertTrue(l1.matches(Counter({"FADD": 2})))
        self.assertFalse(l1.matches(Counter({"FADD": 2, "MUFU.EX2": 1})))
        self.assertFalse(l1.matches(Counter({"FFMA": 2})))

    def test_the_committed_table_is_sound(self) -> None:
        kernels = load_kernels()
        for name, loops in load_budgets().items():
            self.assertEqual(list(loops), [loop.name for loop in kernels[name].loops])

    def test_a_kernel_without_loops_needs_a_reason(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "kernels.toml"
            path.write_text('[[kernel]]\nnames = ["k"]\nthreads = 32\n')
            with self.assertRaises(SpecificationError):
                load_kernels(path)

    def test_budgets_are_read_as_written(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "budgets.toml"
            write_budgets(BUDGETS, path)
            self.assertEqual(load_budgets(path), BUDGETS)
