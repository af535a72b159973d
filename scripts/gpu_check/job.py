"""What a part is given, and what it finds."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence

from . import child
from .environment import Gpu
from .kit import Kit
from .rows import ResultFile, Row, failure, read

PASSED, FAILED, LEFT_OUT, INTERRUPTED = "passed", "failed", "left out", "interrupted"


@dataclass
class Found:
    """What a part has found so far: it adds to this as it goes, so that a part that is ended keeps the rest."""

    name: str
    state: str = PASSED
    why: List[str] = field(default_factory=list)
    seconds: float = 0.0
    limit_s: float = 0.0
    machine: Dict[str, Any] = field(default_factory=dict)
    rows: List[Row] = field(default_factory=list)
    # Tests and sanitizers: {"name", "outcome": passed|failed|skipped|left out, "why"}.
    checks: List[Dict[str, Any]] = field(default_factory=list)
    # What a program printed, by the name of its case: {"command", "text"}.
    printed: Dict[str, Dict[str, str]] = field(default_factory=dict)
    commands: List[Dict[str, Any]] = field(default_factory=list)

    def fail(self, why: str) -> None:
        """Something went wrong; the part goes on with what is left of it."""
        self.state = FAILED
        if why and why not in self.why:
            self.why.append(why)

    def leave_out(self, why: str) -> None:
        """There is nothing to run the part with."""
        self.state = LEFT_OUT
        self.why.append(why)

    def take(self, result: ResultFile, outcome: Optional[child.Outcome] = None) -> None:
        """Adds a result file, and counts what failed in it."""
        # The command with its temporary files is in `commands`.
        self.machine.update((key, value) for key, value in result.machine.items() if key != "command")
        self.rows += result.rows
        if outcome is not None and not outcome.passed:
            self.fail(outcome.why())
            # Without its program's end, that there is no file says nothing new.
            result.problems = [problem for problem in result.problems if "was not written" not in problem]
        for problem in result.problems:
            self.fail(problem)
        wrong = [row for row in result.rows if failure(row)]
        if wrong:
            first = wrong[0]
            more = f", and {len(wrong) - 1} more rows" if len(wrong) > 1 else ""
            self.fail(f"{first['case']}, {first['implementation']}: {failure(first)}{more}")

    def as_json(self) -> Dict[str, Any]:
        """Everything but the rows, which are gathered over all parts."""
        return {
            "name": self.name, "state": self.state, "why": self.why, "seconds": round(self.seconds, 3),
            "limit_s": round(self.limit_s, 3), "machine": self.machine, "checks": self.checks,
            "printed": self.printed, "commands": self.commands,
        }


class Deadline:
    """A time after which nothing more is begun, and children are ended."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds that are left, not below 0."""
        return max(0.0, self._end - time.monotonic())

    def share(self, of: int) -> float:
        """What is left, divided over so many that are still to come."""
        return self.left() / max(1, of)


@dataclass
class Job:
    """One run of the check: with what, on what, and how."""

    kit: Kit
    # cpu, cuda, cuda:N or interpreter.
    device: str
    scratch: Path
    python: str = "python3"
    tried: bool = False
    # Variables for children, besides those of this process.
    variables: Dict[str, str] = field(default_factory=dict)
    # Which tests of the conformance suite, for dry runs; all of the device's where there are none.
    tests: Sequence[str] = ()
    gpu: Optional[Gpu] = None
    # What a record must say of the run besides.
    remarks: Dict[str, Any] = field(default_factory=dict)

    @property
    def on_gpu(self) -> bool:
        """Whether this runs on CUDA."""
        return self.device.startswith("cuda")

    @property
    def word(self) -> str:
        """The device as children are told it: they see one GPU, which is their first."""
        return "cuda" if self.on_gpu and self.gpu else self.device

    def environment(self) -> Dict[str, str]:
        """A child's variables."""
        return {**os.environ, **(self.gpu.environment() if self.gpu else {}), **self.variables}

    def program(self, name: str, *words: str) -> List[str]:
        """The command line of one of the programs."""
        return [str(self.kit.programs[name]), *words]

    def run(self, found: Found, command: Sequence[str], limit_s: float, merged: bool = False) -> child.Outcome:
        """Runs a child, and notes what became of it."""
        outcome = child.run(command, limit_s, self.environment(), merged=merged)
        noted: Dict[str, Any] = {"command": self.shown(command), "seconds": round(outcome.seconds, 3)}
        if not outcome.passed:
            noted.update(why=outcome.why(), said=(outcome.errors or outcome.output)[-2000:])
        found.commands.append(noted)
        return outcome

    def shown(self, command: Sequence[str]) -> str:
        """A command line as a record shows it: folders of this machine are nobody's business."""
        text = " ".join(command)
        for name, path in self.kit.programs.items():
            text = text.replace(str(path), name)
        for folder, name in ((self.scratch, "SCRATCH"), (self.kit.root, ".")):
            text = text.replace(str(folder), name)
        return text

    def result(self, name: str) -> Path:
        """A new result file."""
        return self.scratch / f"{name}.json"

    def measure(self, found: Found, words: Sequence[str], name: str, limit_s: float) -> child.Outcome:
        """Runs `device`, and takes the rows that it wrote, were it killed or not."""
        out = self.result(name)
        command = self.program("device", words[0], "--device", self.word, "--out", str(out), *words[1:])
        return self.run_for(found, command, out, limit_s)

    def run_for(self, found: Found, command: Sequence[str], out: Path, limit_s: float) -> child.Outcome:
        """Runs a child that writes a result file, and takes what is in it, however the child ended."""
        try:
            outcome = self.run(found, command, limit_s)
        except KeyboardInterrupt:
            found.take(read(out))
            raise
        found.take(read(out), outcome)
        return outcome

    def tried_words(self) -> List[str]:
        """The option for tried sizes."""
        return ["--tried"] if self.tried else []


Work = Callable[[Job, Found, Deadline], None]


@dataclass(frozen=True)
class Part:
    """A part of the check."""

    name: str
    # Of the time, relative to the others.
    weight: float
    about: str
    work: Work
