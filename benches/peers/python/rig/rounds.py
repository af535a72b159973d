"""All peers at all cases, in passes, within the time: no peer ends another."""

from __future__ import annotations

import gc
import os
import sys

from peers import chosen
from rig import cases, processes
from rig.measure import Measurement, OutOfMemory
from rig.results import Results, one_line
from rig.setting import Inputs, is_memory
from rig.timing import Deadline

# A run on the processor that takes longer has one pass.
LONG = 20.0


def missing(peer, setting) -> str | None:
    """Why a peer cannot run here; None if it can."""
    reason = peer.available(setting)
    if reason is None and setting.device == "cuda" and not peer.processor_only:
        return setting.cuda_reason()
    return reason


def names_of(text: str) -> list[str]:
    """The names of a list with commas."""
    return [name for name in text.split(",") if name]


class Rounds:
    """What a command asked for."""

    def __init__(self, options, setting):
        self.options, self.setting = options, setting
        self.deadline = Deadline(options.minutes)
        self.peers = chosen(names_of(options.only))
        resumed = options.resume and os.path.exists(options.out)
        self.results = (Results.resume if resumed else Results)(options.out, setting.machine())

    def all(self) -> int:
        """Every case; 0 once there is a row for each."""
        wanted = names_of(self.options.cases)
        for turn in sorted({peer.turn(self.setting) for peer in self.peers}):
            peers = [peer for peer in self.peers if peer.turn(self.setting) == turn]
            for case in cases.read(self.options.data):
                if not wanted or case.name in wanted:
                    self.case(case, peers)
                    case.forget()
        self.results.write()
        return 0

    def case(self, case, peers) -> None:
        """These peers at a case: begun, checked and timed once in turn, then timed again in turn."""
        inputs = Inputs(case, self.setting)
        begun = []
        for peer in peers:
            if case.kind in peer.kinds and peer.suits(case) and not self.results.has(case.name, peer.name):
                measurement = self.begin(peer, case, inputs)
                begun += [measurement] if measurement else []
        for _ in range(1, self.options.passes):
            for measurement in begun:
                if not self.deadline.over() and not (measurement.first_counts() and measurement.first_seconds > LONG):
                    self.guarded(measurement, lambda m=measurement: m.take(self.options.seconds))
        begun.clear()
        inputs.tensors.clear()
        gc.collect()

    def begin(self, peer, case, inputs) -> Measurement | None:
        """A peer's first pass, or None where it leaves no more to time."""
        measurement = Measurement(peer, case, inputs, self.setting)
        reason = missing(peer, self.setting)
        if reason is None and self.deadline.over():
            reason = "time limit of %g minutes" % self.options.minutes

        def first_pass():
            refusal = reason or peer.refuses(case, self.setting)
            if refusal is not None:
                return without_result(measurement.row, left_out=refusal)
            # It stays where the peer takes the process with it.
            self.results.put(without_result(measurement.row, left_out=processes.BEGUN))
            measurement.begin()
            return measurement.take(self.options.seconds)

        done = self.guarded(measurement, first_pass)
        return measurement if done and measurement.row.get("samples_s") else None

    def guarded(self, measurement, work) -> bool:
        """Does the work and keeps its row; an error becomes the row's, and ends this peer at this case alone."""
        try:
            again = bool(measurement.row.get("samples_s"))
            self.put(work(), quiet=again)
            return True
        except Exception as error:  # whatever a peer raises is its own failure
            out = isinstance(error, OutOfMemory) or is_memory(error)
            refused = any(text in str(error) for text in measurement.peer.refusals)
            why = {"left_out" if refused else "failed": one_line(error)}
            why = {"left_out": "out of memory"} if out else why
        if not measurement.row.get("samples_s"):
            self.put(without_result(measurement.row, **why))
        if not self.setting.alive():
            # A process whose device is lost cannot use it again.
            sys.exit(processes.AGAIN)
        return False

    def put(self, row: dict, quiet: bool = False) -> None:
        """A row, to the file and, in short, to the terminal."""
        self.results.put(row)
        if quiet:
            return
        said = row.get("left_out") or row.get("failed")
        if said is None:
            samples = sorted(seconds for one_pass in row["samples_s"] for seconds in one_pass)
            check = row["check"]
            said = "%.3g s, %s %.2g%s" % (
                samples[len(samples) // 2], check["measure"], check["error"], "" if check["passed"] else " TOO LARGE"
            )
        kind = "failed: " if "failed" in row else "left out: " if "left_out" in row else ""
        print("%-22s %-46s %s%s" % (row["case"], row["implementation"], kind, said), file=sys.stderr, flush=True)


def without_result(row: dict, **why) -> dict:
    """A row that says why there is no result."""
    return dict({key: row[key] for key in ("case", "implementation", "device", "precision")}, **why)
