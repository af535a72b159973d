"""Everything but scikit-learn itself: reading, turns, figures, the record, the command line."""

from __future__ import annotations

import array
import contextlib
import io
import json
import os
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any, Dict, List
from unittest import mock

from beside_scikit_learn import cli, measure
from beside_scikit_learn.cases import CASES, Blobs, Case, read
from beside_scikit_learn.page import page
from beside_scikit_learn.sides import Fit, Ours, Theirs, fit_of
from gpu_check.errors import Refused

REPORT = {
    "seconds": {"open_device": 9.0, "generate": 9.0, "prepare": 0.25, "iterate": 1.0, "label": 0.5, "download": 0.25},
    "clusters": [{"size": 2, "mode": [0.0, 1.0]}, {"size": 1, "mode": [9.0, 9.0]}],
    "adjusted_rand_index": 0.5, "iterations": 7, "converged": True,
}

# Stand-ins for the programs; both leave what they were called with.
MODESEEK = """#!{python}
import json, os, sys
open({log!r}, "a").write(" ".join(sys.argv[1:]) + "\\n")
if os.environ.get("FAKE") == "exit":
    sys.exit("modeseek: no such device")
print("{{}}" if os.environ.get("FAKE") == "empty" else {report!r})
"""
DEVICE = """#!{python}
import array, os, sys
given = dict(zip(sys.argv[2::2], sys.argv[3::2]))
n = int(given["--points"]) - (os.environ.get("FAKE") == "short")
os.makedirs(given["--out"], exist_ok=True)
open(os.path.join(given["--out"], "points.f32"), "wb").write(array.array("f", range(2 * n)).tobytes())
open(os.path.join(given["--out"], "labels.u32"), "wb").write(array.array("I", [0] * n).tobytes())
"""


def fit(seconds: float, centres: List[List[float]]) -> Fit:
    return Fit(seconds, len(centres), 1.0, 3, centres)


class Recorder:
    """A side that takes as long as it is told, and says when it was called."""

    def __init__(self, name: str, seconds: List[float], centres: List[List[float]], calls: List[str]) -> None:
        self.name, self.seconds, self.centres, self.calls = name, list(seconds), centres, calls

    def fit(self, _case: Case, _blobs: Blobs) -> Fit:
        self.calls.append(self.name)
        return fit(self.seconds.pop(0), self.centres)


class FakeTheirs:
    """scikit-learn's side without it."""

    version = "0.0"

    def __init__(self, jobs: int) -> None:
        self.jobs, self.name = jobs, f"scikit-learn, n_jobs={jobs}"

    def fit(self, _case: Case, _blobs: Blobs) -> Fit:
        return fit(4.0 * self.jobs, [[0.0, 1.0], [9.0, 8.5]])


def scratch(case: unittest.TestCase) -> Path:
    """A folder that is gone after the test."""
    folder = tempfile.TemporaryDirectory()
    case.addCleanup(folder.cleanup)
    return Path(folder.name)


