"""ELF files, cargo's messages, result files, libtest's lines, compute-sanitizer's summaries."""

from __future__ import annotations

import json
import struct
import tempfile
import unittest
from pathlib import Path
from typing import List

from gpu_check import cargo, conformance, dry, elf, rows, sanitizer
from gpu_check.tests.fakes import row

LIBTEST = """
running 5 tests
test cuda::axpy ... ok
test cuda::layout ... skipped: no NVIDIA driver is installed
ok
test cuda::matmul ... 
thread 'cuda::matmul' (71) panicked at tests/conformance/kernels.rs:91:5:
out[3] is NaN, not 1.5
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
FAILED
test cuda::shift ... ignored, slow
test cuda::traffic ... """  # noqa: W291

MEMCHECK = """========= COMPUTE-SANITIZER
========= Invalid __global__ read of size 4 bytes
=========     at shift_gaussian_2+0x1d0 in gpu/shift.rs:88
=========     by thread (31,0,0) in block (0,0,0)
=========
========= Target application returned an error
========= ERROR SUMMARY: 32 errors
"""
RACECHECK = """========= COMPUTE-SANITIZER
device      NVIDIA H200
========= RACECHECK SUMMARY: {} hazards displayed ({} errors, {} warnings)
"""
CLEAN = "========= COMPUTE-SANITIZER\n6 found\n========= ERROR SUMMARY: 0 errors\n"
BLIND = """========= COMPUTE-SANITIZER
========= Error: No attachable process found. compute-sanitizer timed-out.
"""
LEFT = CLEAN.replace("6 found", "========= Target application returned an error")


def elf_file(versions: List[str]) -> bytes:
    """A program that needs these symbol versions of libc, and nothing else: headers, dynamic section, versions."""
    strings, offsets = b"\0libc.so.6\0", []
    for name in versions:
        offsets.append(len(strings))
        strings += name.encode() + b"\0"
    begin, entries = 64 + 2 * 56, 16 * 4
    needs, text = begin + entries, begin + entries + 16 + 16 * len(versions)
    base = 0x400000
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    total = text + len(strings)
    load = struct.pack("<IIQQQQQQ", 1, 4, 0, base, base, total, total, 4096)
    dynamic = struct.pack("<IIQQQQQQ", 2, 4, begin, base + begin, base + begin, entries, entries, 8)
    table = struct.pack("<QQQQQQQQ", 5, base + text, 0x6FFFFFFE, base + needs, 0x6FFFFFFF, 1, 0, 0)
    need = struct.pack("<HHIII", 1, len(versions), 1, 16, 0)
    for index, offset in enumerate(offsets):
        need += struct.pack("<IHHII", 0, 0, 2, offset, 16 if index + 1 < len(offsets) else 0)
    return header + load + dynamic + table + need + strings


class Elf(unittest.TestCase):
    def needed(self, data: bytes) -> elf.Version:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "program"
            path.write_bytes(data)
            return elf.needed_glibc(path)

    def test_the_newest_version_as_a_number_not_as_text(self) -> None:
        self.assertEqual(self.needed(elf_file(["GLIBC_2.9", "GLIBC_2.34", "GLIBC_2.4", "GLIBC_PRIVATE"])), (2, 34))
        self.assertEqual(self.needed(elf_file(["GCC_3.0"])), ())
        self.assertEqual(elf.spelled((2, 34)), "2.34")

    def test_what_is_no_program_is_refused(self) -> None:
        cut = elf_file(["GLIBC_2.34"])[:260]
        for data in (b"", b"#!/bin/sh\n", b"\x7fELF\x01\x01", cut, b"\x7fELF\x02\x01" + bytes(20)):
            with self.assertRaises(elf.NotElf, msg=str(data[:20])):
                self.needed(data)


class Cargo(unittest.TestCase):
    def test_the_executable_of_the_target_and_kind(self) -> None:
        lines = [
            {"reason": "compiler-artifact", "target": {"name": "device", "kind": ["test"]}, "executable": "/t/wrong"},
            {"reason": "compiler-artifact", "target": {"name": "device", "kind": ["bench"]}, "executable": None},
            {"reason": "compiler-artifact", "target": {"name": "device", "kind": ["bench"]}, "executable": "/t/right"},
            {"reason": "build-finished", "success": True},
        ]
        text = "a line of a build script\n{not json\n" + "\n".join(json.dumps(line) for line in lines)
        self.assertEqual(cargo.executable(text, "device", "bench"), Path("/t/right"))
        self.assertIsNone(cargo.executable(text, "modeseek", "bin"))

    def test_the_first_error(self) -> None:
        line = {"reason": "compiler-message", "message": {"level": "error", "message": "mismatched types"}}
        self.assertEqual(cargo.complaint(json.dumps(line)), ": mismatched types")
        self.assertEqual(cargo.complaint(""), "")


