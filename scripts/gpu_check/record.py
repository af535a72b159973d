"""Records: where they are, how they are written, and how they are read again."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any, Dict, List, Optional

from . import report
from .errors import Refused, one_line
from .rows import finite

# Changes when a reader of older records would misunderstand newer ones.
FORMAT = 1
RESULTS, REPORT = "results.json", "report.md"

Record = Dict[str, Any]


def slug(name: str) -> str:
    """A folder's name for a device: `nvidia-h200` of `NVIDIA H200`; marks such as (R) are left out."""
    plain = re.sub(r"\([a-z]*\)", "", name.lower())
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "unknown"


def folder_of_the_day(records: Path, name: str, date: str) -> Path:
    """The folder of a new record: the date, with -2, -3 and so on behind it where there is one already."""
    base = records / slug(name)
    for number in range(1, 1000):
        folder = base / (date if number == 1 else f"{date}-{number}")
        if not folder.exists():
            return folder
    raise Refused(f"{base} has a thousand records of {date}")


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


def save(folder: Path, record: Record) -> None:
    """Writes both files, each whole or not at all: what was saved before stays where the disk is full."""
    text = json.dumps(finite(record), indent=1, allow_nan=False) + "\n"
    replace(folder / RESULTS, text)
    replace(folder / REPORT, readable(json.loads(text)))


def readable(record: Record) -> str:
    """The report; where it cannot be made of something unforeseen, a page that says so ends no run."""
    try:
        return report.page(record)
    except Exception as error:
        why = one_line(f"{type(error).__name__}: {error}")
        return f"# GPU check\n\nThe report could not be made ({why}); {RESULTS} has everything.\n"


def replace(path: Path, text: str) -> None:
    """Writes beside the file, and renames."""
    beside = path.with_name(f".{path.name}.new")
    try:
        with open(beside, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError:
        try:
            beside.unlink()
        except OSError:
            pass
        raise


def load(folder: Path) -> Record:
    """A record's results.json."""
    path = folder / RESULTS
    if not path.is_file():
        raise Refused(f"{folder} holds no {RESULTS}")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Refused(f"{path} cannot be read: {error}") from error
    if not ours(record):
        raise Refused(f"{path} is no record of gpu-check, format {FORMAT}")
    return dict(record)


def ours(record: Any) -> bool:
    """Whether this was written by this check; other benchmarks keep records beside ours."""
    return isinstance(record, dict) and record.get("format") == FORMAT and isinstance(record.get("rows"), list)


def all_of(records: Path) -> List[Record]:
    """All records of the check under a folder, the newest first; `folder` is where each was found."""
    found = []
    for path in sorted(records.glob(f"*/*/{RESULTS}")):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise Refused(f"{path} cannot be read: {error}") from error
        if ours(record):
            record["folder"] = path.parent
            found.append(record)
    return sorted(found, key=lambda record: (str(record.get("date", "")), str(record["folder"])), reverse=True)


def newest(records: List[Record], on_gpu: bool) -> Optional[Record]:
    """The newest record of a GPU, or of a processor."""
    return next((record for record in records if record["device"].startswith("cuda") == on_gpu), None)
