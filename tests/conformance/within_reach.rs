//! Steps that leave out what is far, or count boxes as a whole, against those of all pairs. Whole runs: near.rs.

use gpu::progress::PAIRS;
use modeseek::reference::Metric;
use modeseek::{Device, WeightFunction};

use crate::check::is_interpreted;
use crate::steps::set::{Kernel, SMALL, Set, Stepped, run, run_in_slices, run_within};

/// Sets that are wide beside the reach, and in an order that keeps neighbours together; `scaled` ones with bandwidths of their own,
/// some of which boxes of points have in common and others not.
fn wide_set(function: WeightFunction, kernel: Kernel, (n, m, d): (usize, Option<usize>, usize), scaled: bool) -> Set {
    let mut set = Set::new(function, kernel, (n, m, d));
    let scale = |j: usize| if scaled { [1.0, 0.25, 4.0, 1.0][j / 100 % 4] } else { 1.0 };
    set.scales = (0..n).map(scale).collect();
    let order = |rows: &mut Vec<f32>| {
        rows.chunks_mut(d).for_each(|row| row[0] *= 16.0);
        let mut sorted: Vec<Vec<f32>> = rows.chunks(d).map(<[f32]>::to_vec).collect();
        sorted.sort_by(|a, b| a[0].total_cmp(&b[0]));
        *rows = sorted.concat();
    };
    order(&mut set.points);
    set.queries.iter_mut().for_each(order);
    set
}

/// How far a weight reaches, scaled and squared: where the Gaussian is left out, it is less than 2^-32.
fn reach2(function: WeightFunction) -> f32 {
    if function == WeightFunction::Gaussian { 32.0 } else { 1.00001 }
}

/// Pairs that a step has computed.
fn pairs(state: &[u32]) -> u64 {
    u64::from(state[PAIRS + 1]) << 32 | u64::from(state[PAIRS])
}

/// A step that leaves out what is far differs from one of all pairs by the order of its sums alone.
pub fn steps_within_reach(device: &Device) {
    let sizes: &[_] = match is_interpreted(device) {
        true => &[(1, None), (300, None), (1100, Some(40))],
        false => &[(1, None), (2, None), (300, None), (3000, Some(333)), (3000, None)],
    };
    let kernels = [(Kernel::Plain, 1), (Kernel::Plain, 2), (Kernel::Marked, 3), (Kernel::Plain, 4), (Kernel::Any, 5)];
    let more = [(Kernel::Marked, 2), (Kernel::AnyMarked, 6), (Kernel::Any, 33), (Kernel::Local, 2), (Kernel::Local, 3)];
    let norms = [(Kernel::Norm(Metric::L1), 2), (Kernel::Norm(Metric::Lp(3.0)), 3), (Kernel::Norm(Metric::L2), 6)];
    let all = kernels.into_iter().chain(more).chain(norms).map(|(kernel, d)| (kernel, d, false));
    let scaled = [(Kernel::Marked, 1), (Kernel::Marked, 2), (Kernel::AnyMarked, 6), (Kernel::Norm(Metric::L1), 3)];
    let all = all.chain(scaled.map(|(kernel, d)| (kernel, d, true)));
    for function in WeightFunction::ALL {
        for (kernel, d, scaled) in all.clone() {
            if kernel == Kernel::Local && function.steps().local.is_empty() {
                continue;
            }
            for &(n, m) in sizes {
                if is_interpreted(device) && d * n > 3000 {
                    continue;
                }
                let set = wide_set(function, kernel, (n, m, d), scaled);
                let (what, tolerance) = (set.what(), if m.is_some() { -1.0 } else { 0.0 });
                let all = run(device, &set, tolerance, 1.0, SMALL);
                let near = run_within(device, &set, tolerance, 1.0, SMALL, Some(reach2(function)));
                for i in 0..set.m() {
                    let (a, b) = (all.totals[i], near.totals[i]);
                    // Sums of many numbers round; and so do positions, of 32 at most.
                    assert!((a - b).abs() <= 1e-5 * a + 2f32.powi(-32) * n as f32, "{what}: {i}: {b}, not {a}");
                    if a <= 1e-3 {
                        // What nobody is near of goes by what was left out, or nowhere.
                        continue;
                    }
                    for (a, b) in all.rows[i * d..][..d].iter().zip(&near.rows[i * d..][..d]) {
                        assert!((a - b).abs() <= 5e-5, "{what}: {i} is at {b}, not {a}");
                    }
                }
                let computed = pairs(&near.state);
                assert!(computed <= (n * set.m()) as u64, "{what}: {computed} pairs");
                if n >= 300 && function != WeightFunction::Gaussian && !scaled {
                    assert!(computed < (n * set.m()) as u64 * 3 / 4, "{what}: {computed} pairs");
                }
                assert_eq!(pairs(&all.state), 0);
            }
        }
    }
}

