//! Fits whose steps are on tensor cores, by either instruction: when, and that they find what exact ones do.

use cuda_std::machine::MachineKind;
use gpu::shift_tensor::shift_tensor_64;
use gpu::shift_wgmma::shift_wgmma_64;
use modeseek::product::Instruction;
use modeseek::reference::Metric;
use modeseek::{
    Assignment, Bandwidth, Clustering, Device, Distance, Form, MeanShift, Method, Points, Seeding, WeightFunction,
};

use crate::check::{is_interpreted, random};

/// Two clusters about a place far from zero, a bandwidth and more apart.
fn two_clusters(n: usize, d: usize) -> Vec<f32> {
    let mut rows = random(n * d, 8);
    for (i, row) in rows.chunks_mut(d).enumerate() {
        let apart = if i % 3 == 0 { 0.0 } else { 5.6 / (d as f32).sqrt() };
        row.iter_mut().for_each(|x| *x = *x / (d as f32).sqrt() + 5.0 + apart);
    }
    rows
}

/// Fits in both forms take tensor cores where there are some and the accuracy allows, say so, and find what exact steps find.
pub fn fits_on_tensor_cores(device: &Device) {
    let has_cores = device.machine() == MachineKind::Gpu && device.has(&shift_tensor_64::KERNEL);
    for d in [5, 16, 24, 40, 64, 100, 150, 270] {
        let n = if is_interpreted(device) { 40 } else { 300 };
        let points = Points::from_rows(&two_clusters(n, d), d).unwrap();
        for form in [Form::Blurring, Form::Standard] {
            let fit = |accuracy: f64| {
                let estimator = MeanShift::new().on(device).bandwidth(Bandwidth::Fixed(1.0)).form(form);
                estimator.accuracy(accuracy).fit(&points).unwrap()
            };
            let (exact, found) = (fit(0.0), fit(1e-4));
            let what = format!("d = {d}, {form:?}");
            assert!(!exact.path.reason.contains("tensor"), "{what}: {}", exact.path.reason);
            assert_eq!(found.path.reason.contains("; on tensor cores"), has_cores, "{what}: {}", found.path.reason);
            assert_eq!((found.labels, found.modes.len()), (exact.labels, 2), "{what}");
            for (found, exact) in found.modes.iter().zip(&exact.modes) {
                let apart = Metric::L2.distance(&found.position, &exact.position);
                assert!(apart <= 1e-3, "{what}: a mode is off by {apart:e}");
            }
        }
    }
}

/// Fits take the instruction of compute capability 9.0 where it is there, in as many dimensions as it is for, unless they are asked
/// for the other, say so, and find what others find.
pub fn fits_by_an_instruction(device: &Device) {
    let has = device.machine() == MachineKind::Gpu && device.has(&shift_wgmma_64::KERNEL);
    for (d, form) in [(40, Form::Blurring), (40, Form::Standard), (100, Form::Blurring), (24, Form::Blurring)] {
        let n = if is_interpreted(device) { 40 } else { 300 };
        let points = Points::from_rows(&two_clusters(n, d), d).unwrap();
        let fit = |instruction| {
            let estimator = MeanShift::new().on(device).bandwidth(Bandwidth::Fixed(1.0)).form(form);
            estimator.instruction(instruction).fit(&points).unwrap()
        };
        assert_eq!(Instruction::default(), Instruction::Warpgroup);
        let (other, found) = (fit(Instruction::Warp), fit(Instruction::Warpgroup));
        let what = format!("d = {d}, {form:?}");
        assert!(!other.path.reason.contains("wgmma"), "{what}: {}", other.path.reason);
        let expected = has && d > 32;
        assert_eq!(found.path.reason.ends_with("on tensor cores by wgmma"), expected, "{what}: {}", found.path.reason);
        assert_eq!((found.labels, found.modes.len()), (other.labels, 2), "{what}");
        for (found, other) in found.modes.iter().zip(&other.modes) {
            let apart = Metric::L2.distance(&found.position, &other.position);
            assert!(apart <= 1e-3, "{what}: a mode is off by {apart:e}");
        }
    }
}

/// Random seeds are points, and so are those that labels by basin move: queries leave one by one, and the rest move up.
pub fn seeds_on_tensor_cores(device: &Device) {
    let has_cores = device.machine() == MachineKind::Gpu && device.has(&shift_tensor_64::KERNEL);
    let (n, d) = if is_interpreted(device) { (40, 12) } else { (400, 12) };
    let points = Points::from_rows(&two_clusters(n, d), d).unwrap();
    let fit = |accuracy: f64| {
        let estimator = MeanShift::new().on(device).bandwidth(Bandwidth::Fixed(1.0)).form(Form::Standard);
        let estimator = estimator.seeding(Seeding::Random { count: 10, seed: 3 }).accuracy(accuracy);
        estimator.fit(&points).unwrap()
    };
    let (exact, found) = (fit(0.0), fit(1e-4));
    assert_eq!(found.path.reason.contains("; on tensor cores"), has_cores, "{}", found.path.reason);
    assert!(found.converged && found.queries.len() == 10);
    assert_eq!((found.labels, found.modes.len()), (exact.labels, exact.modes.len()));
}

/// Where a bound on the error would not hold, steps are by differences.
pub fn fits_not_on_tensor_cores(device: &Device) {
    let (n, d) = (24, 6);
    // Each twice: so two share a bin.
    let rows = two_clusters(n / 2, d).repeat(2);
    let points = Points::from_rows(&rows, d).unwrap();
    let far = Points::from_rows(&rows.iter().map(|x| 5.0 * x).collect::<Vec<_>>(), d).unwrap();
    let one = || MeanShift::new().on(device).bandwidth(Bandwidth::Fixed(1.0)).max_iterations(3);
    let standard = || one().form(Form::Standard);
    let fits: [(&str, Clustering); 9] = [
        ("a small accuracy", one().accuracy(1e-5).fit(&points).unwrap()),
        ("far points", one().fit(&far).unwrap()),
        ("another weight", one().weight(WeightFunction::Triangular).fit(&points).unwrap()),
        ("another norm", one().distance(Distance::L1).fit(&points).unwrap()),
        ("sample weights", one().sample_weights(vec![2.0; n]).fit(&points).unwrap()),
        ("all pairs", one().method(Method::Fused).fit(&points).unwrap()),
        ("a step beyond the mean", standard().relaxation(1.5).fit(&points).unwrap()),
        ("seeds of one's own", standard().seeding(Seeding::At(points.clone())).fit(&points).unwrap()),
        ("bins", standard().seeding(Seeding::Bins { min_frequency: 1 }).fit(&points).unwrap()),
    ];
    for (what, fit) in fits {
        assert!(!fit.path.reason.contains("tensor"), "{what}: {}", fit.path.reason);
    }
    // New points start anywhere: what is far from all others is lost, and no sum is zero over zero.
    let clustering = standard().max_iterations(50).fit(&points).unwrap();
    let new = [&vec![1e6; d], &rows[..d]].concat();
    let labels = clustering.predict(&Points::from_rows(&new, d).unwrap(), Assignment::Basin).unwrap();
    assert_eq!(labels, [-1, clustering.labels[0]]);
}
