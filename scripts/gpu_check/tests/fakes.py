"""Stand-ins for the programs, which print what the real ones did, and misbehave as a test wishes."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any, Dict, List, Optional

from gpu_check.job import Deadline, Found, Job
from gpu_check.kit import Kit

# The variable FAKE has words that a fake obeys; WHERE:WORD only for the command WHERE.
DEVICE = """
import json, os, sys, time
command, rest = sys.argv[1], sys.argv[2:]
given = {name: rest[rest.index(name) + 1] for name in ("--device", "--out") if name in rest}
for word in os.environ.get("FAKE", "").split():
    where, _, what = word.partition(":")
    if where != command:
        continue
    if what == "exit":
        sys.exit("device: the NVIDIA driver finds no GPU")
    if what == "crash":
        os.kill(os.getpid(), 11)
    if what == "broken":
        open(given["--out"], "w").write('{"rows": [')
        sys.exit(0)
    if what == "bad-check":
        ROW_CHECK = {"against": "f64 oracle", "error": None, "limit": 1e-5, "measure": "relative l2", "passed": False}
if os.environ.get("STAND_IN_DRIVER") == "no-devices":
    sys.exit("device: no NVIDIA GPU can be used: the driver finds no GPU")
if command == "export":
    os.makedirs(given["--out"])
    open(os.path.join(given["--out"], "index.json"), "w").write("[]")
    sys.exit(0)
on = "cuda" if given["--device"].startswith("cuda") else given["--device"]
row = {"case": "step/1500x2", "implementation": "modeseek", "device": on, "precision": "f32", "timer": "wall clock",
       "work": {"pairs": 2250000.0}, "samples_s": [[0.001, 0.0011], [0.0012]],
       "check": {"against": "f64 oracle", "error": 1e-6, "limit": 1e-5, "measure": "relative l2", "passed": True}}
if "ROW_CHECK" in globals():
    row["check"] = ROW_CHECK
if command == "ceilings":
    row.update(case="ceiling/fma", work={"flops": 1e9}, elements=500000, repeats=1000)
    if "uncalibrated" in os.environ.get("FAKE", ""):
        row["repeats"] = 8
    del row["check"]
if command == "runs":
    row.update(case="run/lecture", found={"iterations": 5, "clusters": 6, "adjusted_rand_index": 1.0})
machine = {"name": "NVIDIA Fake 1", "compute_capability": [9, 0]}
until = float(rest[rest.index("--until") + 1]) if "--until" in rest else 9.0
fake = os.environ.get("FAKE", "").split()
if command + ":late" in fake or until <= 0 and "dawdles" not in fake:
    row = {**{name: row[name] for name in ("case", "implementation", "device")}, "left_out": "time limit of 9 s"}
data = {"machine": machine, "rows": [] if command == "describe" else [row]}
if "--out" in given:
    open(given["--out"] + ".part", "w").write(json.dumps(data))
    os.replace(given["--out"] + ".part", given["--out"])
if command + ":hang" in os.environ.get("FAKE", "").split():
    time.sleep(60)
"""

MODESEEK = """
import os, sys
if "modeseek:exit" in os.environ.get("FAKE", ""):
    sys.exit("modeseek: not enough memory on the device")
print("device      " + os.environ.get("FAKE_ON", "NVIDIA Fake 1: the first GPU"))
print("data        %s points" % sys.argv[2])
"""

# As libtest prints with --nocapture --test-threads=1.
CONFORMANCE = """
import os, sys, time
names = ["cuda::axpy", "cuda::shift", "cuda::lecture", "processor_avx2::axpy", "processor_avx512::axpy",
         "interpreter_sm_75::axpy"]
fake = os.environ.get("FAKE", "").split()
if "--list" in sys.argv:
    print("\\n".join(name + ": test" for name in names if name.startswith(sys.argv[1])))
    sys.exit(0)
chosen = [name for name in names if name in sys.argv]
print("\\nrunning %d tests" % len(chosen))
code, spoilt = 0, False
for name in chosen:
    print("test %s ... " % name, end="", flush=True)
    if name + ":abort" in fake:
        os.abort()
    if name + ":hang" in fake:
        time.sleep(60)
    if name + ":skip" in fake:
        print("skipped: this processor is not Avx512", file=sys.stderr)
    if name + ":fail" in fake or name + ":wrong" in fake or spoilt:
        print("\\nthread 'main' panicked at tests/conformance/kernels.rs:7:5:\\nout[3] is NaN", file=sys.stderr)
        print("note: run with `RUST_BACKTRACE=1`", file=sys.stderr, flush=True)
        print("FAILED", flush=True)
        code, spoilt = 101, name + ":wrong" not in fake
    else:
        sys.stderr.flush()
        print("ok", flush=True)
sys.exit(code)
"""

SANITIZER = """
import os, subprocess, sys, time
tool = sys.argv[2]
print("========= COMPUTE-SANITIZER", flush=True)
if os.environ.get("MODESEEK_POOL") != "off":
    sys.exit("memory that was freed is kept")
