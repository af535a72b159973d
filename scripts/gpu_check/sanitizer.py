"""compute-sanitizer over a small run of every kernel."""

from __future__ import annotations

import re
import shutil
from typing import List, Sequence, Tuple

from . import child
from .errors import one_line
from .job import Deadline, Found, Job

SANITIZER = "compute-sanitizer"
TOOLS = ("memcheck", "racecheck", "initcheck", "synccheck")

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
        first = FINDING.search(output)
        return "failed", one_line(f"{sum(counts)} errors" + (f", first: {first.group(1)}" if first else ""))
    if blind:
        return "failed", one_line(blind.group(0).strip("= "))
    return "passed", ""


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

# Whole runs of the conformance suite, which the program's own stand for here: what is left are tests of kernels.
WHOLE = (
    "lecture", "blurring_is_the_oracles", "standard_is_the_oracles", "methods_agree", "far_from_the_origin",
    "degenerate_sets", "block_sizes_agree", "same_bits", "threads_share_a_device", "labels_of_any_device", "traffic",
    "ceilings_",
)


def targets(job: Job) -> List[Tuple[str, List[str]]]:
    """Small runs that, together, launch every kernel."""
    small = ["--device", job.word, "--tried", "--passes", "1", "--out", str(job.result("sanitized"))]
    points = "300" if job.tried else "3000"
    runs = [f"--points {points}", *(f"--points 300 {options}" for options in OPTIONS)]
    suite = ["cuda::", "--test-threads=1", *(word for test in WHOLE for word in ("--skip", test))]
    return [
        *((f"modeseek {words}", job.program("modeseek", *words.split(), "--device", job.word)) for words in runs),
        (CONFORMANCE, job.program("conformance", *suite)),
        ("device ceilings", job.program("device", "ceilings", *small)),
        ("device kernels", job.program("device", "kernels", *small)),
    ]


def tools(job: Job, target: str) -> Sequence[str]:
    """The tools for a target: a dry run, whose sanitizer is none, tries all of them with the first alone."""
    only_first = target == CONFORMANCE or job.tried and target != targets(job)[0][0]
    return [tool for tool in TOOLS if not only_first or tool == "memcheck"]


def run(job: Job, found: Found, deadline: Deadline) -> None:
    """Each tool over each target; left out by name where it is not installed."""
    if not job.on_gpu:
        found.leave_out(f"{SANITIZER} looks at kernels on a GPU, and this is {job.device}")
        return
    if shutil.which(SANITIZER, path=job.environment().get("PATH")) is None:
        found.leave_out(f"{SANITIZER} is not installed (it comes with the CUDA toolkit)")
        return
    runs = [(tool, name, command) for name, command in targets(job) for tool in tools(job, name)]
    for index, (tool, name, command) in enumerate(runs):
        limit = deadline.share(len(runs) - index)
        outcome = job.run(found, [SANITIZER, "--tool", tool, *command], limit, merged=True)
        if outcome.problem:
            state, why = "failed", outcome.why()
        else:
            state, why = parse(outcome.output)
            if state == "passed" and outcome.code != 0:
                state, why = "failed", outcome.why()
        found.checks.append({"name": f"{tool}: {name}", "outcome": state, "why": why})
    failed = [check for check in found.checks if check["outcome"] == "failed"]
    if failed:
        found.fail(f"{len(failed)} of {len(found.checks)} runs failed, first {failed[0]['name']}: {failed[0]['why']}")
