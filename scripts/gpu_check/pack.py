"""Makes the folder that is carried to the machine with the GPU."""

from __future__ import annotations

import datetime
import gzip
import json
import os
import shutil
from pathlib import Path
from typing import Any, Dict

from . import cargo, elf
from .errors import Refused
from .kit import BESIDE, checkout, is_pack, origin_of

# With a checkout beside it, whose kernels and records have some 15 MB, it has to pass where 64 MB do.
MOST_BYTES = 40_000_000
NEWEST_GLIBC = (2, 36)
IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc", ".mypy_cache", ".ruff_cache")


def pack(out: Path) -> int:
    """Builds, copies, checks; the folder is replaced only where an earlier pack, or nothing, is there."""
    root = checkout()
    if root is None:
        raise Refused("a pack is made in a checkout: it is built from the sources")
    writable(out)
    origin = origin_of(root)
    programs = cargo.build(root, cargo.RELEASE)
    made = out.parent / f".{out.name}.new-{os.getpid()}"
    try:
        described = fill(made, root, programs, origin)
        refuse_unfit(described)
        if out.exists():
            shutil.rmtree(str(out))
        made.rename(out)
    except OSError as error:
        raise Refused(f"{out} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(str(made), ignore_errors=True)
    print(f"{out}: {described['bytes'] / 1e6:.1f} MB, needs glibc {described['glibc']}; there: ./gpu-check run")
    return 0


def writable(out: Path) -> None:
    """Before minutes of building: that there is room for the folder, and that nothing else is lost."""
    if out.exists() and not (out.is_dir() and (is_pack(out) or not any(out.iterdir()))):
        raise Refused(f"{out} is there and is no pack: name another folder with --out")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(f"{out.parent} cannot be made: {error.strerror}") from error
    if not os.access(str(out.parent), os.W_OK):
        raise Refused(f"{out.parent} is not writable: name another folder with --out")


def fill(folder: Path, root: Path, programs: Dict[str, Path], origin: Dict[str, Any]) -> Dict[str, Any]:
    """Copies everything, and describes it in pack.json."""
    (folder / "bin").mkdir(parents=True)
    needs = {}
    for name, path in programs.items():
        try:
            needs[name] = elf.needed_glibc(path)
        except elf.NotElf as error:
            raise Refused(f"the pack is for Linux on 64-bit processors: {error}") from error
        # A third of its size: it is carried more often than it is run.
        (folder / "bin" / f"{name}.gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    shutil.copy2(str(BESIDE / "gpu-check"), str(folder / "gpu-check"))
    shutil.copytree(str(BESIDE / "gpu_check"), str(folder / "gpu_check"), ignore=IGNORED)
    shutil.copytree(str(root / "benches/peers"), str(folder / "peers"), ignore=IGNORED)
    shutil.copy2(str(root / "benches/cases.json"), str(folder / "cases.json"))
    described = {
        **origin,
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "glibc": elf.spelled(max(needs.values())),
        "glibc_needed": {name: elf.spelled(need) for name, need in needs.items()},
        "program_bytes": {name: (folder / "bin" / f"{name}.gz").stat().st_size for name in programs},
        "bytes": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
    }
    (folder / "pack.json").write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
    return described


def refuse_unfit(described: Dict[str, Any]) -> None:
    """A pack that is too large, or that a machine with Debian 12's glibc does not run, is none."""
    if described["bytes"] > MOST_BYTES:
        sizes = ", ".join(f"{name} {size / 1e6:.1f}" for name, size in described["program_bytes"].items())
        most = MOST_BYTES / 1e6
        raise Refused(f"the pack has {described['bytes'] / 1e6:.1f} MB (in it: {sizes}), more than {most:.0f}")
    for name, need in described["glibc_needed"].items():
        if need != "none" and tuple(int(part) for part in need.split(".")) > NEWEST_GLIBC:
            newest = elf.spelled(NEWEST_GLIBC)
            raise Refused(f"{name} needs glibc {need}, newer than {newest}: build on an older system")
