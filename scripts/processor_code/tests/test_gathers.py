"""Gathers, and who may have them."""

import tempfile
import unittest
from pathlib import Path

from processor_code.assembly import Function, Instruction
from processor_code.gathers import MOST, Gathers, load_allowed
from processor_code.specification import SpecificationError


def function(kernel: str, gathers: int) -> Function:
    """A kernel's code with so many of them."""
    names = ["vgatherqps"] * gathers + ["vaddps"]
    return Function(kernel, "avx512", [Instruction(at, name, ()) for at, name in enumerate(names)])


class Counts(unittest.TestCase):
    def test_more_than_a_few_are_refused_where_no_reason_is_given(self) -> None:
        gathers = Gathers(frozenset({"wide"}))
        # A kernel's functions count together.
        code = [function("few", MOST), function("many", MOST), function("many", 1), function("wide", 100)]
        self.assertEqual(list(gathers.watch(code)), code)
        (line,) = gathers.violations()
        self.assertIn(f"many on avx512: {MOST + 1} instructions gather", line)

    def test_reasons(self) -> None:
        self.assertIn("blur_1", load_allowed())
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "kernels.toml"
            for text in ["[gathers]\nblur_1 = 3\n", '[gathers]\nblur_1 = ""\n']:
                path.write_text(text)
                with self.assertRaises(SpecificationError):
                    load_allowed(path)
            path.write_text("")
            self.assertEqual(load_allowed(path), frozenset())


if __name__ == "__main__":
    unittest.main()
