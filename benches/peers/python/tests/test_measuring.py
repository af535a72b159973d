"""What measures: rows and their file, passes, the subset of queries, batches, the time limit, peers that raise."""

import contextlib
import io
import json
import os
import tempfile
import unittest

import numpy as np

from tests import exported
import run
from peers.interface import Peer, Prepared
from rig import cases, measure, oracle, rounds, timing
from rig.results import Results
from rig.setting import Setting


class Direct(Peer):
    """The oracle itself, as a peer; `batches` records what it was asked."""

    key = name = "direct"
    kinds = ("step",)
    needs = ()

    refusals = ("No available kernel",)

    def __init__(self, error=None, fits=1 << 30, start=64, wrong=0.0):
        self.error, self.fits, self.start, self.wrong, self.asked = error, fits, start, wrong, []

    def prepare(self, case, inputs, setting):
        points = case.array("points")

        def call(queries, batch):
            self.asked.append((queries, batch))
            if self.error:
                raise self.error
            if batch > self.fits:
                raise RuntimeError("CUDA out of memory. Tried to allocate 5 GiB")
            return oracle.step(points, points[:queries], case.h) + self.wrong

        return Prepared(call, self.start)


class Slow:
    """A clock for which every query takes so long."""

    name = "wall clock"

    def __init__(self, peer, seconds):
        self.peer, self.of_query = peer, seconds

    def seconds(self, call, repeats=1):
        call()
        return self.peer.asked[-1][0] * self.of_query


