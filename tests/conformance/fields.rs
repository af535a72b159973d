//! Fits and steps over a binned field against all pairs.

use modeseek::agreement::adjusted_rand_index;
use modeseek::data::Blobs;
use modeseek::reference::{Metric, Pull};
use modeseek::{Assignment, Bandwidth, Clustering, Device, Error, Form, MeanShift, Method, Points, WeightFunction};

use crate::check::{is_interpreted, random, wide};

/// Sets that are awkward for a grid, of about n points in d dimensions, at bandwidth 1.
fn sets(n: usize, d: usize) -> Vec<(&'static str, Vec<f32>)> {
    let noise = random(n * d, 81);
    let along = |i: usize| i as f32 / n as f32;
    let each = |place: &dyn Fn(usize, usize) -> f32| (0..n * d).map(|at| place(at / d, at % d)).collect::<Vec<_>>();
    vec![
        ("uniform noise", noise.iter().map(|x| 6.0 * x).collect()),
        ("all equal", each(&|_, c| 0.3 + c as f32)),
        ("two places", each(&|i, _| (i % 2) as f32 * 0.77)),
        ("on borders of cells", each(&|i, c| ((i * (c + 3)) % 11) as f32 * 0.25)),
        ("a line", each(&|i, c| 9.0 * along(i) * (c + 1) as f32)),
        (
            "a ring",
            each(&|i, c| {
                let angle = std::f32::consts::TAU * along(i);
                [4.0 * angle.cos(), 4.0 * angle.sin()].get(c).copied().unwrap_or(0.0)
            }),
        ),
        ("heavy tails", noise.iter().map(|x| x / (1.02 - x.abs())).map(|x| x.clamp(-12.0, 12.0)).collect()),
        ("an outlier", each(&|i, c| if i == 0 { 11.0 } else { noise[i * d + c] })),
    ]
}

fn estimator(device: &Device, accuracy: f64) -> MeanShift {
    MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).accuracy(accuracy).method(Method::Field).on(device)
}

/// The step of every point, as the field has it and in f64.
pub fn field_steps_are_accurate(device: &Device) {
    let n = if is_interpreted(device) { 40 } else { 300 };
    for d in 1..=if is_interpreted(device) { 2 } else { 3 } {
        for accuracy in [1e-2, 1e-3, 1e-4] {
            for (name, rows) in sets(n, d) {
                let mut field = estimator(device, accuracy).field(d).unwrap();
                field.add(&rows).unwrap();
                let wide = wide(&rows);
                let ones = vec![1.0; n];
                let bandwidths = vec![1.0; n];
                let pull = Pull {
                    points: &wide,
                    d,
                    metric: Metric::L2,
                    function: WeightFunction::Gaussian,
                    bandwidths: &bandwidths,
                    factors: &ones,
                };
                let steps = field.shifts(&rows).unwrap();
                for (q, step) in wide.chunks(d).zip(&steps) {
                    let mean = pull.mean(q);
                    let error = (0..d).map(|c| (mean[c] - q[c] - step[c]).powi(2)).sum::<f64>().sqrt();
                    assert!(
                        error <= accuracy,
                        "{name}, d = {d}: the step from {q:?} is {error:e} off, not {accuracy:e}"
                    );
                }
                assert!(field.error_bound() <= accuracy * 1.001);
            }
        }
    }
}

fn blobs(device: &Device, d: usize) -> (Points, Vec<f32>) {
    let n = if is_interpreted(device) { 80 } else { 2000 };
    let found = Blobs { points: n, clusters: 4, dimensions: d, seed: 14 }.generate().unwrap();
    (Points::from_rows(&found.rows, d).unwrap(), found.rows)
}

