"""Child processes, none of which outlives its limit or the check."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from .errors import one_line

# Bytes of a child's output that are read back: a log that a broken program fills is not worth more.
MOST_OUTPUT = 4 << 20

# Seconds that a group of processes has to end itself before it is killed, and to be gone after that.
GRACE = 2.0
GONE = 5.0

# Seconds between two looks at a child.
PAUSE = 0.1


@dataclass
class Outcome:
    """What became of a child."""

    command: List[str]
    code: Optional[int] = None
    seconds: float = 0.0
    limit_s: float = 0.0
    output: str = ""
    errors: str = ""
    problem: str = field(default="")
    # Its limit ended it, or there was no time for it: what it had not done yet is neither right nor wrong.
    cut: bool = False
    # It had written nothing for so long that it was ended; and for how long at its end.
    hung: bool = False
    silent_s: float = 0.0

    @property
    def passed(self) -> bool:
        """It ended by itself, and said that all is well."""
        return self.code == 0 and not self.problem

    def why(self) -> str:
        """One line on what went wrong."""
        if self.problem:
            return self.problem
        if self.code == 0:
            return ""
        said = last_line(self.errors) or last_line(self.output) or "it said nothing"
        if self.code is not None and self.code < 0:
            return one_line(f"{self.name} was ended by {_signal(-self.code)}: {said}")
        return one_line(f"{self.name} exits {self.code}: {said}")

    @property
    def name(self) -> str:
        """The program's name."""
        return Path(self.command[0]).name


def last_line(text: str) -> str:
    """The last line that is not blank."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _signal(number: int) -> str:
    """A signal's name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class Child:
    """A process that was started, and what it has written so far.

    `merged` has the errors among the output, in the order in which both were written. A child that writes nothing for
    `silence_s` hangs.
    """

    def __init__(
        self,
        command: Sequence[str],
        limit_s: float,
        env: Optional[Dict[str, str]] = None,
        cwd: Optional[Path] = None,
        merged: bool = False,
        silence_s: float = math.inf,
    ) -> None:
        self.outcome = Outcome(list(command), limit_s=limit_s)
        self.process: Optional["subprocess.Popen[bytes]"] = None
        self.silence_s = silence_s
        self.begun = self.heard = time.monotonic()
        self.written = 0
        if limit_s <= 0:
            self.outcome.cut = True
            self.outcome.problem = f"no time was left for {self.outcome.name}"
            return
        # Files, not pipes: what a killed child wrote stays, and nobody waits for a grandchild that holds a pipe.
        self.output, self.errors = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        try:
            self.process = subprocess.Popen(
                self.outcome.command, stdin=subprocess.DEVNULL, stdout=self.output,
                stderr=self.output if merged else self.errors, env=env, cwd=str(cwd) if cwd else None,
                start_new_session=True,
            )
        except OSError as error:
            self.outcome.problem = one_line(f"{self.outcome.name} does not start: {error.strerror or error}")
            self.output.close()
            self.errors.close()

    def over(self, wait_s: float = 0.0) -> bool:
        """Whether it has ended, or has to be ended; waits so long for that."""
        if self.process is None:
            return True
        try:
            self.outcome.code = self.process.wait(timeout=max(0.0, min(wait_s, self.left())))
            return True
        except subprocess.TimeoutExpired:
            return self.too_long()

    def left(self) -> float:
        """Seconds to its limit."""
        return self.outcome.limit_s - (time.monotonic() - self.begun)

    def too_long(self) -> bool:
        """Whether its time is over, or it hangs."""
        now = time.monotonic()
        written = sum(os.fstat(file.fileno()).st_size for file in (self.output, self.errors))
        if written != self.written:
            self.written, self.heard = written, now
        self.outcome.silent_s = now - self.heard
        if self.left() <= 0:
            self.outcome.cut = True
            self.outcome.problem = f"{self.outcome.name} was stopped at its limit of {self.outcome.limit_s:.0f} s"
        elif self.outcome.silent_s >= self.silence_s:
            self.outcome.hung = True
            self.outcome.problem = f"{self.outcome.name} was stopped after {self.silence_s:.0f} s without a word"
        return bool(self.outcome.problem)

    def end(self) -> Outcome:
        """Ends it, where it has not ended, with all that it has started."""
        if self.process is not None:
            # Also behind a child that ended by itself: it may have left others.
            if not end_group(self.process):
                self.outcome.cut = False  # no lack of time is so stubborn
                self.outcome.problem = f"{self.outcome.name} could not be ended: it waits inside the driver"
            self.process = None
            self.outcome.seconds = time.monotonic() - self.begun
            with self.output, self.errors:
                self.outcome.output, self.outcome.errors = _text(self.output), _text(self.errors)
        return self.outcome


def run(
    command: Sequence[str],
    limit_s: float,
    env: Optional[Dict[str, str]] = None,
    cwd: Optional[Path] = None,
    merged: bool = False,
    silence_s: float = math.inf,
) -> Outcome:
    """Runs a command, and ends it with all that it has started when the limit has passed."""
    child = Child(command, limit_s, env, cwd, merged, silence_s)
    try:
        while not child.over(PAUSE):
            pass
    finally:  # after an interrupt, too
        child.end()
    return child.outcome


def run_all(starts: Sequence[Callable[[], Child]], most: int) -> Iterator[Tuple[int, Outcome]]:
    """Starts children in their order, so many at a time; gives the number and the outcome of each as it ends."""
    waiting = list(enumerate(starts))
    running: List[Tuple[int, Child]] = []
    try:
        while waiting or running:
            while waiting and len(running) < most:
                number, start = waiting.pop(0)
                running.append((number, start()))
            ended = [one for one in running if one[1].over()]
            if not ended:
                time.sleep(PAUSE / 4)
            for one in ended:
                running.remove(one)
                yield one[0], one[1].end()
    finally:
        for _, child in running:
            child.end()


def end_group(child: "subprocess.Popen[bytes]") -> bool:
    """Ends a child and all of its group; tells whether the child is gone."""
    for sign, patience in ((signal.SIGTERM, GRACE), (signal.SIGKILL, GONE)):
        if child.poll() is not None:
            sign = signal.SIGKILL
        try:
            os.killpg(child.pid, sign)
        except ProcessLookupError:
            pass
        except PermissionError:  # what macOS says of a group of zombies
            pass
        try:
            child.wait(timeout=patience)
            if sign == signal.SIGKILL:
                return True
        except subprocess.TimeoutExpired:
            continue
    return child.poll() is not None


def _text(file: IO[bytes]) -> str:
    """What was written, its beginning left out where it is much."""
    file.seek(0, os.SEEK_END)
    file.seek(max(0, file.tell() - MOST_OUTPUT))
    return file.read().decode("utf-8", "replace")