/// Where points are in slices as well, of which some are far from all queries of a block: sums and pairs are those of one slice.
pub fn slices_within_reach(device: &Device) {
    let sizes: &[_] = match is_interpreted(device) {
        true => &[(1100, Some(40))],
        false => &[(1025, Some(1)), (2048, Some(75)), (5000, Some(600)), (3000, None)],
    };
    let kernels = [(Kernel::Plain, 1), (Kernel::Plain, 2), (Kernel::Marked, 3), (Kernel::Local, 3), (Kernel::Any, 5)];
    let more =
        [(Kernel::AnyMarked, 6), (Kernel::Any, 33), (Kernel::Norm(Metric::L1), 2), (Kernel::Norm(Metric::Lp(3.0)), 3)];
    for (kernel, d) in kernels.into_iter().chain(more) {
        for function in [WeightFunction::Gaussian, WeightFunction::Flat, WeightFunction::Triangular] {
            if kernel == Kernel::Local && function.steps().local.is_empty() {
                continue;
            }
            for &(n, m) in sizes {
                if is_interpreted(device) && d * n > 6000 {
                    continue;
                }
                let set = wide_set(function, kernel, (n, m, d), false);
                let (what, tolerance) = (set.what(), if m.is_some() { -1.0 } else { 0.0 });
                let step = |slice| run_in_slices(device, &set, (tolerance, 1.0), SMALL, Some(reach2(function)), slice);
                let (whole, sliced) = (step(n), step(gpu::near::WIDE));
                assert_eq!(pairs(&whole.state), pairs(&sliced.state), "{what}");
                let Stepped { rows, totals, .. } = step(gpu::near::WIDE);
                assert_eq!((&rows, &totals), (&sliced.rows, &sliced.totals), "{what}");
                for (i, (a, b)) in whole.totals.iter().zip(&sliced.totals).enumerate() {
                    assert!((a - b).abs() <= 1e-5 * a, "{what}: {i}: {b}, not {a}");
                    let moved = whole.rows[i * d..][..d].iter().zip(&sliced.rows[i * d..][..d]);
                    for (x, y) in moved.filter(|_| *a > 1e-3) {
                        assert!((x - y).abs() <= 5e-5, "{what}: {i} is at {y}, not {x}");
                    }
                    assert!(
                        *a > 0.0 || whole.rows[i * d..][..d] == sliced.rows[i * d..][..d],
                        "{what}: {i} has no support"
                    );
                }
            }
        }
    }
}

/// Of weights that are powers boxes are summed as a whole where all of one is near, and some queries of a thread may be near it, others
/// not: what counts is the same, and sums differ by rounding alone.
pub fn whole_boxes(device: &Device) {
    let sizes: &[_] = match is_interpreted(device) {
        true => &[(1, None), (300, Some(40))],
        false => &[(1, None), (65, None), (3000, Some(333)), (3000, None)],
    };
    let kernels = [1, 2, 3, 4].into_iter().flat_map(|d| [(Kernel::Plain, d), (Kernel::Marked, d)]);
    let functions = [WeightFunction::Flat, WeightFunction::Epanechnikov, WeightFunction::Biweight];
    for ((kernel, d), function) in kernels.flat_map(|kernel| functions.map(|function| (kernel, function))) {
        for &(n, m) in sizes {
            let mut set = wide_set(function, kernel, (n, m, d), false);
            set.points.iter_mut().for_each(|x| *x *= 0.1);
            set.queries.iter_mut().flatten().for_each(|x| *x *= 0.1);
            let (what, tolerance) = (set.what(), if m.is_some() { -1.0 } else { 0.0 });
            let all = run(device, &set, tolerance, 1.0, SMALL);
            let near = run_within(device, &set, tolerance, 1.0, SMALL, Some(1.00001));
            for i in 0..set.m() {
                let (a, b) = (all.totals[i], near.totals[i]);
                assert!((a - b).abs() <= 1e-5 * a, "{what}: {i}: {b}, not {a}");
                for (a, b) in all.rows[i * d..][..d].iter().zip(&near.rows[i * d..][..d]) {
                    assert!((a - b).abs() <= 1e-5, "{what}: {i} is at {b}, not {a}");
                }
            }
            assert!(pairs(&near.state) <= (n * set.m()) as u64, "{what}");
        }
    }
}

