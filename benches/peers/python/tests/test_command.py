"""run.py as it is called, and the Triton kernels compiled for GPUs that are not here."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

from tests import exported
from rig.setting import installed

OFFLINE = """
import sys
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile
from peers import triton_kernels as kernels, triton_tiles as tiles
FLOATS, NUMBERS = {"points", "halves", "sums"}, {"n", "queries", "per_split"}
def check(kernel, tile, capability, **constants):
    constants.update(QUERIES=tile.queries, KEYS=tile.keys)
    kind = lambda name: "*fp32" if name in FLOATS else "i32" if name in NUMBERS else "constexpr"
    source = ASTSource(fn=kernel, signature={name: kind(name) for name in kernel.arg_names}, constexprs=constants)
    options = {"num_warps": tile.warps, "num_stages": tile.stages}
    made = compile(source, target=GPUTarget("cuda", capability, 32), options=options)
    assert len(made.asm["cubin"]) > 0
    return made
for capability in (80, 90):
    made = check(kernels.shift_differences, tiles.DIFFERENCES[0], capability, D=2)
    # A thread sums over keys alone.
    assert "ex2.approx" in made.asm["ptx"] and "shfl" not in made.asm["ptx"]
    low, high = tiles.columns(150)
    made = check(kernels.shift_products, tiles.TENSOR[0], capability, D=150, LOW=low, HIGH=high, PRECISION="tf32")
    assert "tf32" in made.asm["ptx"], "no TF32 products"
    low, high = tiles.columns(64)
    made = check(kernels.shift_products, tiles.SMALLEST, capability, D=64, LOW=low, HIGH=high, PRECISION="ieee")
    assert "tf32" not in made.asm["ptx"] and made.metadata.shared <= 48 << 10
print("compiled")
"""


def called(*given, **environment):
    """run.py's process, at its end."""
    command = [sys.executable, os.path.join(exported.ROOT, "run.py"), *given]
    surroundings = dict(os.environ, **environment)
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=surroundings)


class Command(unittest.TestCase):
    def test_list_names_every_peer(self):
        shown = called("--list")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        for key in ("lecture-1024", "triton-differences", "keops", "meanshift++", "sklearn-kmeans"):
            self.assertIn(key, shown.stdout)

    def test_data_and_out_are_asked_for(self):
        self.assertEqual(called().returncode, 2)

    def test_some_peers_by_name(self):
        with tempfile.TemporaryDirectory() as folder:
            exported.tried(folder)
            out = os.path.join(folder, "rows.json")
            given = ("--data", folder, "--out", out, "--tried", "--seconds", "0.001", "--passes", "1")
            done = called(*given, "--only", "gridshift-numpy,meanshift++-numpy")
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(out, encoding="utf-8") as file:
                written = json.load(file)
            self.assertIn("numpy", written["machine"])
            names = {row["implementation"] for row in written["rows"]}
            self.assertEqual(names, {"GridShift, NumPy", "MeanShift++, NumPy"})
            self.assertTrue(all(row["check"]["passed"] for row in written["rows"]))

    def test_a_peer_that_ends_the_process_ends_itself_alone(self):
        with tempfile.TemporaryDirectory() as folder:
            data = exported.tried(os.path.join(folder, "data"))
            # Imported by every Python that starts in there: from then on this peer ends its process.
            with open(os.path.join(folder, "sitecustomize.py"), "w", encoding="utf-8") as file:
                file.write("import os, sys\nsys.path.insert(0, %r)\nfrom peers import grid_runs\n" % exported.ROOT)
                file.write("grid_runs.MeanShiftPpNumpy.prepare = lambda *a: os.kill(os.getpid(), 11)\n")
            out = os.path.join(folder, "rows.json")
            given = ("--data", data, "--out", out, "--tried", "--seconds", "0.001", "--passes", "1")
            done = called(*given, "--only", "gridshift-numpy,meanshift++-numpy", PYTHONPATH=folder)
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(out, encoding="utf-8") as file:
                rows = json.load(file)["rows"]
            ended = [row for row in rows if row["implementation"] == "MeanShift++, NumPy"]
            others = [row for row in rows if row["implementation"] == "GridShift, NumPy"]
            self.assertTrue(ended and len(ended) == len(others))
            for row in ended:
                self.assertIn("ended by SIGSEGV", row["failed"])
                self.assertNotIn("left_out", row)
            self.assertTrue(all(row["check"]["passed"] for row in others))

    def test_a_process_that_cannot_begin_is_not_begun_for_ever(self):
        with tempfile.TemporaryDirectory() as folder:
            data = exported.tried(os.path.join(folder, "data"))
            with open(os.path.join(folder, "sitecustomize.py"), "w", encoding="utf-8") as file:
                file.write("import os, sys\nif '--alone' in sys.orig_argv: os.kill(os.getpid(), 11)\n")
            done = called("--data", data, "--out", os.path.join(folder, "rows.json"), PYTHONPATH=folder)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn("SIGSEGV", done.stderr)

    def test_without_torch_the_others_run(self):
        with tempfile.TemporaryDirectory() as folder:
            data = exported.tried(os.path.join(folder, "data"))
            # An empty module would be found; a finder that hides torch is what an installation without it is like.
            with open(os.path.join(folder, "sitecustomize.py"), "w", encoding="utf-8") as file:
                file.write("import importlib.util as u\nfind = u.find_spec\n")
                file.write("u.find_spec = lambda name, *a: None if name == 'torch' else find(name, *a)\n")
            out = os.path.join(folder, "rows.json")
            given = ("--data", data, "--out", out, "--tried", "--seconds", "0.001", "--passes", "1")
            only = ("--only", "lecture-1024,matmul-f32,reduce-matmul,gridshift,gridshift-numpy", "--device", "cuda")
            done = called(*given, *only, PYTHONPATH=folder)
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(out, encoding="utf-8") as file:
                rows = json.load(file)["rows"]
            said = {row["implementation"]: row.get("left_out") for row in rows}
            self.assertIsNone(said.pop("GridShift, NumPy"))
            self.assertEqual(set(said.values()), {"torch is not installed"})


@unittest.skipUnless(installed("torch") and installed("triton"), "triton is not installed")
class Offline(unittest.TestCase):
    def test_triton_compiles_for_8_0_and_9_0(self):
        environment = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
        environment.update(PYTHONPATH=exported.ROOT, TRITON_DEFAULT_FP_FUSION="1")
        done = subprocess.run(
            [sys.executable, "-c", OFFLINE],
            capture_output=True, text=True, timeout=600, env=environment, cwd=exported.ROOT,
        )
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        self.assertIn("compiled", done.stdout)


if __name__ == "__main__":
    unittest.main()
