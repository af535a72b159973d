//! Boxes of points that are nearly one point, which steps in many dimensions take as one.

use gpu::near::BOX;
use gpu::tight;
use modeseek::{Device, WeightFunction};

use crate::check::{is_interpreted, random};
use crate::labels::Set as Points;
use crate::steps::set::{Kernel, SMALL, Set, run, run_within};

/// How far a step may be off in these tests, scaled.
const ALLOWED: f32 = 1e-5;

/// The weights that have slopes.
const FUNCTIONS: [WeightFunction; 2] = [WeightFunction::Gaussian, WeightFunction::Flat];

/// n x d points in boxes of this half width, each box elsewhere, about a place.
fn boxes(n: usize, d: usize, half: f32, place: f32) -> Vec<f32> {
    let (noise, middles) = (random(n * d, 91), random(n.div_ceil(BOX) * d, 92));
    (0..n * d).map(|k| place + 1.5 * middles[k / d / BOX * d + k % d] + half * noise[k]).collect()
}

/// The weight of a scaled squared distance.
fn weight(function: WeightFunction, squared: f64) -> f64 {
    (function.steps().oracle)(squared.sqrt() / function.steps().scale)
}

/// How far a query's step over these points is, and the sum of their weights.
fn step(function: WeightFunction, points: &[(f64, Vec<f64>)], query: &[f64]) -> (Vec<f64>, f64) {
    let (mut sum, mut total) = (vec![0.0; query.len()], 0.0);
    for (factor, point) in points {
        let squared = point.iter().zip(query).map(|(x, q)| (x - q).powi(2)).sum();
        let weight = factor * weight(function, squared);
        total += weight;
        sum.iter_mut().zip(point.iter().zip(query)).for_each(|(sum, (x, q))| *sum += weight * (x - q));
    }
    (sum.into_iter().map(|sum| sum / total).collect(), total)
}

/// What a record says of a box is so, and a query that is no farther than it allows goes as far by it as by the points.
pub fn records_of_boxes(device: &Device) {
    let sizes: &[usize] = if is_interpreted(device) { &[1, 70] } else { &[1, 64, 65, 300] };
    for (&n, d) in sizes.iter().flat_map(|n| [(n, 1), (n, 5), (n, 40)]) {
        for (half, marked) in [(0.0, false), (1e-3, true), (4e-3, false), (0.02, true), (0.1, false), (1.0, true)] {
            let set = Points::new(device, boxes(n, d, half, 40.0), d);
            let (values, stride) = (set.columns().values, set.columns().stride);
            let factors: Vec<f32> = (0..2 * stride).map(|j| [0.5, 2.0, 0.0][j % 3]).collect();
            let marks = device.upload(if marked { &factors } else { &[] }).unwrap();
            let begin = if marked { gpu::near::len_marked(n, d) } else { gpu::near::len(n, d) };
            for function in FUNCTIONS {
                let what = format!("{function:?} n = {n} d = {d} half {half}");
                let slopes = function.steps().slopes.expect("of these weights");
                let mut cells = device.zeros::<f32>(begin + tight::len(n, d)).unwrap();
                let (end, first, second) = (slopes.end, slopes.first, slopes.second);
                let (n32, d32, stride) = (n as u32, d as u32, stride as u32);
                let launch = tight::records_of_boxes::launch(
                    values, &marks, &mut cells, n32, d32, stride, end, first, second, ALLOWED,
                );
                device.launch(launch).unwrap();
                let found = device.download(&cells).unwrap();
                assert!(found[..begin].iter().all(|&side| side == 0.0), "{what}: boxes are not touched");
                for (b, record) in found[begin..].chunks(d + 3).enumerate() {
                    let factor = |j: usize| if marked { f64::from(factors[j]) } else { 1.0 };
                    let row = |j: usize| set.row(j).iter().copied().map(f64::from).collect();
                    let points: Vec<(f64, Vec<f64>)> =
                        (b * BOX..n.min((b + 1) * BOX)).map(|j| (factor(j), row(j))).collect();
                    check_record(function, &points, record, half, &format!("{what} box {b}"));
                }
            }
        }
    }
}

