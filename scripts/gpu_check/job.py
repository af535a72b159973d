"""What a part is given, and what it finds."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from . import child
from .environment import Gpu, cores
from .kit import Kit
from .rows import ResultFile, Row, failure, not_reached, read

PASSED, FAILED, LEFT_OUT, INTERRUPTED = "passed", "failed", "left out", "interrupted"
# Nothing is wrong, and the time was over before everything had run.
CUT = "cut"

# Of a part's time, after how much of it programs that measure begin nothing more, and end by themselves.
BEGIN = 0.85
# Seconds of samples for a case and a pass on a GPU, where time is short.
SAMPLES_S = 0.5


@dataclass
class Found:
    """What a part has found so far: it adds to this as it goes, so that a part that is ended keeps the rest."""

    name: str
    state: str = PASSED
    why: List[str] = field(default_factory=list)
    # What there was no time for: no failure.
    out_of_time: List[str] = field(default_factory=list)
    seconds: float = 0.0
    limit_s: float = 0.0
    machine: Dict[str, Any] = field(default_factory=dict)
    rows: List[Row] = field(default_factory=list)
    # Tests and sanitizers: {"name", "outcome": passed|failed|skipped|cut|left out, "why"}.
    checks: List[Dict[str, Any]] = field(default_factory=list)
    # What a program printed, by the name of its case: {"command", "text"}.
    printed: Dict[str, Dict[str, str]] = field(default_factory=dict)
    commands: List[Dict[str, Any]] = field(default_factory=list)

    def fail(self, why: str) -> None:
        """Something went wrong; the part goes on with what is left of it."""
        self.state = FAILED
        if why and why not in self.why:
            self.why.append(why)

    def cut(self, why: str) -> None:
        """The time was over before all was done."""
        if self.state == PASSED:
            self.state = CUT
        if why not in self.out_of_time:
            self.out_of_time.append(why)

    def miss(self, outcome: child.Outcome) -> None:
        """A child did not pass: something went wrong, or there was no time for it."""
        (self.cut if outcome.cut else self.fail)(outcome.why())

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
            self.miss(outcome)
            # Without its program's end, that there is no file says nothing new.
            result.problems = [problem for problem in result.problems if "was not written" not in problem]
        for problem in result.problems:
            self.fail(problem)
        late = [row for row in result.rows if not_reached(row)]
        if late:
            self.cut(f"{len(late)} of {len(result.rows)} rows were not reached: {late[0]['left_out']}")
        wrong = [row for row in result.rows if failure(row)]
        if wrong:
            first = wrong[0]
            more = f", and {len(wrong) - 1} more rows" if len(wrong) > 1 else ""
            self.fail(f"{first['case']}, {first['implementation']}: {failure(first)}{more}")

    def as_json(self) -> Dict[str, Any]:
        """Everything but the rows, which are gathered over all parts."""
        return {
            "name": self.name, "state": self.state, "why": self.why, "out_of_time": self.out_of_time,
            "seconds": round(self.seconds, 3),
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

    def until(self) -> List[str]:
        """The option by which a program begins nothing that would be ended in the middle."""
        return ["--until", f"{BEGIN * self.left():.1f}"]


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
    # Children that may run at the same time, where none of them is timed.
    together: int = field(default_factory=lambda: max(1, min(4, cores() // 2)))
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

    def run(
        self, found: Found, command: Sequence[str], limit_s: float, merged: bool = False, silence_s: float = math.inf
    ) -> child.Outcome:
        """Runs a child, and notes what became of it."""
        return self.noted(found, child.run(command, limit_s, self.environment(), merged=merged, silence_s=silence_s))

    def run_all(
        self, found: Found, commands: Sequence[Tuple[Sequence[str], float]], deadline: Deadline, **variables: str
    ) -> Iterator[Tuple[int, child.Outcome]]:
        """Runs commands, each with the most seconds that it may take, as many at a time as may be; gives the number
        and the outcome of each as it ends."""
        env = {**self.environment(), **variables}

        def start(command: Sequence[str], most: float) -> child.Child:
            return child.Child(command, min(most, deadline.left()), env, merged=True)

        starts = [functools.partial(start, command, most) for command, most in commands]
        with contextlib.closing(child.run_all(starts, self.together)) as ended:
            for number, outcome in ended:
                begun = outcome.seconds > 0
                yield number, self.noted(found, outcome) if begun else outcome

    def noted(self, found: Found, outcome: child.Outcome) -> child.Outcome:
        """The outcome, which the record has a line on."""
        noted: Dict[str, Any] = {"command": self.shown(outcome.command), "seconds": round(outcome.seconds, 3)}
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

    def effort(self, deadline: Deadline) -> List[str]:
        """How much `device` measures: as much as there is time for."""
        few = ["--seconds", str(SAMPLES_S)] if self.on_gpu and not self.tried else []
        return [*self.tried_words(), *few, *deadline.until()]


Work = Callable[[Job, Found, Deadline], None]


@dataclass(frozen=True)
class Part:
    """A part of the check."""

    name: str
    # Of the time, relative to the others.
    weight: float
    about: str
    work: Work
