"""What the tests have in common: listings, a small table of kernels."""

from pathlib import Path

from processor_code.assembly import Function, functions
from processor_code.specification import KernelSpec

LISTINGS = Path(__file__).with_name("listings")
KERNEL = "shift_gaussian_1"
KERNELS = {KERNEL: KernelSpec(KERNEL, "exponential", {})}
TABLE = f'[[kernel]]\nnames = ["{KERNEL}"]\nanchor = "exponential"\n'
BUDGETS = {KERNEL: {"baseline": 28.5, "avx2": 20.0, "avx512": 18.0}}


def listing(name: str) -> list[Function]:
    """The kernels' functions of a listing."""
    with (LISTINGS / f"{name}.txt").open() as file:
        return list(functions(file))
