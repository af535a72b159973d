"""Child processes, none of which outlives its limit or the check."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Dict, List, Optional, Sequence

from .errors import one_line

# Bytes of a child's output that are read back: a log that a broken program fills is not worth more.
MOST_OUTPUT = 4 << 20

# Seconds that a group of processes has to end itself before it is killed, and to be gone after that.
GRACE = 2.0
GONE = 5.0


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


def run(
    command: Sequence[str],
    limit_s: float,
    env: Optional[Dict[str, str]] = None,
    cwd: Optional[Path] = None,
    merged: bool = False,
) -> Outcome:
    """Runs a command, and ends it with all that it has started when the limit has passed.

    `merged` has the errors among the output, in the order in which both were written.
    """
    outcome = Outcome(list(command), limit_s=limit_s)
    if limit_s <= 0:
        outcome.problem = f"no time was left for {outcome.name}"
        return outcome
    # Files, not pipes: what a killed child wrote stays, and nobody waits for a grandchild that holds a pipe.
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        begun = time.monotonic()
        try:
            child = subprocess.Popen(
                outcome.command, stdin=subprocess.DEVNULL, stdout=output, stderr=output if merged else errors,
                env=env, cwd=str(cwd) if cwd else None, start_new_session=True,
            )
        except OSError as error:
            outcome.problem = one_line(f"{outcome.name} does not start: {error.strerror or error}")
            return outcome
        try:
            outcome.code = child.wait(timeout=limit_s)
        except subprocess.TimeoutExpired:
            outcome.problem = f"{outcome.name} was stopped at its limit of {limit_s:.0f} s"
        finally:
            # After an interrupt, too; and a child that ended may have left others behind.
            if not end_group(child):
                outcome.problem = f"{outcome.name} could not be ended: it waits inside the driver"
            outcome.seconds = time.monotonic() - begun
        outcome.output, outcome.errors = _text(output), _text(errors)
    return outcome


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
