"""Every peer that can run here against f64, on small data; and the schemes' own claims."""

import os
import sys
import tempfile
import types
import unittest
import unittest.mock

import numpy as np

from tests import exported
from peers import all_peers, grid, grid_runs, merging, seeded_runs, sklearn_runs, triton_tiles
from peers.interface import COMPILED_CASE
from peers.keops import KeOps, use_shared_library
from rig import cases, measure, oracle
from rig.results import without_nan
from rig.rounds import missing
from rig.setting import Inputs, Setting, installed

WITHOUT_TORCH = unittest.skipUnless(installed("torch"), "torch is not installed")


class Everyone(unittest.TestCase):
    def test_keys_and_names_are_unique(self):
        peers = all_peers()
        self.assertEqual(len({peer.key for peer in peers}), len(peers))
        self.assertEqual(len({(kind, peer.name) for peer in peers for kind in peer.kinds}), len(peers))
        self.assertFalse([peer.key for peer in peers if "," in peer.key or not peer.key])

    def test_every_peer_is_right_at_every_case(self):
        setting, reached = Setting("cpu", True), set()
        with tempfile.TemporaryDirectory() as folder:
            for case in cases.read(exported.tried(folder)):
                inputs = Inputs(case, setting)
                for peer in all_peers():
                    if case.kind not in peer.kinds or not peer.suits(case) or missing(peer, setting):
                        continue
                    if peer.refuses(case, setting) or self.too_long(peer, case):
                        continue
                    with self.subTest(case=case.name, peer=peer.key):
                        row = measure.Measurement(peer, case, inputs, setting).begin()
                        self.assertTrue(row["check"]["passed"], row["check"])
                        self.assertEqual(without_nan(row), row)
                        reached.add(peer.key)
        for peer in all_peers():
            if not missing(peer, setting) and peer.key != "lecture-largest":
                self.assertIn(peer.key, reached)

    def test_the_lecture_s_batch_is_what_fits_a_processor(self):
        from peers.torch_lecture import Lecture, bytes_of_query

        case = types.SimpleNamespace(n=153_600, d=64)
        for device, queries, expected in (("cpu", 2000, 1024), ("cpu", 1000, 512), ("cpu", 0.5, 1), ("cuda", 1000, 1024)):
            setting = types.SimpleNamespace(device=device, free_bytes=lambda q=queries: q * bytes_of_query(case.n, case.d))
            self.assertEqual(Lecture().batch(case, setting), expected)

    def too_long(self, peer, case) -> bool:
        """Peers that take long wherever they run are tried at one case each."""
        if peer.key == "sklearn-meanshift":
            return case.name != "run/37749x32"
        return peer.key == "keops" and case.name != COMPILED_CASE


@WITHOUT_TORCH
class Steps(unittest.TestCase):
    def setUp(self):
        import torch

        self.points, _ = exported.blobs(700, 3)
        self.h = exported.bandwidth(3)
        self.tensor = torch.from_numpy(self.points)
        self.expected = oracle.step(self.points, self.points, self.h)

    def test_batches_do_not_matter(self):
        from peers import torch_compiled, torch_expert, torch_lecture

        bias = torch_expert.bias_of(self.tensor, self.h)
        for batches in (torch_lecture.in_batches, torch_compiled.in_full_batches):
            for move in (
                lambda x: torch_lecture.move(x, self.tensor, self.h),
                lambda x: torch_expert.move(x, self.tensor, bias, self.h),
            ):
                for queries, batch in ((700, 700), (700, 64), (130, 64), (64, 64)):
                    moved = batches(move, self.tensor, queries, batch).numpy()
                    self.assertEqual(moved.shape, (queries, 3))
                    self.assertLessEqual(oracle.shift_error(moved, self.expected[:queries], self.h), 1e-5)

    @unittest.skipUnless(installed("triton"), "triton is not installed")
    def test_triton_with_keys_in_ranges(self):
        from peers import triton_fused

        setting, least = Setting("cpu", True), triton_tiles.LEAST_KEYS
        self.addCleanup(setattr, triton_tiles, "LEAST_KEYS", least)
        triton_tiles.LEAST_KEYS = 100
        tile = triton_tiles.Tile(128, 64, 4, 1)
        self.assertGreater(triton_tiles.splits(300, 700, tile, 2), 1)
        for peer in (triton_fused.Differences(), triton_fused.Products()):
            moved = peer.moved(self.tensor, self.h, 300, tile, setting).numpy()
            self.assertLessEqual(oracle.shift_error(moved, self.expected[:300], self.h), 1e-4)

    def test_tf32_keeps_ten_bits(self):
        import torch
        from peers.torch_expert import to_tf32

        values = torch.tensor([1.0, 1 + 2.0**-10, 1 + 2.0**-11, 1 + 2.0**-12, -3.3, 0.0])
        rounded = to_tf32(values)
        expected = [1.0, 1 + 2.0**-10, 1 + 2.0**-10, 1.0]
        self.assertEqual(rounded[:4].tolist(), expected)
        self.assertLessEqual(float(((rounded - values).abs() / values.abs().clamp(min=1)).max()), 2.0**-11)


