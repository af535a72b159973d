"""The command line of scripts/beside-scikit-learn."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from gpu_check import cargo, child, environment, kit
from gpu_check.errors import INTERRUPTED, WRONG_USAGE, Refused, one_line
from gpu_check.record import replace, slug
from gpu_check.rows import finite

from .cases import CASES, DIMENSIONS, Blobs, Case, read
from .measure import Sides, compare
from .page import page
from .sides import LIMIT_S, Ours, Theirs

FORMAT = 1
# Beside gpu-check's files in the folder of the same day, which has readers of its own for those.
RESULTS, REPORT = "scikit-learn.json", "scikit-learn.md"

DESCRIPTION = """\
Runs the release program and scikit-learn's MeanShift on the same points, by turns in the same run, and writes
a record: seconds, clusters, the adjusted Rand index of both with the truth, and ratios, as JSON and Markdown.
Both have the flat kernel, the same bandwidth, seeds, tolerance and rule of merging; six blobs in the plane.
"""

EPILOG = """\
Needs cargo to build the programs, unless --bin-dir has them, and a Python with scikit-learn.
Exit status: 0 done; 1 it could not be done; 2 wrong usage; 130 interrupted.
"""

PROGRAMS = ("modeseek", "device")


def parser() -> argparse.ArgumentParser:
    """What can be typed."""
    whole = argparse.ArgumentParser(prog="scripts/beside-scikit-learn", description=DESCRIPTION, epilog=EPILOG,
                                    formatter_class=argparse.RawDescriptionHelpFormatter)
    whole.add_argument("--cases", type=_cases, metavar="NAME,..", default=list(CASES.values()),
                       help=f"of {', '.join(CASES)} (default: all)")
    whole.add_argument("--repeats", type=_count, metavar="R", default=3,
                       help="fits of each side that count, after one that does not (default: 3)")
    whole.add_argument("--jobs", type=_count, metavar="J", default=2,
                       help="scikit-learn's n_jobs, beside n_jobs=1, and the program's threads (default: 2)")
    whole.add_argument("--device", metavar="DEVICE", default="cpu", help="the program's device (default: cpu)")
    whole.add_argument("--bin-dir", type=Path, metavar="DIR",
                       help=f"a folder with {' and '.join(PROGRAMS)}, instead of what cargo builds")
    whole.add_argument("--out", type=Path, metavar="DIR",
                       help="where the record goes (default: benches/record/<processor>/<date>)")
    whole.add_argument("--tried", action="store_true", help="small sizes, to try things out")
    whole.add_argument("--self-test", action="store_true", help="run the tests of this program, and nothing else")
    return whole


def _cases(text: str) -> List[Case]:
    """Cases by name, in their own order."""
    wanted = {name.strip() for name in text.split(",") if name.strip()}
    unknown = sorted(wanted - CASES.keys())
    if unknown or not wanted:
        raise argparse.ArgumentTypeError(f"no case {', '.join(unknown) or 'is named'}; cases are {', '.join(CASES)}")
    return [case for name, case in CASES.items() if name in wanted]


def _count(text: str) -> int:
    """A number from 1 to 1000."""
    number = int(text) if text.isdecimal() else 0
    if not 1 <= number <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 1000")
    return number


def main(given: Sequence[str]) -> int:
    """Does what was typed; gives the exit code."""
    try:
        options = parser().parse_args(list(given))
    except SystemExit as ended:  # argparse has said why
        return WRONG_USAGE if ended.code else 0
    if options.self_test:
        return self_test()
    try:
        return run(options, given)
    except Refused as refused:
        print(f"beside-scikit-learn: {refused}", file=sys.stderr)
        return refused.code
    except KeyboardInterrupt:
        print("beside-scikit-learn: interrupted", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:  # a full disk, a folder that went away
        print(f"beside-scikit-learn: {one_line(str(error))}", file=sys.stderr)
        return 1


def run(options: argparse.Namespace, given: Sequence[str]) -> int:
    """Measures, and writes the record."""
    root = kit.checkout()
    if root is None:
        raise Refused("this runs in a checkout of modeseek")
    # Before anything is built: what is missing is known first.
    theirs = [Theirs(jobs) for jobs in sorted({options.jobs, 1}, reverse=True)]
    programs = found_programs(root, options.bin_dir, options.tried)
    about = describe(root, options, given, theirs)
    folder = options.out or folder_of_the_day(root / "benches/record", about["host"]["cpu"], about["date"][:10])
    make(folder)
    ours = Ours(programs["modeseek"], options.device, options.jobs)
    cases = [measured(case, programs["device"], (ours, theirs), options) for case in options.cases]
    about.update(cases=cases, load_average_after=environment.load_average())
    save(folder, about)
    print(page(json.loads(json.dumps(finite(about)))))
    print(f"wrote {folder / RESULTS} and {folder / REPORT}")
    return 0


def found_programs(root: Path, bin_dir: Optional[Path], tried: bool) -> Dict[str, Path]:
    """The programs in a folder, or those that cargo builds: to be measured, or only to be tried."""
    if bin_dir is None:
        profile = cargo.DEV if tried else cargo.RELEASE
        return cargo.build(root, {name: profile[name] for name in PROGRAMS})
    programs = {name: bin_dir.absolute() / name for name in PROGRAMS}
    missing = [name for name, path in programs.items() if not path.is_file() or not os.access(str(path), os.X_OK)]
    if missing:
        raise Refused(f"no program {', '.join(missing)} in {bin_dir}: --bin-dir names a folder with both")
    return programs


def describe(
    root: Path, options: argparse.Namespace, given: Sequence[str], theirs: Sequence[Theirs]
) -> Dict[str, Any]:
    """What a record says besides its cases."""
    return {
        "format": FORMAT, "date": environment.now(), "command": shlex.join(["scripts/beside-scikit-learn", *given]),
        "host": environment.host(), "python": platform.python_version(), "scikit_learn": theirs[0].version,
        "n_jobs": [side.jobs for side in theirs], "threads": options.jobs, "device": options.device,
        "tried": options.tried, "origin": {} if options.bin_dir else kit.origin_of(root),
        "load_average_before": environment.load_average(),
    }


def measured(case: Case, exporter: Path, sides: Sides, options: argparse.Namespace) -> Dict[str, Any]:
    """One case."""
    blobs = exported(exporter, case.tried if options.tried else case.points)
    return compare(case, blobs, sides, options.repeats, lambda line: print(line, file=sys.stderr, flush=True))


def exported(exporter: Path, points: int) -> Blobs:
    """The points that the program generates."""
    with tempfile.TemporaryDirectory(prefix="beside-scikit-learn-") as scratch:
        command = [str(exporter), "blobs", "--points", str(points), "--dim", str(DIMENSIONS), "--out", scratch]
        outcome = child.run(command, LIMIT_S)
        if not outcome.passed:
            raise Refused(outcome.why())
        blobs = read(Path(scratch))
    if len(blobs) != points:
        raise Refused(f"the device program wrote {len(blobs)} points, not {points}")
    return blobs


def folder_of_the_day(records: Path, name: str, date: str) -> Path:
    """The folder of the day, which may hold other records; with -2 and so on where it holds one of ours."""
    for number in range(1, 1000):
        folder = records / slug(name) / (date if number == 1 else f"{date}-{number}")
        if not (folder / RESULTS).exists():
            return folder
    raise Refused(f"{records / slug(name)} has a thousand records of {date}")


def make(folder: Path) -> None:
    """Makes the folder, and finds out whether it can be written, before anything is measured."""
    if (folder / RESULTS).exists():
        raise Refused(f"{folder} holds a record already: name another folder with --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial = folder / f".{RESULTS}"
        trial.write_text("{}\n", encoding="utf-8")
        trial.unlink()
    except OSError as error:
        raise Refused(f"{folder} is not writable ({error.strerror}): name another folder with --out") from error


def save(folder: Path, record: Dict[str, Any]) -> None:
    """Writes both files, each whole or not at all; the page is made of what the other one holds."""
    text = json.dumps(finite(record), indent=1, allow_nan=False) + "\n"
    replace(folder / RESULTS, text)
    replace(folder / REPORT, page(json.loads(text)))


def self_test() -> int:
    """Runs the tests beside this file."""
    tests = Path(__file__).resolve().parent / "tests"
    suite = unittest.defaultTestLoader.discover(str(tests), top_level_dir=str(tests.parents[1]))
    return 0 if unittest.TextTestRunner(verbosity=1).run(suite).wasSuccessful() else 1