fn check_record(function: WeightFunction, points: &[(f64, Vec<f64>)], record: &[f32], half: f32, what: &str) {
    let (centroid, rest) = record.split_at(record.len() - 3);
    let centroid: Vec<f64> = centroid.iter().copied().map(f64::from).collect();
    let [total, s, limit] = [rest[0], rest[1], rest[2]].map(f64::from);
    let expected: f64 = points.iter().map(|(factor, _)| factor).sum();
    assert_eq!(total, expected, "{what}");
    if total == 0.0 {
        assert_eq!(limit, -1.0, "{what}: of no weight");
        return;
    }
    let squared = |point: &[f64]| point.iter().zip(&centroid).map(|(x, c)| (x - c).powi(2)).sum::<f64>();
    for (c, found) in centroid.iter().enumerate() {
        let mean: f64 = points.iter().map(|(factor, point)| factor * point[c]).sum::<f64>() / total;
        assert!((found - mean).abs() <= 4e-6, "{what}: {found}, not {mean}");
    }
    let mean: f64 = points.iter().map(|(factor, point)| factor * squared(point)).sum::<f64>() / total;
    // Coordinates near 40 are rounded to 4e-6.
    assert!((s - mean).abs() <= 1e-5 * mean + 1e-9 * centroid.len() as f64, "{what}: {s}, not {mean}");
    if half == 0.0 {
        assert!(limit > 0.0, "{what}: equal points are one");
    }
    if half == 1.0 && points.len() > 3 && function == WeightFunction::Gaussian {
        assert_eq!(limit, -1.0, "{what}: wide");
    }
    for u in [0.0, 0.5, 1.0].map(|part| part * limit.max(0.0).sqrt()) {
        if limit < 0.0 {
            break;
        }
        for towards in [1.0, -1.0] {
            let along = (centroid.len() as f64).sqrt();
            let query: Vec<f64> = centroid.iter().map(|c| c + towards * u / along).collect();
            let (exact, weights) = step(function, points, &query);
            if weights < 1e-25 {
                // Nothing of which anything could be a part.
                continue;
            }
            let apart: f64 = exact
                .iter()
                .zip(&query)
                .zip(&centroid)
                .map(|((step, q), c)| (q + step - c).powi(2))
                .sum::<f64>()
                .sqrt();
            assert!(apart <= f64::from(ALLOWED) + 4e-6, "{what}: at {u} it goes {apart} elsewhere");
            let whole = total * weight(function, u * u + s);
            assert!((weights - whole).abs() <= 1e-4 * weights, "{what}: at {u}: {whole}, not {weights}");
        }
    }
}

