//! What points carry through a shift with bandwidths of their own, and how far apart these may lie.

use modeseek::mean_shift::bandwidth::marks;
use modeseek::{Assignment, Bandwidth, Device, Error, Form, MeanShift, Points, WeightFunction};

use crate::bandwidth::assert_near;
use crate::check::{ROUNDING, random, wide};

pub fn marks_of_points(device: &Device) {
    for (n, d) in [(1, 1), (33, 2), (70, 20)] {
        let h: Vec<f32> = random(n, 31).iter().map(|x| 5.0 + 2.0 * x).collect();
        let weights: Vec<f32> = random(n, 32).iter().map(|x| x.abs()).collect();
        let (bandwidths, given) = (device.upload(&h).unwrap(), device.upload(&weights).unwrap());
        let stride = n.next_multiple_of(32);
        for weighted in [false, true] {
            let given = weighted.then_some(&given);
            let found = marks(device, &bandwidths, given, (n, d), stride, WeightFunction::Gaussian).unwrap();
            let mean = (wide(&h).iter().map(|h| h.ln()).sum::<f64>() / n as f64).exp();
            assert_near(found.h_ref, mean, 1e-12, "the geometric mean");
            let columns = device.download(&found.columns).unwrap();
            for j in 0..stride {
                let ratio = if j < n { mean / f64::from(h[j]) } else { 0.0 };
                let weight = if weighted && j < n { f64::from(weights[j]) } else { 1.0 };
                let factor = weight * ratio.powi(d as i32 + 2);
                assert_near(f64::from(columns[j]), factor, 2.0 * ROUNDING, "a factor");
                assert_near(f64::from(columns[stride + j]), ratio * ratio, 2.0 * ROUNDING, "a squared scale");
            }
        }
    }
    // What f32 holds; and less of a weight that is cut off, since narrow bandwidths make something of what is left of it.
    let refused = |smallest: f32, d, function| {
        let apart = device.upload(&[smallest, 1.0, 1.0]).unwrap();
        match marks(device, &apart, None, (3, d), 32, function) {
            Ok(_) => false,
            Err(Error::BandwidthRatio { dimensions, .. }) => dimensions == d,
            Err(error) => panic!("{error}"),
        }
    };
    let (gaussian, flat) = (WeightFunction::Gaussian, WeightFunction::Flat);
    // 2^76 / 3 to the power of 1 / 4 is 398,370, to that of 1 / 22 10.4.
    assert!(!refused(1.0 / 3.98e5, 2, gaussian) && refused(1.0 / 3.99e5, 2, gaussian));
    assert!(!refused(1.0 / 10.3, 20, gaussian) && refused(1.0 / 10.5, 20, gaussian));
    assert!(!refused(1e-8, 2, flat) && !refused(1e-2, 20, flat) && refused(1e-8, 20, flat));
}

/// Points of two kinds of bandwidths, about the origin.
fn fit(device: &Device, rows: &[f32], d: usize, bandwidths: Vec<f64>, form: Form) -> modeseek::Clustering {
    let estimator = MeanShift::new().on(device).bandwidth(Bandwidth::PerPoint(bandwidths)).form(form);
    estimator.max_iterations(20).fit(&Points::from_rows(rows, d).unwrap()).unwrap()
}

/// A point of a wide bandwidth, alone, stays where it is however narrow the others' are: what is left of weights that are cut
/// off is nothing on every machine.
pub fn wide_bandwidths_beside_narrow_ones(device: &Device) {
    for (d, wide) in [(2, 1e5), (6, 300.0)] {
        let rows = [random(40 * d, 71), vec![-1e3; d]].concat();
        let bandwidths = [vec![1.0; 40], vec![wide]].concat();
        for form in [Form::Blurring, Form::Standard] {
            let found = fit(device, &rows, d, bandwidths.clone(), form);
            let alone = &found.modes[found.labels[40] as usize];
            assert_eq!((alone.size, found.labels[0] == found.labels[40]), (1, false), "{form:?} d = {d}");
            for x in &alone.position {
                assert!((x + 1e3).abs() <= 1e-3, "{form:?} d = {d}: {:?}", alone.position);
            }
        }
    }
}

/// What is far from all is noise, though a narrow bandwidth makes its point count 2^40 times what the others count.
pub fn narrow_bandwidths_far_away(device: &Device) {
    let rows = random(40 * 2, 72);
    let bandwidths = [vec![50.0; 39], vec![0.05]].concat();
    for form in [Form::Blurring, Form::Standard] {
        let found = fit(device, &rows, 2, bandwidths.clone(), form);
        let far = Points::from_rows(&[2e3, 2e3, 0.0, 0.0], 2).unwrap();
        let labels = found.predict(&far, Assignment::Basin).unwrap();
        assert!(labels[0] == -1 && labels[1] >= 0, "{form:?}: {labels:?}");
    }
}
