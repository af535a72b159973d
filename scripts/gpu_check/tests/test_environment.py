"""What is asked of a machine, and the GPU's file."""

from __future__ import annotations

import os
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from gpu_check import environment
from gpu_check.environment import Gpu
from gpu_check.tests.fakes import script


class Environment(unittest.TestCase):
    def setUp(self) -> None:
        kept = tempfile.TemporaryDirectory(prefix="gpu-check-test-")
        self.addCleanup(kept.cleanup)
        self.folder = Path(kept.name)

    def test_versions_are_asked_without_importing_anything(self) -> None:
        for name, version in (("numpy", "1.2.3"), ("scikit_learn", "4.5")):
            described = self.folder / f"{name}-{version}.dist-info/METADATA"
            described.parent.mkdir()
            text = f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {version}\n"
            described.write_text(text, encoding="utf-8")
        for name in ("numpy", "sklearn"):
            (self.folder / f"{name}.py").write_text("raise SystemExit('it was imported')", encoding="utf-8")
        script(self.folder / "nvcc", "print('nvcc: NVIDIA (R) Cuda compiler driver\\nCuda tools, release 13.0')")
        script(self.folder / "ncu", "import sys; sys.exit('no such library')")
        with mock.patch.dict("os.environ", {"PYTHONPATH": str(self.folder), "PATH": str(self.folder)}):
            found = environment.versions(sys.executable, 20.0)
            self.assertIn("left out: ", environment.versions("/no/python", 20.0)["python"])
        self.assertEqual((found["numpy"], found["sklearn"]), ("1.2.3", "4.5"))
        self.assertEqual(found["nvcc"], "Cuda tools, release 13.0")
        self.assertIn("no such library", found["ncu"])
        known = found.keys() - {"torch", "triton", "pykeops"}
        self.assertEqual(known, {"ncu", "numpy", "nvcc", "python", "sklearn"})

    def held(self, number: int) -> "list[str]":
        """The names of the files in the folder that are open meanwhile."""
        with Gpu(number).held(self.folder) as held:
            links = [Path("/proc/self/fd") / name for name in os.listdir("/proc/self/fd")]
            targets = [os.readlink(str(link)) for link in links if link.is_symlink()]
            names = [Path(target).name for target in targets if Path(target).parent == self.folder.resolve()]
        self.assertEqual(held, bool(names))
        return names

    def test_the_gpus_file_is_kept_open(self) -> None:
        with mock.patch.dict("os.environ", {"CUDA_VISIBLE_DEVICES": ""}):
            self.assertEqual(self.held(0), [])
            for name in ("nvidiactl", "nvidia-uvm", "nvidia3"):
                (self.folder / name).write_text("", encoding="utf-8")
            self.assertEqual(self.held(0), ["nvidia3"])
            (self.folder / "nvidia0").write_text("", encoding="utf-8")
            self.assertEqual([self.held(0), self.held(3), self.held(1)], [["nvidia0"], ["nvidia3"], []])
            (self.folder / "nvidia0").unlink()
            (self.folder / "nvidia0").symlink_to(self.folder / "gone")
            self.assertEqual(self.held(0), [])

    def test_modes_that_let_in_one_process(self) -> None:
        for mode, alone in (("Default", False), ("Exclusive_Process", True)):
            self.assertEqual(environment.serves_one({"nvidia_smi": {"compute_mode": mode}}), alone)
        self.assertFalse(environment.serves_one({"load_average": None}))
