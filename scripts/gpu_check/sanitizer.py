"""compute-sanitizer over a small run of every kernel."""

from __future__ import annotations

import math
import re
import shutil
from typing import Any, Dict, List, Sequence, Tuple

from . import child
from .errors import one_line
from .job import Deadline, Found, Job

SANITIZER = "compute-sanitizer"
# In the order in which they run over everything, as long as there is time. No initcheck: the program writes all of a
# buffer when it makes one, so that there is nothing for it to find.
TOOLS = ("memcheck", "racecheck", "synccheck")

# The most seconds of a run, and of the suite's tests of kernels, which are many.
LONGEST_S = 30.0
LONGEST_SUITE_S = 60.0

# The program keeps device memory that was freed; memcheck sees what goes beyond a buffer where it does not.
NO_POOL = {"MODESEEK_POOL": "off"}

SUMMARY = re.compile(r"^=+ ERROR SUMMARY: (\d+) errors?", re.MULTILINE)
RACES = re.compile(r"^=+ RACECHECK SUMMARY: (\d+) hazards? displayed \((\d+) errors?, (\d+) warnings?\)", re.MULTILINE)
# What it says where it could not look at the program, or not at all of it.
BLIND = re.compile(
    r"^=+ (?:Error: |Internal Sanitizer Error|.*(?:Target application returned an error|No attachable process found"
    r"|Device not supported|Unable to)).*$",
    re.MULTILINE,
)
# The first of its findings: a line that is indented by one space only, and no heading.
FINDING = re.compile(
    r"^=+ (?!COMPUTE-SANITIZER|ERROR SUMMARY|RACECHECK SUMMARY|LEAK SUMMARY|Target application)(\S.*)$", re.MULTILINE
)


def parse(output: str) -> Tuple[str, str]:
    """passed or failed, and why: the counts of its summary, and its first finding."""
    counts = [int(number) for number in SUMMARY.findall(output)]
    counts += [int(errors) + int(warnings) for _, errors, warnings in RACES.findall(output)]
    blind = BLIND.search(output)
    if not counts:
        said = blind.group(0) if blind else child.last_line(output) or "it says nothing"
        return "failed", one_line(f"no summary: {said.strip('= ')}")
    # Of one run there is one summary; of a program that starts others, one each.
    if sum(counts):
        first = finding(output)
        return "failed", one_line(f"{sum(counts)} errors" + (f", first: {first}" if first else ""))
    if blind:
        return "failed", one_line(blind.group(0).strip("= "))
    return "passed", ""


def finding(output: str) -> str:
    """The first of its findings, if there is one."""
    lines = (found for found in FINDING.finditer(output) if not BLIND.match(found.group(0)))
    return next((str(found.group(1)) for found in lines), "")


# What the program is run with, 300 points of it: together with the others below, these launch every kernel.
OPTIONS = (
    "--form standard --seeding bins --kernel flat --bandwidth 6 --merging densest",
    "--form standard --distance cosine --bandwidth 0.05 --dim 3",
    "--distance l1 --kernel epanechnikov --bandwidth quantile:0.3",
    "--bandwidth each-neighbour:30 --kernel biweight",
    "--distance lp --norm 3",
    "--bandwidth scott --kernel triangular",
    "--method composed",
    "--dim 4 --bandwidth neighbour:20",
    "--dim 7 --bandwidth 6",
    "--dim 12 --bandwidth 8",
    "--dim 20 --bandwidth 10",
    "--method field --accuracy 0.01 --bandwidth 8 --dim 1",
    "--method field --accuracy 0.01 --bandwidth 8 --form standard",
    "--method field --accuracy 0.01 --bandwidth 12 --dim 3",
    "--method tiles --form standard",
    "--method tiles --dim 3",
    "--method tiles --dim 4",
    "--method tiles --dim 7 --bandwidth 6",
)

CONFORMANCE = "conformance kernels"

# Why a run did not begin.
NO_TIME = "no time"

