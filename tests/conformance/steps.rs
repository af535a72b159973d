//! The fused steps of every weight function, one of them a user's own, against the oracle: plain and marked points,
//! every norm, both forms.
//!
//! Columns are padded with NaN, of which nothing may come out.

pub mod set;

use gpu::progress::{ACTIVE, HISTORY, ITERATION};
use modeseek::reference::{Metric, Pull};
use modeseek::{Device, WeightFunction};

use self::set::{Kernel, LIMIT, RADIUS, SMALL, Set, Stepped, run, run_in_slices};
use crate::check::{ROUNDING, is_interpreted, wide};
use crate::kernels::progress;

/// Those with a name, and one as a user would add it.
pub const FUNCTIONS: [WeightFunction; 6] = {
    let [a, b, c, d, e] = WeightFunction::ALL;
    [a, b, c, d, e, WeightFunction::Own(&gpu::cauchy::STEPS)]
};

/// What the oracle says, and how far off f32 may be.
struct Expected {
    mean: Vec<f64>,
    total: f64,
    tolerance: f64,
    total_tolerance: f64,
}

/// The oracle for one query.
fn expected(set: &Set, pull: &Pull<'_>, q: &[f64]) -> Expected {
    let (n, d) = (set.n() as f64, set.d as f64);
    // Roundings of a squared distance and its weight; sums round at random, by the root of their length.
    let roundings = d + 8.0 + set.kernel.powers() + n.sqrt();
    let weights = pull.weights(q);
    // What a weight is off by: of itself, and what an argument that is off makes of it.
    let mut slack = 0.0;
    for (j, x) in pull.points.chunks(set.d).enumerate() {
        let u = pull.metric.distance(q, x) / pull.bandwidths[j];
        let near = [-1e-5, 1e-5].map(|part| set.function.weight(u * (1.0 + part)));
        if set.function == WeightFunction::Flat {
            // A set whose distances lie on the step would tell nothing.
            assert!(pull.factors[j] == 0.0 || near[0] == near[1], "{}: a distance of {u}", set.what());
        }
        slack += weights[j] + pull.factors[j] * (near[0] - near[1]).abs() / 2e-5;
    }
    let total: f64 = weights.iter().sum();
    let total_tolerance = roundings * ROUNDING * slack;
    // A mean is off by its weights' errors, each times how far its point is: coordinates are within 2 of the origin.
    let tolerance = 4.0 * ROUNDING + if total > 0.0 { 4.0 * total_tolerance / total } else { 0.0 };
    Expected { mean: pull.mean(q), total, tolerance, total_tolerance }
}

/// Compares a step with the oracle.
fn check(device: &Device, set: &Set, relaxation: f32, threads: Option<u32>) {
    let found = run(device, set, if set.queries.is_some() { -1.0 } else { 0.25 }, relaxation, threads);
    compare(set, &found, relaxation);
}

/// Compares what a step has found, with the tolerance 0.25 in the blurring form, with the oracle.
fn compare(set: &Set, found: &Stepped, relaxation: f32) {
    let (what, d) = (set.what(), set.d);
    let standard = set.queries.is_some();

    let scale = set.function.steps().scale;
    // The weight's argument is the distance over this; on the sphere, (2 radius^2 (1 - cos))^2 is the squared one.
    let h = match set.kernel.metric() {
        Metric::Cosine => scale / (2.0 * RADIUS * RADIUS),
        _ => scale,
    };
    let bandwidths: Vec<f64> = set.scales.iter().map(|&scale| h / f64::from(scale).sqrt()).collect();
    let (points, factors) = (wide(&set.points), wide(&set.factors));
    let (metric, function) = (set.kernel.metric(), set.function);
    let pull = Pull { points: &points, d, metric, function, factors: &factors, bandwidths: &bandwidths };
    let mut farthest: f32 = 0.0;
    for (i, q) in wide(set.queries()).chunks(d).enumerate() {
        let Expected { mean, total, tolerance, total_tolerance } = expected(set, &pull, q);
        let (row, squared) = (&found.rows[i * d..][..d], found.squared[i]);
        let far = f64::from(relaxation);
        for c in 0..d {
            let (x, expected) = (f64::from(row[c]), q[c] + far * (mean[c] - q[c]));
            let error = (x - expected).abs();
            assert!(error <= far * tolerance, "{what}: [{i}, {c}] is {x}, not {expected}: {error:e} > {tolerance:e}");
        }
        let error = (f64::from(found.totals[i]) - total).abs();
        assert!(error <= total_tolerance, "{what}: the weights of {i} are {}, not {total}", found.totals[i]);
        // The step is noted before relaxation, and its error is that of d coordinates.
        let step = Metric::L2.distance(q, &mean);
        let error = (f64::from(squared).sqrt() - step).abs();
        assert!(error <= tolerance * (d as f64).sqrt(), "{what}: {i} moved {}, not {step}", squared.sqrt());
        farthest = farthest.max(squared);
    }
    let mut state = progress(set.m(), 1, LIMIT);
    if !standard {
        // The iteration is over, and so is the run if nothing moved more than the tolerance.
        state[HISTORY + 1] = farthest.to_bits();
        state[ITERATION] = 2;
        state[ACTIVE] = if farthest <= 0.25 { 0 } else { set.m() as u32 };
    }
    assert_eq!(found.state, state, "{what}");
}

