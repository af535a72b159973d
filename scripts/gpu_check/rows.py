"""Result files: what the benchmarks and the peers write, read with suspicion."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List

from .errors import one_line

Row = Dict[str, Any]

# A measured row must have these; `left_out` and `failed` rows only the first three.
NAMES = ("case", "implementation", "device")


# How the reason begins of what was left out because the time was over.
TIME_LIMIT = "time limit"


@dataclass
class ResultFile:
    """One result file."""

    machine: Dict[str, Any] = field(default_factory=dict)
    rows: List[Row] = field(default_factory=list)
    problems: List[str] = field(default_factory=list)


def read(path: Path) -> ResultFile:
    """Reads a result file; what is wrong with it is told, and rows that are wrong become failed ones."""
    found = ResultFile()
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        found.problems.append(f"{path.name} was not written")
        return found
    except (OSError, ValueError) as error:
        found.problems.append(one_line(f"{path.name} cannot be read: {error}"))
        return found
    if not isinstance(data, dict) or not isinstance(data.get("rows", []), list):
        found.problems.append(f"{path.name} is not an object with rows")
        return found
    machine = data.get("machine")
    found.machine = finite(machine) if isinstance(machine, dict) else {}
    for number, row in enumerate(data.get("rows", [])):
        if not isinstance(row, dict) or not all(isinstance(row.get(name), str) for name in NAMES):
            found.problems.append(f"row {number} of {path.name} has not {', '.join(NAMES)}")
            continue
        found.rows.append(sound(row))
    return found


def sound(row: Row) -> Row:
    """The row, or a failed row that says what is wrong with it."""
    wrong = fault(row)
    clean: Row = finite(row)
    if wrong and "failed" not in row:
        clean["failed"] = wrong
    return clean


def fault(row: Row) -> str:
    """What makes a row worthless; nothing where it is whole, even where its check did not pass."""
    if "left_out" in row or "failed" in row:
        reason = row.get("failed", row.get("left_out"))
        return "" if isinstance(reason, str) and reason.strip() else "it gives no reason"
    samples = row.get("samples_s")
    if not isinstance(samples, list) or not samples or not all(isinstance(one, list) and one for one in samples):
        return "samples_s is not a list of passes that each have samples"
    if not all(is_number(sample) and sample > 0 for one in samples for sample in one):
        return "a sample is not a positive number of seconds"
    work = row.get("work", {})
    if not isinstance(work, dict) or not all(is_number(amount) and amount >= 0 for amount in work.values()):
        return "work is not a table of amounts"
    check = row.get("check")
    if check is not None and not (isinstance(check, dict) and isinstance(check.get("passed"), bool)):
        return "check does not say whether it passed"
    return ""


def is_number(value: Any) -> bool:
    """A finite number; JSON as Python reads it has NaN and infinities, too."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def finite(value: Any) -> Any:
    """The value with null for every number that JSON does not have."""
    if isinstance(value, dict):
        return {str(key): finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [finite(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def check_failed(row: Row) -> str:
    """Why the row's check did not pass; nothing where it passed, or where there was none."""
    check = row.get("check")
    if not check:
        return ""
    error, limit = check.get("error"), check.get("limit")
    # Whoever wrote the row may have compared in a way that lets NaN pass.
    if check["passed"] and (limit is None or is_number(error) and is_number(limit) and error <= limit):
        return ""
    shown = "not a number" if not is_number(error) else f"{error:.3g}"
    bound = f", its limit {limit:.3g}" if is_number(limit) else ""
    return one_line(f"{check.get('measure', 'error')} against {check.get('against', 'the oracle')} is {shown}{bound}")


def failure(row: Row) -> str:
    """Why a row counts as failed; nothing where it does not."""
    if "failed" in row:
        return str(row["failed"])
    if "left_out" in row:
        return ""
    wrong = check_failed(row)
    return f"check: {wrong}" if wrong else ""


def not_reached(row: Row) -> bool:
    """Whether a row was left out because the time was over."""
    return str(row.get("left_out", "")).startswith(TIME_LIMIT)


def measured(row: Row) -> bool:
    """Whether there are times that count: it ran, and its check, where there is one, passed."""
    return "left_out" not in row and not failure(row)
