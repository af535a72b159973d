"""Children, whole runs and the command line, on fakes of the programs."""

from __future__ import annotations

import contextlib
import functools
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

from gpu_check import child, cli, engine, record, report
from gpu_check.environment import Gpu
from gpu_check.errors import Refused
from gpu_check.job import Job
from gpu_check.parts import PARTS
from gpu_check.tests.fakes import Case, environment

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

    def test_a_child_that_hangs_or_has_no_time(self) -> None:
        outcome = child.run([sys.executable, "-c", "print('so far', flush=True); import time; time.sleep(60)"], 20.0,
                            silence_s=0.5)
        self.assertEqual((outcome.hung, outcome.cut, outcome.output), (True, False, "so far\n"))
        self.assertIn("without a word", outcome.why())
        outcome = child.run(["sleep", "60"], 0.2)
        self.assertEqual((outcome.hung, outcome.cut, outcome.passed), (False, True, False))
        self.assertTrue(child.run(["true"], 0.0).cut)
        ending = child.end_group
        with mock.patch.object(child, "end_group", lambda process: not ending(process)):
            outcome = child.run(["sleep", "60"], 0.2)
        self.assertEqual((outcome.cut, outcome.why()), (False, "sleep could not be ended: it waits inside the driver"))
        for text in ("import os; os.abort()", "exit(3)"):
            self.assertFalse(child.run([sys.executable, "-c", text], 20.0).cut)

    def test_children_side_by_side(self) -> None:
        running: List[int] = []

        def start(seconds: str) -> child.Child:
            running.append(0)
            return child.Child(["sleep", seconds], 20.0)

        starts = [functools.partial(start, seconds) for seconds in ("0.6", "0", "0", "0")]
        ended = []
        for number, outcome in child.run_all(starts, 2):
            ended.append((number, outcome.passed))
            self.assertLessEqual(len(running) - len(ended), 2)
        self.assertEqual(ended[-1], (0, True))
        self.assertEqual(sorted(ended), [(number, True) for number in range(4)])
        left = child.Child(["sleep", "60"], 60.0)
        with contextlib.closing(child.run_all([lambda: child.Child(["true"], 9.0), lambda: left], 2)) as some:
            self.assertEqual(next(some)[0], 0)
            assert left.process is not None
            number = left.process.pid
        self.assertFalse(alive(number))

    def test_why(self) -> None:
        for text, why in (
            ("import sys; sys.exit('a\\nb')", "exits 1: b"), ("import os; os.abort()", "was ended by SIGABRT"),
            ("print('only this'); exit(3)", "exits 3: only this"), ("exit(2)", "it said nothing"), ("", ""),
        ):
            self.assertIn(why, child.run([sys.executable, "-c", text], 20.0).why())
        self.assertIn("does not start: No such file", child.run(["/no/such/program"], 1.0).why())
        self.assertIn("no time was left", child.run(["true"], 0.0).why())


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

    def test_the_gpus_file_is_open_from_the_first_question_on(self) -> None:
        (self.folder / "nvidia0").write_text("", encoding="utf-8")
        job, seen = self.job(), []
        job.gpu = Gpu(0)

        def look(_engine: engine.Engine, _out: Any) -> str:
            links = [Path("/proc/self/fd") / name for name in os.listdir("/proc/self/fd")]
            seen.extend(os.readlink(str(link)) for link in links if link.is_symlink())
            return "it was only a question"

        held = functools.partial(job.gpu.held, self.folder)
        with mock.patch.object(Gpu, "held", staticmethod(held)), mock.patch.object(engine.Engine, "open", look):
            with self.assertRaisesRegex(Refused, "it was only a question"):
                engine.start(job, [], 9.0, [], None)
        self.assertIn(str(self.folder.resolve() / "nvidia0"), seen)

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
        code, made = self.start(self.job("cpu", "ceilings:hang"), ["ceilings", "runs"], 6.0)
        self.assertLess(time.monotonic() - begun, 12.0)
        self.assertEqual((code, self.states(made)), (4, {"ceilings": "cut", "runs": "passed"}))
        text = (self.folder / "out" / record.REPORT).read_text(encoding="utf-8")
        self.assertIn("Nothing failed. 2 rows measured, 0 failed, 0 left out. Out of time: ceilings.", text)
        self.assertIn("## Out of time\n\n- ceilings: device was stopped at its limit", text)
        self.assertNotIn("## Failed", text)

    def test_a_failed_part_may_be_out_of_time_too(self) -> None:
        fake = "cuda::axpy:wrong cuda::lecture:hang"
        code, made = self.start(self.job(fake=fake), ["conformance"], 2.0)
        self.assertEqual((code, self.states(made)), (3, {"conformance": "failed"}))
        text = report.page(made)
        failed, late = text.index("## Failed"), text.index("## Out of time")
        self.assertIn("1 of 3 tests failed, first cuda::axpy", text[failed:late])
        self.assertNotIn("cuda::lecture", text[failed:late])
        self.assertIn("1 of 3 tests were not finished, first cuda::lecture", text[late:])

    def test_a_report_that_cannot_be_made_ends_nothing(self) -> None:
        with mock.patch.object(report, "figures", None):
            self.assertIn("has everything", record.readable({"date": "2026-01-01", "rows": [{}]}))
        with mock.patch.object(record.report, "page", side_effect=KeyError("samples_s")), mock.patch("builtins.print"):
            code = engine.start(self.job("cpu"), [PARTS["ceilings"]], 20.0, ["run"], self.folder / "odd")
        self.assertEqual((code, len(record.load(self.folder / "odd")["rows"])), (0, 1))
        text = (self.folder / "odd" / record.REPORT).read_text(encoding="utf-8")
        self.assertIn("could not be made (KeyError: 'samples_s')", text)

    def test_a_gpu_that_is_lost(self) -> None:
        gone = mock.patch.object(engine, "answers", return_value="device exits 1: CUDA_ERROR_NO_DEVICE")
        with gone:
            code, made = self.start(self.job(fake="ceilings:crash"), ["device", "ceilings", "kernels", "peers"])
        lost = {"device": "passed", "ceilings": "failed", "kernels": "left out", "peers": "left out"}
        self.assertEqual((code, self.states(made)), (3, lost))
        self.assertIn("no longer answers: device exits 1: CUDA_ERROR_NO_DEVICE", made["parts"][2]["why"][0])

    def test_a_gpu_is_asked_after_a_part_that_was_cut_and_until_it_answers(self) -> None:
        with mock.patch.object(engine, "answers", side_effect=["it hangs", ""]) as asked:
            _, made = self.start(self.job(fake="ceilings:late"), ["ceilings", "runs", "kernels", "peers"])
        self.assertEqual(list(self.states(made).values()), ["cut", "left out", "passed", "passed"])
        self.assertEqual(asked.call_count, 2)

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
            (["run", "--parts", "device,magic"], "no part magic; parts are device, conformance"),
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
        self.assert_refused(["run", "--bin-dir", str(self.folder / "bin")], 1, "no program device in")
        (self.folder / "bin/device.gz").unlink()
        self.assert_refused(["run"], 1, "device.gz is damaged or missing")
        (self.folder / "pack.json").write_text("[", encoding="utf-8")
        self.assert_refused(["run"], 1, "pack.json cannot be read")

    def test_a_run_writes_its_record_beside_the_pack(self) -> None:
        for name in ("", "-2"):
            done = self.call(["run", "--device", "cuda", "--parts", "device,ceilings", "--python", sys.executable])
            self.assertEqual(done.returncode, 0, done.stderr)
            folders = sorted(folder.name for folder in (self.folder / "record/nvidia-fake-1").iterdir())
            self.assertTrue(folders[-1].endswith(name), folders)
        self.assertEqual(list((self.folder / "tmp").iterdir()), [])
        made = record.load(self.folder / "record/nvidia-fake-1" / folders[0])
        self.assertIn("gpu-check run --device cuda --parts device,ceilings --python", made["command"])

    def test_files_that_cannot_grow(self) -> None:
        def limited() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))

        out = str(self.folder / "out")
        words = ["run", "--device", "cpu", "--parts", "device,kernels", "--bin-dir", str(self.folder / "bin"), "--out", out]
        done = self.call(words, preexec_fn=limited)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertEqual(set(done.stderr.splitlines()), {f"gpu-check: {out} cannot be written: File too large"})

    def test_interrupted(self) -> None:
        def heard() -> None:
            # Whoever is started in the background of a shell has been told not to hear Ctrl-C.
            signal.signal(signal.SIGINT, signal.SIG_DFL)

        self.pack_once()
        for sign in (signal.SIGINT, signal.SIGTERM):
            out = self.folder / f"out-{sign.name}"
            command = [sys.executable, str(self.folder / "gpu-check"), "run", "--device", "cpu", "--out", str(out),
                       "--parts", "ceilings,kernels,peers", "--minutes", "2"]
            fake = environment(self.folder, "kernels:hang")
            run = subprocess.Popen(command, env=fake, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=heard)
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
