"""What the gate refuses, its tables, and the command line."""

import contextlib
import io
import os
import stat
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path
from unittest import mock

from processor_code import gate
from processor_code.cli import main
from processor_code.measure import measure
from processor_code.specification import SpecificationError, load_budgets, load_kernels, write_budgets

from .fixtures import BUDGETS, KERNEL, KERNELS, LISTINGS, TABLE, listing

HEAD = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + b"\x03\x00"


class Gate(unittest.TestCase):
    def test_whole_vectors_pass(self) -> None:
        results = measure(listing("whole"), KERNELS)
        self.assertEqual(gate.violations(results, KERNELS, BUDGETS), [])
        self.assertEqual(gate.proposed_budgets(results), BUDGETS)
        self.assertEqual(list(gate.notes(results, KERNELS, BUDGETS)), [])

    def test_pieces_and_a_passed_budget(self) -> None:
        found = gate.violations(measure(listing("pieces"), KERNELS), KERNELS, BUDGETS)
        self.assertIn("on avx2: the loop at 0x9bc570 takes vectors to pieces: 4 vextractps", found[0])
        self.assertIn("on avx2: 83.00 instructions a vector of pairs; budget 20.00", found[1])

    def test_some_more_are_allowed(self) -> None:
        results = measure(listing("whole"), KERNELS)
        self.assertEqual(gate.violations(results, KERNELS, {KERNEL: BUDGETS[KERNEL] | {"avx2": 17.4}}), [])
        (line,) = gate.violations(results, KERNELS, {KERNEL: BUDGETS[KERNEL] | {"avx2": 17.3}})
        self.assertIn("budget 17.30", line)

    def test_allowed_pieces_and_stale_permissions(self) -> None:
        results = measure(listing("pieces"), KERNELS)
        names = frozenset(results[KERNEL, "avx512"].forbidden)
        kernels = {KERNEL: replace(KERNELS[KERNEL], allowed={"avx512": names, "baseline": frozenset({"unpcklps"})})}
        self.assertFalse([line for line in gate.violations(results, kernels, BUDGETS) if "avx512: the loop" in line])
        (note,) = gate.notes(results, kernels, BUDGETS)
        self.assertIn("has no unpcklps any more", note)

    def test_a_missing_kernel_is_named(self) -> None:
        results = measure(listing("whole")[:2], KERNELS)
        (line,) = gate.violations(results, KERNELS, BUDGETS)
        self.assertTrue(line.startswith(f"{KERNEL} on avx512: no hot loop"))
        self.assertTrue(any("no loop" in row for row in gate.table(results)))

    def test_a_loose_budget_is_noted(self) -> None:
        results = measure(listing("whole"), KERNELS)
        (note,) = gate.notes(results, KERNELS, {KERNEL: BUDGETS[KERNEL] | {"avx2": 40.0}})
        self.assertIn("lower its budget", note)


