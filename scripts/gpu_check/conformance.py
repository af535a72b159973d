"""The conformance suite, test by test."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, List

from . import child
from .errors import one_line
from .job import Deadline, Found, Job

# The suite's modules for each device.
FILTERS = {"cuda": "cuda::", "cpu": "processor_", "interpreter": "interpreter_"}

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
        return Test(name, "failed", one_line("it did not end" + (f": {child.last_line(text)}" if text.strip() else "")))
    said = text[: verdict.start()]
    if verdict.group(1) == "FAILED":
        panic = PANIC.search(said)
        return Test(name, "failed", one_line(panic.group(1) if panic else child.last_line(said) or "it says nothing"))
    if verdict.group(1) != "ok":
        return Test(name, "skipped", verdict.group(1))
    skipped = SKIPPED.search(said)
    return Test(name, "skipped", one_line(skipped.group(1))) if skipped else Test(name, "passed")


def run(job: Job, found: Found, deadline: Deadline) -> None:
    """Every test of the device; what is behind a failed one runs again, in a process of its own.

    A kernel that faults spoils the process's context on the GPU, and each test after it.
    """
    device = "cuda" if job.on_gpu else job.device
    listed = job.run(found, job.program("conformance", FILTERS[device], "--list", "--format", "terse"), deadline.left())
    names = [line[: -len(": test")] for line in listed.output.splitlines() if line.endswith(": test")]
    chosen = [name for name in names if not job.tests or name.split("::")[-1] in job.tests]
    if not listed.passed or not chosen:
        found.fail(listed.why() or f"the suite has no tests named {FILTERS[device]}")
        return
    remaining = chosen
    while remaining:
        words = ["--exact", "--nocapture", "--test-threads=1", *remaining]
        outcome = job.run(found, job.program("conformance", *words), deadline.left(), merged=True)
        tests = until_failure(parse(outcome.output))
        if not tests:
            break
        found.checks += [test.as_json() for test in tests]
        done = {test.name for test in tests}
        remaining = [name for name in remaining if name not in done]
        if outcome.problem:
            break
    found.checks += [Test(name, "failed", f"it was not reached: {outcome.why()}").as_json() for name in remaining]
    settle(found, strict=job.on_gpu)


def until_failure(tests: List[Test]) -> List[Test]:
    """The tests up to the first failed one, and that."""
    for index, test in enumerate(tests):
        if test.outcome == "failed":
            return tests[: index + 1]
    return tests


def settle(found: Found, strict: bool) -> None:
    """A test that was skipped is no pass: a failure where the device is there, and never all of them."""
    failed = [check for check in found.checks if check["outcome"] == "failed"]
    skipped = [check for check in found.checks if check["outcome"] == "skipped"]
    if failed:
        found.fail(f"{len(failed)} of {len(found.checks)} tests failed, first {failed[0]['name']}: {failed[0]['why']}")
    elif skipped and (strict or len(skipped) == len(found.checks)):
        found.fail(f"{len(skipped)} of {len(found.checks)} tests were skipped: {skipped[0]['why']}")
