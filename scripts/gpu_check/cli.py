"""The command line of gpu-check."""

from __future__ import annotations

import argparse
import math
import re
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence

from . import dry, engine, kit, readme, record, report
from .environment import Gpu
from .errors import INTERRUPTED, WRONG_USAGE, Refused, one_line
from .job import Job, Part
from .pack import pack
from .parts import PARTS

DESCRIPTION = """\
Checks and measures modeseek on one machine with an NVIDIA GPU, beside its peers, and keeps a record.

  pack       builds the folder that is carried to the machine with the GPU
  run        there, or in the checkout: conformance, sanitizers, measurements, peers; writes a record
  dry        the same at tried sizes, without a GPU, on the PTX interpreter, the processor and a stand-in driver
  report     makes a record's report.md again
  readme     makes the figures in README.md and docs/figures.md again, from the records
  self-test  runs the tests of this program
"""

EXITS = """\
Exit status: 0 all that was chosen passed, or was left out by name; 1 no GPU, or nothing could run;
2 wrong usage; 3 something failed, or README differs; 4 nothing failed, and there was no time for all of it;
130 interrupted: what was measured is kept.
docs/measuring.md says more.
"""

RUN = """\
Runs the parts that are chosen within the time that is given, of which each has a share; a part that fails
stops no other, and what there is no time for is told apart from what failed. What needs a tool that is not there is
left out by name. Settings of the GPU are never changed.
"""


def parser() -> argparse.ArgumentParser:
    """What can be typed."""
    raw = argparse.RawDescriptionHelpFormatter
    whole = argparse.ArgumentParser(prog="gpu-check", description=DESCRIPTION, epilog=EXITS, formatter_class=raw)
    commands = whole.add_subparsers(dest="command", metavar="COMMAND")
    commands.required = True

    def command(name: str, about: str) -> argparse.ArgumentParser:
        first = about.splitlines()[0]
        return commands.add_parser(name, description=about, help=first, epilog=EXITS, formatter_class=raw)

    packing = command("pack", "Builds stripped release programs, and copies all that a run needs into one folder.")
    packing.add_argument("--out", type=Path, metavar="DIR", help=f"the folder (default: {kit.PACK} in the checkout)")
    running = command("run", RUN)
    running.add_argument("--parts", type=_parts, metavar="NAME,..", default=list(PARTS.values()),
                         help=f"of {', '.join(PARTS)} (default: all)")
    running.add_argument("--device", type=_device, metavar="DEVICE", default="cuda",
                         help="cuda (default), cuda:N as nvidia-smi numbers them, or cpu")
    running.add_argument("--out", type=Path, metavar="DIR",
                         help="where the record goes (default: record/<device>/<date>, in a checkout under benches/)")
    running.add_argument("--minutes", type=_minutes, metavar="M", default=8.0, help="at most so long (default: 8)")
    running.add_argument("--list", action="store_true", help="name the parts, and run none")
    _shared(running, "the pack's")
    trying = command("dry", "Tries everything at small sizes, without a GPU.")
    trying.add_argument("--minutes", type=_minutes, metavar="M", default=8.0, help="at most so long (default: 8)")
    trying.add_argument("--out", type=Path, metavar="DIR", help="keep the records there (default: they are removed)")
    _shared(trying, "what cargo builds")
    reporting = command("report", "Makes report.md of a record again, from its results.json.")
    reporting.add_argument("folder", type=Path, metavar="DIR", help="the record's folder")
    reading = command("readme", "Makes the blocks <!-- record:NAME --> of README.md and docs/figures.md again, from records.")
    reading.add_argument("--check", action="store_true", help="compare, and exit 3 where one of them differs")
    command("self-test", "Runs the tests of this program.")
    return whole


def _shared(of: argparse.ArgumentParser, instead_of: str) -> None:
    """Options of both `run` and `dry`."""
    of.add_argument("--python", metavar="PROGRAM", default=None,
                    help="the Python that has the peers' packages (default: $MODESEEK_PYTHON, else python3)")
    of.add_argument("--bin-dir", type=Path, metavar="DIR", default=None,
                    help=f"a folder with {', '.join(kit.PROGRAMS)}, instead of {instead_of}")