/// With boxes, too, a query's step does not depend on its place among the others, nor on the size of the block.
pub fn places_do_not_matter_within_reach(device: &Device) {
    let kernels = [(Kernel::Plain, 2), (Kernel::Marked, 3), (Kernel::Any, 5), (Kernel::AnyMarked, 5)];
    let kernels = kernels.into_iter().chain([(Kernel::Local, 2), (Kernel::Local, 3), (Kernel::Norm(Metric::L1), 3)]);
    let of_gaussian = kernels.map(|(kernel, d)| (WeightFunction::Gaussian, kernel, d));
    let of_gaussian = of_gaussian.map(|(function, kernel, d)| (function, kernel, d, 1.0));
    // Of flat weights whole boxes are summed where all of them is near; in many dimensions boxes of points that are nearly one are one.
    let of_boxes = [
        (WeightFunction::Flat, Kernel::Plain, 2, 0.1),
        (WeightFunction::Flat, Kernel::Marked, 1, 0.1),
        (WeightFunction::Flat, Kernel::Any, 5, 0.1),
        (WeightFunction::Gaussian, Kernel::Any, 5, 0.03),
        (WeightFunction::Gaussian, Kernel::AnyMarked, 6, 0.03),
    ];
    for (function, kernel, d, narrow) in of_gaussian.chain(of_boxes) {
        let mut set = wide_set(function, kernel, (500, Some(150), d), kernel == Kernel::AnyMarked && narrow == 1.0);
        set.points.iter_mut().for_each(|x| *x *= narrow);
        set.queries.iter_mut().flatten().for_each(|x| *x *= narrow);
        let reach = if function == WeightFunction::Flat { 1.00001 } else { 20.0 };
        let first = run_within(device, &set, -1.0, 1.0, SMALL, Some(reach));
        let rows = set.queries().to_vec();
        // 37 and 150 have no common factor.
        let turned = |i: usize| i * 37 % 150;
        set.queries = Some((0..150).flat_map(|i| rows[turned(i) * d..][..d].to_vec()).collect());
        for threads in [32, 64] {
            let second = run_within(device, &set, -1.0, 1.0, Some(threads), Some(reach));
            for i in 0..150 {
                let (a, b) = (&first.rows[turned(i) * d..][..d], &second.rows[i * d..][..d]);
                assert_eq!(a, b, "{} {threads}: {i}", set.what());
                assert_eq!(first.totals[turned(i)], second.totals[i], "{} {threads}: {i}", set.what());
            }
        }
    }
}

/// Far from the origin the middle of a box is rounded: what is at the end of the reach counts there, too.
pub fn ends_of_the_reach_far_away(device: &Device) {
    for kernel in [Kernel::Plain, Kernel::Local] {
        let mut set = Set::new(WeightFunction::Gaussian, kernel, (64, Some(2), 2));
        // Neighbouring numbers, whose middle is none.
        let (low, high) = (1_048_576.0, 1_048_576_f32.next_up());
        set.points = (0..64).flat_map(|i| [if i % 2 == 0 { low } else { high }, 0.0]).collect();
        set.queries = Some(vec![low - 4.0, 0.0, high + 4.0, 0.0]);
        let found = run_within(device, &set, -1.0, 1.0, SMALL, Some(16.0));
        for total in found.totals {
            // 32 points at a distance of 4, and 32 an eighth farther, which may count and need not.
            let least = 32.0 * 2f32.powi(-16);
            assert!((least..2.0 * least).contains(&(total * (1.0 + 1e-5))), "{}: {total}", set.what());
        }
    }
}
