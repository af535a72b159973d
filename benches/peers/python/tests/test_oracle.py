"""Measures of error and the index, against values known otherwise."""

import unittest

import numpy as np

from tests import exported
from rig import oracle


class Index(unittest.TestCase):
    def test_same_labels_by_other_names(self):
        self.assertEqual(oracle.adjusted_rand_index(np.array([0, 0, 1, 1]), np.array([7, 7, 3, 3])), 1.0)

    def test_values_by_hand(self):
        # Contingency (2 0; 1 1): 1 shared pair, expected 2 * 3 / 6 = 1 of 2.5 at most.
        self.assertAlmostEqual(oracle.adjusted_rand_index(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1])), 0.0)
        # Contingency (2 0 0; 0 1 1): 1 shared, expected 2 * 1 / 6, of 1.5 at most.
        index = oracle.adjusted_rand_index(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2]))
        self.assertAlmostEqual(index, (1 - 1 / 3) / (1.5 - 1 / 3))

    def test_opposites_are_negative(self):
        self.assertAlmostEqual(oracle.adjusted_rand_index(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])), -0.5)

    def test_one_cluster_on_both_sides(self):
        self.assertEqual(oracle.adjusted_rand_index(np.zeros(5), np.ones(5)), 1.0)
        self.assertEqual(oracle.adjusted_rand_index(np.zeros(1), np.ones(1)), 1.0)

    def test_lengths_must_agree(self):
        with self.assertRaises(ValueError):
            oracle.adjusted_rand_index(np.zeros(3), np.zeros(4))


class Errors(unittest.TestCase):
    def test_a_nan_never_passes(self):
        good = np.ones((3, 2))
        for place in range(3):
            bad = good.copy()
            bad[place, 1] = np.nan
            self.assertFalse(oracle.shift_error(bad, good, 1.0) <= 1e9)
            self.assertFalse(oracle.relative_l2(bad, good) <= 1e9)
            self.assertFalse(oracle.mean_error(bad, np.ones((3, 4)), np.ones((4, 2))) <= 1e9)

    def test_values_by_hand(self):
        self.assertAlmostEqual(oracle.shift_error(np.array([[0.0, 0], [3, 4]]), np.zeros((2, 2)), 2.0), 2.5)
        self.assertAlmostEqual(oracle.relative_l2(np.array([[3.0, 5]]), np.array([[3.0, 4]])), 0.2)

    def test_a_step_by_hand(self):
        # Two points one bandwidth apart: weights 1 and exp(-1/2).
        w = np.exp(-0.5)
        moved = oracle.step(np.array([[0.0], [2.0]]), np.array([[0.0]]), 2.0)
        self.assertAlmostEqual(moved[0, 0], 2 * w / (1 + w))

    def test_a_step_is_a_weighted_mean(self):
        points, _ = exported.blobs(60, 3)
        weights = np.exp(-0.5 * (oracle.distances(points, points) / 3.0) ** 2)
        means = oracle.weighted_means(weights, points)
        self.assertLessEqual(np.abs(oracle.step(points, points, 3.0) - means).max(), 1e-9)


if __name__ == "__main__":
    unittest.main()