/// Both have the same clusters, and modes that are no farther apart than steps and tolerance say.
#[track_caller]
fn assert_same(field: &Clustering, exact: &Clustering, what: &str) {
    assert_eq!(field.path.name, "field", "{what}: {}", field.path.reason);
    assert_eq!(exact.path.name, "all pairs", "{what}");
    assert_eq!(adjusted_rand_index(&field.labels, &exact.labels), 1.0, "{what}");
    assert_eq!(field.modes.len(), exact.modes.len(), "{what}");
    let sampled = field.path.sampled_error.unwrap();
    assert!(sampled <= 1e-3, "{what}: {sampled}");
    for (a, b) in field.modes.iter().zip(&exact.modes) {
        assert_eq!((a.size, a.weight), (b.size, b.weight), "{what}");
        let apart = a.position.iter().zip(&b.position).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
        assert!(apart <= 0.01 * exact.bandwidth, "{what}: modes are {apart} apart");
    }
}

/// Both forms, with and without weights, one bandwidth or one for each dimension: what all pairs give.
pub fn field_fits_are_those_of_all_pairs(device: &Device) {
    // The nodes of three dimensions take an interpreter minutes; its kernels are compared in binned.rs.
    for d in 1..=if is_interpreted(device) { 2 } else { 5 } {
        let (points, _) = blobs(device, d);
        let h = [2.5, 2.5, 2.5, 10.0, 20.0][d - 1];
        let weights: Vec<f64> = (0..points.len()).map(|i| [1.0, 2.5, 0.5][i % 3]).collect();
        for form in [Form::Blurring, Form::Standard] {
            for weighted in [false, true] {
                let mut exact = MeanShift::new().bandwidth(Bandwidth::Fixed(h)).form(form).on(device);
                if weighted {
                    exact = exact
                        .sample_weights(weights.clone())
                        .bandwidth(Bandwidth::PerDimension((0..d).map(|c| h + 0.25 * c as f64).collect()));
                }
                let exact = exact.method(Method::Fused);
                let field = exact.clone().method(Method::Field).accuracy(1e-3);
                let what = format!("d = {d}, {form:?}, weighted: {weighted}");
                assert_same(&field.fit(&points).unwrap(), &exact.fit(&points).unwrap(), &what);
            }
        }
    }
}

/// Steps in four and five dimensions: of so few points the sample that a fit tells the error of has every one.
pub fn fields_in_many_dimensions(device: &Device) {
    if is_interpreted(device) {
        return;
    }
    for (d, accuracy, h) in [(4, 1e-3, 4.0), (5, 1e-2, 8.0)] {
        for (name, rows) in sets(200, d) {
            let points = Points::from_rows(&rows, d).unwrap();
            for form in [Form::Blurring, Form::Standard] {
                let what = format!("{name}, d = {d}, {form:?}");
                let field = estimator(device, accuracy).bandwidth(Bandwidth::Fixed(h)).form(form).max_iterations(2);
                let exact = field.clone().method(Method::Fused).fit(&points).unwrap();
                let found = field.fit(&points).unwrap();
                assert_eq!(found.path.name, "field", "{what}: {}", found.path.reason);
                assert!(found.path.sampled_error.unwrap() <= accuracy, "{what}: {:?}", found.path);
                let [here, there] = [&found, &exact].map(|fit| fit.density(&points).unwrap());
                for (i, (here, there)) in here.iter().zip(&there).enumerate() {
                    // The accuracy is that of a step; a density is off by about as much of itself.
                    let off = (here / there - 1.0).abs();
                    assert!(off <= 2.0 * accuracy, "{what}: density {i} is {here}, not {there}");
                }
            }
        }
    }
}