/// Both forms for d = 1 to 4. What is large has more than a tile of points, or more than a block of queries.
pub fn shift(device: &Device) {
    let (sizes, large): (&[_], _) = match is_interpreted(device) {
        true => (&[1, 33, 150], [(150, None), (1100, Some(40)), (40, Some(600))]),
        false => (&[1, 2, 31, 500], [(1100, None), (2051, Some(70)), (300, Some(1100))]),
    };
    for function in FUNCTIONS {
        for kernel in [Kernel::Plain, Kernel::Marked] {
            for d in 1..=4 {
                for &n in sizes {
                    check(device, &Set::new(function, kernel, (n, None, d)), 1.0, SMALL);
                }
                check(device, &Set::new(function, kernel, (70, Some(33), d)), 1.0, SMALL);
                check(device, &Set::new(function, kernel, (33, Some(70), d)), 1.5, SMALL);
            }
            for (n, m) in large {
                check(device, &Set::new(function, kernel, (n, m, 2)), 1.0, None);
            }
        }
    }
}

/// A warp for each query: around turns of 128 points and tiles of 2,048, blocks of one query and of twelve.
pub fn shift_few(device: &Device) {
    let sizes: &[_] = match is_interpreted(device) {
        true => &[(1, None), (130, None), (70, Some(33)), (2100, Some(3))],
        false => {
            &[(1, None), (3, None), (127, None), (500, None), (2051, Some(70)), (4096, Some(13)), (300, Some(1100))]
        }
    };
    for d in 1..=3 {
        for &(n, m) in sizes {
            let set = Set::new(WeightFunction::Gaussian, Kernel::Few, (n, m, d));
            check(device, &set, if m == Some(33) { 1.5 } else { 1.0 }, if n % 2 == 0 { None } else { SMALL });
        }
    }
}

/// Any d: around tiles of 64 points and chunks of 32 coordinates.
pub fn shift_any(device: &Device) {
    let sizes: &[_] = match is_interpreted(device) {
        true => &[(1, None, 1), (33, None, 5), (65, Some(20), 33), (20, Some(140), 2)],
        false => &[
            (1, None, 1),
            (2, None, 5),
            (33, None, 2),
            (65, None, 33),
            (130, None, 70),
            (1100, None, 3),
            (200, Some(33), 64),
            (65, Some(1100), 5),
        ],
    };
    for function in FUNCTIONS {
        for kernel in [Kernel::Any, Kernel::AnyMarked] {
            for &sizes in sizes {
                check(device, &Set::new(function, kernel, sizes), 1.0, None);
            }
            check(device, &Set::new(function, kernel, (40, Some(33), 6)), 1.5, None);
        }
    }
}

/// Both forms for d = 5 to 32: coordinates that fill an instance, all but one, and as few as it takes; around tiles of
/// 128 points, and with more than a block of queries.
pub fn shift_wide(device: &Device) {
    let (dimensions, sizes): (&[_], &[_]) = match is_interpreted(device) {
        true => (&[5, 8, 9, 32], &[(33, None)]),
        false => (&[5, 7, 8, 9, 15, 16, 17, 31, 32], &[(1, None), (33, None), (129, None), (300, Some(33))]),
    };
    let large = if is_interpreted(device) { (130, Some(140)) } else { (260, Some(1100)) };
    for function in FUNCTIONS {
        for &d in dimensions {
            for &(n, m) in sizes {
                check(device, &Set::new(function, Kernel::Wide, (n, m, d)), 1.0, None);
            }
        }
        for d in [6, 16, 31] {
            check(device, &Set::new(function, Kernel::Wide, (70, Some(33), d)), 1.5, None);
        }
    }
    for d in [7, 13, 17] {
        check(device, &Set::new(WeightFunction::Gaussian, Kernel::Wide, (large.0, large.1, d)), 1.0, None);
        check(device, &Set::new(WeightFunction::Gaussian, Kernel::Wide, (large.0, None, d)), 1.0, None);
    }
}

