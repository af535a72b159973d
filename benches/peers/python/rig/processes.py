"""Measuring in a process of its own, since a peer may end it: a new process goes on with what is missing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

from rig.results import Results

# The exit code of a process whose device no longer answers it.
AGAIN = 75
# Why a row is left out from before its peer is called until that returns: it stays where time ends the process.
BEGUN = "time limit: it was under way"
# Signals that are for all of the measuring.
MEANT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def supervise(command: list[str], out: str, minutes: float) -> int:
    """Runs `command` until it ends by itself; gives its exit code. It has `--minutes` and `--resume` added."""
    end = time.monotonic() + 60 * minutes
    resumed: list[str] = []
    while True:
        left = max(0.0, (end - time.monotonic()) / 60)
        before = finished(out) if resumed else 0
        code = subprocess.call([*command, "--minutes", "%.3f" % left, *resumed])
        if code != AGAIN and (code >= 0 or -code in MEANT):
            return code if code >= 0 else 128 - code
        why = "the device no longer answered it" if code == AGAIN else "ended by %s" % name_of(-code)
        # Without a row more, the next process would end where this one did.
        if name_rows(out, why) <= before:
            print("run.py: a process without a new row: %s" % why, file=sys.stderr, flush=True)
            return 1
        print("run.py: %s; a new process goes on" % why, file=sys.stderr, flush=True)
        resumed = ["--resume"]


def name_of(number: int) -> str:
    """A signal's name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return "signal %d" % number


def rows_of(out: str) -> dict:
    """The result file, as far as there is one."""
    try:
        with open(out, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {"rows": []}


def finished(out: str) -> int:
    """Rows that there are."""
    return len(rows_of(out)["rows"])


def name_rows(out: str, why: str) -> int:
    """The row that was begun has failed, for this reason; gives the number of rows."""
    written = rows_of(out)
    begun = [row for row in written["rows"] if row.get("left_out") == BEGUN]
    for row in begun:
        del row["left_out"]
        row["failed"] = "the process in which it was measured: " + why
    if begun:
        Results(out, written["machine"], written["rows"]).write()
    return len(written["rows"])
