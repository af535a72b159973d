//! What is far is left out: steps and whole runs against all pairs. The order of points: arranged.rs.

use cuda_std::machine::MachineKind;
use gpu::progress::PAIRS;
use modeseek::data::Blobs;
use modeseek::mean_shift::labels::count_within;
use modeseek::mean_shift::near::reach;
use modeseek::reference::Metric;
use modeseek::{
    Assignment, Bandwidth, Clustering, Device, Distance, Form, MeanShift, Merging, Method, Seeding, WeightFunction,
};

use crate::check::{is_interpreted, random};
use crate::labels::Set as Points;
use crate::runs::{fit, fixed};
use crate::steps::set::{Kernel, SMALL, Set, run, run_within};

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

/// Of flat weights boxes are summed as a whole where all of one is near, and some queries of a thread may be near it, others not: what
/// counts is the same, and sums differ by their order alone.
pub fn whole_boxes_of_flat_weights(device: &Device) {
    let sizes: &[_] = match is_interpreted(device) {
        true => &[(1, None), (300, Some(40))],
        false => &[(1, None), (65, None), (3000, Some(333)), (3000, None)],
    };
    for (kernel, d) in [1, 2, 3, 4].into_iter().flat_map(|d| [(Kernel::Plain, d), (Kernel::Marked, d)]) {
        for &(n, m) in sizes {
            let mut set = wide_set(WeightFunction::Flat, kernel, (n, m, d), false);
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
    // Of flat weights whole boxes are summed where all of them is near.
    let of_flat = [(WeightFunction::Flat, Kernel::Plain, 2), (WeightFunction::Flat, Kernel::Marked, 1)];
    for (function, kernel, d) in of_gaussian.chain(of_flat) {
        let mut set = wide_set(function, kernel, (500, Some(150), d), kernel == Kernel::AnyMarked);
        if function == WeightFunction::Flat {
            // As near to each other as boxes have to be for it.
            set.points.iter_mut().for_each(|x| *x *= 0.1);
            set.queries.iter_mut().flatten().for_each(|x| *x *= 0.1);
        }
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

/// Points of whole fits on the interpreter, which takes seconds for each thousand pairs: a box of 64, and a part of another.
const TWO_BOXES: usize = 100;

/// Whether whole fits are left to another machine: to the interpreter of the newest PTX those of an older one's, whose kernels have
/// tests of their own, and those of the stand-in driver, which the same interpreter is behind.
fn leaves_fits(device: &Device) -> bool {
    let name = device.describe();
    is_interpreted(device) && (name.contains("compute capability 7.5") || !name.contains("interpreter"))
}

/// After one iteration every query has gone as far as with all pairs; and after many, the clusters are the same.
fn assert_same_run(
    device: &Device,
    rows: &[f32],
    (d, h): (usize, f64),
    adapt: impl Fn(MeanShift) -> MeanShift,
    what: &str,
) {
    let most = if is_interpreted(device) { 5 } else { 50 };
    for form in [Form::Blurring, Form::Standard] {
        for function in [WeightFunction::Gaussian, WeightFunction::Triangular, WeightFunction::Epanechnikov] {
            let estimator = |method, iterations| {
                adapt(fixed(h).form(form).weight(function).method(method).max_iterations(iterations))
            };
            let what = format!("{what}, {form:?}, {function:?}");
            let [all, near] = [Method::Fused, Method::Tiles].map(|method| fit(device, &estimator(method, 1), rows, d));
            for (i, (a, b)) in all.queries.iter().zip(&near.queries).enumerate() {
                let apart = (a.last_shift - b.last_shift).abs();
                // What is left out, and the roundings of coordinates.
                assert!(apart <= 1e-4 + 1e-3 * a.last_shift, "{what}: query {i}: {b:?}, not {a:?}");
            }
            let [all, near] =
                [Method::Fused, Method::Tiles].map(|method| fit(device, &estimator(method, most), rows, d));
            assert_same_clusters(&all, &near, h, &what);
            let pairs = near.pairs.unwrap();
            assert!(pairs.kept <= pairs.all && pairs.first > 0, "{what}: {pairs:?}");
            assert!(pairs.first <= pairs.kept && pairs.ideal > 0, "{what}: {pairs:?}");
            // A sample is off by some percent.
            assert!(pairs.ideal as f64 <= 1.2 * pairs.first as f64, "{what}: {pairs:?}");
            assert_eq!(all.pairs, None);
        }
    }
}

fn assert_same_clusters(all: &Clustering, near: &Clustering, h: f64, what: &str) {
    assert_eq!(all.labels, near.labels, "{what}");
    assert!(all.iterations.abs_diff(near.iterations) <= 1, "{what}: {} {}", all.iterations, near.iterations);
    for (a, b) in all.modes.iter().zip(&near.modes) {
        assert_eq!((a.size, a.weight), (b.size, b.weight), "{what}");
        for (x, y) in a.position.iter().zip(&b.position) {
            assert!((x - y).abs() <= 5e-3 * h + 1e-6 * x.abs(), "{what}: {b:?}, not {a:?}");
        }
    }
}

/// Blobs of every dimension that has kernels of its own, and of more; some with weights, one of them 0.
pub fn tiles_are_all_pairs(device: &Device) {
    if leaves_fits(device) {
        return;
    }
    let n = if is_interpreted(device) { TWO_BOXES } else { 700 };
    let weights: Vec<f64> = (0..n).map(|i| (i % 5) as f64).collect();
    for (d, weights) in
        [(1, None), (2, None), (2, Some(&weights[..])), (3, None), (4, None), (5, Some(&weights[..])), (8, None)]
    {
        if is_interpreted(device) && d % 2 == 1 {
            continue;
        }
        let rows = Blobs { points: n, clusters: 4, dimensions: d, seed: 14 }.generate().unwrap().rows;
        let what = format!("blobs, d = {d}, weighted: {}", weights.is_some());
        let weigh = |estimator: MeanShift| weights.iter().fold(estimator, |all, &weights| all.sample_weights(weights));
        assert_same_run(device, &rows, (d, 2.0 + d as f64), weigh, &what);
    }
}

/// Other norms, the angle between points, and bandwidths of points, among which neighbours have different ones.
pub fn tiles_of_norms_and_bandwidths(device: &Device) {
    if leaves_fits(device) {
        return;
    }
    let n = if is_interpreted(device) { TWO_BOXES } else { 700 };
    for d in [2, 6] {
        let rows = Blobs { points: n, clusters: 4, dimensions: d, seed: 14 }.generate().unwrap().rows;
        let h = 2.0 + d as f64;
        for (distance, h) in [(Distance::L1, 1.5 * h), (Distance::Lp(3.0), h), (Distance::Cosine, 0.02)] {
            if is_interpreted(device) && (d == 2) == (distance == Distance::L1) {
                continue;
            }
            let what = format!("blobs, d = {d}, {distance:?}");
            assert_same_run(device, &rows, (d, h), |estimator| estimator.distance(distance), &what);
        }
        let each: Vec<f64> = (0..n).map(|i| h * [1.0, 0.7, 1.3, 1.0][i % 4]).collect();
        let own = |estimator: MeanShift| estimator.bandwidth(Bandwidth::PerPoint(each.clone()));
        assert_same_run(device, &rows, (d, h), own, &format!("blobs, d = {d}, bandwidths of points"));
    }
}

/// Sets with nothing to order by, or with everything in one place.
pub fn tiles_of_hard_sets(device: &Device) {
    if leaves_fits(device) {
        return;
    }
    let n = if is_interpreted(device) { TWO_BOXES } else { 600 };
    let noise = random(2 * n, 51);
    let heavy = |x: &f32| (f64::from(*x) * 1.57).tan() as f32;
    let angle = |i: usize| i as f32 / n as f32 * std::f32::consts::TAU;
    let blob = |i: usize| noise[i] * 2.0;
    let sets: Vec<(&str, Vec<f32>, f64)> = vec![
        ("one", vec![3.0, -4.0], 1.0),
        ("two near", vec![3.0, -4.0, 3.5, -4.0], 1.0),
        ("two far", vec![3.0, -4.0, 30.0, -4.0], 1.0),
        ("all equal", [0.7, -0.3].repeat(n), 1.0),
        ("duplicates", (0..n).flat_map(|i| [(i % 7) as f32 * 1.5, (i % 3) as f32 * 4.0]).collect(), 1.0),
        ("far outlier", (0..2 * n).map(|k| if k < 2 { 1e5 } else { blob(k) }).collect(), 1.0),
        (
            "two clusters 1e6 bandwidths apart",
            (0..2 * n).map(|k| blob(k) + if k % 4 < 2 { 0.0 } else { 1e6 }).collect(),
            1.0,
        ),
        // Spacings of an eighth of the bandwidth, which is the side of a cell, and of a bandwidth.
        ("cell borders", (0..n).flat_map(|i| [(i % 16) as f32 * 0.125, (i / 16) as f32 * 0.125]).collect(), 1.0),
        ("a line", (0..n).flat_map(|i| [i as f32 * 0.02, i as f32 * 0.01]).collect(), 1.0),
        ("a ring", (0..n).flat_map(|i| [10.0 * angle(i).cos(), 10.0 * angle(i).sin()]).collect(), 1.0),
        ("noise", noise.iter().map(|x| x * 10.0).collect(), 1.0),
        ("heavy tails", noise.iter().map(heavy).collect(), 1.0),
    ];
    for (what, rows, h) in sets {
        // Of these a rounding decides where queries go after some steps: without a mode, or on its border.
        let settled = !["cell borders", "a line", "a ring", "noise", "heavy tails"].contains(&what);
        if settled {
            assert_same_run(device, &rows, (2, h), |estimator| estimator, what);
            continue;
        }
        for form in [Form::Blurring, Form::Standard] {
            for function in WeightFunction::ALL {
                let fits = [Method::Fused, Method::Tiles].map(|method| {
                    let steps = if function == WeightFunction::Flat { 1 } else { 3 };
                    fit(device, &fixed(h).form(form).weight(function).method(method).max_iterations(steps), &rows, 2)
                });
                let [all, near] = &fits;
                for (i, (a, b)) in all.queries.iter().zip(&near.queries).enumerate() {
                    // Of the flat weight a rounding may take a point on the border.
                    let border = function == WeightFunction::Flat && what == "cell borders";
                    let apart = (a.last_shift - b.last_shift).abs();
                    assert!(
                        apart <= if border { 0.2 } else { 4e-4 },
                        "{what}, {form:?}, {function:?}: {i}: {b:?}, not {a:?}"
                    );
                }
            }
        }
    }
}

/// Seeds of every kind, both rules of merging, labels of either kind, and new points.
pub fn tiles_of_seeds_and_new_points(device: &Device) {
    if leaves_fits(device) {
        return;
    }
    let n = if is_interpreted(device) { TWO_BOXES } else { 900 };
    let rows = Blobs { points: n, clusters: 4, dimensions: 2, seed: 14 }.generate().unwrap().rows;
    let others = Blobs { points: 97, clusters: 4, dimensions: 2, seed: 14 }.generate().unwrap().rows;
    let at = modeseek::Points::from_rows(&others, 2).unwrap();
    let seedings = [
        Seeding::EveryPoint,
        Seeding::Bins { min_frequency: 2 },
        Seeding::Random { count: 20, seed: 1 },
        Seeding::At(at.clone()),
    ];
    for (seeding, function) in seedings.into_iter().flat_map(|seeding| {
        [WeightFunction::Gaussian, WeightFunction::Triangular].map(move |function| (seeding.clone(), function))
    }) {
        for assignment in [Assignment::NearestMode, Assignment::Basin] {
            let what = format!("{seeding:?}, {function:?}, {assignment:?}");
            let h = if function == WeightFunction::Gaussian { 2.5 } else { 6.0 };
            let standard = fixed(h).form(Form::Standard).weight(function).max_iterations(100);
            let estimator = standard.seeding(seeding.clone()).assignment(assignment);
            let [all, near] =
                [Method::Fused, Method::Tiles].map(|method| fit(device, &estimator.clone().method(method), &rows, 2));
            assert_same_clusters(&all, &near, h, &what);
            assert_eq!(all.predict(&at, assignment).unwrap(), near.predict(&at, assignment).unwrap(), "{what}");
            let densest = estimator.merging(Merging::Densest);
            let [all, near] =
                [Method::Fused, Method::Tiles].map(|method| fit(device, &densest.clone().method(method), &rows, 2));
            assert_eq!(all.labels, near.labels, "{what}, densest");
        }
    }
}

/// Pairs that are computed are few times the true neighbours.
pub fn kept_pairs(device: &Device) {
    let n = if is_interpreted(device) { 1000 } else { 20_000 };
    for (d, most) in [(2, 4.0), (3, 8.0)] {
        if is_interpreted(device) && d > 2 {
            continue;
        }
        let rows: Vec<f32> = random(n * d, 95).iter().map(|x| x * 20.0).collect();
        let set = Points::new(device, rows.clone(), d);
        for form in [Form::Blurring, Form::Standard] {
            let h = if d == 2 { 3.0 } else { 6.0 };
            let estimator = fixed(h).weight(WeightFunction::Triangular).form(form).method(Method::Tiles);
            let found = fit(device, &estimator.max_iterations(1), &rows, d);
            let counts = count_within(device, set.columns(), set.columns(), None, 2.0, h).unwrap();
            let near: u64 = device.download(&counts).unwrap().iter().map(|&count| u64::from(count)).sum();
            let pairs = found.pairs.unwrap();
            assert_eq!(pairs.all, (n * n) as u64);
            // There was one iteration; and a sample of points without clusters is good.
            assert_eq!(pairs.first, pairs.kept);
            let sampled = pairs.ideal as f64 / near as f64;
            assert!((0.9..=1.1).contains(&sampled), "d = {d}, {form:?}: {sampled} times the {near} true pairs");
            let times = pairs.kept as f64 / near as f64;
            eprintln!(
                "{}: d = {d}, {form:?}: {times:.2} times the {near} true pairs of {}",
                device.describe(),
                pairs.all
            );
            // A set so small has boxes that are as wide as the bandwidth.
            let most = if is_interpreted(device) { 3.0 * most } else { most };
            assert!(times >= 1.0 && times <= most, "d = {d}, {form:?}: {times} times {near}");
        }
    }
    // The reach of the Gaussian is the smallest that keeps the bound.
    assert!(reach(1e5, 1e-4) < 7.0);
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

/// Enough pairs for all of them to be taken in order, some of points that are equal, beside the same points with weights of 1,
/// which are never put in order.
pub fn all_pairs_in_order(device: &Device) {
    if is_interpreted(device) {
        // It would take minutes; the step itself is compared there.
        return;
    }
    let n = if device.machine() == MachineKind::Gpu { 33_000 } else { 8_200 };
    for (d, equal) in [(2, 0), (3, 0), (2, 50)] {
        let mut rows = Blobs { points: n, clusters: 4, dimensions: d, seed: 14 }.generate().unwrap().rows;
        rows.copy_within(..equal * d, (n - equal) * d);
        for form in [Form::Blurring, Form::Standard] {
            let what = format!("d = {d}, {equal} equal, {form:?}");
            let estimator = fixed(2.5).form(form).method(Method::Fused).max_iterations(3);
            let ordered = fit(device, &estimator, &rows, d);
            let plain = fit(device, &estimator.clone().sample_weights(vec![1.0; n]), &rows, d);
            assert_eq!(ordered.path.reason, "asked for; in order", "{what}");
            assert_eq!((plain.path.name, &plain.path.reason[..]), (ordered.path.name, "asked for"), "{what}");
            assert_eq!((ordered.pairs, ordered.labels), (None, plain.labels), "{what}");
            for (a, b) in ordered.queries.iter().zip(&plain.queries) {
                assert_eq!(a.iterations, b.iterations, "{what}");
                assert!((a.last_shift - b.last_shift).abs() <= 2e-5, "{what}: {a:?}, not {b:?}");
            }
            for (a, b) in ordered.modes.iter().zip(&plain.modes) {
                assert_eq!(a.size, b.size, "{what}");
                assert!(
                    a.position.iter().zip(&b.position).all(|(x, y)| (x - y).abs() <= 1e-4),
                    "{what}: {a:?}, not {b:?}"
                );
            }
        }
    }
}
