"""The result file: a JSON object of a machine and rows, complete after every row."""

from __future__ import annotations

import json
import math
import os


class Results:
    """Rows by case and implementation. Every change is written beside the file and renamed over it."""

    def __init__(self, path: str, machine: dict, rows: list[dict] | None = None):
        self.path = path
        self.machine = machine
        self.rows = list(rows or [])

    @classmethod
    def resume(cls, path: str, machine: dict) -> "Results":
        """The rows that an earlier process left."""
        with open(path, encoding="utf-8") as file:
            return cls(path, machine, json.load(file)["rows"])

    def has(self, case: str, implementation: str) -> bool:
        """Whether there is such a row."""
        return any(row["case"] == case and row["implementation"] == implementation for row in self.rows)

    def put(self, row: dict) -> None:
        """Adds a row, or replaces the one of the same case and implementation."""
        row = without_nan(row)
        for place, old in enumerate(self.rows):
            if (old["case"], old["implementation"]) == (row["case"], row["implementation"]):
                self.rows[place] = row
                break
        else:
            self.rows.append(row)
        self.write()

    def write(self) -> None:
        """Writes the file."""
        beside = self.path + ".part"
        with open(beside, "w", encoding="utf-8") as file:
            json.dump({"machine": self.machine, "rows": self.rows}, file, indent=1, allow_nan=False)
            file.write("\n")
        os.replace(beside, self.path)


def without_nan(value):
    """JSON has no NaN and no infinity: null stands for them."""
    if isinstance(value, dict):
        return {key: without_nan(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def one_line(error: BaseException) -> str:
    """An error as a row tells it."""
    text = " ".join(str(error).split())
    return "%s: %s" % (type(error).__name__, text[:200]) if text else type(error).__name__