# Whole runs of the conformance suite, which the program's own stand for here: what is left are tests of kernels.
WHOLE = (
    "lecture", "blurring_is_the_oracles", "standard_is_the_oracles", "methods_agree", "far_from_the_origin",
    "degenerate_sets", "block_sizes_agree", "same_bits", "threads_share_a_device", "labels_of_any_device", "traffic",
    "ceilings_",
)


def targets(job: Job) -> List[Tuple[str, List[str]]]:
    """Small runs that, together, launch every kernel."""
    # What they measure goes to the output: they may run at the same time, and nobody reads it.
    small = ["--device", job.word, "--tried", "--passes", "1"]
    # More than the step for few points takes, so that the other one runs, too.
    points = "300" if job.tried else "5000"
    runs = [f"--points {points}", *(f"--points 300 {options}" for options in OPTIONS)]
    suite = ["cuda::", "--test-threads=1", *(word for test in WHOLE for word in ("--skip", test))]
    return [
        *((f"modeseek {words}", job.program("modeseek", *words.split(), "--device", job.word)) for words in runs),
        ("device ceilings", job.program("device", "ceilings", *small)),
        ("device kernels", job.program("device", "kernels", *small)),
        (CONFORMANCE, job.program("conformance", *suite)),
    ]


def tools(job: Job, target: str) -> Sequence[str]:
    """The tools for a target: a dry run, whose sanitizer is none, tries all of them with the first alone."""
    only_first = target == CONFORMANCE or job.tried and target != targets(job)[0][0]
    return [tool for tool in TOOLS if not only_first or tool == "memcheck"]


def run(job: Job, found: Found, deadline: Deadline) -> None:
    """One tool after the other over each target; left out by name where it is not installed."""
    if not job.on_gpu:
        found.leave_out(f"{SANITIZER} looks at kernels on a GPU, and this is {job.device}")
        return
    if shutil.which(SANITIZER, path=job.environment().get("PATH")) is None:
        found.leave_out(f"{SANITIZER} is not installed (it comes with the CUDA toolkit)")
        return
    runs = [(tool, name, command) for tool in TOOLS for name, command in targets(job) if tool in tools(job, name)]
    commands = [([SANITIZER, "--tool", tool, *command], longest(job, name)) for tool, name, command in runs]
    checks: Dict[int, Dict[str, Any]] = {}
    for number, outcome in job.run_all(found, commands, deadline, **NO_POOL):
        tool, name, _ = runs[number]
        state, why = judged(outcome)
        checks[number] = {"name": f"{tool}: {name}", "outcome": state, "why": why}
        found.checks = [checks[number] for number in sorted(checks)]
    settle(found)


def longest(job: Job, target: str) -> float:
    """The most seconds of a run; a dry one may have all there are, since it is the interpreter that is slow."""
    if job.tried:
        return math.inf
    return LONGEST_SUITE_S if target == CONFORMANCE else LONGEST_S


def judged(outcome: child.Outcome) -> Tuple[str, str]:
    """What became of a run."""
    if outcome.cut:
        seen = finding(outcome.output)
        if seen:
            return "failed", one_line(f"first: {seen}; {outcome.why()}")
        return ("cut", outcome.why()) if outcome.seconds > 0 else ("left out", NO_TIME)
    if outcome.problem:
        return "failed", outcome.why()
    state, why = parse(outcome.output)
    if state == "passed" and outcome.code != 0:
        return "failed", outcome.why()
    return state, why


def settle(found: Found) -> None:
    """What the checks amount to."""
    failed = [check for check in found.checks if check["outcome"] == "failed"]
    if failed:
        found.fail(f"{len(failed)} of {len(found.checks)} runs failed, first {failed[0]['name']}: {failed[0]['why']}")
    for outcome, said in (("cut", "were cut"), ("left out", "were left out")):
        late = [check for check in found.checks if check["outcome"] == outcome]
        if late:
            found.cut(f"{len(late)} of {len(found.checks)} runs {said}, first {late[0]['name']}: {late[0]['why']}")
