//! What is far is left out: the order of points, their boxes, and steps and whole runs against all pairs.

use gpu::near::{BOX, WIDE};
use gpu::progress::PAIRS;
use modeseek::data::Blobs;
use modeseek::mean_shift::labels::count_within;
use modeseek::mean_shift::near::{arrange, curve_order, reach, sort_by_key};
use modeseek::{Assignment, Clustering, Device, Form, Merging, Method, Seeding, WeightFunction};

use crate::check::{is_interpreted, random};
use crate::labels::Set as Points;
use crate::runs::{fit, fixed};
use crate::steps::set::{Kernel, SMALL, Set, run, run_within};

pub fn sorted_keys(device: &Device) {
    let sizes: &[usize] = if is_interpreted(device) { &[0, 1, 65, 700] } else { &[0, 1, 2, 63, 64, 65, 1000, 70_001] };
    for &n in sizes {
        for (bits, spread) in [(0, 1), (3, 8), (16, 1 << 16), (64, u64::MAX)] {
            let keys: Vec<u64> = (0..n as u64).map(|i| (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) % spread).collect();
            let mut expected: Vec<u32> = (0..n as u32).collect();
            expected.sort_by_key(|&i| keys[i as usize]);
            let found = sort_by_key(device, device.upload(&keys).unwrap(), bits).unwrap();
            assert_eq!(device.download(&found).unwrap(), expected, "{n} keys of {bits} bits");
        }
    }
}

/// The cell of each point, of a grid whose dimensions have so many bits.
fn cells(set: &Points, side: f64, bits: &[u32]) -> Vec<Vec<u64>> {
    let low = |c: usize| (0..set.n).map(|i| set.row(i)[c]).fold(f32::INFINITY, f32::min);
    let lows: Vec<f32> = (0..set.d).map(low).collect();
    let cell = |x: f32, c: usize| (((x - lows[c]) * (1.0 / side) as f32) as u64).min((1 << bits[c]) - 1);
    set.rows.chunks(set.d).map(|row| row.iter().enumerate().map(|(c, &x)| cell(x, c)).collect()).collect()
}

/// The order of Morton's curve.
fn along_morton(set: &Points, side: f64, bits: &[u32]) -> Vec<u32> {
    let key = |cell: &Vec<u64>| {
        let mut key = Vec::new();
        for level in (0..bits.iter().copied().max().unwrap()).rev() {
            key.extend((0..set.d).filter(|&c| bits[c] > level).map(|c| cell[c] >> level & 1));
        }
        key
    };
    let keys: Vec<_> = cells(set, side, bits).iter().map(key).collect();
    let mut order: Vec<u32> = (0..set.n as u32).collect();
    order.sort_by_key(|&i| &keys[i as usize]);
    order
}

/// Extents of 8 and, in the last dimension, of a part of it.
fn boxed(device: &Device, n: usize, d: usize, narrow: f32) -> Points {
    let mut rows: Vec<f32> = random(n * d, 71).iter().map(|x| x * 3.9).collect();
    // Corners, so that extents are known.
    (0..d).for_each(|c| (rows[c], rows[d + c]) = (-4.0 + 0.01, 4.0 - 0.01));
    (0..n).for_each(|i| rows[i * d + d - 1] *= narrow);
    Points::new(device, rows, d)
}

pub fn points_along_a_curve(device: &Device) {
    let n = if is_interpreted(device) { 200 } else { 3000 };
    for (d, narrow, side, bits) in [
        (1, 0.25, 0.5, vec![2]),
        (5, 0.25, 0.01, vec![10, 10, 10, 10, 8]),
        (6, 0.0, 0.3, vec![5, 5, 5, 5, 5, 0]),
        // Of the smallest cells for which there is room.
        (7, 0.25, 0.001, vec![9, 9, 9, 9, 9, 9, 7]),
    ] {
        let set = boxed(device, n, d, narrow);
        let room = if d == 7 { side * 16.0 } else { side };
        let found = curve_order(device, set.columns(), side, false).unwrap();
        assert_eq!(device.download(&found).unwrap(), along_morton(&set, room, &bits), "d = {d}");
    }
}

