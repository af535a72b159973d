"""Children, parts, whole runs and the command line, on fakes of the programs."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence
from unittest import mock

from gpu_check import child, cli, conformance, engine, parts, record, report, sanitizer
from gpu_check.errors import Refused
from gpu_check.job import Job
from gpu_check.parts import PARTS
from gpu_check.tests.fakes import SANITIZER, Case, environment

# Starts a grandchild that ignores what children are first asked with, writes its number, and waits.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
inner = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
print(subprocess.Popen([sys.executable, "-c", inner]).pid, flush=True)
time.sleep(60)
"""


def alive(process: int) -> bool:
    """Whether a process runs; one that ended and waits to be noticed does not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


class Children(Case):
    def test_a_child_and_its_own_are_ended_at_the_limit(self) -> None:
        with mock.patch.object(child, "GRACE", 0.2):
            outcome = child.run([sys.executable, "-c", STUBBORN], 1.0)
        self.assertEqual(outcome.problem, f"{outcome.name} was stopped at its limit of 1 s")
        self.assertLess(outcome.seconds, 10.0)
        for _ in range(100):
            if not alive(int(outcome.output)):
                return
            time.sleep(0.05)
        self.fail("what the child had started is still there")

    def test_why(self) -> None:
        for text, why in (
            ("import sys; sys.exit('a\\nb')", "exits 1: b"), ("import os; os.abort()", "was ended by SIGABRT"),
            ("print('only this'); exit(3)", "exits 3: only this"), ("exit(2)", "it said nothing"), ("", ""),
        ):
            self.assertIn(why, child.run([sys.executable, "-c", text], 20.0).why())
        self.assertIn("does not start: No such file", child.run(["/no/such/program"], 1.0).why())
        self.assertIn("no time was left", child.run(["true"], 0.0).why())


class Parts(Case):
    def outcomes(self, job: Job) -> "tuple[str, Dict[str, str]]":
        """State and the outcome of each test."""
        found = self.part(conformance.run, job)
        return found.state, {check["name"].split("::")[1]: check["outcome"] for check in found.checks}

    def test_conformance(self) -> None:
        good = {"axpy": "passed", "shift": "passed", "lecture": "passed"}
        self.assertEqual(self.outcomes(self.job()), ("passed", good))
        # What comes after a failure runs again, in a process that it did not spoil; so after a crash.
        for word in ("fail", "abort"):
            wrong = {**good, "axpy": "failed"}
            self.assertEqual(self.outcomes(self.job(fake=f"cuda::axpy:{word}")), ("failed", wrong), word)

    def test_a_skipped_test_is_no_pass(self) -> None:
        state, outcomes = self.outcomes(self.job(fake="cuda::shift:skip"))
        self.assertEqual((state, outcomes["shift"]), ("failed", "skipped"))
        on_cpu = [self.outcomes(self.job("cpu", fake))[0] for fake in (
            "processor_avx512::axpy:skip", "processor_avx512::axpy:skip processor_avx2::axpy:skip",
        )]
        self.assertEqual(on_cpu, ["passed", "failed"])

    def test_sanitizer(self) -> None:
        found = self.part(sanitizer.run, self.job())
        self.assertEqual((found.state, "is not installed" in found.why[0]), ("left out", True))
        self.assertEqual(self.part(sanitizer.run, self.job("cpu")).state, "left out")
        self.tool("compute-sanitizer", SANITIZER)
        found = self.part(sanitizer.run, self.job())
        self.assertEqual((found.state, len(found.checks)), ("passed", 85))
        wishes = {"racecheck:error": 21, "initcheck:silent": 21, "kernels:crash": 2, "modeseek:exit": 38}
        for fake, failed in wishes.items():
            with mock.patch.object(sanitizer, "TOOLS", ("racecheck", "initcheck")):
                found = self.part(sanitizer.run, self.job(fake=fake))
            wrong = [check for check in found.checks if check["outcome"] == "failed"]
            self.assertEqual((found.state, len(wrong)), ("failed", failed), fake)

    def test_runs_keep_what_was_printed(self) -> None:
        found = self.part(parts.runs, self.job())
        self.assertEqual(found.state, "passed")
        main = found.printed["main"]
        self.assertEqual(main["command"], "cargo run -p host -- --points 100000")
        self.assertEqual(main["text"].splitlines()[1], "data        100000 points")
        fallen = self.part(parts.runs, self.job(FAKE_ON="processor (2 threads): the GPU is busy"))
        self.assertEqual(fallen.state, "failed")
        self.assertIn("chose the processor", fallen.why[0])

    def test_the_device_is_named_only_where_the_program_would_choose_another(self) -> None:
        self.assertEqual(parts.device_words(self.job("cpu"), 9.0), ["--device", "cpu"])
        self.assertEqual(parts.device_words(self.job("cpu", "describe:exit"), 9.0), [])
        self.assertEqual(parts.device_words(self.job("interpreter"), 9.0), ["--device", "interpreter"])

    def test_rows_of_a_part(self) -> None:
        for fake, state, rows in (
            ("", "passed", 2), ("kernels:bad-check", "failed", 2), ("kernels:broken", "failed", 1),
            ("kernels:crash", "failed", 1), ("kernels:exit", "failed", 1),
        ):
            found = self.part(parts.kernels, self.job(fake=fake))
            self.assertEqual((found.state, len(found.rows)), (state, rows), fake)
            self.assertEqual(found.rows[0]["left_out"], "there is no source of it among the peers")

    def test_what_was_written_before_the_limit_is_kept(self) -> None:
        found = self.part(parts.kernels, self.job("cpu", "kernels:hang"), 1.5)
        self.assertEqual((found.state, len(found.rows)), ("failed", 1))
        self.assertIn("was stopped at its limit", found.why[0])

    def test_cuda_cpp(self) -> None:
        (self.folder / "peers/cuda").mkdir()
        (self.folder / "peers/cuda/shift.cu").write_text("", encoding="utf-8")
        found = self.part(parts.kernels, self.job())
        self.assertEqual(found.rows[0]["left_out"], "nvcc is not installed")
        self.tool("nvcc", "import sys; open(sys.argv[sys.argv.index('-o') + 1], 'w').write(sys.argv[3])")
        found = self.part(parts.kernels, self.job())
        self.assertEqual((found.state, len(found.rows)), ("passed", 1))
        said = [command["command"] for command in found.commands]
        self.assertIn("-cubin -arch=sm_90", said[0])
        self.assertTrue(said[1].endswith("--cuda-cpp SCRATCH/shift.cubin"), said)
        self.tool("nvcc", "import sys; sys.exit('shift.cu(3): error: expected a ;')")
        found = self.part(parts.kernels, self.job())
        self.assertIn("expected a ;", found.rows[0]["failed"])

    def test_peers(self) -> None:
        found = self.part(parts.peers, self.job())
        self.assertEqual((found.state, len(found.rows)), ("passed", 2))
        self.assertEqual(self.part(parts.peers, self.job("interpreter")).state, "left out")
        (self.folder / "site/numpy.py").write_text("raise ImportError('no numpy')", encoding="utf-8")
        found = self.part(parts.peers, self.job())
        self.assertEqual(found.state, "left out")
        self.assertIn("no numpy", found.why[0])


class Runs(Case):
    def start(
        self, job: Job, names: Optional[Sequence[str]] = None, seconds: float = 60.0
    ) -> "tuple[int, Dict[str, Any]]":
        """A whole run: its exit code and its record."""
        out = self.folder / "out"
        chosen = [PARTS[name] for name in names or PARTS]
        with mock.patch("builtins.print"), mock.patch("gpu_check.environment.LIMIT_S", 5.0):
            code = engine.start(job, chosen, seconds, ["gpu-check", "run"], out)
        made = record.load(out)
        self.assertEqual((out / record.REPORT).read_text(encoding="utf-8"), report.page(made))
        return code, made

    def states(self, made: Dict[str, Any]) -> Dict[str, str]:
        """The state of each part."""
        return {part["name"]: part["state"] for part in made["parts"]}

    def test_everything(self) -> None:
        code, made = self.start(self.job())
        left = {name: "left out" if name == "sanitizer" else "passed" for name in PARTS}
        self.assertEqual((code, self.states(made)), (0, left))
        self.assertEqual((made["name"], made["machine"]["compute_capability"]), ("NVIDIA Fake 1", [9, 0]))
        self.assertEqual({row["part"] for row in made["rows"]}, {"ceilings", "runs", "kernels", "peers"})
        self.assertEqual(made["origin"], {"commit": "0123", "dirty": False})

    def test_a_failing_part_stops_no_other(self) -> None:
        code, made = self.start(self.job(fake="ceilings:crash runs:broken"))
        failed = [name for name, state in self.states(made).items() if state == "failed"]
        self.assertEqual((code, failed), (3, ["ceilings", "runs"]))

    def test_even_one_that_is_wrong_itself(self) -> None:
        broken = mock.patch.object(Job, "run_for", side_effect=[ZeroDivisionError("oh"), None])
        with broken:
            code, made = self.start(self.job("cpu"), ["peers", "runs"])
        self.assertEqual((code, made["parts"][0]["why"]), (3, ["ZeroDivisionError: oh"]))

    def test_all_left_out_is_nothing_run(self) -> None:
        self.assertEqual(self.start(self.job(), ["sanitizer"])[0], 1)

    def test_a_part_that_hangs_leaves_the_others_their_time(self) -> None:
        begun = time.monotonic()
        code, made = self.start(self.job("cpu", "ceilings:hang"), ["ceilings", "runs"], 8.0)
        self.assertLess(time.monotonic() - begun, 12.0)
        self.assertEqual((code, self.states(made)), (3, {"ceilings": "failed", "runs": "passed"}))

    def test_a_gpu_that_is_lost(self) -> None:
        gone = mock.patch.object(engine, "answers", return_value="device exits 1: CUDA_ERROR_NO_DEVICE")
        with gone:
            code, made = self.start(self.job(fake="ceilings:crash"), ["device", "ceilings", "kernels", "peers"])
        lost = {"device": "passed", "ceilings": "failed", "kernels": "left out", "peers": "left out"}
        self.assertEqual((code, self.states(made)), (3, lost))
        self.assertIn("no longer answers: device exits 1: CUDA_ERROR_NO_DEVICE", made["parts"][2]["why"][0])

    def test_without_a_gpu(self) -> None:
        with self.assertRaisesRegex(Refused, "no device cuda: .*: the NVIDIA driver finds no GPU; .*7.5"):
            self.start(self.job(fake="describe:exit"))
        self.assertFalse((self.folder / "out").exists())

    def test_a_disk_that_is_full(self) -> None:
        with mock.patch.object(record, "replace", side_effect=OSError(28, "No space left on device")):
            with mock.patch.object(record, "load", return_value={}), self.assertRaises(FileNotFoundError):
                self.start(self.job("cpu"), ["device"])
        engine_code = mock.patch.object(record, "replace", side_effect=OSError(28, "No space left on device"))
        with engine_code, mock.patch("builtins.print") as said:
            code = engine.start(self.job("cpu"), [PARTS["device"]], 20.0, ["run"], self.folder / "full")
        self.assertEqual(code, 3)
        self.assertIn("No space left on device", str(said.call_args_list))


class CommandLine(Case):
    def call(self, words: Sequence[str], fake: str = "", **more: Any) -> "subprocess.CompletedProcess[str]":
        """gpu-check from a pack."""
        command = [sys.executable, str(self.pack_once() / "gpu-check"), *words]
        variables = environment(self.folder, fake)
        return subprocess.run(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              universal_newlines=True, timeout=60, check=False, **more)

    def pack_once(self) -> Path:
        """The pack."""
        return self.folder if (self.folder / "pack.json").exists() else self.pack()

    def said(self, words: Sequence[str]) -> "tuple[int, str, str]":
        """Exit code and output, in this process: of what needs no pack."""
        output, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            code = cli.main(words)
        return code, output.getvalue(), errors.getvalue()

    def assert_refused(self, words: Sequence[str], code: int, part: str, fake: str = "", **more: Any) -> None:
        """One line on the standard error, below what argparse says of usage, and the exit code."""
        done = self.call(words, fake, **more)
        self.assertEqual((done.returncode, done.stdout), (code, ""), done.stderr)
        lines = [line for line in done.stderr.splitlines() if line.startswith("gpu-check")]
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertIn(part, lines[0])

    def test_wrong_words(self) -> None:
        for words, part in (
            (["run", "--parts", "device,magic"], "no part magic; parts are device, ceilings"),
            (["run", "--parts", ","], "no part is named"),
            (["run", "--device", "tpu"], "no device 'tpu'"),
            (["run", "--device", "cuda:x"], "no device 'cuda:x'"),
            (["run", "--minutes", "nan"], "no number of minutes"),
            (["run", "--minutes", "-1"], "no number of minutes"),
            (["fly"], "fly"),
            ([], "COMMAND"),
        ):
            code, output, errors = self.said(words)
            self.assertEqual((code, output), (2, ""), words)
            self.assertIn(part, errors.splitlines()[-1])

    def test_help_and_list(self) -> None:
        for words in (["--help"], ["pack", "--help"], ["run", "--help"], ["dry", "--help"], ["readme", "--help"]):
            code, output, _ = self.said(words)
            self.assertEqual((code, "Exit status" in output), (0, True), words)
        self.assertEqual(len(self.said(["run", "--list"])[1].splitlines()), len(PARTS))

    def test_no_gpu_is_one_line(self) -> None:
        self.assert_refused(["run"], 1, "needs an NVIDIA GPU of compute capability 7.5", "describe:exit")

    def test_folders(self) -> None:
        (self.folder / "file").write_text("", encoding="utf-8")
        self.assert_refused(["run", "--out", str(self.folder / "file/record")], 1, "is not writable (Not a directory)")
        self.assert_refused(["run", "--bin-dir", str(self.folder / "none")], 1, "no program modeseek, conformance")
        self.assert_refused(["report", str(self.folder)], 1, "holds no results.json")
        self.assert_refused(["pack"], 1, "a pack is made in a checkout")
        self.assert_refused(["readme"], 1, "README.md is in the checkout")
        (self.folder / "bin/device").unlink()
        self.assert_refused(["run"], 1, "no program device in")
        (self.folder / "pack.json").write_text("[", encoding="utf-8")
        self.assert_refused(["run"], 1, "pack.json cannot be read")

    def test_a_run_writes_its_record_beside_the_pack(self) -> None:
        for name in ("", "-2"):
            done = self.call(["run", "--device", "cuda", "--parts", "device,ceilings", "--python", sys.executable])
            self.assertEqual(done.returncode, 0, done.stderr)
            folders = sorted(folder.name for folder in (self.folder / "record/nvidia-fake-1").iterdir())
            self.assertTrue(folders[-1].endswith(name), folders)
        made = record.load(self.folder / "record/nvidia-fake-1" / folders[0])
        self.assertIn("gpu-check run --device cuda --parts device,ceilings --python", made["command"])

    def test_files_that_cannot_grow(self) -> None:
        def limited() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))

        out = str(self.folder / "out")
        done = self.call(["run", "--device", "cpu", "--parts", "device,kernels", "--out", out], preexec_fn=limited)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertEqual(set(done.stderr.splitlines()), {f"gpu-check: {out} cannot be written: File too large"})

    def test_interrupted(self) -> None:
        self.pack_once()
        for sign in (signal.SIGINT, signal.SIGTERM):
            out = self.folder / f"out-{sign.name}"
            command = [sys.executable, str(self.folder / "gpu-check"), "run", "--device", "cpu", "--out", str(out),
                       "--parts", "ceilings,kernels,peers", "--minutes", "2"]
            fake = environment(self.folder, "kernels:hang")
            run = subprocess.Popen(command, env=fake, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            children = self.hanging(run)
            run.send_signal(sign)
            printed, errors = run.communicate(timeout=30)
            self.assertEqual((run.returncode, errors), (130, b""), printed)
            made = record.load(out)
            states = [part["state"] for part in made["parts"]]
            self.assertEqual(states, ["passed", "interrupted", "interrupted"])
            # Also what the interrupted part had written.
            self.assertEqual([row["part"] for row in made["rows"]], ["ceilings", "kernels"])
            self.assertEqual([process for process in children if alive(process)], [])

    def hanging(self, run: "subprocess.Popen[bytes]") -> List[int]:
        """Waits until the fake of the benchmark hangs; gives its process."""
        for _ in range(400):
            time.sleep(0.05)
            for entry in Path("/proc").iterdir():
                if entry.name.isdigit() and self.of(entry, run.pid):
                    time.sleep(0.3)  # its file is written before it hangs
                    return [int(entry.name)]
        self.fail("the part did not begin")
        return []

    def of(self, entry: Path, parent: int) -> bool:
        """Whether a process is `device kernels`, begun by this run."""
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            owner = int((entry / "stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[1])
        except (OSError, ValueError, IndexError):
            return False
        return owner == parent and b"kernels" in words and os.fsencode(str(self.folder)) in b" ".join(words)