class WithoutCuda(unittest.TestCase):
    def test_keops_gets_a_compiler_with_a_shared_library(self):
        with tempfile.TemporaryDirectory() as folder:
            for answer, kept in (("libstdc++.so", False), ("/usr/lib/libstdc++.so", True)):
                compiler = os.path.join(folder, "compiler")
                with open(compiler, "w", encoding="utf-8") as file:
                    file.write("#!/bin/sh\necho %s\n" % answer)
                os.chmod(compiler, 0o755)
                environ = {"CXX": compiler}
                use_shared_library(environ)
                self.assertEqual("CXX" in environ, kept)
        for environ in ({}, {"CXX": "/nowhere/compiler"}):
            before = dict(environ)
            use_shared_library(environ)
            self.assertEqual(environ, before)

    def test_keops_is_left_out(self):
        package = types.ModuleType("pykeops")
        package.config = types.SimpleNamespace(gpu_available=False)
        # Made before: what is imported within goes with the patch, and torch comes only once.
        settings = {device: Setting(device, False) for device in ("cuda", "cpu")}
        case = types.SimpleNamespace(name=COMPILED_CASE)
        with unittest.mock.patch.dict(sys.modules, {"pykeops": package}):
            self.assertIn("finds no CUDA", KeOps().refuses(case, settings["cuda"]))
            self.assertIsNone(KeOps().refuses(case, settings["cpu"]))


class Tiles(unittest.TestCase):
    def test_columns_hold_every_dimension(self):
        sizes = ((6, (16, 0)), (32, (32, 0)), (64, (64, 0)), (128, (128, 0)), (150, (128, 32)), (250, (256, 0)))
        for d, expected in sizes:
            self.assertEqual(triton_tiles.columns(d), expected)

    def test_ranges_hold_every_key(self):
        for n in (1, 511, 1500, 200001):
            for queries in (1, 1500, n):
                for tile in triton_tiles.DIFFERENCES + triton_tiles.TENSOR + triton_tiles.IEEE:
                    parts = triton_tiles.splits(queries, n, tile, 132)
                    length = triton_tiles.range_of_keys(n, parts, tile)
                    self.assertGreaterEqual(length * parts, n)
                    self.assertEqual(length % tile.keys, 0)

    def test_tiles_that_do_not_fit_are_passed_over(self):
        def seconds_of(tile):
            if tile != triton_tiles.IEEE[1]:
                raise RuntimeError("out of resource: shared memory")
            return 1.0

        tile, note = triton_tiles.fastest(triton_tiles.IEEE, seconds_of)
        self.assertEqual(tile, triton_tiles.IEEE[1])
        self.assertIn("1 do not fit", note)
        with self.assertRaises(RuntimeError):
            triton_tiles.fastest(triton_tiles.IEEE[:1], seconds_of)


class Schemes(unittest.TestCase):
    def test_merging_is_by_radius_from_the_first(self):
        positions = np.array([[0.0], [0.9], [1.8], [9.0]])
        self.assertEqual(merging.by_radius(positions, 1.0).tolist(), [0, 0, 1, 2])
        self.assertEqual(merging.by_radius(positions, 1.0, [1, 0, 2, 3]).tolist(), [0, 0, 0, 1])

    def test_merging_ends_with_nan(self):
        self.assertEqual(merging.by_radius(np.array([[np.nan], [0.0], [0.1]]), 1.0).tolist(), [0, 1, 1])

    def test_cells_sum_their_neighbours(self):
        points, _ = exported.blobs(200, 2)
        width = 3.0
        cells = grid.Cells(grid.NumpyArrays(), points, np.ones(200, np.float32), width)
        shifted = cells.shifted()[cells.cell_of]
        place = np.floor(points / np.float32(width))
        for i in range(200):
            near = (np.abs(place - place[i]) <= 1).all(axis=1)
            self.assertLessEqual(np.abs(shifted[i] - points[near].mean(axis=0)).max(), 1e-4)

    def test_too_many_cells_are_refused(self):
        with self.assertRaises(OverflowError):
            grid.strides_of([1 << 30] * 3)

    def test_both_grid_methods_agree_and_are_right(self):
        points, labels = exported.blobs(3000, 2)
        h = exported.bandwidth(2)
        for algorithm in (grid_runs.mean_shift_pp, grid_runs.grid_shift):
            found = algorithm(grid.NumpyArrays(), points, h)
            self.assertGreaterEqual(oracle.adjusted_rand_index(found.labels, labels), 0.95)
            self.assertLess(found.iterations, grid_runs.MOST_ITERATIONS)

    def test_seeds_needed_grow_with_clusters(self):
        self.assertEqual(seeded_runs.seeds_needed(1), 1)
        # Two even clusters: 1 - sqrt(0.95) = 0.0253 = 2^-5.3.
        self.assertEqual(seeded_runs.seeds_needed(2), 6)
        self.assertLess(seeded_runs.seeds_needed(6), seeded_runs.seeds_needed(7))

    def test_the_flat_radius_matches_variance(self):
        random = np.random.default_rng(1)
        for d in (1, 2, 5):
            radius = sklearn_runs.flat_radius(1.0, d)
            cube = random.uniform(-radius, radius, (400000, d))
            ball = cube[(cube**2).sum(axis=1) <= radius**2]
            self.assertLess(abs(ball[:, 0].var() - 1.0), 0.05)


if __name__ == "__main__":
    unittest.main()