class ResultFiles(unittest.TestCase):
    def read(self, text: str) -> rows.ResultFile:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "device.json"
            path.write_text(text, encoding="utf-8")
            return rows.read(path)

    def test_what_is_not_there_or_half_written(self) -> None:
        self.assertEqual(rows.read(Path("/nowhere/at/all.json")).problems, ["all.json was not written"])
        for text in ("", '{"rows": [{"case"', "[]", '{"rows": 3}'):
            self.assertEqual(len(self.read(text).problems), 1, text)

    def test_rows_that_are_wrong_are_failed_rows(self) -> None:
        wrong = [
            row(samples_s=[]), row(samples_s=[[]]), row(samples_s=[[0.0]]), row(samples_s=[[float("nan")]]),
            row(samples_s=[["1"]]), row(work={"pairs": float("inf")}), row(check={"error": 0.0}), row(failed=""),
        ]
        read = self.read(json.dumps({"rows": [row(), *wrong, {"case": "step"}]}))
        self.assertEqual([bool(rows.failure(one)) for one in read.rows[:1]], [False])
        for one in read.rows[1:8]:
            self.assertTrue(rows.failure(one), one)
            self.assertFalse(rows.measured(one))
        self.assertEqual(read.problems, ["row 9 of device.json has not case, implementation, device"])
        json.dumps(read.rows, allow_nan=False)

    def test_a_check_that_says_it_passed_is_looked_at(self) -> None:
        for error, passed in ((1e-6, True), (1e-4, False), (float("nan"), False), (None, False)):
            check = {"against": "x", "measure": "relative l2", "error": error, "limit": 1e-5, "passed": True}
            self.assertEqual(rows.measured(row(check=check)), passed, error)
        check["passed"] = False
        wrong = rows.failure(row(check=check))
        self.assertEqual(wrong, "check: relative l2 against x is not a number, its limit 1e-05")


class Libtest(unittest.TestCase):
    def test_every_outcome(self) -> None:
        self.assertEqual(
            [(test.name, test.outcome, test.why) for test in conformance.parse(LIBTEST)],
            [
                ("cuda::axpy", "passed", ""),
                ("cuda::layout", "skipped", "no NVIDIA driver is installed"),
                ("cuda::matmul", "failed", "tests/conformance/kernels.rs:91:5: out[3] is NaN, not 1.5"),
                ("cuda::shift", "skipped", "ignored, slow"),
                ("cuda::traffic", "failed", "it did not end"),
            ],
        )
        self.assertEqual(conformance.parse("error: no such option"), [])


class Sanitizer(unittest.TestCase):
    def test_summaries(self) -> None:
        cases = [
            (CLEAN, "passed", ""),
            (RACECHECK.format(0, 0, 0), "passed", ""),
            (MEMCHECK, "failed", "32 errors, first: Invalid __global__ read of size 4 bytes"),
            (RACECHECK.format(2, 1, 1), "failed", "2 errors"),
            (BLIND, "failed", "no summary: Error: No attachable process found. compute-sanitizer timed-out."),
            (LEFT, "failed", "Target application returned an error"),
            ("", "failed", "no summary: it says nothing"),
        ]
        for text, state, why in cases:
            self.assertEqual(sanitizer.parse(text), (state, why), text)


class Launched(unittest.TestCase):
    def test_kernels_that_no_run_launches_are_named(self) -> None:
        with tempfile.TemporaryDirectory() as kept:
            root = Path(kept)
            ptx = root / "gpu/ptx/sm_75/vector.ptx"
            ptx.parent.mkdir(parents=True)
            ptx.write_text("\n.visible .entry axpy(\n.visible .entry\tscale_2(\n", encoding="utf-8")
            driver = {dry.LOG: str(root / "log")}
            everything = ["stand-in driver: no run launches axpy, scale_2"]
            self.assertEqual(dry.never_launched(root, driver), everything)
            for log, missing in [
                ("allocation 8\nlaunch axpy\n", ["stand-in driver: no run launches scale_2"]),
                ("launch scale_2\nlaunch axpy\nlaunch axpy\n", []),
            ]:
                Path(driver[dry.LOG]).write_text(log, encoding="utf-8")
                self.assertEqual(dry.never_launched(root, driver), missing)
