"""Medians, floors, ratios, the report, and README's blocks."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path
from typing import Any, Callable, Dict, List

from gpu_check import beside, cli, figures, headlines, kit, readme, record, report
from gpu_check.errors import Refused
from gpu_check.spelling import digits, duration, percent, rate, table
from gpu_check.tests.fakes import CASES, row

FMA = row("ceiling/fma", work={"flops": 2e12}, samples=[[1.0]])
EX2 = row("ceiling/ex2", work={"exponentials": 1e11}, samples=[[1.0]])
COPY = row("ceiling/copy", work={"bytes": 1e12}, samples=[[1.0]])
FAILED_CHECK = {"against": "f64 oracle", "error": 1.0, "limit": 1e-5, "measure": "relative l2", "passed": False}


def made(rows: List[Dict[str, Any]], device: str = "cuda", **more: Any) -> Dict[str, Any]:
    """A record."""
    parts = [{"name": "kernels", "state": "passed", "why": [], "seconds": 1.0, "checks": [], "printed": {}}]
    base = {
        "format": record.FORMAT, "date": "2026-12-01T10:00:00Z", "name": "NVIDIA Fake 1", "device": device,
        "rows": rows, "parts": parts, "cases": CASES, "host": {"cpu": "A Processor", "cores": 2},
        "command": "gpu-check run", "minutes": 8,
    }
    return {**base, **more}


def printed(text: str, state: str = "passed") -> List[Dict[str, Any]]:
    """The parts of a record with the main command's output."""
    sample = {"main": {"command": "cargo run", "text": text}}
    return [{"name": "runs", "state": state, "why": [], "seconds": 1.0, "checks": [], "printed": sample}]