/// What makes a curve Hilbert's: cells that follow one another are neighbours, and in each coarser grid, too, the
/// cells are gone through one after another.
pub fn points_along_hilberts_curve(device: &Device) {
    for (d, bits) in [(2, if is_interpreted(device) { 4 } else { 6 }), (3, 3), (4, 2)] {
        let across = 1_usize << bits;
        let all = across.pow(d as u32);
        // A point in each cell, in no order.
        let place = |i: usize, c: usize| ((i * 5 + 3) % all / across.pow(c as u32) % across) as f32 + 0.5;
        let set = Points::new(device, (0..all).flat_map(|i| (0..d).map(move |c| place(i, c))).collect(), d);
        let order = device.download(&curve_order(device, set.columns(), 0.999, false).unwrap()).unwrap();
        let mut once = order.clone();
        once.sort_unstable();
        assert_eq!(once, (0..all as u32).collect::<Vec<_>>());
        for pair in order.windows(2) {
            let [a, b] = [pair[0], pair[1]].map(|i| set.row(i as usize));
            assert_eq!(a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f32>(), 1.0, "d = {d}: {a:?} {b:?}");
        }
        for block in order.chunks(1 << d) {
            let coarse = |i: u32| set.row(i as usize).iter().map(|x| (x / 2.0).floor()).collect::<Vec<f32>>();
            assert!(block.iter().all(|&i| coarse(i) == coarse(block[0])), "d = {d}");
        }
    }
}

pub fn boxes_of_points(device: &Device) {
    let sizes: &[usize] = if is_interpreted(device) { &[1, 65, 300] } else { &[1, 63, 64, 65, 1023, 1025, 3000] };
    for &n in sizes {
        for d in [1, 2, 3, 8] {
            let set = Points::new(device, random(n * d, 81), d);
            let (narrow, wide) = (n.div_ceil(BOX), WIDE / BOX);
            let mut boxes = device.zeros::<f32>(gpu::near::len(n, d)).unwrap();
            let (stride, n32, d32) = (set.columns().stride as u32, n as u32, d as u32);
            let values = set.columns().values;
            let launch = gpu::boxes::boxes_of_points::launch(values, &mut boxes, n32, d32, stride, BOX as u32);
            device.launch(launch).unwrap();
            let launch = gpu::boxes::boxes_of_boxes::launch(&mut boxes, narrow as u32, d32, wide as u32);
            device.launch(launch).unwrap();
            let mut expected = Vec::new();
            for size in [BOX, WIDE] {
                for first in (0..n).step_by(size) {
                    for c in 0..d {
                        let inside = (first..n.min(first + size)).map(|i| set.row(i)[c]);
                        expected.push(inside.clone().fold(f32::INFINITY, f32::min));
                        expected.push(inside.fold(f32::NEG_INFINITY, f32::max));
                    }
                }
            }
            assert_eq!(device.download(&boxes).unwrap(), expected, "n = {n} d = {d}");
        }
    }
    // What is no number makes a box of none.
    let mut rows = random(200, 82);
    rows[70] = f32::NAN;
    let set = Points::new(device, rows, 1);
    let mut boxes = device.zeros::<f32>(8).unwrap();
    let launch = gpu::boxes::boxes_of_points::launch(set.columns().values, &mut boxes, 200, 1, 224, BOX as u32);
    device.launch(launch).unwrap();
    let found: Vec<bool> = device.download(&boxes).unwrap().iter().map(|x| x.is_nan()).collect();
    assert_eq!(found, [false, false, true, true, false, false, false, false]);
}

/// Points that are equal become one, of the sum of their factors; the others change their order alone.
pub fn arranged_points(device: &Device) {
    let sizes: &[usize] = if is_interpreted(device) { &[1, 70, 300] } else { &[1, 2, 70, 3000] };
    for &n in sizes {
        for (d, different) in [(1, n), (2, n.div_ceil(3)), (3, 5.min(n)), (6, 1)] {
            let spots: Vec<f32> = (0..different * d).map(|k| k as f32 * 0.37 - 70.0).collect();
            let spot = |i: usize| i * 11 % n % different;
            let rows = (0..n).flat_map(|i| spots[spot(i) * d..][..d].to_vec()).collect();
            let set = Points::new(device, rows, d);
            let factors: Vec<f32> = (0..n).map(|i| [1.0, 0.25, 2.5][i % 3]).collect();
            let stride = set.columns().stride;
            let column = |values: &[f32]| [values, &vec![f32::NAN; stride - n]].concat();
            let marks = [column(&factors), column(&vec![1.0; n])].concat();
            for marks in [Vec::new(), marks] {
                let marked = !marks.is_empty();
                let what = format!("n = {n} d = {d}, {different} spots, marked: {marked}");
                let found = arrange(device, set.columns(), &device.upload(&marks).unwrap(), 0.01).unwrap();
                let columns = device.download(&found.columns).unwrap();
                let number_of = device.download(&found.number_of).unwrap();
                let mut totals = vec![0.0; found.n];
                for (i, &number) in number_of.iter().enumerate() {
                    for (c, x) in set.row(i).iter().enumerate() {
                        assert_eq!(columns[c * found.stride + number as usize], *x, "{what}: {i}");
                    }
                    totals[number as usize] += if marked { factors[i] } else { 1.0 };
                }
                // Two that have one hash may be between two that are equal; in sets this small, none are.
                assert_eq!(found.n, different, "{what}");
                let marks = device.download(&found.marks).unwrap();
                assert_eq!(marks.is_empty(), !marked && different == n, "{what}");
                if !marks.is_empty() {
                    assert_eq!(marks[..found.n], totals, "{what}");
                    assert!(marks[found.stride..][..found.n].iter().all(|&scale| scale == 1.0), "{what}");
                }
            }
        }
    }
}