/// Every norm, and directions on a sphere.
pub fn shift_norms(device: &Device) {
    let sizes: &[_] = match is_interpreted(device) {
        true => &[(33, None, 3), (65, Some(20), 5)],
        false => &[(1, None, 2), (33, None, 3), (65, None, 33), (150, Some(33), 2), (65, Some(1100), 5)],
    };
    for function in FUNCTIONS {
        for metric in [Metric::L1, Metric::L2, Metric::Lp(3.0), Metric::Lp(1.5), Metric::Cosine] {
            for &sizes in sizes {
                check(device, &Set::new(function, Kernel::Norm(metric), sizes), 1.0, None);
            }
        }
    }
}

/// A query's step does not depend on its place among the others, not in a bit: retire.rs moves them about.
pub fn places_do_not_matter(device: &Device) {
    let kernels = [
        (Kernel::Plain, 3),
        (Kernel::Marked, 2),
        (Kernel::Few, 2),
        (Kernel::Wide, 6),
        (Kernel::Wide, 16),
        (Kernel::Wide, 20),
        (Kernel::Any, 5),
        (Kernel::AnyMarked, 5),
        (Kernel::Norm(Metric::L1), 3),
        (Kernel::Norm(Metric::Cosine), 3),
    ];
    for (kernel, d) in kernels {
        let set = Set::new(WeightFunction::Gaussian, kernel, (90, Some(75), d));
        let first = run(device, &set, -1.0, 1.0, SMALL);
        let mut turned = Set::new(WeightFunction::Gaussian, kernel, (90, Some(75), d));
        let backwards = set.queries().chunks(d).rev().flatten().copied().collect();
        turned.queries = Some(backwards);
        let second = run(device, &turned, -1.0, 1.0, SMALL);
        let again: Vec<f32> = second.rows.chunks(d).rev().flatten().copied().collect();
        assert_eq!(first.rows, again, "{}", set.what());
        assert_eq!(first.totals, second.totals.iter().rev().copied().collect::<Vec<_>>(), "{}", set.what());
        assert_eq!(first.squared, second.squared.iter().rev().copied().collect::<Vec<_>>(), "{}", set.what());
    }
}

/// Sums of products, in boxes that are small, in boxes that are not, and in both; far from the origin; and of points of which
/// none is different. Of 64 points of a square of side 4 the box is not small, of one of side 2 it is.
pub fn sums_of_products(device: &Device) {
    let sizes: &[_] = match is_interpreted(device) {
        true => &[(1, None), (150, None), (1100, Some(40))],
        false => &[(1, None), (2, None), (65, None), (1000, None), (2100, Some(70)), (300, Some(1100))],
    };
    for d in [2, 3] {
        for &(n, m) in sizes {
            // Scaled coordinates are within 2 of the origin, or of the middle of the set.
            for (what, size, origin) in [
                ("wide", 1.0, 0.0),
                ("small", 0.5, 0.0),
                ("tiny", 1e-3, 1.0),
                ("far", 0.5, 1024.0),
                ("mixed", 0.0, 0.0),
            ] {
                let mut set = Set::new(WeightFunction::Gaussian, Kernel::Local, (n, m, d));
                let place = |rows: &mut Vec<f32>| {
                    for (i, x) in rows.iter_mut().enumerate() {
                        let size = if what == "mixed" { [1.0, 0.5][i / d / 64 % 2] } else { size };
                        // On a grid that is as fine far from the origin.
                        *x = (*x * size * 4096.0).round() / 4096.0 + origin;
                    }
                };
                place(&mut set.points);
                set.queries.iter_mut().for_each(place);
                let tolerance = if m.is_some() { -1.0 } else { 0.25 };
                let mut found = run(device, &set, tolerance, 1.0, SMALL);
                if origin != 0.0 {
                    // Whence it came and where it went are both rounded to the coordinates' own grid.
                    for (x, q) in found.rows.iter_mut().zip(set.queries()) {
                        assert!((*x - q).abs() <= 4.0, "{what}: {q} went to {x}");
                    }
                    let totals = found.totals.clone();
                    set.points.iter_mut().for_each(|x| *x -= origin);
                    set.queries.iter_mut().flatten().for_each(|x| *x -= origin);
                    let near = run(device, &set, tolerance, 1.0, SMALL);
                    assert_eq!(near.totals, totals, "{what}, {}: the origin counts", set.what());
                    assert_eq!(near.squared, found.squared, "{what}, {}: the origin counts", set.what());
                    found = near;
                }
                compare(&set, &found, 1.0);
            }
        }
        // Points that are all the same stay exactly where they are.
        let mut set = Set::new(WeightFunction::Gaussian, Kernel::Local, (100, None, d));
        set.points.fill(0.7);
        let found = run(device, &set, 0.25, 1.0, SMALL);
        assert_eq!((found.rows, found.totals), (set.points, vec![100.0; 100]));
    }
}