class Measuring(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        quiet = contextlib.redirect_stderr(io.StringIO())
        quiet.__enter__()
        self.addCleanup(quiet.__exit__, None, None, None)
        folder = exported.Folder(self.folder.name)
        folder.step("step/200000x2", 300, 2, checked=50)
        folder.step("step/1000000x2", 200, 2)
        folder.write()
        self.out = os.path.join(self.folder.name, "rows.json")

    def rounds(self, *peers, **options):
        given = ["--data", self.folder.name, "--out", self.out, "--seconds", "0.001"]
        for key, value in options.items():
            given += ["--" + key] + ([] if value is True else [str(value)])
        made = rounds.Rounds(run.arguments(given), Setting("cpu", bool(options.get("tried"))))
        made.peers = list(peers)
        return made

    def rows(self):
        with open(self.out, encoding="utf-8") as file:
            return json.load(file, parse_constant=lambda name: self.fail(name + " is no JSON"))["rows"]

    def test_rows_have_what_the_report_reads(self):
        self.assertEqual(self.rounds(Direct()).all(), 0)
        first, second = self.rows()
        self.assertEqual([first["case"], second["case"]], ["step/200000x2", "step/1000000x2"])
        self.assertEqual(first["work"], {"pairs": 90000.0})
        self.assertEqual(first["timer"], "wall clock")
        self.assertEqual(len(first["samples_s"]), 2)
        for one_pass in first["samples_s"]:
            self.assertGreaterEqual(len(one_pass), timing.LEAST)
            self.assertTrue(all(seconds > 0 for seconds in one_pass))
        self.assertTrue(first["check"]["passed"])
        self.assertEqual(first["check"]["against"], "modeseek")

    def test_a_wrong_or_nan_result_does_not_pass(self):
        for wrong in (0.01, float("nan")):
            self.rounds(Direct(wrong=wrong)).all()
            self.assertEqual([row["check"]["passed"] for row in self.rows()], [False, False])

    def test_a_peer_that_raises_ends_itself_alone(self):
        bad = Direct(error=ValueError("bad\nluck"))
        bad.name = "bad"
        self.rounds(bad, Direct()).all()
        failed = [row for row in self.rows() if row["implementation"] == "bad"]
        self.assertEqual([row["failed"] for row in failed], ["ValueError: bad luck"] * 2)
        self.assertEqual(sum("samples_s" in row for row in self.rows()), 2)

    def test_a_library_without_a_kernel_is_left_out(self):
        peer = Direct(error=RuntimeError("No available kernel. Aborting execution."))
        self.rounds(peer, cases="step/1000000x2").all()
        self.assertEqual([row.get("left_out") for row in self.rows()], ["RuntimeError: " + str(peer.error)])
        self.assertNotIn("failed", self.rows()[0])

    def test_the_late_have_their_turn_after_all_cases(self):
        first, late, processor = Direct(), Direct(), Direct()
        late.name, late.late = "late", True
        processor.name, processor.processor_only = "processor", True
        self.assertEqual([peer.turn(Setting("cuda", False)) for peer in (first, late, processor)], [0, 1, 2])
        self.assertEqual(processor.turn(Setting("cpu", False)), 0)
        self.rounds(late, first).all()
        self.assertEqual([row["implementation"] for row in self.rows()], ["direct", "direct", "late", "late"])

    def test_a_later_pass_that_raises_keeps_the_first(self):
        peer = Direct()
        made = self.rounds(peer, cases="step/1000000x2")
        take, taken = measure.Measurement.take, []

        def fails_later(measurement, seconds):
            taken.append(1)
            if len(taken) > 1:
                raise RuntimeError("lost")
            return take(measurement, seconds)

        measure.Measurement.take = fails_later
        self.addCleanup(setattr, measure.Measurement, "take", take)
        made.all()
        (row,) = self.rows()
        self.assertEqual(len(row["samples_s"]), 1)

    def test_after_the_time_limit_all_is_left_out(self):
        self.rounds(Direct(), minutes=0).all()
        self.assertEqual([row["left_out"] for row in self.rows()], ["time limit of 0 minutes"] * 2)

    def test_batches_are_halved_while_memory_runs_out(self):
        peer = Direct(fits=20)
        self.rounds(peer).all()
        self.assertEqual([batch for _, batch in peer.asked[:3]], [64, 32, 16])
        self.assertIn("batch 16", self.rows()[0]["note"])
        self.rounds(Direct(fits=0)).all()
        self.assertEqual([row["left_out"] for row in self.rows()], ["out of memory"] * 2)

    def test_long_repeats_take_the_first_queries(self):
        case = cases.read(self.folder.name)[0]
        for seconds, expected in ((1e-6, 300), (0.01, 192), (1.0, 64)):
            peer = Direct()
            measurement = measure.Measurement(peer, case, None, Setting("cpu", False))
            measurement.clock = Slow(peer, seconds)
            row = measurement.begin()
            self.assertEqual(measurement.queries, expected)
            # The last call before the samples is with as many, so that what is compiled for it is none of them.
            self.assertEqual(peer.asked[-1][0], expected)
            self.assertEqual(row["work"]["pairs"], expected * 300.0)
            self.assertEqual("first %d queries of 300" % expected in row["note"], expected < 300)

    def test_few_queries_that_fill_no_device_are_not_what_is_timed(self):
        case = cases.read(self.folder.name)[0]
        peer = Direct(start=8)
        measurement = measure.Measurement(peer, case, None, Setting("cpu", False))
        # Fifty take as long as all, so that 120 seem to fit.
        measurement.clock = Slow(peer, 0.0)
        measurement.clock.seconds = lambda call, repeats=1: (call(), 0.8)[1]
        measurement.begin()
        self.assertEqual([queries for queries, _ in peer.asked], [50, 50, 120, 300])
        self.assertEqual(measurement.queries, 300)

    def test_steps_on_cuda_are_shorter(self):
        case = cases.read(self.folder.name)[0]
        setting = Setting("cpu", False)
        peer = Direct(start=8)
        measurement = measure.Measurement(peer, case, None, setting)
        measurement.clock, measurement.synchronize = Slow(peer, 0.005), lambda: None
        measurement.begin()
        self.assertEqual(measurement.queries, 300)
        setting.device = "cuda"
        measurement.setting.alive = measurement.setting.allow_tf32 = lambda *_: True
        measurement.begin()
        # 0.3 s, in whole batches.
        self.assertEqual(measurement.queries, 56)

    def test_compiling_is_for_two_cases_on_cuda(self):
        from peers import torch_compiled
        from peers.interface import COMPILED_CASES

        for peer in (torch_compiled.CompiledLecture(), torch_compiled.CompiledExpert()):
            self.assertEqual(peer.turn(Setting("cuda", False)), 1)
            for name, refused in ((COMPILED_CASES[0], False), (COMPILED_CASES[1], False), ("step/1000000x2", True)):
                case = cases.Case(name, "step", {}, "")
                self.assertEqual(bool(peer.refuses(case, Setting("cuda", False))), refused, name)
                self.assertIsNone(peer.refuses(case, Setting("cpu", False)))

    def test_a_slow_repeat_is_taken_once(self):
        peer = Direct()
        peer.asked.append((1, 1))
        self.assertEqual(timing.sample(Slow(peer, 3.0), lambda: None, 0.5), [3.0])
        self.assertGreater(len(timing.sample(Slow(peer, 1.5), lambda: None, 0.5)), 1)
        self.assertEqual(timing.sample(Slow(peer, 1.5), lambda: None, 0.5, slow=timing.SLOW["cuda"]), [1.5])

    def test_resuming_keeps_rows_and_adds_the_missing(self):
        self.rounds(Direct(), cases="step/1000000x2").all()
        before = self.rows()
        self.rounds(Direct(), resume=True).all()
        self.assertEqual(len(self.rows()), 2)
        self.assertEqual(self.rows()[0], before[0])

    def test_what_is_not_installed_is_named(self):
        absent = Direct()
        absent.needs = ("no_such_module",)
        self.rounds(absent).all()
        self.assertEqual([row["left_out"] for row in self.rows()], ["no_such_module is not installed"] * 2)


class Files(unittest.TestCase):
    def test_no_nan_is_written(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "rows.json")
            results = Results(path, {})
            results.put({"case": "a", "implementation": "b", "check": {"error": float("nan")}})
            results.put({"case": "a", "implementation": "b", "check": {"error": float("inf")}})
            with open(path, encoding="utf-8") as file:
                self.assertEqual(json.load(file)["rows"][0]["check"], {"error": None})
            self.assertEqual(os.listdir(folder), ["rows.json"])

    def test_data_that_are_not_exported_are_drawn(self):
        case = cases.Case("product/8192", "product", dict(m=3, k=4, n=5, drawn=True), "")
        self.assertEqual((case.array("a").shape, case.array("b").shape), ((3, 4), (4, 5)))
        self.assertFalse(np.array_equal(case.array("a").ravel()[:12], case.array("b").ravel()[:12]))
        with self.assertRaises(KeyError):
            case.array("points")

    def test_the_important_come_first(self):
        names = ["step/1500x2", "product/4096", "run/lecture", "step/200000x2", "step/153600x64"]
        ordered = sorted(names, key=cases.importance)
        self.assertEqual(ordered, ["step/200000x2", "run/lecture", "step/153600x64", "product/4096", "step/1500x2"])

    def test_an_unknown_peer_is_refused(self):
        from peers import chosen

        with self.assertRaises(SystemExit):
            chosen(["no-such-peer"])


if __name__ == "__main__":
    unittest.main()