/// The order of points, and how they are divided into chunks and fields, change no bit.
pub fn fields_have_no_order(device: &Device) {
    let (points, rows) = blobs(device, 2);
    let estimator = estimator(device, 1e-3).bandwidth(Bandwidth::Fixed(2.5));
    let saved = |chunks: &[&[f32]]| {
        let mut field = estimator.field(2).unwrap();
        for chunk in chunks {
            field.add(chunk).unwrap();
        }
        field
    };
    let half = rows.len() / 4 * 2;
    let whole = saved(&[&rows]);
    let swapped = saved(&[&rows[half..], &rows[..half]]);
    let mut merged = saved(&[&rows[..10]]);
    merged.merge(&saved(&[&rows[half..]])).unwrap();
    merged.merge(&saved(&[&rows[10..half]])).unwrap();
    let modes = whole.modes().unwrap();
    assert_eq!(modes.modes.len(), 4);
    for other in [swapped, merged] {
        assert_eq!((other.points(), other.weight()), (whole.points(), whole.weight()));
        assert_eq!(other.shifts(&rows).unwrap(), whole.shifts(&rows).unwrap());
        assert_eq!(other.modes().unwrap().modes, modes.modes);
    }
    let labels = modes.predict(&rows).unwrap();
    let exact = estimator.clone().method(Method::Fused).form(Form::Standard).fit(&points).unwrap();
    assert_eq!(adjusted_rand_index(&labels, &exact.labels), 1.0);
    assert_eq!(modes.predict(&[1e4, 0.0, rows[0], rows[1]]).unwrap(), [-1, labels[0]]);
}

/// Sets of about n points over a box most of which is empty, at bandwidth 1.
fn scattered(n: usize, d: usize) -> Vec<(&'static str, Vec<f64>)> {
    let noise: Vec<f64> = random(n * d, 82).into_iter().map(f64::from).collect();
    let along = |i: usize| i as f64 / n as f64;
    let each = |place: &dyn Fn(usize, usize) -> f64| (0..n * d).map(|at| place(at / d, at % d)).collect::<Vec<_>>();
    vec![
        ("two clusters", each(&|i, c| (i % 2) as f64 * 1e6 + noise[i * d + c])),
        ("a diagonal", each(&|i, _| 1e4 * along(i / 5 * 5) + 0.3 * (i % 5) as f64)),
        (
            "a ring",
            each(&|i, c| {
                let angle = std::f64::consts::TAU * along(i / 5 * 5);
                2000.0 * [angle.cos(), angle.sin(), 0.5 * angle.sin()][c] + 0.2 * (i % 5) as f64
            }),
        ),
        (
            "blobs and outliers",
            each(&|i, c| {
                if i % 10 == 0 { 1e5 * noise[i * d + c] } else { (i % 3 * (c + 1) % 4) as f64 * 8.0 + noise[i * d + c] }
            }),
        ),
        ("on borders of blocks", each(&|i, c| ((i * (c + 3)) % 11) as f64 * 16.0 + (i % 2 * 4096) as f64)),
        ("heavy tails", noise.iter().map(|x| x / (1.0001 - x.abs())).map(|x| x * 50.0).collect()),
    ]
}

/// Where most of the box is empty, nodes are stored in blocks: fits are those of all pairs, in both forms.
pub fn fields_in_blocks(device: &Device) {
    let n = if is_interpreted(device) { 10 } else { 200 };
    for d in 2..=if is_interpreted(device) { 2 } else { 3 } {
        for (name, rows) in scattered(n, d) {
            if !is_interpreted(device) || name == "two clusters" {
                are_those_of_all_pairs(device, &rows, d, name, &|nodes, blocks| nodes >= 64 * blocks);
            }
        }
    }
}

/// The same in patches, in four and five dimensions.
pub fn fields_in_patches(device: &Device) {
    let n = if is_interpreted(device) { 8 } else { 200 };
    for d in 4..=if is_interpreted(device) { 4 } else { 5 } {
        let noise = wide(&random(n * d, 84));
        let each = |place: &dyn Fn(usize, usize) -> f64| (0..n * d).map(|at| place(at / d, at % d)).collect::<Vec<_>>();
        let sets = [
            ("out of reach of each other", each(&|i, c| (i % 2) as f64 * 40.0 + 0.5 * noise[i * d + c])),
            ("within reach", each(&|i, c| (i % 2) as f64 * 3.5 + 0.5 * noise[i * d + c])),
            ("in some axes only", each(&|i, c| (i % 3 * (c % 2)) as f64 * 12.0 + 0.5 * noise[i * d + c])),
            ("outliers", each(&|i, c| if i % 50 == 7 { 25.0 } else { 1.0 } * noise[i * d + c])),
        ];
        for (name, rows) in sets.into_iter().take(if is_interpreted(device) { 2 } else { 4 }) {
            are_those_of_all_pairs(device, &rows, d, name, &|nodes, patches| patches > 1 && nodes > patches);
        }
    }
}

