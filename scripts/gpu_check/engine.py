"""Runs the parts one after the other, within the time there is, and keeps the record as it grows."""

from __future__ import annotations

import contextlib
import shlex
import signal
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from . import child, environment, record, rows
from .errors import INTERRUPTED, OUT_OF_TIME, Refused, one_line
from .job import CUT, FAILED, LEFT_OUT, PASSED, Deadline, Found, Job, Part
from .job import INTERRUPTED as STOPPED
from .parts import DESCRIBED, answers, describe, verdict

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
        # Whether the device may be gone.
        self.doubtful = False
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
        path = self.job.result(DESCRIBED)
        command = describe(self.job, self.job.word, path)
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
            if environment.serves_one(self.record["before"]):
                self.job.together = 1
            self.save()
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
        """Whether the device is gone since a part failed or was ended; asked only then, and until it answers."""
        before = self.found[-2].state if len(self.found) > 1 else PASSED
        self.doubtful = self.doubtful or before in (FAILED, CUT)
        if not self.doubtful or not self.job.on_gpu:
            return ""
        why = answers(self.job, min(ANSWER_S / 4, self.deadline.left()))
        self.doubtful = bool(why)
        return f"the GPU no longer answers: {why}" if why else ""

    def say(self, found: Found) -> None:
        """A line on the part for who watches."""
        why = "; ".join(found.why + found.out_of_time)
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
    with job.gpu.held() if job.gpu else contextlib.nullcontext(False) as held:
        engine.record["held_open"] = held
        why = engine.open(out)
        if why:
            hint = f"{NEEDS}; the processor is measured with --device cpu" if job.on_gpu else "the device cannot be used"
            raise Refused(one_line(f"no device {job.device}: {why}; {hint}", 600))
        code = engine.run()
    failed, left, cut = (
        ", ".join(found.name for found in engine.found if found.state == state) for state in (FAILED, LEFT_OUT, CUT)
    )
    ends = {
        0: "passed", 1: "nothing could run", 3: f"failed: {failed or 'the record'}",
        OUT_OF_TIME: "nothing failed", 130: "interrupted",
    }
    more = (f"; out of time: {cut}" if cut else "") + (f"; left out: {left}" if left else "")
    print(f"{ends[code]}{more}; {engine.folder}/{record.REPORT}")
    return code