/// At any distance from a small box there is support or none, and never what is no number.
pub fn products_of_far_queries(device: &Device) {
    let mut set = Set::new(WeightFunction::Gaussian, Kernel::Local, (64, Some(70), 2));
    set.points.iter_mut().for_each(|x| *x *= 0.5);
    let distance = |i: usize| [0.25, 31.0, 200.0, 1e5, 1e19, 3e38][i % 6] * (1.0 + i as f32 / 70.0);
    let queries = |i: usize| [if i % 12 < 6 { distance(i) } else { -distance(i) }.clamp(-3e38, 3e38), 0.0];
    set.queries = Some((0..70).flat_map(queries).collect());
    let near: Vec<usize> = (0..70).filter(|i| i % 6 == 0).collect();
    let found = run(device, &set, -1.0, 1.0, SMALL);
    for i in 0..70 {
        let (row, q) = (&found.rows[i * 2..][..2], &set.queries()[i * 2..][..2]);
        if near.contains(&i) {
            assert!(found.totals[i] > 1.0, "query {i} is among the points");
        } else {
            assert_eq!((row, found.totals[i], found.squared[i]), (q, 0.0, 0.0), "query {i} has no support");
        }
    }
    // Up to where the weights are no support, 8.2 scaled, they are those of the oracle; in steps of a 16th, from within the box.
    set.queries = Some((0..70).flat_map(|i| [i as f32 / 8.0, 0.0]).collect());
    let found = run(device, &set, -1.0, 1.0, SMALL);
    let (points, h) = (wide(&set.points), WeightFunction::Gaussian.steps().scale);
    for (i, q) in wide(set.queries()).chunks(2).enumerate() {
        let weight = |x: &[f64]| set.function.weight(Metric::L2.distance(q, x) / h);
        let total: f64 = points.chunks(2).map(weight).sum();
        let least = f64::from(set.function.steps().least);
        if (total - least).abs() < 0.01 * least {
            continue;
        }
        let (total, found) = (if total > least { total } else { 0.0 }, f64::from(found.totals[i]));
        assert!((found - total).abs() <= 2e-5 * total, "at {}: {found}, not {total}", q[0]);
    }
}

/// However the points are shared out: sums are the oracle's, and the same for any size of block.
pub fn points_in_slices(device: &Device) {
    // Several tiles in a slice, slices within a tile, and a last one of a single point.
    let cases: &[(usize, usize, usize)] = match is_interpreted(device) {
        true => &[(129, 75, 64), (130, 140, 128)],
        false => &[(129, 75, 64), (130, 1, 64), (2049, 600, 1024), (5000, 260, 2048), (1500, 1500, 64)],
    };
    for &(n, m, slice) in cases {
        let kernels =
            [(Kernel::Plain, 1), (Kernel::Plain, 2), (Kernel::Plain, 3), (Kernel::Marked, 4), (Kernel::Local, 3)];
        for (kernel, d) in kernels {
            for (function, queries) in [(WeightFunction::Gaussian, Some(m)), (WeightFunction::Triangular, None)] {
                if kernel == Kernel::Local && function.steps().local.is_empty() {
                    continue;
                }
                let set = Set::new(function, kernel, (n, queries, d));
                let tolerance = if queries.is_some() { -1.0 } else { 0.25 };
                let run = |threads| run_in_slices(device, &set, (tolerance, 1.0), threads, None, slice);
                let stepped = run(None);
                compare(&set, &stepped, 1.0);
                let again = run(Some(32));
                assert_eq!(stepped.rows, again.rows, "{}", set.what());
                assert_eq!(stepped.totals, again.totals, "{}", set.what());
                assert_eq!(stepped.state, again.state, "{}", set.what());
            }
        }
    }
}