class Reading(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = scratch(self)

    def write(self, points: int, labels: int) -> None:
        (self.folder / "points.f32").write_bytes(array.array("f", [0.5] * points).tobytes())
        (self.folder / "labels.u32").write_bytes(array.array("I", [3] * labels).tobytes())

    def test_points_and_labels(self) -> None:
        self.write(4, 2)
        blobs = read(self.folder)
        self.assertEqual((len(blobs), list(blobs.points), list(blobs.labels)), (2, [0.5] * 4, [3, 3]))

    def test_what_does_not_fit_together_is_refused(self) -> None:
        for points, labels in ((3, 2), (0, 0)):
            self.write(points, labels)
            with self.assertRaisesRegex(Refused, f"{points} coordinates for {labels} points"):
                read(self.folder)
        (self.folder / "points.f32").write_bytes(b"abc")
        with self.assertRaisesRegex(Refused, "cannot be read"):
            read(self.folder)

    def test_the_time_of_a_fit_is_without_the_data(self) -> None:
        self.assertEqual(fit_of(REPORT), Fit(2.0, 2, 0.5, 7, [[0.0, 1.0], [9.0, 9.0]]))
        with self.assertRaisesRegex(ValueError, "did not converge"):
            fit_of({**REPORT, "converged": False})


class Turns(unittest.TestCase):
    def compared(self, ours: List[float], theirs: List[float], others: List[float]) -> Dict[str, Any]:
        self.calls: List[str] = []
        blobs = Blobs(array.array("f", [0.0] * 4), array.array("I", [0, 0]))
        mine = Recorder("modeseek", ours, [[0.0, 0.0], [10.0, 0.0]], self.calls)
        one = Recorder("one way", theirs, [[0.5, 0.0]], self.calls)
        other = Recorder("another", others, [[9.9, 0.0]], self.calls)
        return measure.compare(CASES["all-2000"], blobs, (mine, [one, other]), len(ours) - 1, lambda _line: None)

    def test_sides_fit_by_turns_and_the_first_does_not_count(self) -> None:
        made = self.compared([100.0, 1.0, 2.0, 3.0], [500.0, 9.0, 8.0, 7.0], [0.0, 6.0, 6.0, 6.0])
        self.assertEqual(self.calls, ["modeseek", "one way", "another"] * 4)
        self.assertEqual(made["modeseek"]["samples_s"], [1.0, 2.0, 3.0])
        self.assertEqual(made["modeseek"]["warm_up_s"], 100.0)
        self.assertEqual([(side["name"], side["median_s"]) for side in made["scikit_learn"]],
                         [("one way", 8.0), ("another", 6.0)])
        # The fastest of the others counts.
        self.assertEqual(made["ratio"], 3.0)

    def test_centres_are_apart_by_the_farthest_of_the_nearest(self) -> None:
        self.assertAlmostEqual(self.compared([1.0, 1.0], [1.0, 1.0], [1.0, 1.0])["modes_apart"], 0.1)
        self.assertEqual(measure.apart([], [[0.0]]), float("inf"))
        self.assertEqual(measure.apart([[0.0], [7.0]], [[1.0]]), 6.0)


class Command(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = scratch(self)
        self.log = self.folder / "log"
        for name, text in (("modeseek", MODESEEK), ("device", DEVICE)):
            program = self.folder / name
            program.write_text(text.format(python=sys.executable, log=str(self.log), report=json.dumps(REPORT)))
            program.chmod(0o755)

    def call(self, *words: str, fake: str = "", theirs: Any = FakeTheirs) -> "tuple[int, str, str]":
        out, errors = io.StringIO(), io.StringIO()
        with mock.patch.object(cli, "Theirs", theirs), mock.patch.dict(os.environ, FAKE=fake):
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
                code = cli.main(list(words))
        return code, out.getvalue(), errors.getvalue()

    def measure(self, *words: str, fake: str = "") -> "tuple[int, str, str]":
        return self.call("--bin-dir", str(self.folder), "--out", str(self.folder / "record"), *words, fake=fake)

    def test_a_record(self) -> None:
        code, out, _ = self.measure("--tried", "--repeats", "2", "--cases", "bins-100000,all-2000")
        self.assertEqual(code, 0)
        record = json.loads((self.folder / "record" / cli.RESULTS).read_text(encoding="utf-8"))
        self.assertEqual([case["case"] for case in record["cases"]], ["all-2000", "bins-100000"])
        for case in record["cases"]:
            self.assertEqual((case["ratio"], case["modes_apart"]), (2.0, 0.1))
            self.assertEqual(len(case["modeseek"]["samples_s"]), 2)
            self.assertEqual([side["median_s"] for side in case["scikit_learn"]], [8.0, 4.0])
        text = (self.folder / "record" / cli.REPORT).read_text(encoding="utf-8")
        self.assertEqual(text, page(record))
        self.assertIn(text, out)
        for shown in ("| all-2000 | 300 | every point | 2.00 s", "| bins-100000 | 600 | occupied bins |", "tried ones"):
            self.assertIn(shown, text)

    def test_the_program_is_told_what_scikit_learn_does(self) -> None:
        self.measure("--tried", "--repeats", "1", "--jobs", "7")
        lines = self.log.read_text(encoding="utf-8").splitlines()
        self.assertEqual(len(lines), 6)
        for line in lines:
            self.assertIn("--form standard --kernel flat --merging densest --bandwidth 5.0", line)
            self.assertIn("--device cpu --threads 7 --json", line)
        self.assertIn("--points 300 --dim 2", lines[0])
        self.assertIn("--seeding every-point", lines[0])
        self.assertIn("--seeding bins", lines[-1])

    def test_what_goes_wrong_is_one_line(self) -> None:
        for fake, why in (
            ("exit", "modeseek exits 1: modeseek: no such device"), ("empty", "report is not as expected"),
            ("short", "wrote 299 points, not 300"),
        ):
            code, _, errors = self.measure("--tried", "--cases", "all-2000", fake=fake)
            self.assertEqual((code, len(errors.splitlines())), (1, 1), errors)
            self.assertIn(why, errors)
            self.assertFalse((self.folder / "record" / cli.RESULTS).exists())

    def test_without_scikit_learn(self) -> None:
        with mock.patch.dict(sys.modules, {"numpy": None, "sklearn": None}):
            code, out, errors = self.call("--bin-dir", str(self.folder), theirs=Theirs)
        self.assertEqual((code, out, len(errors.splitlines())), (1, "", 1))
        self.assertIn("scikit-learn is needed", errors)
        self.assertIn("requirements.txt", errors)

    def test_wrong_usage(self) -> None:
        for words in (["--cases", "all-3"], ["--cases", ","], ["--repeats", "0"], ["--jobs", "x"], ["--fast"]):
            self.assertEqual(self.call(*words)[0], 2, words)
        code, out, _ = self.call("--help")
        self.assertEqual(code, 0)
        self.assertIn("Exit status", out)

    def test_programs_that_are_not_there(self) -> None:
        (self.folder / "device").unlink()
        code, _, errors = self.measure()
        self.assertEqual(code, 1)
        self.assertIn("no program device in", errors)

    def test_records_never_replace_one_another(self) -> None:
        first = cli.folder_of_the_day(self.folder, "Some CPU (R) 7", "2026-01-01")
        self.assertEqual(first, self.folder / "some-cpu-7" / "2026-01-01")
        cli.make(first)
        cli.save(first, {**RECORD, "cases": []})
        second = cli.folder_of_the_day(self.folder, "Some CPU (R) 7", "2026-01-01")
        self.assertEqual(second.name, "2026-01-01-2")
        with self.assertRaisesRegex(Refused, "holds a record already"):
            cli.make(first)


RECORD = {
    "date": "2026-01-01T00:00:00Z", "host": {"cpu": "a", "cores": 2, "kernel": "k"}, "scikit_learn": "1", "n_jobs": [1],
    "threads": 1, "device": "cpu", "python": "3", "origin": {}, "command": "c",
    "load_average_before": None, "load_average_after": None,
}


class TheProgram(unittest.TestCase):
    def test_its_command(self) -> None:
        command = Ours(Path("/x/modeseek"), "cuda", 3).command(CASES["bins-100000"], 5)
        self.assertEqual(command[:3], ["/x/modeseek", "--points", "5"])
        self.assertIn("cuda", command)


if __name__ == "__main__":
    unittest.main()