/// Sets that are wide beside the reach, and in an order that keeps neighbours together.
fn wide_set(function: WeightFunction, kernel: Kernel, (n, m, d): (usize, Option<usize>, usize)) -> Set {
    let mut set = Set::new(function, kernel, (n, m, d));
    // Bandwidths of points are not for these.
    set.scales.fill(1.0);
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
    for function in WeightFunction::ALL {
        for (kernel, d) in kernels.into_iter().chain([(Kernel::Marked, 2), (Kernel::AnyMarked, 6), (Kernel::Any, 33)]) {
            for &(n, m) in sizes {
                if is_interpreted(device) && d * n > 3000 {
                    continue;
                }
                let set = wide_set(function, kernel, (n, m, d));
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
                if n >= 300 && function != WeightFunction::Gaussian {
                    assert!(computed < (n * set.m()) as u64 * 3 / 4, "{what}: {computed} pairs");
                }
                assert_eq!(pairs(&all.state), 0);
            }
        }
    }
}

/// With boxes, too, a query's step does not depend on its place among the others, nor on the size of the block.
pub fn places_do_not_matter_within_reach(device: &Device) {
    for (kernel, d) in [(Kernel::Plain, 2), (Kernel::Marked, 3), (Kernel::Any, 5), (Kernel::AnyMarked, 5)] {
        let function = WeightFunction::Gaussian;
        let mut set = wide_set(function, kernel, (500, Some(150), d));
        let first = run_within(device, &set, -1.0, 1.0, SMALL, Some(20.0));
        let rows = set.queries().to_vec();
        // 37 and 150 have no common factor.
        let turned = |i: usize| i * 37 % 150;
        set.queries = Some((0..150).flat_map(|i| rows[turned(i) * d..][..d].to_vec()).collect());
        for threads in [32, 64] {
            let second = run_within(device, &set, -1.0, 1.0, Some(threads), Some(20.0));
            for i in 0..150 {
                let (a, b) = (&first.rows[turned(i) * d..][..d], &second.rows[i * d..][..d]);
                assert_eq!(a, b, "{} {threads}: {i}", set.what());
                assert_eq!(first.totals[turned(i)], second.totals[i], "{} {threads}: {i}", set.what());
            }
        }
    }
}

/// After one iteration every query has gone as far as with all pairs; and after many, the clusters are the same.
fn assert_same_run(device: &Device, rows: &[f32], d: usize, h: f64, weights: Option<&[f64]>, what: &str) {
    let most = if is_interpreted(device) { 5 } else { 50 };
    for form in [Form::Blurring, Form::Standard] {
        for function in [WeightFunction::Gaussian, WeightFunction::Triangular, WeightFunction::Epanechnikov] {
            let estimator = |method, iterations| {
                let estimator = fixed(h).form(form).weight(function).method(method).max_iterations(iterations);
                weights.iter().fold(estimator, |estimator, &weights| estimator.sample_weights(weights))
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
    let n = if is_interpreted(device) { 150 } else { 700 };
    let weights: Vec<f64> = (0..n).map(|i| (i % 5) as f64).collect();
    for (d, weights) in
        [(1, None), (2, None), (2, Some(&weights[..])), (3, None), (4, None), (5, Some(&weights[..])), (8, None)]
    {
        if is_interpreted(device) && d % 2 == 1 {
            continue;
        }
        let rows = Blobs { points: n, clusters: 4, dimensions: d, seed: 14 }.generate().unwrap().rows;
        assert_same_run(
            device,
            &rows,
            d,
            2.0 + d as f64,
            weights,
            &format!("blobs, d = {d}, weighted: {}", weights.is_some()),
        );
    }
}

/// Sets with nothing to order by, or with everything in one place.
pub fn tiles_of_hard_sets(device: &Device) {
    let n = if is_interpreted(device) { 150 } else { 600 };
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
            assert_same_run(device, &rows, 2, h, None, what);
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
    let n = if is_interpreted(device) { 150 } else { 900 };
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