/// The same for 5 to 32 dimensions.
pub fn wide_points_in_slices(device: &Device) {
    let cases: &[(usize, usize, usize)] = match is_interpreted(device) {
        true => &[(129, 35, 64), (3, 2, 1)],
        false => &[(129, 75, 64), (130, 1, 64), (3, 2, 1), (1, 1, 64), (1000, 270, 192), (1300, 33, 64)],
    };
    for &case in cases {
        for d in [5, 16, 20] {
            in_slices(device, Kernel::Wide, d, case);
        }
    }
}

/// The same for any d and norm.
pub fn any_points_in_slices(device: &Device) {
    let cases: &[(usize, usize, usize)] = match is_interpreted(device) {
        true => &[(129, 35, 64), (3, 2, 64)],
        false => {
            &[(129, 75, 64), (130, 1, 64), (3, 2, 64), (1, 1, 64), (1000, 270, 192), (1300, 33, 64), (2000, 1500, 512)]
        }
    };
    let norms = [(Kernel::Norm(Metric::L1), 3), (Kernel::Norm(Metric::Lp(3.0)), 2), (Kernel::Norm(Metric::L2), 9)];
    let all = [(Kernel::Any, 1), (Kernel::Any, 5), (Kernel::Any, 40), (Kernel::AnyMarked, 33)].into_iter().chain(norms);
    for (kernel, d) in all {
        for &case in cases {
            in_slices(device, kernel, d, case);
        }
    }
}

/// Steps of m queries over n points in slices of so many, against the oracle. Queries that are equal move alike, and those that are far
/// from all points not at all.
fn in_slices(device: &Device, kernel: Kernel, d: usize, (n, m, slice): (usize, usize, usize)) {
    for (function, queries) in [(WeightFunction::Gaussian, Some(m)), (WeightFunction::Triangular, None)] {
        let mut set = Set::new(function, kernel, (n, queries, d));
        let mut far = None;
        if let Some(queries) = set.queries.as_mut().filter(|_| m > 1) {
            queries.copy_within(..d, (m - 1) * d);
            far = (m > 2).then(|| {
                queries[d..2 * d].fill(1e6);
                1
            });
        }
        let tolerance = if queries.is_some() { -1.0 } else { 0.25 };
        let run = || run_in_slices(device, &set, (tolerance, 1.0), None, None, slice);
        let stepped = run();
        compare(&set, &stepped, 1.0);
        let again = run();
        assert_eq!(stepped.rows, again.rows, "{}", set.what());
        assert_eq!(stepped.totals, again.totals, "{}", set.what());
        assert_eq!(stepped.state, again.state, "{}", set.what());
        if set.queries.is_some() {
            assert_eq!(stepped.rows[..d], stepped.rows[(m - 1) * d..], "{}", set.what());
        }
        if let Some(far) = far {
            assert_eq!((&stepped.rows[far * d..][..d], stepped.totals[far]), (&vec![1e6; d][..], 0.0));
        }
    }
}

/// What is no number is noted as such, and not as having come to rest.
pub fn nan_is_not_lost(device: &Device) {
    for (kernel, d) in [
        (Kernel::Plain, 2),
        (Kernel::Marked, 4),
        (Kernel::Local, 3),
        (Kernel::Few, 2),
        (Kernel::Wide, 5),
        (Kernel::Any, 5),
        (Kernel::Norm(Metric::Lp(3.0)), 2),
    ] {
        let mut set = Set::new(WeightFunction::Gaussian, kernel, (70, None, d));
        set.points[17 * d] = f32::NAN;
        let Stepped { state, .. } = run(device, &set, 1e30, 1.0, SMALL);
        assert!(f32::from_bits(state[HISTORY + 1]).is_nan() && state[ACTIVE] == 70, "{}", set.what());
    }
}