class Tables(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "table.toml"

    def test_budgets_are_read_as_written(self) -> None:
        write_budgets(BUDGETS, self.path)
        self.assertEqual(load_budgets(KERNELS, self.path), BUDGETS)

    def test_the_committed_tables_fit(self) -> None:
        load_budgets(load_kernels())

    def test_damaged_budgets(self) -> None:
        whole = f"{KERNEL} = {{ baseline = 1, avx2 = 1, avx512 = 1 }}\n"
        numbers = [whole.replace("1 }", f"{value} }}") for value in ("-1", '"x"', "nan", "true")]
        lacking = f"{KERNEL} = {{ baseline = 1, avx2 = 2 }}"
        for text in ("", "nonsense", f"{KERNEL} = 3", lacking, whole + "other = { avx2 = 1 }", *numbers):
            self.path.write_text(text)
            with self.assertRaisesRegex(SpecificationError, "--write-budgets", msg=text):
                load_budgets(KERNELS, self.path)
        self.path.write_bytes(b"\xff\xfe")
        with self.assertRaises(SpecificationError):
            load_budgets(KERNELS, self.path)
        self.path.unlink()
        with self.assertRaises(SpecificationError):
            load_budgets(KERNELS, self.path)

    def test_damaged_kernels(self) -> None:
        allowed = f'[[allowed]]\nkernel = "{KERNEL}"\nkind = "avx2"\ninstructions = ["unpcklps"]\n'
        anchors = [TABLE.replace("exponential", anchor) for anchor in ("logarithm", "")]
        permissions = [allowed, allowed + "reason = ''", allowed.replace(KERNEL, "other") + "reason = 'so'"]
        permissions = [TABLE + permission for permission in permissions]
        for text in ("kernel = 3", "[[kernel]]\nnames = ['a']", *anchors, *permissions):
            self.path.write_text(text)
            with self.assertRaises(SpecificationError, msg=text):
                load_kernels(self.path)
        self.path.write_text(TABLE + allowed + "reason = 'so'")
        self.assertEqual(load_kernels(self.path)[KERNEL].allowed, {"avx2": {"unpcklps"}})


class CommandLine(unittest.TestCase):
    """With a stand-in of objdump, which prints a listing."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.binary = self.folder / "program"
        self.binary.write_bytes(HEAD + bytes([62, 0]))
        (self.folder / "kernels.toml").write_text(TABLE)
        write_budgets(BUDGETS, self.folder / "budgets.toml")
        self.stand_in(f"cat '{LISTINGS / 'whole.txt'}'")
        path = f"{self.folder}{os.pathsep}{os.environ.get('PATH', '')}"
        for patch in (mock.patch.dict(os.environ, PATH=path), mock.patch("platform.machine", return_value="x86_64")):
            patch.start()
            self.addCleanup(patch.stop)

    def stand_in(self, command: str) -> None:
        """Makes an objdump that runs this."""
        tool = self.folder / "objdump"
        tool.write_text(f"#!/bin/sh\n{command}\n")
        tool.chmod(tool.stat().st_mode | stat.S_IXUSR)

    def run_main(self, *options: str) -> tuple[int, str]:
        """The exit status, and all that was printed."""
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            given = ["--binary", str(self.binary), *options]
            status = main(given, self.folder / "kernels.toml", self.folder / "budgets.toml")
        return status, said.getvalue()

    def test_all_is_well(self) -> None:
        status, said = self.run_main("--check")
        self.assertEqual(status, 0, said)
        self.assertIn(f"{KERNEL} | avx2     |                2.50 | 0", said)

    def test_pieces_are_refused(self) -> None:
        self.stand_in(f"cat '{LISTINGS / 'pieces.txt'}'")
        status, said = self.run_main("--check")
        self.assertEqual(status, 1)
        self.assertIn("refused:", said)

    def test_budgets_are_written_with_refusals(self) -> None:
        self.stand_in(f"cat '{LISTINGS / 'pieces.txt'}'")
        self.assertEqual(self.run_main("--write-budgets")[0], 1)
        self.assertEqual(load_budgets(KERNELS, self.folder / "budgets.toml")[KERNEL]["avx2"], 83)

    def test_a_program_without_kernels(self) -> None:
        self.stand_in("echo")
        before = (self.folder / "budgets.toml").read_text()
        for option in ("--check", "--write-budgets"):
            status, said = self.run_main(option)
            self.assertEqual(status, 1)
            self.assertIn(f"{KERNEL} on baseline: no hot loop", said)
        self.assertEqual((self.folder / "budgets.toml").read_text(), before)

    def test_no_objdump(self) -> None:
        with mock.patch.dict(os.environ, PATH=""):
            status, said = self.run_main("--check")
        self.assertEqual((status, said), (2, "processor-code: objdump is not on PATH; install binutils\n"))

    def test_an_objdump_that_fails(self) -> None:
        self.stand_in("echo 'file truncated' >&2; exit 1")
        status, said = self.run_main("--check")
        self.assertEqual(status, 2)
        self.assertIn("file truncated", said)

    def test_no_program_and_none_in_elf(self) -> None:
        self.binary.write_text("#!/bin/sh")
        self.assertEqual(self.run_main("--check")[0], 2)
        self.binary.unlink()
        status, said = self.run_main("--check")
        self.assertEqual(status, 2)
        self.assertIn("cargo build", said)

    def test_damaged_budgets(self) -> None:
        (self.folder / "budgets.toml").write_text("[")
        status, said = self.run_main("--check")
        self.assertEqual(status, 2)
        self.assertIn("--write-budgets", said)
        self.assertNotIn("Traceback", said)

    def test_other_machines_have_nothing_to_check(self) -> None:
        with mock.patch("platform.machine", return_value="aarch64"):
            status, said = self.run_main("--check")
        self.assertEqual(status, 0)
        self.assertIn("nothing was checked", said)
        self.binary.write_bytes(HEAD + bytes([183, 0]))
        status, said = self.run_main("--check")
        self.assertEqual(status, 0)
        self.assertIn("for another machine", said)
