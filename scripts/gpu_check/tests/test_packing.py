"""The pack, and dry runs, of a checkout that is made of fakes."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import shutil
from pathlib import Path
from typing import Dict, List, Optional, Sequence
from unittest import mock

from gpu_check import cli, dry, kit, pack, readme, record, sanitizer
from gpu_check.errors import Refused
from gpu_check.tests.fakes import CASES, PEERS, Case, programs, script
from gpu_check.tests.test_reading import elf_file

BLOCKS = "<!-- record:main-command -->\n<!-- /record -->\n<!-- record:speed -->\n<!-- /record -->\n"


class Checkout(Case):
    def setUp(self) -> None:
        super().setUp()
        self.root = self.folder / "checkout"
        script(self.root / "benches/peers/python/run.py", PEERS)
        (self.root / "benches/peers/__pycache__").mkdir()
        (self.root / "benches/cases.json").write_text(json.dumps(CASES), encoding="utf-8")
        for page in readme.PAGES:
            (self.root / page).parent.mkdir(exist_ok=True)
            (self.root / page).write_text(BLOCKS, encoding="utf-8")
        for module in (kit, pack):
            patch = mock.patch.object(module, "checkout", return_value=self.root)
            patch.start()
            self.addCleanup(patch.stop)

    def call(self, words: Sequence[str]) -> "tuple[int, str]":
        """Exit code and what was said."""
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = cli.main(words)
        return code, said.getvalue()


class Packing(Checkout):
    def pack_of(self, versions: List[str], out: Path, more: bytes = b"") -> "tuple[int, str]":
        """Packs programs that need these symbol versions."""
        made: Dict[str, Path] = {}
        for name in kit.PROGRAMS:
            made[name] = self.folder / f"built/{name}-0123"
            made[name].parent.mkdir(exist_ok=True)
            made[name].write_bytes(elf_file(versions) + more)
            made[name].chmod(0o755)
        with mock.patch("gpu_check.cargo.build", return_value=made):
            return self.call(["pack", "--out", str(out)])

    def test_what_is_in_it(self) -> None:
        out = self.folder / "new/pack"
        for _ in range(2):  # an older pack is replaced
            code, said = self.pack_of(["GLIBC_2.34"], out)
            self.assertEqual(code, 0, said)
        described = json.loads((out / "pack.json").read_text(encoding="utf-8"))
        self.assertEqual((described["glibc"], set(described["program_bytes"])), ("2.34", set(kit.PROGRAMS)))
        self.assertEqual([folder.name for folder in out.parent.iterdir()], ["pack"])
        self.assertEqual(list(out.rglob("__pycache__")), [])
        found = kit.packed(out, self.folder)
        self.assertEqual((found.cases, found.origin["glibc"]), (CASES, "2.34"))
        self.assertTrue((found.peers / "python/run.py").is_file())
        self.assertTrue((out / "gpu-check").is_file() and (out / "gpu_check/cli.py").is_file())
        for name, program in found.programs.items():
            self.assertEqual(program.read_bytes(), (self.folder / f"built/{name}-0123").read_bytes())
            self.assertTrue(os.access(str(program), os.X_OK))

    def test_a_pack_that_is_not_whole(self) -> None:
        for spoil in (lambda path: path.unlink(), lambda path: path.write_bytes(path.read_bytes()[:-9]),
                      lambda path: path.write_bytes(b"ELF"), lambda path: path.write_bytes(path.read_bytes()[:12] + bytes(99))):
            out, scratch = self.folder / "pack", self.folder / "scratch"
            self.pack_of(["GLIBC_2.34"], out)
            spoil(out / "bin/device.gz")
            scratch.mkdir()
            with self.assertRaisesRegex(Refused, "device.gz is damaged or missing: make the pack again"):
                kit.packed(out, scratch)
            shutil.rmtree(str(scratch))

    def test_what_does_not_fit_leaves_no_pack(self) -> None:
        out = self.folder / "pack"
        for versions, more, part in (
            (["GLIBC_2.37"], b"", "needs glibc 2.37, newer than 2.36"),
            (["GLIBC_2.34"], random.Random(1).getrandbits(8 * 14_000_000).to_bytes(14_000_000, "little"), "more than 40"),
        ):
            code, said = self.pack_of(versions, out, more)
            self.assertEqual((code, part in said, len(said.splitlines())), (1, True, 1), said)
            self.assertEqual([entry.name for entry in self.folder.glob("*pack*")], [])

    def test_folders_that_are_not_for_it(self) -> None:
        (self.folder / "mine").mkdir()
        (self.folder / "mine/thesis.tex").write_text("", encoding="utf-8")
        code, said = self.pack_of([], self.folder / "mine")
        self.assertEqual((code, "is there and is no pack" in said), (1, True), said)
        code, said = self.pack_of([], self.folder / "mine/thesis.tex/pack")
        self.assertEqual((code, "cannot be made" in said), (1, True), said)
        self.assertTrue((self.folder / "mine/thesis.tex").is_file())

    def test_programs_of_a_checkout(self) -> None:
        with mock.patch.object(kit, "BESIDE", self.root / "scripts"):
            code, said = self.call(["run"])
            self.assertEqual((code, "make it with scripts/gpu-check pack" in said), (1, True), said)
            self.pack_of(["GLIBC_2.34"], self.root / kit.PACK)
            found = kit.find(self.folder)
        self.assertEqual((found.root, found.origin["glibc"], found.packed), (self.root, "2.34", False))
        self.assertEqual(found.records(), self.root / "benches/record")


class Dry(Checkout):
    def dry(self, fake: str = "", out: Optional[Path] = None) -> "tuple[int, str]":
        """A dry run on the fakes."""
        folder = programs(self.folder / "programs")
        (folder / dry.STAND_IN).write_bytes(b"")
        words = ["dry", "--bin-dir", str(folder), *(["--out", str(out)] if out else [])]
        site = {"FAKE": fake, "PYTHONPATH": str(self.folder / "site")}
        # What the fakes have of the suite.
        with mock.patch.dict("os.environ", site), mock.patch.object(dry, "TESTS", ("axpy",)):
            with mock.patch.object(sanitizer, "OPTIONS", ("--dim 4",)):
                return self.call(words)

    def test_all_is_well(self) -> None:
        out = self.folder / "kept"
        code, said = self.dry(out=out)
        self.assertEqual(code, 0, said)
        found = record.all_of(out / "records")
        self.assertEqual({one["device"] for one in found}, {"interpreter", "cpu", "cuda"})
        self.assertTrue(all(one["tried"] for one in found))
        text = (out / "records/stand-in-driver/2026-01-01/report.md").read_text(encoding="utf-8")
        self.assertIn("On a stand-in for the CUDA driver", text)
        code, said = self.dry(out=out)
        self.assertEqual((code, "is not empty" in said), (2, True))

    def test_what_goes_wrong_is_told(self) -> None:
        for fake, told in (
            ("kernels:crash", ("interpreter: kernels: device was ended by SIGSEGV",)),
            ("describe:exit dawdles uncalibrated", (
                "interpreter: no device interpreter: device exits 1",
                "device kernels without time: not every row is left out",
                "device ceilings: work is not elements by repeats",
            )),
        ):
            code, said = self.dry(fake)
            self.assertEqual((code, [part for part in told if part not in said]), (3, []), said)