time.sleep(float(os.environ.get("FAKE_START", "0")))
code = subprocess.call(sys.argv[3:])
found = int(tool + ":error" in os.environ.get("FAKE", ""))
if found:
    print("========= Invalid __global__ read of size 4 bytes")
if tool + ":silent" not in os.environ.get("FAKE", ""):
    print("========= ERROR SUMMARY: %d errors" % found)
sys.exit(code)
"""

PEERS = """
import json, sys
given = {name: sys.argv[sys.argv.index(name) + 1] for name in ("--device", "--out")}
row = {"case": "step/1500x2", "implementation": "torch eager, batch 1024", "device": given["--device"],
       "precision": "f32", "timer": "wall clock", "work": {"pairs": 2250000.0}, "samples_s": [[0.004], [0.004]],
       "check": {"against": "modeseek", "error": 1e-6, "limit": 1e-4, "measure": "relative l2", "passed": True}}
rows = [row, {"case": "step/1500x2", "implementation": "KeOps", "device": given["--device"],
              "left_out": "pykeops is not installed"}]
open(given["--out"], "w").write(json.dumps({"machine": {"python": "3"}, "rows": rows}))
"""

CASES = {"step": [{"case": "step/1500x2", "n": 1500, "d": 2}], "run": [{"case": "run/lecture", "n": 1500, "d": 2}]}


def script(path: Path, text: str) -> Path:
    """A program in Python, which starts as fast as it can."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{sys.executable} -SE\n{text}", encoding="utf-8")
    path.chmod(0o755)
    return path


def programs(folder: Path) -> Path:
    """A folder with the three programs."""
    for name, text in (("device", DEVICE), ("modeseek", MODESEEK), ("conformance", CONFORMANCE)):
        script(folder / name, text)
    return folder


class Case(unittest.TestCase):
    """A test with a temporary folder, and fakes in it."""

    def setUp(self) -> None:
        kept = tempfile.TemporaryDirectory(prefix="gpu-check-test-")
        self.addCleanup(kept.cleanup)
        self.folder = Path(kept.name)
        # numpy is not what is tested: the peers' Python finds an empty one.
        script(self.folder / "site/numpy.py", "")
        script(self.folder / "peers/python/run.py", PEERS)
        programs(self.folder / "bin")

    def job(self, device: str = "cuda", fake: str = "", **variables: str) -> Job:
        """A run's job on the fakes."""
        found = {name: self.folder / "bin" / name for name in ("device", "modeseek", "conformance")}
        kit = Kit(self.folder, found, self.folder / "peers", CASES, {"commit": "0123", "dirty": False})
        scratch = self.folder / "scratch"
        scratch.mkdir(exist_ok=True)
        # No tool of this machine, a real compute-sanitizer least of all, and what the fakes obey.
        clean = {"PATH": str(self.folder / "tools"), "FAKE": fake, "PYTHONPATH": str(self.folder / "site"), **variables}
        return Job(kit, device, scratch, sys.executable, variables=clean)

    def part(self, work: Any, job: Job, seconds: float = 20.0) -> Found:
        """What a part finds."""
        found = Found("part")
        work(job, found, Deadline(seconds))
        return found

    def tool(self, name: str, text: str) -> Path:
        """A tool on the fakes' PATH."""
        return script(self.folder / "tools" / name, text)

    def pack(self) -> Path:
        """A pack made of the fakes, with this program in it."""
        here = Path(__file__).resolve().parents[2]
        shutil.copy2(str(here / "gpu-check"), str(self.folder / "gpu-check"))
        shutil.copytree(str(here / "gpu_check"), str(self.folder / "gpu_check"))
        (self.folder / "pack.json").write_text(json.dumps({"commit": "0123", "dirty": False}), encoding="utf-8")
        (self.folder / "cases.json").write_text(json.dumps(CASES), encoding="utf-8")
        for program in list((self.folder / "bin").iterdir()):
            program.with_name(f"{program.name}.gz").write_bytes(gzip.compress(program.read_bytes()))
        return self.folder


def environment(folder: Path, fake: str = "", **more: str) -> Dict[str, str]:
    """The variables of gpu-check itself, with the fakes' wishes."""
    path = str(folder / "tools") + os.pathsep + os.environ.get("PATH", os.defpath)
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    variables = {"FAKE": fake, "PATH": path, "PYTHONPATH": str(folder / "site"), "TMPDIR": str(temporary)}
    return {**os.environ, **variables, **more}


def row(
    case: str = "step/1500x2", name: str = "modeseek", samples: Optional[List[List[float]]] = None, **more: Any
) -> Dict[str, Any]:
    """A measured row."""
    passed = {"against": "f64 oracle", "error": 1e-6, "limit": 1e-5, "measure": "relative l2", "passed": True}
    made = {"case": case, "implementation": name, "device": "cuda", "precision": "f32", "timer": "device events",
            "work": {"pairs": 1e6}, "samples_s": samples or [[1e-3, 1e-3], [1e-3, 1e-3]], "check": passed}
    return {**made, **more}
