"""The command line of scripts/processor-code."""

from __future__ import annotations

import argparse
import platform
import sys
import unittest
from pathlib import Path

from . import gate
from .assembly import functions
from .gathers import Gathers, load_allowed
from .measure import measure
from .rows import Rows, load_rows
from .specification import BUDGETS, SpecificationError, load_budgets, load_kernels, write_budgets
from .tools import ToolError, default_binary, disassemble, is_x86_64

ROOT = Path(__file__).resolve().parents[2]
SELF = "processor-code"

DESCRIPTION = """\
Reads what the compiler made of the steps for processors (SSE2, AVX2, AVX-512): the hot loops over pairs, and
instructions a pair. A compiler takes vectors to pieces without a word, which costs factors of 2 and 3. Refused:

  - scalar arithmetic in a hot loop, arithmetic on narrower registers than the loop's, and moves between lanes,
    except a number that is splat over a register;
  - more instructions a vector of pairs than the committed budget and 15 %;
  - a kernel whose hot loop is not found;
  - kernels of a field's rows, where most arithmetic is of single numbers;
  - any kernel that gathers numbers one by one, if kernels.toml has no reason for it.

Without --check or --write-budgets, only prints the table.
"""

EPILOG = """\
Wants objdump of binutils. On other machines than x86-64 there is nothing to check, and all is well.

Exit status: 0 all is well; 1 something was refused; 2 a program, tool or table is missing or damaged, or the command
line is wrong.
"""


def arguments(given: list[str]) -> argparse.Namespace:
    """What was typed."""
    parser = argparse.ArgumentParser(
        prog=f"scripts/{SELF}",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--binary", type=Path, metavar="FILE", default=default_binary(ROOT),
                        help="the program, with symbols (default: debug/modeseek of cargo's target folder)")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="refuse what is said above")
    mode.add_argument("--write-budgets", action="store_true", help="set the budgets to what is measured, then check")
    mode.add_argument("--self-test", action="store_true", help="run the tests of this script, and nothing else")
    return parser.parse_args(given)


def main(given: list[str], kernels_file: Path | None = None, budgets_file: Path = BUDGETS) -> int:
    """Runs the gate; gives the exit status."""
    options = arguments(given)
    if options.self_test:
        return self_test()
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return nothing_to_check(f"this machine is {platform.machine()}")
    try:
        if not is_x86_64(options.binary):
            return nothing_to_check(f"{options.binary} is for another machine")
        return judge(options, kernels_file, budgets_file)
    except (SpecificationError, ToolError, OSError) as error:
        print(f"{SELF}: {error}", file=sys.stderr)
        return 2


def nothing_to_check(reason: str) -> int:
    """Says why nothing is checked."""
    print(f"{SELF}: nothing was checked: the check is of x86-64 code, and {reason}")
    return 0


def judge(options: argparse.Namespace, kernels_file: Path | None, budgets_file: Path) -> int:
    """Measures, prints, and compares with budgets or writes them."""
    kernels = load_kernels(kernels_file) if kernels_file else load_kernels()
    # Before the longer work.
    budgets = load_budgets(kernels, budgets_file) if options.check else {}
    rows = Rows(load_rows(kernels_file) if kernels_file else load_rows())
    gathers = Gathers(load_allowed(kernels_file) if kernels_file else load_allowed())
    results = measure(gathers.watch(rows.watch(functions(disassemble(options.binary)))), kernels)
    print("\n".join(gate.table(results)))
    problems = gate.missing(results)
    if options.write_budgets and not problems:
        write_budgets(gate.proposed_budgets(results), budgets_file)
        print(f"wrote {budgets_file}")
        budgets = load_budgets(kernels, budgets_file)
    if budgets:
        problems = gate.violations(results, kernels, budgets)
        for note in gate.notes(results, kernels, budgets):
            print(f"note: {note}")
        problems += rows.violations() + gathers.violations()
    for problem in problems:
        print(f"refused: {problem}", file=sys.stderr)
    print(f"{len(results) + len(rows.counts)} kernels by kinds of processor, {len(problems)} refusals")
    return 1 if problems else 0


def self_test() -> int:
    """Runs the tests beside this file."""
    tests = Path(__file__).parent / "tests"
    suite = unittest.defaultTestLoader.discover(str(tests), top_level_dir=str(ROOT / "scripts"))
    return 0 if unittest.TextTestRunner(verbosity=1).run(suite).wasSuccessful() else 1
