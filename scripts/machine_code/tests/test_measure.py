"""Which PTX is assembled for which architecture."""

from __future__ import annotations

import unittest
from pathlib import Path
from tempfile import TemporaryDirectory

from machine_code.measure import modules_of, target_of
from machine_code.specification import KernelSpec


class ModulesTest(unittest.TestCase):
    def test_ptx_for_one_architecture_alone_is_taken_there(self) -> None:
        with TemporaryDirectory() as folder:
            ptx = Path(folder)
            for path in ("sm_75/a.ptx", "sm_90/a.ptx", "sm_90a/b.ptx"):
                (ptx / path).parent.mkdir(exist_ok=True)
                (ptx / path).touch()
            found = {arch: [str(p.relative_to(ptx)) for p in modules_of(ptx, arch)] for arch in ("sm_80", "sm_90", "sm_100")}
        self.assertEqual(found, {
            "sm_80": ["sm_75/a.ptx"],
            "sm_90": ["sm_90/a.ptx", "sm_90a/b.ptx"],
            "sm_100": ["sm_90/a.ptx"],
        })

    def test_it_is_assembled_for_its_own_name(self) -> None:
        self.assertEqual(target_of(Path("ptx/sm_90a/b.ptx"), "sm_90"), "sm_90a")
        self.assertEqual(target_of(Path("ptx/sm_90/a.ptx"), "sm_90"), "sm_90")
        self.assertEqual(target_of(Path("ptx/sm_90/a.ptx"), "sm_100"), "sm_100")


class KernelSpecTest(unittest.TestCase):
    def test_a_kernel_for_one_architecture_is_missed_nowhere_else(self) -> None:
        only = KernelSpec(name="k", threads=32, loops=(), no_loop="none", only="sm_90")
        self.assertEqual([arch for arch in ("sm_80", "sm_90", "sm_100") if only.runs_on("sm_90", arch)], ["sm_90"])
        newer = KernelSpec(name="k", threads=32, loops=(), no_loop="none", needs="sm_80")
        self.assertEqual([newer.runs_on(folder, folder) for folder in ("sm_75", "sm_80", "sm_90")], [False, True, True])


if __name__ == "__main__":
    unittest.main()