def quietly(work: Callable[[], int]) -> int:
    """The exit code, without what is printed."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return work()


class Figures(unittest.TestCase):
    def test_times(self) -> None:
        of = figures.times(row(samples=[[1.0, 2.0, 3.0], [2.0, 4.0]]))
        self.assertEqual((of.median, of.low, of.high, of.count), (2.0, 2.0, 3.0, 5))
        self.assertAlmostEqual(of.drift or 0.0, 0.5)
        alone = figures.times(row(samples=[[5.0]]))
        self.assertEqual((alone.median, alone.low, alone.high, alone.drift), (5.0, 5.0, 5.0, None))

    def test_floors(self) -> None:
        rates = figures.ceilings([FMA, EX2, COPY, row("ceiling/fma", samples=[[0.1]], check=FAILED_CHECK)])
        self.assertEqual(rates, {"cuda": {"fma": 2e12, "ex2": 1e11, "copy": 1e12}})
        on = rates["cuda"]
        # 7 fma-unit operations a pair at 1e12 a second, or 1 exponential at 1e11: the latter bounds.
        self.assertEqual(figures.floor(row(), on, 2), figures.Floor(1e6 / 1e11, "ex2"))
        wide = figures.floor(row(), on, 64)
        self.assertEqual((wide.bound, round(wide.seconds * 1e12)) if wide else None, ("fma", 193000000))
        # Three products for each of two numbers of 64 coordinates, where tensor cores have two halves of a number.
        cores = row("step/9x64", implementation="modeseek, tensor cores, f16 twice")
        found = figures.floor(cores, {"fma": 2e12, "mma": 1e14}, 64)
        self.assertEqual(found, figures.Floor(1e6 * 768 / 1e14, "mma"))
        # A processor does both in the same units.
        both = figures.floor(row(device="cpu"), on, 2)
        self.assertAlmostEqual(both.seconds if both else 0.0, 1e6 * (7 / 1e12 + 1 / 1e11))
        product = row("product/4096", work={"flops": 2e9, "bytes": 1e6})
        self.assertEqual(figures.floor(product, on, None), figures.Floor(1e-3, "fma"))
        # Six products of parts, for the precision of f32.
        parts = row("product/4096", work={"flops": 2e9}, implementation="modeseek, tensor cores, f32 in three parts by wgmma")
        self.assertEqual(figures.floor(parts, {"fma": 2e12, "mma": 1e14}, None), figures.Floor(1.2e-4, "mma"))
        for precision in ("tf32", "tf32x3", "bf16"):
            self.assertIsNone(figures.floor(row("product/4096", work={"flops": 2e9}, precision=precision), on, None))
        flat = figures.floor(row("step/1500x2/flat"), on, 2)
        self.assertEqual(flat.bound if flat else None, "fma")
        self.assertIsNone(figures.floor(row(), {}, 2))

    def test_ratios_only_where_both_passed(self) -> None:
        ours, peer = row(), row(name="torch", samples=[[2e-3], [2e-3]])
        self.assertEqual(figures.ratio(peer, figures.ours([ours, peer])), 2.0)
        half = row(name="torch", samples=[[1e-3]], work={"pairs": 5e5})
        self.assertEqual(figures.ratio(half, ours), 2.0)
        for broken in (row(failed="lost"), row(check=FAILED_CHECK), row(left_out="not here")):
            self.assertIsNone(figures.ours([broken, peer]))
            self.assertIsNone(figures.ratio({**broken, "implementation": "torch"}, ours))
        self.assertIsNone(figures.ratio(ours, ours))

    def test_the_fastest_of_each_precision_stand_beside_each_other(self) -> None:
        def at(name: str, seconds: float, precision: str = "f32") -> Any:
            return row("pairwise/9x9x2", name=name, samples=[[seconds]], precision=precision)

        slow, fast, other = at("modeseek", 3e-3), at("modeseek, in order", 2e-3), at("modeseek, L1", 1e-3)
        rough, flash = at("modeseek, tensor cores, f16", 1e-3, "f16"), at("flash", 2e-3, "bf16")
        peer, alike = at("torch", 4e-3), at("CUDA C++, nvcc, L1", 1e-3)
        lost = {**at("quick", 1e-6), "failed": "lost"}
        found = beside.pairs([slow, fast, other, rough, flash, peer, alike, lost])
        self.assertEqual(found, [(fast, peer), (rough, flash)])
        self.assertEqual([beside.way_of(ours) for ours, _ in found], ["in order", "tensor cores, f16"])
        # Without a peer there is modeseek's f32 alone.
        self.assertEqual(beside.pairs([slow, rough]), [(slow, None)])
        self.assertEqual(beside.pairs([peer, flash]), [])

    def test_dimensions(self) -> None:
        self.assertEqual(figures.dimensions("run/lecture", CASES), 2)
        self.assertEqual(figures.dimensions("step/1500x2/flat", CASES), 2)
        self.assertIsNone(figures.dimensions("step/9x9", CASES))

    def test_spelling(self) -> None:
        self.assertEqual([digits(value) for value in (0, 1234.5, 9.996, 0.012345)], ["0", "1230", "10.0", "0.0123"])
        self.assertEqual([duration(s) for s in (2.5, 0.0123, 1e-6, 0.9999)], ["2.50 s", "12.3 ms", "1.00 us", "1.00 s"])
        self.assertEqual([rate(6.45e9, "pairs"), rate(3.0, "B")], ["6.45 Gpairs/s", "3.00 B/s"])
        self.assertEqual([percent(0.634), percent(0.0123)], ["63 %", "1.2 %"])
        self.assertEqual(table(["a", "b:"], [["x|y\nz", "1"]])[-1], "| x\\|y z | 1 |")


class Report(unittest.TestCase):
    def test_failures_stand_first_and_have_no_ratio(self) -> None:
        rows = [
            FMA, row(), row(name="torch", samples=[[2e-3], [3e-3]]), row(name="fast", precision="bf16"),
            row(name="k-means (yardstick)", samples=[[1e-6]]),
            row(name="wrong", check=FAILED_CHECK),
            {**row(name="lost"), "failed": "the GPU was lost"},
            {"case": "step/1500x2", "implementation": "KeOps", "device": "cuda", "left_out": "there is no pykeops"},
        ]
        text = report.page(made(rows))
        self.assertLess(text.index("## Failed"), text.index("## Machine"))
        for words in (
            "step/1500x2, lost, cuda: the GPU was lost", "KeOps (step/1500x2): there is no pykeops", "+50.0 %",
            "| step/1500x2 | cuda | f32 | 1.00 ms | 1.00 Gpairs/s |  | torch | 2.50 ms | 2.50 | pairs 1e+06 / 1e+06 |",
            "relative l2 1 of 1e-05",
        ):
            self.assertIn(words, text)
        lines = [line for line in text.splitlines() if line.startswith(("| wrong", "| lost", "| modeseek |"))]
        self.assertTrue(lines[-1].startswith("| modeseek"), lines)
        # No floor and no ratio for a wrong result.
        self.assertIn("|  |  | pairs 1e+06 | FAILED", next(line for line in lines if line.startswith("| wrong")))

    def test_no_ratio_without_ours(self) -> None:
        def compared(ours: Dict[str, Any]) -> bool:
            return "modeseek's fastest way, and the fastest peer" in report.page(made([ours, row(name="torch")]))

        self.assertTrue(compared(row()))
        self.assertFalse(compared(row(check=FAILED_CHECK)))

    def test_a_record_that_was_interrupted_early(self) -> None:
        parts = [{"name": "device", "state": "interrupted", "why": [], "seconds": 0.0, "checks": [], "printed": {}}]
        self.assertIn("Interrupted: device", report.page(made([], parts=parts)))


class Records(unittest.TestCase):
    def setUp(self) -> None:
        kept = tempfile.TemporaryDirectory(prefix="gpu-check-test-")
        self.addCleanup(kept.cleanup)
        self.folder = Path(kept.name)

    def test_folders(self) -> None:
        self.assertEqual(record.slug("Intel(R) Xeon(R) Processor"), "intel-xeon-processor")
        self.assertEqual(record.slug("NVIDIA H200"), "nvidia-h200")
        self.assertEqual(record.slug("///"), "unknown")
        for name in ("2026-12-01", "2026-12-01-2", "2026-12-01-3"):
            folder = record.folder_of_the_day(self.folder, "NVIDIA H200", "2026-12-01")
            self.assertEqual(folder, self.folder / "nvidia-h200" / name)
            record.make(folder)

    def test_saved_and_read_again(self) -> None:
        one = made([row(work={"pairs": float("nan")})])
        record.save(self.folder, one)
        self.assertEqual(record.load(self.folder)["rows"][0]["work"], {"pairs": None})
        self.assertEqual(quietly(lambda: cli.main(["report", str(self.folder)])), 0)
        with self.assertRaisesRegex(Refused, "holds a record already"):
            record.make(self.folder)

    def test_what_is_no_record(self) -> None:
        for text in ("", "[]", '{"format": 99, "rows": []}'):
            (self.folder / record.RESULTS).write_text(text, encoding="utf-8")
            with self.assertRaises(Refused):
                record.load(self.folder)
        self.assertEqual(quietly(lambda: cli.main(["report", str(self.folder / "none")])), 1)

    def write(self, slug: str, date: str, one: Dict[str, Any]) -> None:
        """A record in its place."""
        folder = self.folder / "benches/record" / slug / date
        folder.mkdir(parents=True)
        (folder / record.RESULTS).write_text(json.dumps({**one, "date": date}), encoding="utf-8")

    def blocks(self, *names: str) -> str:
        """Blocks of these names, made in both pages; README's."""
        text = "".join(f"a\n<!-- record:{name} -->\nold\n<!-- /record -->\n" for name in names or ("main-command", "speed"))
        paths = [self.folder / page for page in readme.PAGES]
        for path in paths:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self.assertEqual(quietly(lambda: readme.settle_all(self.folder, check=True)), 3)
        self.assertEqual([path.read_text(encoding="utf-8") for path in paths], [text] * len(paths))
        self.assertEqual(quietly(lambda: readme.settle_all(self.folder, check=False)), 0)
        self.assertEqual(quietly(lambda: readme.settle_all(self.folder, check=True)), 0)
        return paths[0].read_text(encoding="utf-8")

    def test_one_page_that_differs_is_enough(self) -> None:
        self.blocks()
        path = self.folder / readme.PAGES[1]
        path.write_text(path.read_text(encoding="utf-8").replace("No record", "A record"), encoding="utf-8")
        self.assertEqual(quietly(lambda: readme.settle_all(self.folder, check=True)), 3)
        path.unlink()
        with self.assertRaisesRegex(Refused, "figures.md cannot be read"):
            quietly(lambda: readme.settle_all(self.folder, check=True))

    def test_readme_without_records_says_so(self) -> None:
        text = self.blocks()
        self.assertIn("No record holds the output of this command yet", text)
        self.assertIn(readme.NO_GPU, text)

    def test_readme_names_the_precision_unless_it_is_f32(self) -> None:
        cores = row("product/4096", work={"flops": 2e9}, implementation="modeseek, tensor cores", precision="tf32")
        beside_it = row("product/4096", name="cuBLAS", work={"flops": 2e9}, precision="tf32", samples=[[2e-3]])
        self.write("gpu", "2026-12-02", made([cores, beside_it], parts=printed("a GPU")))
        self.assertIn("| product/4096 | tf32, tensor cores | 1.00 ms |", self.blocks())

    def test_readme_prefers_the_newest_gpu(self) -> None:
        on_cpu = [row(device="cpu"), row(name="C", device="cpu", samples=[[2e-3]])]
        self.write("cpu", "2026-12-03", made(on_cpu, "cpu", name="A Processor", parts=printed("on the processor")))
        self.write("other", "2026-12-09", {"format": 0, "rows": []})
        text = self.blocks()
        self.assertIn("```console\n$ cargo run\non the processor\n```", text)
        self.assertIn("[record of 2026-12-03](benches/record/cpu/2026-12-03/report.md)", text)
        self.assertIn("| step/1500x2 |  | 1.00 ms | 1.00 Gpairs/s |  | C | 2.00 | pairs 1e+06 / 1e+06 |", text)
        self.assertIn(readme.NO_GPU, text)
        self.write("gpu", "2026-12-01", made([row()], parts=printed("an old GPU")))
        self.write("gpu", "2026-12-02", made([row()], parts=printed("a GPU")))
        self.write("gpu", "2026-12-04", made([row()], parts=printed("tried"), tried=True))
        self.write("gpu", "2026-12-05", made([], parts=printed("failed", "failed")))
        text = self.blocks()
        self.assertIn("$ cargo run\na GPU\n", text)
        self.assertNotIn(readme.NO_GPU, text)

    def test_readme_has_what_the_newest_run_had_no_time_for(self) -> None:
        known = {"cases": {"step": [{"case": "step/1500x2", "d": 2}], "reduce": [{"case": "reduce/9x9x2", "d": 2}]}}
        both = [row(), row("reduce/9x9x2", samples=[[3e-3]])]
        self.write("gpu", "2026-12-01", made([*both, row("step/gone")], parts=printed("a GPU")))
        self.write("gpu", "2026-12-02", made([row("reduce/9x9x2", samples=[[4e-3]])], name="Another", parts=printed("")))
        self.write("gpu", "2026-12-03", {**made([row(samples=[[2e-3]])], parts=printed("a GPU")), **known})
        text = self.blocks()
        self.assertIn("| step/1500x2 |  | 2.00 ms |", text)
        behind = text.split("Cases that it has no figure of, from a run before ([record of 2026-12-01]")
        self.assertEqual(len(behind), 2)
        self.assertIn("| reduce/9x9x2 |  | 3.00 ms |", behind[1])
        # Nothing twice, nothing of another device, and no case that there is no more.
        self.assertNotIn("step/", behind[1])
        self.assertNotIn("4.00 ms", text)

    def test_readme_with_wrong_marks(self) -> None:
        for text in ("no blocks", "<!-- record:speed -->\n", "<!-- record:weather -->\n<!-- /record -->\n"):
            with self.assertRaises(Refused):
                readme.renewed(self.folder / "README.md", text, [])

    def test_headlines_are_in_words_each_from_the_newest_that_has_it(self) -> None:
        self.assertEqual(self.blocks("headlines").splitlines()[2:], [readme.NO_GPU, "<!-- /record -->"])
        both = [row("step/1000000x2", samples=[[3e-3]]), row("reduce/8192x200000x2", samples=[[4e-3]]), row("step/1500x2")]
        self.write("gpu", "2026-12-01", made(both))
        newer = [row("step/1000000x2", samples=[[1e-3]]), row("step/1000000x2", name="KeOps", samples=[[2e-3]])]
        self.write("gpu", "2026-12-02", made(newer))
        self.write("gpu", "2026-12-03", made([row("reduce/8192x200000x2", samples=[[5e-3]])], name="Another"))
        took = {"modeseek": 3.0, "modeseek, as chosen": 0.1, "modeseek, seeded": 0.02, "GridShift": 0.05}
        ways = [row("run/100000x2", name, [[seconds]], device="cpu") for name, seconds in took.items()]
        of_all_pairs = [row("run/lecture", device="cpu"), row("product/4096", device="cpu"), *ways]
        self.write("cpu", "2026-12-03", made(of_all_pairs, "cpu", name="A Processor"))
        lines = self.blocks("headlines").splitlines()
        where = "[2026-12-0{0}](benches/record/gpu/2026-12-0{0}/report.md)"
        step = "| step of 1,000,000 points in 2 dimensions | f32 | 1.00 ms | KeOps | 2.00 | " + where.format(2) + " |"
        sums = "| weighted means: 8,192 x 200,000 weights, 2 columns | f32 | 4.00 ms | none ran |  | " + where.format(1) + " |"
        self.assertEqual(lines[lines.index(step) + 1], sums)
        self.assertEqual(len([line for line in lines if line.startswith("| product of 4,096 x 4,096 matrices")]), 1)
        self.assertIn("| fit of 100,000 points in 2 dimensions | f32 | 100 ms | GridShift | 0.500 |", "\n".join(lines))
        seeded = "| fit of 100,000 points in 2 dimensions, from 117 random seeds | f32 | 20.0 ms | GridShift | 2.50 |"
        self.assertIn(seeded, "\n".join(lines))
        self.assertIn("| the lecture's fit: 1,500 points, five iterations, all pairs | f32 | 1.00 ms |", "\n".join(lines))
        # Cases that are no headlines, and other devices' figures, are not there.
        self.assertFalse([line for line in lines if "step of 1,500" in line or "5.00 ms" in line])

    def test_every_headline_has_words(self) -> None:
        root = kit.checkout()
        if root is None:
            self.skipTest("the cases are in the checkout")
        known = json.loads((root / "benches/cases.json").read_text(encoding="utf-8"))
        cases = {case["case"] for group in known.values() if isinstance(group, list) for case in group}
        for case in headlines.CASES:
            self.assertIn(case, cases)
            self.assertNotIn("/", headlines.in_words(case))
