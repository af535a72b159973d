"""What the check works with, and where it is: in a packed folder, or in a checkout after a build."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional

from .errors import Refused, one_line

# The folder that holds `gpu-check` and this package: the pack, or scripts/ of a checkout.
BESIDE = Path(__file__).resolve().parents[1]

# Where `pack` makes one, in a checkout.
PACK = "gpu-check-pack"

PROGRAMS = ("modeseek", "conformance", "device")


@dataclass
class Kit:
    """Programs, peers and cases."""

    root: Path
    programs: Dict[str, Path]
    peers: Path
    cases: Dict[str, Any]
    # What pack.json says, or what git and rustc say of a checkout.
    origin: Dict[str, Any] = field(default_factory=dict)
    packed: bool = False

    def records(self) -> Path:
        """Where records go."""
        return self.root / ("record" if self.packed else "benches/record")


def is_pack(folder: Path) -> bool:
    """Whether a folder was made by `gpu-check pack`."""
    return (folder / "pack.json").is_file()


def checkout() -> Optional[Path]:
    """The checkout that this package stands in."""
    root = BESIDE.parent
    return root if (root / "Cargo.toml").is_file() and BESIDE.name == "scripts" else None


def find(scratch: Path, bin_dir: Optional[Path] = None) -> Kit:
    """The pack that this package is in; or its checkout, with the programs of `bin_dir` or of a pack made there.
    A pack's programs are unpacked into `scratch`."""
    if is_pack(BESIDE):
        return packed(BESIDE, scratch, bin_dir)
    root = checkout()
    if root is None:
        raise Refused(f"{BESIDE} is no pack (it has no pack.json) and no checkout; make one there: gpu-check pack")
    if bin_dir is not None:
        return of_checkout(root, in_folder(bin_dir, "--bin-dir names a folder with all three"), origin_of(root))
    made = root / PACK
    if not is_pack(made):
        raise Refused(f"no programs: {made} is no pack; make it with scripts/gpu-check pack, or give --bin-dir")
    pack = packed(made, scratch)
    return of_checkout(root, pack.programs, pack.origin)


def packed(folder: Path, scratch: Path, bin_dir: Optional[Path] = None) -> Kit:
    """The kit of a pack, with its own programs or those of `bin_dir`."""
    origin = read_json(folder / "pack.json")
    if bin_dir is not None:
        programs = in_folder(bin_dir, "--bin-dir names a folder with all three")
        origin = {"programs": "given with --bin-dir: nothing is known of their sources"}
    else:
        programs = unpacked(folder / "bin", scratch / "programs")
    return Kit(folder, programs, folder / "peers", read_json(folder / "cases.json"), origin, packed=True)


def unpacked(packed_in: Path, folder: Path) -> Dict[str, Path]:
    """A pack's programs, which it has compressed. They never stay: programs of an older pack would be mistaken for its own."""
    folder.mkdir()
    for name in PROGRAMS:
        path = packed_in / f"{name}.gz"
        try:
            with gzip.open(str(path)) as packed_program, (folder / name).open("wb") as program:
                shutil.copyfileobj(packed_program, program)
        except (EOFError, zlib.error, gzip.BadGzipFile, FileNotFoundError) as error:
            raise Refused(f"{path} is damaged or missing: make the pack again with gpu-check pack") from error
        (folder / name).chmod(0o755)
    return in_folder(folder, "programs do not run there; name another folder for them with TMPDIR")


def of_checkout(root: Path, programs: Dict[str, Path], origin: Dict[str, Any]) -> Kit:
    """The kit of a checkout, with programs that were built from `origin`."""
    return Kit(root, programs, root / "benches/peers", read_json(root / "benches/cases.json"), origin)


def in_folder(folder: Path, otherwise: str) -> Dict[str, Path]:
    """The three programs in a folder."""
    programs = {name: folder / name for name in PROGRAMS}
    missing = [name for name, path in programs.items() if not os.access(str(path), os.X_OK) or path.is_dir()]
    if missing:
        raise Refused(f"no program {', '.join(missing)} in {folder}: {otherwise}")
    return programs


def read_json(path: Path) -> Dict[str, Any]:
    """An object in a JSON file."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Refused(f"{path} cannot be read: {error}") from error
    if not isinstance(data, dict):
        raise Refused(f"{path} is not a JSON object")
    return data


def origin_of(root: Path) -> Dict[str, Any]:
    """Commit, whether the tree differs from it, and the compiler."""
    status = said(["git", "status", "--porcelain"], root)
    return {
        "commit": said(["git", "rev-parse", "HEAD"], root),
        "dirty": None if status is None else bool(status),
        "rustc": said(["rustc", "--version"], root),
    }


def said(command: List[str], cwd: Path) -> Optional[str]:
    """What a program prints; None where it is not there or fails."""
    try:
        done = subprocess.run(command, cwd=str(cwd), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return one_line(done.stdout.decode("utf-8", "replace"), 10_000)


def python(named: Optional[str]) -> str:
    """The Python for the peers."""
    return named or os.environ.get("MODESEEK_PYTHON") or "python3"
