"""The conformance suite, test by test."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Dict, List

from . import child
from .errors import one_line
from .job import Deadline, Found, Job

# The suite's modules for each device.
FILTERS = {"cuda": "cuda::", "cpu": "processor_", "interpreter": "interpreter_"}

# Seconds without a word after which a test on a GPU hangs: the slowest takes a few.
HANGS_S = 45.0

# How the reason begins where a test has no verdict.
ENDLESS = "it did not end"

BEGIN = re.compile(r"^test (\S+)(?: - should panic)? \.\.\. ", re.MULTILINE)
VERDICT = re.compile(r"^(ok|FAILED|ignored.*)$", re.MULTILINE)
SKIPPED = re.compile(r"^skipped: ?(.*)$", re.MULTILINE)
PANIC = re.compile(r"panicked at (.*?)(?=\nnote: |\nstack backtrace|\Z)", re.DOTALL)


@dataclass(frozen=True)
class Test:
    """What became of a test."""

    name: str
    outcome: str
    why: str = ""

    def as_json(self) -> Dict[str, str]:
        """For the record."""
        return {"name": self.name, "outcome": self.outcome, "why": self.why}


def parse(output: str) -> List[Test]:
    """The tests in libtest's output, of one thread and with nothing captured.

    A test prints between its name and its verdict. The last one may have no verdict, where the program was ended.
    """
    begins = list(BEGIN.finditer(output))
    ends = [begin.start() for begin in begins[1:]] + [len(output)]
    return [judged(begin.group(1), output[begin.end(): end]) for begin, end in zip(begins, ends)]


def judged(name: str, text: str) -> Test:
    """One test, from what stands behind its name."""
    verdict = VERDICT.search(text)
    if verdict is None:
        return Test(name, "failed", one_line(ENDLESS + (f": {child.last_line(text)}" if text.strip() else "")))
    said = text[: verdict.start()]
    if verdict.group(1) == "FAILED":
        panic = PANIC.search(said)
        return Test(name, "failed", one_line(panic.group(1) if panic else child.last_line(said) or "it says nothing"))
    if verdict.group(1) != "ok":
        return Test(name, "skipped", verdict.group(1))
    skipped = SKIPPED.search(said)
    return Test(name, "skipped", one_line(skipped.group(1))) if skipped else Test(name, "passed")


def run(job: Job, found: Found, deadline: Deadline) -> None:
    """Every test of the device; what may have been spoilt by a failed one runs again, in a process of its own.

    A kernel that faults spoils the process's context on the GPU, and each test after it.
    """
    device = "cuda" if job.on_gpu else job.device
    listed = job.run(found, job.program("conformance", FILTERS[device], "--list", "--format", "terse"), deadline.left())
    names = [line[: -len(": test")] for line in listed.output.splitlines() if line.endswith(": test")]
    chosen = [name for name in names if not job.tests or name.split("::")[-1] in job.tests]
    if not listed.passed:
        found.miss(listed)
        return
    if not chosen:
        found.fail(f"the suite has no tests named {FILTERS[device]}")
        return
    unknown = set(job.tests) - {name.split("::")[-1] for name in chosen}
    if unknown:
        found.fail(f"the suite has no tests named {', '.join(sorted(unknown))}")
        return
    remaining, ended = chosen, "it was not reached"
    while remaining:
        words = ["--exact", "--nocapture", "--test-threads=1", *remaining]
        silence = HANGS_S if job.on_gpu else math.inf
        outcome = job.run(found, job.program("conformance", *words), deadline.left(), merged=True, silence_s=silence)
        tests = believed([in_words(test, outcome) for test in parse(outcome.output)])
        found.checks += [test.as_json() for test in tests]
        done = {test.name for test in tests}
        remaining = [name for name in remaining if name not in done]
        if outcome.cut or not tests:
            ended += f": {outcome.why()}"
            break
    missed = "left out" if outcome.cut else "failed"
    found.checks += [Test(name, missed, ended).as_json() for name in remaining]
    settle(found, strict=job.on_gpu)


def in_words(test: Test, outcome: child.Outcome) -> Test:
    """The test; where it did not end, whether there was no more time for it, or it hangs."""
    if not test.why.startswith(ENDLESS):
        return test
    if outcome.cut:
        return Test(test.name, "cut", f"the time was over when it had run for {outcome.silent_s:.0f} s")
    return Test(test.name, test.outcome, one_line(f"{test.why}; {outcome.why()}")) if outcome.hung else test


def believed(tests: List[Test]) -> List[Test]:
    """All tests up to the first failed one, and those that passed behind it, however spoilt the device may be."""
    first = next((index for index, test in enumerate(tests) if test.outcome == "failed"), len(tests))
    return [test for index, test in enumerate(tests) if index <= first or test.outcome == "passed"]


def settle(found: Found, strict: bool) -> None:
    """A test that was skipped is no pass: a failure where the device is there, and never all of them."""
    failed, skipped, late = (
        [check for check in found.checks if check["outcome"] in outcomes]
        for outcomes in (("failed",), ("skipped",), ("cut", "left out"))
    )
    if failed:
        found.fail(f"{len(failed)} of {len(found.checks)} tests failed, first {failed[0]['name']}: {failed[0]['why']}")
    elif skipped and (strict or len(skipped) == len(found.checks)):
        found.fail(f"{len(skipped)} of {len(found.checks)} tests were skipped: {skipped[0]['why']}")
    if late:
        found.cut(f"{len(late)} of {len(found.checks)} tests were not finished, first {late[0]['name']}: {late[0]['why']}")