def _parts(text: str) -> List[Part]:
    """Parts by name, in their own order."""
    wanted = {name.strip() for name in text.split(",") if name.strip()}
    unknown = sorted(wanted - PARTS.keys())
    if unknown or not wanted:
        raise argparse.ArgumentTypeError(f"no part {', '.join(unknown) or 'is named'}; parts are {', '.join(PARTS)}")
    return [part for name, part in PARTS.items() if name in wanted]


def _device(text: str) -> str:
    """cuda, cuda:N or cpu."""
    if not re.fullmatch(r"cpu|cuda(:\d{1,4})?", text):
        raise argparse.ArgumentTypeError(f"no device {text!r}; devices are cuda, cuda:N and cpu")
    return text


def _minutes(text: str) -> float:
    """A time above 0."""
    try:
        minutes = float(text)
    except ValueError:
        minutes = math.nan
    if not 0.0 < minutes <= 24 * 60:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of minutes above 0, and of a day at most")
    return minutes


def main(given: Sequence[str]) -> int:
    """Does what was typed; gives the exit code."""
    try:
        options = parser().parse_args(list(given))
    except SystemExit as ended:  # argparse has said why
        return WRONG_USAGE if ended.code else 0
    try:
        return COMMANDS[options.command](options, given)
    except Refused as refused:
        print(f"gpu-check: {refused}", file=sys.stderr)
        return refused.code
    except KeyboardInterrupt:
        print("gpu-check: interrupted", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:  # a full disk, a folder that went away
        print(f"gpu-check: {one_line(str(error))}", file=sys.stderr)
        return 1


def do_pack(options: argparse.Namespace, _given: Sequence[str]) -> int:
    """gpu-check pack."""
    root = kit.checkout() or kit.BESIDE
    return pack(options.out.absolute() if options.out else root / kit.PACK)


def do_run(options: argparse.Namespace, given: Sequence[str]) -> int:
    """gpu-check run."""
    if options.list:
        for part in PARTS.values():
            print(f"{part.name:<12} {part.about}")
        return 0
    number = int(options.device.partition(":")[2] or 0)
    gpu = Gpu(number) if options.device.startswith("cuda") else None
    with tempfile.TemporaryDirectory(prefix="gpu-check-") as scratch:
        found = kit.find(Path(scratch), _absolute(options.bin_dir))
        job = Job(found, options.device, Path(scratch), kit.python(options.python), gpu=gpu)
        return engine.start(job, options.parts, 60.0 * options.minutes, ["gpu-check", *given], _absolute(options.out))


def do_dry(options: argparse.Namespace, _given: Sequence[str]) -> int:
    """gpu-check dry."""
    with tempfile.TemporaryDirectory(prefix="gpu-check-") as scratch:
        folder = _absolute(options.out) or Path(scratch)
        if folder.exists() and any(folder.iterdir()):
            raise Refused(f"{folder} is not empty: name another folder with --out", WRONG_USAGE)
        folder.mkdir(parents=True, exist_ok=True)
        return dry.dry(_absolute(options.bin_dir), kit.python(options.python), options.minutes, folder)


def do_report(options: argparse.Namespace, _given: Sequence[str]) -> int:
    """gpu-check report."""
    made = record.load(options.folder)
    path = options.folder / record.REPORT
    try:
        record.replace(path, report.page(made))
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}") from error
    print(f"wrote {path}")
    return 0


def do_readme(options: argparse.Namespace, _given: Sequence[str]) -> int:
    """gpu-check readme."""
    root = kit.checkout()
    if root is None:
        raise Refused("README.md is in the checkout, and this is none")
    return readme.settle_all(root, options.check)


def do_self_test(_options: argparse.Namespace, _given: Sequence[str]) -> int:
    """gpu-check self-test."""
    here = Path(__file__).resolve().parent
    suite = unittest.defaultTestLoader.discover(str(here / "tests"), top_level_dir=str(here.parent))
    return 0 if unittest.TextTestRunner(verbosity=1).run(suite).wasSuccessful() else 1


def _absolute(path: Optional[Path]) -> Optional[Path]:
    """The path, from the root: children run in this folder, too, but records name none."""
    return path.absolute() if path else None


COMMANDS: Dict[str, Callable[[argparse.Namespace, Sequence[str]], int]] = {
    "pack": do_pack, "run": do_run, "dry": do_dry, "report": do_report, "readme": do_readme, "self-test": do_self_test,
}