/// Whether fits over parts of a grid, whose nodes and number are as `expected`, find what fits of all pairs do.
fn are_those_of_all_pairs(
    device: &Device,
    rows: &[f64],
    d: usize,
    name: &str,
    expected: &dyn Fn(usize, usize) -> bool,
) {
    let points = Points::from_rows(rows, d).unwrap();
    for form in [Form::Blurring, Form::Standard] {
        let what = format!("{name}, d = {d}, {form:?}");
        let field = estimator(device, 1e-2).form(form);
        let exact = field.clone().method(Method::Fused).fit(&points).unwrap();
        let found = field.fit(&points).unwrap();
        assert_eq!(found.path.name, "field", "{what}: {}", found.path.reason);
        let (nodes, parts) = (found.path.nodes.unwrap(), found.path.blocks.unwrap());
        assert!(expected(nodes, parts), "{what}: {:?}", found.path);
        assert!(found.path.reason.contains(if d > 3 { "patches" } else { "blocks" }), "{what}: {:?}", found.path);
        // Coordinates themselves are f32.
        let farthest = rows.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        let accuracy = 1e-2 + 2.0 * farthest * f64::from(f32::EPSILON);
        assert!(found.path.sampled_error.unwrap() <= accuracy, "{what}: {:?}", found.path);
        // Clusters of one size at places that differ by a rounding have no order.
        assert_eq!(adjusted_rand_index(&found.labels, &exact.labels), 1.0, "{what}");
        assert_eq!(found.modes.len(), exact.modes.len(), "{what}");
        for mode in &found.modes {
            let apart = |other: &[f64]| mode.position.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            let nearest = exact.modes.iter().map(|other| apart(&other.position)).fold(f64::INFINITY, f64::min);
            assert!(nearest <= 0.1, "{what}: a mode is {nearest} off");
        }
        if form == Form::Standard {
            let new: Vec<f64> = rows.iter().take(10 * d).map(|x| x + 0.4).collect();
            let new = Points::from_rows(&new, d).unwrap();
            let [a, b] = [&found, &exact].map(|fit| fit.predict(&new, Assignment::Basin).unwrap());
            assert_eq!(adjusted_rand_index(&a, &b), 1.0, "{what}: new points");
        }
    }
}

/// Where not even the blocks of a field fit, the report says how many nodes they have, and far tiles are left out instead.
pub fn fields_that_do_not_fit(device: &Device) {
    if !is_interpreted(device) {
        // Each point has four blocks of its own; and of the most points not even the blocks can be listed.
        for (n, why) in [(100_000, "and 409600000 near points are too many"), (300_000, "too many of them near points")]
        {
            let rows: Vec<f64> = (0..n).flat_map(|i| [i % 1000, i / 1000]).map(|x| f64::from(x) * 500.0).collect();
            let found = estimator(device, 1e-2).max_iterations(1).fit(&Points::from_rows(&rows, 2).unwrap()).unwrap();
            assert_eq!(found.path.name, "tiles");
            assert!(found.path.reason.contains(why), "{}", found.path.reason);
        }
    }
    let rows: Vec<f64> = (0..60).map(|at| (at / 2 % 2) as f64 * 1e6 + f64::from(at) * 0.001).collect();
    let error = estimator(device, 1e-3).field(2).unwrap().add(&rows).unwrap_err();
    assert!(matches!(error, Error::FieldTooLarge { nodes, .. } if nodes > 1_000_000_000_000), "{error}");
}
