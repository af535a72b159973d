"""Runs the parts one after the other, within the time there is, and keeps the record as it grows."""

from __future__ import annotations

import shlex
import signal
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from . import child, environment, record, rows
from .errors import INTERRUPTED, Refused, one_line
from .job import FAILED, LEFT_OUT, Deadline, Found, Job, Part
from .job import INTERRUPTED as STOPPED
from .parts import answers, verdict

# Seconds that the device may take to say what it is; a driver that hangs never does.
ANSWER_S = 60.0

NEEDS = "a GPU run needs an NVIDIA GPU of compute capability 7.5 or newer and its driver, 450 or newer"


class Engine:
    """One run: its job, its parts, and the record."""

    def __init__(self, job: Job, parts: Sequence[Part], seconds: float, command: Sequence[str]) -> None:
        self.job = job
        self.parts = list(parts)
        self.deadline = Deadline(seconds)
        self.found: List[Found] = []
        self.started = environment.now()
        self.folder: Optional[Path] = None
        self.record: Dict[str, Any] = {
            "format": record.FORMAT,
            "date": self.started,
            "command": " ".join(shlex.quote(word) for word in command),
            "device": job.device,
            "tried": job.tried,
            "minutes": round(seconds / 60.0, 3),
            "origin": job.kit.origin,
            **job.remarks,
            "host": environment.host(),
            "cases": job.kit.cases,
        }

    def open(self, out: Optional[Path]) -> str:
        """Asks the device for its name, and makes the record's folder; gives why not where there is no device."""
        path = self.job.result("describe-first")
        command = self.job.program("device", "describe", "--brief", "--device", self.job.word, "--out", str(path))
        outcome = child.run(command, min(ANSWER_S, self.deadline.left()), self.job.environment())
        if not outcome.passed:
            return outcome.why()
        name = self.name(path)
        self.record["name"] = name
        date = self.started[:10]
        self.folder = out or record.folder_of_the_day(self.job.kit.records(), name, date)
        record.make(self.folder)
        return ""

    def name(self, described: Path) -> str:
        """The GPU's name; of a processor, what the system calls it."""
        said = rows.read(described).machine.get("name")
        return said if self.job.on_gpu and isinstance(said, str) and said else environment.processor()

    def run(self) -> int:
        """Runs everything; gives the exit code."""
        previous = [(sign, signal.signal(sign, _interrupt)) for sign in (signal.SIGTERM, signal.SIGHUP)]
        interrupted = False
        try:
            self.record["before"] = environment.state_of(self.job.gpu)
            self.record["versions"] = environment.versions(self.job.python, min(60.0, self.deadline.left()))
            for index, part in enumerate(self.parts):
                self.one(part, sum(later.weight for later in self.parts[index:]))
        except KeyboardInterrupt:
            interrupted = True
        finally:
            for sign, handler in previous:
                signal.signal(sign, handler)
        for part in self.parts[len(self.found):]:
            self.found.append(Found(part.name, state=STOPPED, why=["the run was interrupted before it"]))
        self.record["after"] = environment.state_of(self.job.gpu)
        saved = self.save()
        if interrupted:
            return INTERRUPTED
        return verdict({found.name: found.state for found in self.found}) if saved else 3

    def one(self, part: Part, weights: float) -> None:
        """Runs a part within its share of what is left of the time."""
        found = Found(part.name)
        self.found.append(found)
        found.limit_s = self.deadline.left() * part.weight / weights
        begun = time.monotonic()
        gone = self.lost()
        try:
            if gone:
                found.leave_out(gone)
            else:
                part.work(self.job, found, Deadline(found.limit_s))
        except KeyboardInterrupt:
            found.state = STOPPED
            found.why.append("interrupted")
            raise
        except Exception as error:  # whatever a part runs into, the others run
            found.fail(one_line(f"{type(error).__name__}: {error}"))
        finally:
            found.seconds = time.monotonic() - begun
            self.say(found)
            self.save()

    def lost(self) -> str:
        """Whether the device is gone since a part failed; asked only then."""
        failed = [found for found in self.found[:-1] if found.state == FAILED]
        if not failed or not self.job.on_gpu:
            return ""
        why = answers(self.job, min(ANSWER_S / 4, self.deadline.left()))
        return f"the GPU no longer answers: {why}" if why else ""

    def say(self, found: Found) -> None:
        """A line on the part for who watches."""
        why = "; ".join(found.why)
        print(f"{found.name:<12} {found.state}, {found.seconds:.1f} s{why and ': '}{one_line(why, 2000)}", flush=True)

    def save(self) -> bool:
        """Writes the record as far as it is; tells whether that was possible."""
        assert self.folder is not None, "a run is saved after its folder was made"
        machines = [found.machine for found in self.found if found.name != "peers" and found.machine]
        self.record.update(
            machine=machines[0] if machines else {},
            parts=[found.as_json() for found in self.found],
            rows=[{**row, "part": found.name} for found in self.found for row in found.rows],
        )
        try:
            record.save(self.folder, self.record)
        except OSError as error:
            print(f"gpu-check: {self.folder} cannot be written: {error.strerror}", file=sys.stderr)
            return False
        return True


def _interrupt(sign: int, _frame: object) -> None:
    """A terminal that closes, or a scheduler that ends the job, is an interrupt like any other."""
    raise KeyboardInterrupt(signal.Signals(sign).name)


def start(job: Job, parts: Sequence[Part], seconds: float, command: Sequence[str], out: Optional[Path]) -> int:
    """A whole run, from asking for the device to the record."""
    engine = Engine(job, parts, seconds, command)
    why = engine.open(out)
    if why:
        hint = f"{NEEDS}; the processor is measured with --device cpu" if job.on_gpu else "the device cannot be used"
        raise Refused(one_line(f"no device {job.device}: {why}; {hint}", 600))
    code = engine.run()
    failed = [found.name for found in engine.found if found.state == FAILED]
    left = [found.name for found in engine.found if found.state == LEFT_OUT]
    ends = {0: "passed", 1: "nothing could run", 3: f"failed: {', '.join(failed) or 'the record'}", 130: "interrupted"}
    print(f"{ends[code]}{'; left out: ' + ', '.join(left) if left else ''}; {engine.folder}/{record.REPORT}")
    return code
