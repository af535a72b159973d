"""The command line of scripts/machine-code."""

from __future__ import annotations

import argparse
import difflib
import sys
import unittest
from pathlib import Path

from . import gate, report
from .measure import PTX_OF, Results, measure
from .specification import (
    BUDGETS,
    KERNELS,
    PEERS,
    KernelSpec,
    SpecificationError,
    load_budgets,
    load_kernels,
    write_budgets,
)
from .toolchain import PINNED, Tools, ToolError, find

ROOT = Path(__file__).resolve().parents[2]

DESCRIPTION = """\
Assembles every kernel with NVIDIA's assembler, for every architecture that the library supports, and
reads the machine code: registers, shared memory, spills, and the instructions of the hot loops, beside
the same algorithm in CUDA C++. Needs no GPU. Writes the page of tables, and refuses:

  - spills, a stack, or instructions on local memory, anywhere in a kernel;
  - generic loads and stores in a hot loop, and loads from another memory than where its data is;
  - more instructions a unit of work than the committed budget; budgets of the fused steps above what
    CUDA C++ takes, unless kernels.toml gives a reason;
  - a kernel that kernels.toml does not name, or one that it names and the PTX lacks.
"""

EPILOG = f"""\
The tools are those of a CUDA toolkit on PATH or in $CUDA_HOME if ptxas, nvdisasm and nvcc are all there,
else NVIDIA's wheels {PINNED} from the Python registry, installed once into the cache. The page is made,
and compared, with the latter only: counts move from version to version.

Exit status: 0 all is well; 1 something was refused, or the page is stale; 2 a tool or file is missing,
or the command line is wrong.
"""


def arguments(given: list[str]) -> argparse.Namespace:
    """What was typed."""
    parser = argparse.ArgumentParser(
        prog="scripts/machine-code",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--ptx", type=Path, metavar="DIR", default=ROOT / "gpu/ptx",
                        help="the PTX, in folders sm_75, sm_80, sm_90 and sm_90a (default: gpu/ptx)")
    parser.add_argument("--out", type=Path, metavar="FILE", default=ROOT / "docs/machine-code.md",
                        help="the page to write, or with --check to compare (default: docs/machine-code.md)")
    parser.add_argument("--arch", type=_archs, metavar="LIST",
                        help=f"architectures to look at, separated by commas (default: {','.join(PTX_OF)}); "
                        "with fewer than all, the page is neither written nor compared")
    parser.add_argument("--check", action="store_true", help="compare the page instead of writing it")
    parser.add_argument("--write-budgets", action="store_true",
                        help="set the budgets to what is measured and 2 %%, then review the difference")
    parser.add_argument("--pinned", action="store_true", help=f"use the wheels {PINNED} even where there is a toolkit")
    parser.add_argument("--cache", type=Path, metavar="DIR", default=ROOT / "target/machine-code",
                        help="where the wheels are installed (default: target/machine-code)")
    parser.add_argument("--peer-ptx", type=Path, metavar="DIR",
                        help="compile the CUDA C++ of benches/peers/cuda to PTX in this folder, for the architecture "
                        "that --arch names (default: sm_90), and nothing else")
    parser.add_argument("--self-test", action="store_true", help="run the tests of the parsing, and nothing else")
    return parser.parse_args(given)


def _archs(text: str) -> list[str]:
    """A list of known architectures, in their usual order."""
    wanted = {name.strip() for name in text.split(",") if name.strip()}
    if unknown := sorted(wanted - PTX_OF.keys()):
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; known: {', '.join(PTX_OF)}")
    if not wanted:
        raise argparse.ArgumentTypeError(f"no architecture; known: {', '.join(PTX_OF)}")
    return [arch for arch in PTX_OF if arch in wanted]


def main(given: list[str]) -> int:
    """Runs the gate; gives the exit status."""
    options = arguments(given)
    if options.self_test:
        return self_test()
    if options.peer_ptx:
        return compile_peers(options)
    options.arch = options.arch or list(PTX_OF)
    try:
        kernels = load_kernels()
        tools = find(options.cache.resolve(), options.pinned)
        results = measure(tools, options.ptx, kernels, options.arch)
    except SpecificationError as error:
        print(f"machine-code: {error}\nDescribe each kernel in {KERNELS.relative_to(ROOT)}.", file=sys.stderr)
        return 1
    except ToolError as error:
        print(f"machine-code: {error}", file=sys.stderr)
        return 2
    return judge(options, tools, results, kernels)


def compile_peers(options: argparse.Namespace) -> int:
    """Compiles the CUDA C++ to PTX: what is launched in the place of our kernels."""
    archs = options.arch or ["sm_90"]
    if len(archs) > 1:
        print("machine-code: --peer-ptx compiles for one architecture; name it with --arch", file=sys.stderr)
        return 2
    try:
        tools = find(options.cache.resolve(), options.pinned)
        options.peer_ptx.mkdir(parents=True, exist_ok=True)
        for source in sorted(PEERS.glob("*.cu")):
            out = options.peer_ptx / source.with_suffix(".ptx").name
            tools.compile_peer(source, archs[0], out)
            print(out)
    except (ToolError, OSError) as error:
        print(f"machine-code: {error}", file=sys.stderr)
        return 2
    return 0


def judge(options: argparse.Namespace, tools: Tools, results: Results, kernels: dict[str, KernelSpec]) -> int:
    """Compares with budgets and page, or writes them."""
    if options.write_budgets:
        write_budgets(gate.proposed_budgets(results, kernels, load_budgets()))
        print(f"wrote {BUDGETS.relative_to(ROOT)}")
    for note in gate.notes(results, kernels):
        print(f"note: {note}")
    problems = gate.violations(results, kernels, load_budgets())
    if options.arch == list(PTX_OF):
        problems += settle_page(options.out, report.page(tools, results, kernels), options.check, tools.pinned)
    for problem in problems:
        print(f"refused: {problem}", file=sys.stderr)
    total = sum(len(measured) for measured in results.ours.values())
    print(f"{total} kernels assembled for {len(results.ours)} architectures, {len(problems)} refusals")
    return 1 if problems else 0


def settle_page(path: Path, page: str, check: bool, pinned: bool) -> list[str]:
    """Writes the page, or says how it differs from the one there is."""
    if not pinned:
        print(f"the page {path} is left alone: these are not the tools {PINNED} that it is made with (--pinned)")
        return []
    if not check:
        path.write_text(page)
        print(f"wrote {path}")
        return []
    there = path.read_text() if path.exists() else ""
    if there == page:
        return []
    difference = list(difflib.unified_diff(there.splitlines(), page.splitlines(), "there", "new", lineterm="", n=0))
    shown = "\n".join(difference[:20])
    return [f"{path} is stale; run scripts/machine-code and commit it\n{shown}"]


def self_test() -> int:
    """Runs the tests beside this file."""
    tests = Path(__file__).parent / "tests"
    suite = unittest.defaultTestLoader.discover(str(tests), top_level_dir=str(ROOT / "scripts"))
    return 0 if unittest.TextTestRunner(verbosity=1).run(suite).wasSuccessful() else 1
