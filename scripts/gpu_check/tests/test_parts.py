"""The parts, on fakes of the programs."""

from __future__ import annotations

import contextlib
import functools
import math
from typing import Any, Dict, Iterator, Sequence
from unittest import mock

from gpu_check import child, conformance, parts, sanitizer
from gpu_check import job as job_module
from gpu_check.job import Job
from gpu_check.tests.fakes import SANITIZER, Case


class Clock:
    """A time that passes only where somebody waits, and children that take three seconds of it, two to start."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        """The time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Waits."""
        self.now += seconds

    @contextlib.contextmanager
    def instead(self) -> Iterator[None]:
        """This in the place of real time, and of real children."""
        with mock.patch.object(child, "time", self), mock.patch.object(job_module, "time", self):
            with mock.patch.object(child, "Child", functools.partial(Slow, self)):
                yield


class Slow:
    """A child by a clock of its own."""

    def __init__(self, clock: Clock, command: Sequence[str], limit_s: float, *_: Any, **__: Any) -> None:
        self.clock, self.begun = clock, clock.now
        self.outcome = child.Outcome(list(command), limit_s=limit_s)
        self.lasts = max(0.0, min(3.0, limit_s))

    def over(self) -> bool:
        """Whether it has ended."""
        return self.clock.now >= self.begun + self.lasts

    def end(self) -> child.Outcome:
        """Its end."""
        self.outcome.seconds = self.lasts
        if self.lasts < 3.0:
            self.outcome.cut, self.outcome.problem = True, "it was stopped at its limit"
        else:
            self.outcome.code, self.outcome.output = 0, "========= ERROR SUMMARY: 0 errors\n"
        return self.outcome


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

    def test_a_pass_behind_a_failed_test_is_believed(self) -> None:
        for word, processes in (("wrong", 1), ("fail", 2)):
            found = self.part(conformance.run, self.job(fake=f"cuda::axpy:{word}"))
            outcomes = [check["outcome"] for check in found.checks]
            self.assertEqual((sorted(outcomes), len(found.commands)), (["failed", "passed", "passed"], 1 + processes))

    def test_a_test_that_hangs_fails_alone(self) -> None:
        wrong = {"axpy": "failed", "shift": "passed", "lecture": "passed"}
        with mock.patch.object(conformance, "HANGS_S", 1.0):
            self.assertEqual(self.outcomes(self.job(fake="cuda::axpy:hang")), ("failed", wrong))

    def test_tests_without_time_have_not_failed(self) -> None:
        found = self.part(conformance.run, self.job(fake="cuda::shift:hang"), 2.0)
        self.assertEqual((found.state, found.why), ("cut", []))
        self.assertEqual([check["outcome"] for check in found.checks], ["passed", "cut", "left out"])
        self.assertIn("the time was over when it had run for", found.checks[1]["why"])
        self.assertIn("2 of 3 tests were not finished, first cuda::shift", found.out_of_time[0])
        self.assertEqual(self.part(conformance.run, self.job(), 0.0).state, "cut")

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
        # One of the program's runs, both of `device`, and the suite, which memcheck alone looks at.
        few = mock.patch.object(sanitizer, "OPTIONS", ())
        with few:
            found = self.part(sanitizer.run, self.job())
        names = [check["name"] for check in found.checks]
        self.assertEqual((found.state, len(names)), ("passed", 10))
        tools = ["memcheck"] * 4 + ["racecheck"] * 3 + ["synccheck"] * 3
        self.assertEqual([name.split(":")[0] for name in names], tools)
        wishes = {"racecheck:error": 3, "synccheck:silent": 3, "kernels:crash": 2, "modeseek:exit": 2}
        for fake, failed in wishes.items():
            with few, mock.patch.object(sanitizer, "TOOLS", ("racecheck", "synccheck")):
                found = self.part(sanitizer.run, self.job(fake=fake))
            wrong = [check for check in found.checks if check["outcome"] == "failed"]
            self.assertEqual((found.state, len(wrong)), ("failed", failed), fake)

    def test_sanitizers_that_take_their_time_to_start(self) -> None:
        self.tool("compute-sanitizer", SANITIZER)
        alone = mock.patch.object(sanitizer, "TOOLS", ("memcheck",))
        few = mock.patch.object(sanitizer, "OPTIONS", ("--dim 4",))
        # All runs begin at once: an equal share of the time for each would be less than they take to start.
        job = self.job(FAKE_START="2")
        job.together = 5
        with alone, few:
            found = self.part(sanitizer.run, job, 9.0)
        self.assertEqual((found.state, len(found.checks)), ("passed", 5), found.checks)

    def test_sanitizers_have_the_whole_time_one_after_another(self) -> None:
        self.tool("compute-sanitizer", SANITIZER)
        all_of_memcheck = len(sanitizer.targets(self.job()))
        for together, seconds in ((1, 3.1 * all_of_memcheck + 10.0), (4, 93.0), (4, 3.5)):
            clock = Clock()
            with clock.instead():
                job = self.job()
                job.together = together
                found = self.part(sanitizer.run, job, seconds)
            outcomes = [check["outcome"] for check in found.checks]
            passed = outcomes.count("passed")
            self.assertEqual((found.why, outcomes.count("failed")), ([], 0))
            if seconds > 9.0:
                self.assertEqual(set(outcomes[:all_of_memcheck]), {"passed"})
            else:
                self.assertEqual((passed, outcomes.count("cut"), found.checks[-1]["why"]), (4, 4, "no time"))
            self.assertEqual(found.state, "passed" if passed == len(outcomes) else "cut")
            self.assertEqual(passed == len(outcomes), (together, seconds) == (4, 93.0))

    def test_the_longest_run(self) -> None:
        job = self.job()
        limits = [sanitizer.longest(job, name) for name in ("device kernels", sanitizer.CONFORMANCE)]
        self.assertEqual(limits, [30.0, 60.0])
        job.tried = True
        self.assertEqual(sanitizer.longest(job, sanitizer.CONFORMANCE), math.inf)

    def test_a_sanitizer_that_is_cut_after_a_finding(self) -> None:
        cut = child.Outcome(["compute-sanitizer"], seconds=30.0, problem="compute-sanitizer was stopped", cut=True)
        cut.output = "========= COMPUTE-SANITIZER\n========= Error: process was ended\n"
        self.assertEqual(sanitizer.judged(cut), ("cut", "compute-sanitizer was stopped"))
        cut.output += "========= Invalid __global__ read of size 4 bytes\n"
        self.assertEqual(sanitizer.judged(cut)[0], "failed")
        self.assertIn("first: Invalid __global__ read", sanitizer.judged(cut)[1])

    def test_what_is_measured_fits_the_time(self) -> None:
        words = self.part(parts.kernels, self.job(), 20.0).commands[-1]["command"].split()
        self.assertEqual(words[words.index("--seconds") + 1], "0.5")
        self.assertLess(float(words[words.index("--until") + 1]), 0.86 * 20.0)
        self.assertNotIn("--seconds", self.part(parts.kernels, self.job("cpu")).commands[-1]["command"])
        self.assertIn("--passes 1 --seconds 0.3", self.part(parts.peers, self.job()).commands[-1]["command"])
        found = self.part(parts.kernels, self.job(fake="kernels:late"))
        self.assertEqual((found.state, found.why), ("cut", []))
        self.assertEqual(found.out_of_time, ["1 of 1 rows were not reached: time limit of 9 s"])

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
        self.assertEqual((found.state, found.why, len(found.rows)), ("cut", [], 1))
        self.assertIn("was stopped at its limit", found.out_of_time[0])

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
