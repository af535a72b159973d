//! The density estimate that goes with a fit.

use std::f64::consts::PI;

use modeseek::data::Blobs;
use modeseek::{Bandwidth, MeanShift, Merging, Method, WeightFunction};

use crate::{DEVICE, fixed, near, refused};

/// Worked out by hand.
#[test]
fn densities_by_hand() {
    // Of four points on a line, two within 2 of 0.5: 2 / (4 * 2 * 2).
    let line = [[0.0], [1.0], [10.0], [11.0]];
    let found = fixed(2.0).weight(WeightFunction::Flat).fit(&line).unwrap();
    assert_eq!(found.density(&[[0.5], [5.5], [11.9], [13.5]]).unwrap(), [0.125, 0.0, 0.125, 0.0]);
    // A single point at its peak: 1 / (sqrt(2 pi) h)^d; and a bandwidth away, exp(-1/2) of that.
    let found = fixed(3.0).fit(&[[1.0, 2.0]]).unwrap();
    let density = found.density(&[[1.0, 2.0], [4.0, 2.0]]).unwrap();
    near(density[0], 1.0 / (2.0 * PI * 9.0), 1e-8);
    near(density[1], (-0.5_f64).exp() / (2.0 * PI * 9.0), 1e-8);
    // The lecture's triangle, 1 / h at the point.
    let found = fixed(4.0).weight(WeightFunction::Triangular).fit(&[[0.0]]).unwrap();
    for (at, expected) in [(0.0, 0.25), (1.0, 0.1875), (4.0, 0.0), (5.0, 0.0)] {
        near(found.density(&[[at]]).unwrap()[0], expected, 1e-7);
    }
    // 3/4 (1 - u^2) / h and 15/16 (1 - u^2)^2 / h, as textbooks have them.
    for (weight, peak) in [(WeightFunction::Epanechnikov, 0.75), (WeightFunction::Biweight, 15.0 / 16.0)] {
        let found = fixed(2.0).weight(weight).fit(&[[0.0]]).unwrap();
        near(found.density(&[[0.0]]).unwrap()[0], peak / 2.0, 1e-7);
    }
}

/// What is exactly h away counts with flat weights, in whole numbers and in tenths.
#[test]
fn flat_weights_count_what_is_exactly_a_bandwidth_away() {
    let places: Vec<[i32; 2]> = (0..400).map(|i| [i % 20, i / 20]).collect();
    for (unit, far) in [(1.0, 0.0), (1.0, 1000.0), (0.1, 0.0), (0.1, 7.3)] {
        let points: Vec<[f64; 2]> = places.iter().map(|at| at.map(|x| f64::from(x) * unit + far)).collect();
        for h in [3, 5, 7, 13] {
            for method in [Method::Fused, Method::Tiles] {
                let width = f64::from(h) * unit;
                let found = fixed(width).weight(WeightFunction::Flat).method(method).fit(&points).unwrap();
                let density = found.density(&points).unwrap();
                for (at, density) in places.iter().zip(density) {
                    let within = |other: &&[i32; 2]| (at[0] - other[0]).pow(2) + (at[1] - other[1]).pow(2) <= h * h;
                    let counted = density * 400.0 * PI * width * width;
                    near(counted, places.iter().filter(within).count() as f64, 1e-3);
                }
            }
        }
    }
}

/// The sum over a fine grid that covers everything, times the cells' size, is 1: for every weight, with bandwidths for
/// each dimension, with weights of points.
#[test]
fn densities_integrate_to_one() {
    let points = [[0.0, 0.0], [1.0, 0.5], [3.0, 10.0], [2.0, 12.0], [0.5, 8.0]];
    let bandwidths = [Bandwidth::Fixed(1.5), Bandwidth::PerDimension(vec![0.75, 3.0]), Bandwidth::Scott];
    let grid: Vec<[f64; 2]> = (0..240)
        .flat_map(|i| (0..240).map(move |j| [f64::from(i) * 0.125 - 14.03, f64::from(j) * 0.25 - 24.07]))
        .collect();
    for weight in WeightFunction::ALL {
        for bandwidth in &bandwidths {
            for weights in [None, Some(vec![1.0, 0.0, 2.5, 4.0, 0.5])] {
                let mut estimator = MeanShift::new().on(&DEVICE).weight(weight).bandwidth(bandwidth.clone());
                if let Some(weights) = &weights {
                    estimator = estimator.sample_weights(weights.clone());
                }
                let density = estimator.fit(&points).unwrap().density(&grid).unwrap();
                let integral = density.iter().sum::<f64>() * 0.125 * 0.25;
                // The flat weight's edge cuts cells.
                let apart = if weight == WeightFunction::Flat { 0.02 } else { 2e-3 };
                assert!((integral - 1.0).abs() <= apart, "{weight:?}, {bandwidth:?}, {weights:?}: {integral}");
            }
        }
    }
}

