"""The share of single numbers in kernels of rows."""

import tempfile
import unittest
from pathlib import Path

from processor_code.assembly import Function, Instruction
from processor_code.rows import Rows, load_rows
from processor_code.specification import SpecificationError


def function(kind: str, *names: str) -> Function:
    """A kernel's code of such instructions."""
    return Function("spread_2", kind, [Instruction(at, name, ()) for at, name in enumerate(names)])


class Shares(unittest.TestCase):
    def test_single_numbers_are_refused_where_they_are_most(self) -> None:
        rows = Rows(["spread_2"])
        whole = function("avx512", "vfmadd213ps", "vmulps", "vaddss", "vmovups", "vbroadcastss")
        pieces = function("avx2", "vfmadd213ss", "vmulss", "vaddps")
        passed = list(rows.watch([whole, pieces, function("baseline", "mulss")]))
        self.assertEqual([code.kind for code in passed], ["avx512", "avx2", "baseline"])
        (line,) = rows.violations()
        self.assertIn("spread_2 on avx2: 0.67 of its arithmetic", line)

    def test_a_kernel_that_is_not_there(self) -> None:
        rows = Rows(["spread_2"])
        self.assertEqual(list(rows.watch([function("avx2", "vmovups")])), [function("avx2", "vmovups")])
        self.assertEqual(len(rows.violations()), 2)

    def test_names(self) -> None:
        self.assertIn("spread_2", load_rows())
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "kernels.toml"
            path.write_text("[rows]\nnames = [3]\n")
            with self.assertRaises(SpecificationError):
                load_rows(path)
            path.write_text("")
            self.assertEqual(load_rows(path), [])


if __name__ == "__main__":
    unittest.main()