/// Steps over boxes of any width are those of all pairs, but for what is allowed.
pub fn steps_over_tight_boxes(device: &Device) {
    let sizes: &[_] = match is_interpreted(device) {
        true => &[(70, None)],
        false => &[(1, None), (65, None), (700, Some(333)), (700, None)],
    };
    for (kernel, d) in [(Kernel::Any, 5), (Kernel::AnyMarked, 6), (Kernel::Any, 40)] {
        for (function, half) in FUNCTIONS.into_iter().flat_map(|of| [0.0, 1e-3, 0.01, 0.05, 0.3].map(|half| (of, half)))
        {
            for &(n, m) in sizes {
                let mut set = Set::new(function, kernel, (n, m, d));
                set.scales.fill(1.0);
                set.points = boxes(n, d, half, 4.0);
                // On either side of the boxes.
                let reaching = 0.2 / (d as f32).sqrt();
                set.queries = m.map(|m| boxes(m, d, 1.0, 0.0).iter().map(|x| 4.0 + reaching * x).collect());
                let (what, tolerance) = (format!("{} half {half}", set.what()), if m.is_some() { -1.0 } else { 0.0 });
                let all = run(device, &set, tolerance, 1.0, SMALL);
                let reach = if function == WeightFunction::Gaussian { 64.0 } else { 1.00001 };
                let near = run_within(device, &set, tolerance, 1.0, SMALL, Some(reach));
                for i in 0..set.m() {
                    let (a, b) = (all.totals[i], near.totals[i]);
                    assert!((a - b).abs() <= 1e-5 * a + 1e-12, "{what}: {i}: {b}, not {a}");
                    if a <= 1e-6 {
                        continue;
                    }
                    let [a, b] = [&all, &near].map(|steps| steps.rows[i * d..][..d].iter());
                    let apart = a.zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
                    // Sums of coordinates near 4 round.
                    assert!(apart <= 2.0 * f64::from(set.allowed) + 1e-5, "{what}: {i} is {apart} elsewhere");
                }
            }
        }
    }
}

/// Where more is allowed than anybody wants, what is added is the boxes' centroids: so they are taken, on the machines that do.
pub fn centroids_are_taken(device: &Device) {
    let (n, d) = (BOX + 20, 5);
    for kernel in [Kernel::Any, Kernel::AnyMarked] {
        let mut set = Set::new(WeightFunction::Gaussian, kernel, (n, Some(40), d));
        set.scales.fill(1.0);
        set.points = boxes(n, d, 0.02, 0.0);
        set.queries = Some(random(40 * d, 93));
        let exact = run_within(device, &set, -1.0, 1.0, SMALL, Some(64.0));
        set.allowed = 10.0;
        let found = run_within(device, &set, -1.0, 1.0, SMALL, Some(64.0));
        if !tight::serves(device.machine(), d) {
            assert_eq!((found.rows, found.totals), (exact.rows, exact.totals));
            continue;
        }
        let points: Vec<(f64, Vec<f64>)> = (0..n)
            .map(|j| (f64::from(set.factors[j]), set.points[j * d..][..d].iter().copied().map(f64::from).collect()))
            .collect();
        // Each box as a point, a little farther than its centroid.
        let (mut least, mut differs) = (f64::INFINITY, false);
        for i in 0..40 {
            let query: Vec<f64> = set.queries()[i * d..][..d].iter().copied().map(f64::from).collect();
            let (mut sum, mut total) = (vec![0.0; d], 0.0);
            for points in points.chunks(BOX) {
                let factor: f64 = points.iter().map(|(factor, _)| factor).sum();
                let mean = |c: usize| points.iter().map(|(factor, x)| factor * x[c]).sum::<f64>() / factor;
                let centroid: Vec<f64> = (0..d).map(mean).collect();
                let to = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
                let s = points.iter().map(|(factor, x)| factor * to(x, &centroid)).sum::<f64>() / factor;
                let weight = factor * weight(set.function, to(&query, &centroid) + s);
                total += weight;
                (0..d).for_each(|c| sum[c] += weight * centroid[c]);
            }
            least = least.min(total);
            let apart = |row: &[f32], to: &[f64]| {
                row.iter().zip(to).map(|(a, b)| (f64::from(*a) - b).powi(2)).sum::<f64>().sqrt()
            };
            let mean: Vec<f64> = sum.iter().map(|sum| sum / total).collect();
            let row = &found.rows[i * d..][..d];
            assert!(apart(row, &mean) <= 2e-5, "{}: {i} is at {row:?}, not {mean:?}", set.what());
            assert!((f64::from(found.totals[i]) - total).abs() <= 1e-4 * total, "{}: {i}", set.what());
            differs |= apart(&exact.rows[i * d..][..d], &mean) > 1e-4;
        }
        assert!(least > 1e-3 && differs, "{}: the test tells centroids from points", set.what());
    }
}