/// By the definition, in dimensions that have kernels of their own and in others.
#[test]
fn densities_are_the_sums() {
    for d in [1, 3, 4, 6] {
        let value = |i: usize| ((i * 37 + i * i) % 101) as f64 / 25.0;
        let rows: Vec<Vec<f64>> = (0..50).map(|i| (0..d).map(|c| value(i * d + c)).collect()).collect();
        let h = 1.5 * (d as f64).sqrt();
        let weights: Vec<f64> = (0..50).map(|i| 0.5 + (i % 3) as f64).collect();
        let total: f64 = weights.iter().sum();
        // The volume of the unit ball, times 2 / (d + 2).
        let ball = match d {
            1 => 2.0,
            3 => 4.0 * PI / 3.0,
            4 => PI * PI / 2.0,
            _ => PI.powi(3) / 6.0,
        };
        let estimator = fixed(h).weight(WeightFunction::Epanechnikov).sample_weights(weights.clone());
        let found = estimator.merging(Merging::Chains { radius: 0.1 }).fit(&rows).unwrap();
        let new: Vec<Vec<f64>> = (0..20).map(|i| (0..d).map(|c| value(7 * i + 3 * c) - 0.5).collect()).collect();
        for (place, found) in new.iter().zip(found.density(&new).unwrap()) {
            let sum: f64 = rows
                .iter()
                .zip(&weights)
                .map(|(row, weight)| {
                    let squared: f64 = row.iter().zip(place).map(|(x, y)| ((x - y) / h).powi(2)).sum();
                    weight * (1.0 - squared).max(0.0)
                })
                .sum();
            let expected = sum / (total * h.powi(d as i32) * ball * 2.0 / (d as f64 + 2.0));
            assert!((found - expected).abs() <= 1e-5 * expected + 1e-9, "d = {d}: {found}, not {expected}");
        }
    }
}

/// Over a field, and without far tiles, where there are many pairs: as good as the accuracy says, in tails too.
#[test]
fn densities_of_many_points() {
    let (gaussian, biweight) = (WeightFunction::Gaussian, WeightFunction::Biweight);
    let fields = [(1, 0.7), (2, 2.0), (3, 3.0)].map(|(d, h)| (d, h, gaussian, Method::Field));
    let tiles = [(2, 2.0, gaussian), (6, 4.0, gaussian), (2, 2.0, biweight)];
    let tiles = tiles.map(|(d, h, weight)| (d, h, weight, Method::Tiles));
    for (d, h, weight, method) in fields.into_iter().chain(tiles).chain([(2, 2.0, gaussian, Method::Auto)]) {
        let rows = Blobs { points: 5000, clusters: 4, dimensions: d, seed: 14 }.generate().unwrap().rows;
        let rows: Vec<Vec<f64>> = rows.chunks(d).map(|row| row.iter().map(|&x| f64::from(x)).collect()).collect();
        // At the points, beside them, and up to some twenty bandwidths from any.
        let away = [0.0, 0.1, 0.4, 1.0];
        let new: Vec<Vec<f64>> = (0..4000).map(|i| rows[i].iter().map(|x| x * (1.0 + away[i % 4])).collect()).collect();
        let fit = |method| fixed(h).weight(weight).method(method).fit(&rows).unwrap();
        let (found, exact) = (fit(method), fit(Method::Fused));
        assert_ne!(found.path.name, exact.path.name, "{}", found.path.reason);
        let (found, exact) = (found.density(&new).unwrap(), exact.density(&new).unwrap());
        let mut worst = 0.0_f64;
        for (i, (found, exact)) in found.iter().zip(&exact).enumerate() {
            let apart = (found - exact).abs();
            worst = worst.max(if apart > 0.0 { apart / exact } else { 0.0 });
            assert!(apart <= 1e-4 * exact, "{weight:?}, d = {d}: {found} at {i}, not {exact}");
        }
        eprintln!("{weight:?}, d = {d}, {method:?}: off by {worst:.1e} of a density at most");
        // f64, of some.
        let sum_at = |i: usize| {
            let squared = |row: &Vec<f64>| row.iter().zip(&new[i]).map(|(x, y)| ((x - y) / h).powi(2)).sum::<f64>();
            rows.iter().map(|row| weight.weight(squared(row).sqrt())).sum::<f64>()
        };
        let unit = exact[0] / sum_at(0);
        for i in (0..4000).step_by(37) {
            let (apart, expected) = ((found[i] - sum_at(i) * unit).abs(), sum_at(i) * unit);
            // Where weights end, f32 has few figures of them.
            assert!(apart <= 1e-4 * expected + 1e-6 * unit, "{weight:?}, d = {d}: {} at {i}, not {expected}", found[i]);
        }
    }
}

/// h^d and (2 pi)^(d/2) leave f64 in many dimensions; the density need not.
#[test]
fn densities_in_many_dimensions() {
    let d = 400;
    let at = |x: f64| vec![x; d];
    // A density of about 1, of factors 1e-160 and 1e160.
    let h = 1.0 / (2.0 * PI).sqrt();
    for (h, expected) in [(h, 1.0), (h * 1.1, 1.1_f64.powi(-400)), (h / 1.1, 1.1_f64.powi(400))] {
        let found = fixed(h).fit(&[at(0.0)][..]).unwrap();
        let density = found.density(&[at(0.0), at(100.0)][..]).unwrap();
        assert!((density[0] / expected - 1.0).abs() <= 1e-9 && density[1] == 0.0, "{density:?}, not {expected}");
    }
    // Their own logarithms: far below 1 in f64 yet, then below what f64 holds, and above.
    for (h, ln) in [(2.0, -400.0 * (2.0 * (2.0 * PI).sqrt()).ln()), (1000.0, f64::NEG_INFINITY)] {
        let density = fixed(h).fit(&[at(0.0)][..]).unwrap().density(&[at(0.0)][..]).unwrap()[0];
        near(density, ln.exp(), ln.exp() * 1e-9);
    }
    let found = fixed(1e-3).weight(WeightFunction::Epanechnikov).fit(&[at(0.0)][..]).unwrap();
    refused(found.density(&[at(0.0)][..]), &["a density is not defined where f64 does not hold it"]);
    // Of bandwidths for each dimension, the product alone counts.
    let each: Vec<f64> = (0..d).map(|c| if c % 2 == 0 { h * 1e9 } else { h / 1e9 }).collect();
    let found = fixed(1.0).bandwidth(Bandwidth::PerDimension(each)).fit(&[at(0.0)][..]).unwrap();
    near(found.density(&[at(0.0)][..]).unwrap()[0], 1.0, 1e-9);
}
