"""Everything that `run` does, at tried sizes and without a GPU: so that a first run on one fails on no typo."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

from . import cargo, child, engine, kit, readme, record, report, rows
from .errors import FAILED, Refused
from .job import CUT, Job
from .job import FAILED as PART_FAILED
from .parts import PARTS
from .rows import Row
from .spelling import cell

# Tests of the conformance suite that are tried: the whole suite is CI's own.
TESTS = ("axpy", "shift", "same_bits")

SANITIZER = """#!/bin/sh
# Runs the program, and says what compute-sanitizer says where nothing is wrong.
echo "========= COMPUTE-SANITIZER"
shift 2
"$@" || exit $?
echo "========= ERROR SUMMARY: 0 errors"
"""

STAND_IN = "libstand_in_driver.so"

# The variable by which the stand-in driver is told where to log the names of kernels that are launched.
LOG = "STAND_IN_LOG"
ENTRY = re.compile(r"\.entry\s+(\w+)")


@dataclass(frozen=True)
class Trial:
    """A run, and what is different from one on a GPU."""

    name: str
    job: Job
    parts: Sequence[str]


def dry(bin_dir: Optional[Path], python: str, minutes: float, scratch: Path) -> int:
    """Makes the runs, reads their records again, and tells what failed."""
    root = kit.checkout()
    if root is None:
        raise Refused("a dry run is made in a checkout")
    if bin_dir is None:
        programs = cargo.build(root, cargo.DEV)
    else:
        programs = kit.in_folder(bin_dir, "--bin-dir names a folder with all three")
    job = Job(kit.of_checkout(root, programs, kit.origin_of(root)), "cpu", scratch, python, tried=True, tests=TESTS)
    driver = stand_in(programs, scratch)
    trials = list(chosen(job, driver))
    begun = time.monotonic()
    problems: List[str] = []
    for trial in trials:
        print(f"\n== {trial.name}", flush=True)
        problems += attempt(trial, 60.0 * minutes - (time.monotonic() - begun))
    if driver is not None:
        problems += never_launched(root, driver) + without_gpu(job, driver)
    else:
        print(f"\nleft out: the stand-in driver ({STAND_IN} is not among the programs)")
    problems += without_time(job) + calibrated(job) + documents(root, scratch)
    for problem in problems:
        print(f"gpu-check: {problem}", file=sys.stderr)
    print(f"\n{len(trials)} dry runs in {time.monotonic() - begun:.0f} s, {len(problems)} problems")
    return FAILED if problems else 0


def chosen(job: Job, driver: Optional[Dict[str, str]]) -> List[Trial]:
    """The interpreter, the processor, and the CUDA path on the stand-in driver."""
    trials = [
        Trial("interpreter", replace(job, device="interpreter"), ("device", "ceilings", "runs", "kernels")),
        Trial("processor", job, tuple(PARTS)),
    ]
    if driver is not None:
        remarks = {"stand_in": "On a stand-in for the CUDA driver: no GPU took part."}
        cuda = replace(job, device="cuda", variables=driver, remarks=remarks)
        trials.append(Trial("stand-in driver", cuda, ("device", "ceilings", "conformance", "sanitizer", "runs")))
    return trials


def entries(root: Path) -> List[str]:
    """The names of all kernels."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(root.glob("gpu/ptx/*/*.ptx"))]
    return sorted({name for text in texts for name in ENTRY.findall(text)})


def never_launched(root: Path, driver: Dict[str, str]) -> List[str]:
    """Kernels that the runs on the stand-in driver did not launch, and that a sanitizer would never see."""
    log = Path(driver[LOG])
    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    launched = {line.split()[1] for line in lines if line.startswith("launch ")}
    missing = [name for name in entries(root) if name not in launched]
    return [f"stand-in driver: no run launches {', '.join(missing)}"] if missing else []


def attempt(trial: Trial, seconds: float) -> List[str]:
    """One run and its record; gives what went wrong."""
    out = trial.job.scratch / "records" / trial.name.replace(" ", "-") / "2026-01-01"
    folder = trial.job.scratch / f"scratch-{out.parent.name}"
    folder.mkdir(parents=True)
    job = replace(trial.job, scratch=folder)
    try:
        code = engine.start(job, [PARTS[name] for name in trial.parts], seconds, ["gpu-check", "dry"], out)
    except Refused as refused:
        return [f"{trial.name}: {refused}"]
    shutil.rmtree(str(folder), ignore_errors=True)
    made = record.load(out)
    problems = [
        f"{trial.name}: {part['name']}: {why}"
        for part in made["parts"] if part["state"] in (PART_FAILED, CUT) for why in part["why"] + part["out_of_time"]
    ]
    problems += [f"{trial.name}: {problem}" for problem in unreadable(made, out)]
    if code != 0 and not problems:
        problems.append(f"{trial.name}: exits {code}")
    return problems


def unreadable(made: record.Record, folder: Path) -> List[str]:
    """What the report lacks, or says differently when it is made again."""
    text = (folder / record.REPORT).read_text(encoding="utf-8")
    problems = [] if text == report.page(made) else ["report.md is another one when it is made again"]
    named = {row["implementation"] for row in made["rows"]} | {row["case"] for row in made["rows"]}
    problems += [f"report.md does not name {name}" for name in sorted(named) if cell(name) not in text]
    if not made["rows"]:
        problems.append("the record has no rows")
    return problems


def stand_in(programs: Dict[str, Path], scratch: Path) -> Optional[Dict[str, str]]:
    """The variables that have a program load the stand-in driver, and find the stand-in sanitizer."""
    library = programs["conformance"].parent / STAND_IN
    if not library.is_file():
        return None
    folder, tools = scratch / "driver", scratch / "tools"
    folder.mkdir()
    tools.mkdir()
    for name in ("libcuda.so", "libcuda.so.1"):
        (folder / name).symlink_to(library)
    sanitizer = tools / "compute-sanitizer"
    sanitizer.write_text(SANITIZER, encoding="utf-8")
    sanitizer.chmod(0o755)
    path = f"{tools}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {"LD_LIBRARY_PATH": str(folder), "PATH": path, LOG: str(scratch / "driver.log")}


def without_gpu(job: Job, driver: Dict[str, str]) -> List[str]:
    """A driver that finds no GPU must end a run at once, in one line."""
    variables = {**driver, "STAND_IN_DRIVER": "no-devices"}
    try:
        cuda = replace(job, device="cuda", variables=variables)
        engine.start(cuda, list(PARTS.values()), 60.0, [], job.scratch / "none")
    except Refused as refused:
        said = str(refused)
        return [] if refused.code == 1 and "\n" not in said and "NVIDIA" in said else [f"without a GPU it says: {said}"]
    return ["without a GPU it runs"]


def rows_of(job: Job, *words: str) -> Tuple[List[Row], str]:
    """The rows that `device` writes on the processor, and what went wrong."""
    out = job.result("dry")
    outcome = child.run(job.program("device", *words, "--device", "cpu", "--out", str(out)), 60.0, job.environment())
    read = rows.read(out)
    return read.rows, "; ".join([outcome.why()] if outcome.why() else read.problems)


def without_time(job: Job) -> List[str]:
    """A program that measures must begin nothing when its time is over, and leave out every row for that."""
    problems = []
    for command in ("ceilings", "kernels", "runs"):
        found, why = rows_of(job, command, "--tried", "--until", "0")
        if why or not found or not all(rows.not_reached(row) for row in found):
            problems.append(f"device {command} without time: {why or 'not every row is left out'}")
    return problems


def calibrated(job: Job) -> List[str]:
    """The samples of all passes of a ceiling must be of the work that its row counts."""
    found, why = rows_of(job, "ceilings", "--only", "fma", "--seconds", "0.02")
    counted = [row.get("work", {}).get("flops") for row in found]
    if not why and counted == [2.0 * row.get("elements", 0) * row.get("repeats", 0) for row in found] != []:
        return []
    return [f"device ceilings: {why or 'work is not elements by repeats'}"]


def documents(root: Path, scratch: Path) -> List[str]:
    """The pages' blocks, made from the dry records as if they were measurements."""
    made = [{**one, "tried": False} for one in record.all_of(scratch / "records")]
    changing = []
    try:
        for page in readme.PAGES:
            new = readme.renewed(root / page, (root / page).read_text(encoding="utf-8"), made)
            if readme.renewed(root / page, new, made) != new:
                changing.append(f"{page} changes each time it is made")
    except Refused as refused:
        return [str(refused)]
    return changing
