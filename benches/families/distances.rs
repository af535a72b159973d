//! What the composed method is made of: pairwise distances, counted in pairs; weights and weighted
//! reduction, counted in weights.

use criterion::{Criterion, Throughput};
use cuda_std::launch::Launch;
use gpu::pairwise::{pairwise_l1, pairwise_l2, pairwise_lp, pairwise_squared_l2};
use gpu::weight::{Flat, Gaussian, Triangular, Weight, weight_flat, weight_gaussian, weight_triangular};
use modeseek::reduction::Reduction;
use modeseek::reference::{self, Metric};
use modeseek::{Buffer, WeightFunction};

use crate::measure::{ROUNDING, Target, assert_close, poisoned, random, sample, size, time, upload, wide};

pub type Pairwise = for<'a> fn(&'a Buffer<f32>, &'a Buffer<f32>, &'a mut Buffer<f32>, [u32; 3]) -> Launch<'a>;

pub const METRICS: [(&str, Metric, Pairwise); 4] = [
    ("pairwise_squared_l2", Metric::SquaredL2, |a, b, out, [m, n, d]| {
        pairwise_squared_l2::launch(a, b, out, m, n, d, 1.0)
    }),
    ("pairwise_l2", Metric::L2, |a, b, out, [m, n, d]| pairwise_l2::launch(a, b, out, m, n, d, 1.0)),
    ("pairwise_l1", Metric::L1, |a, b, out, [m, n, d]| pairwise_l1::launch(a, b, out, m, n, d, 1.0)),
    ("pairwise_lp", Metric::Lp(3.0), |a, b, out, [m, n, d]| pairwise_lp::launch(a, b, out, m, n, d, 3.0)),
];

/// A batch of points against all: m x n.
fn batch() -> [usize; 2] {
    size([1024, 10_000], [32, 500])
}

/// Distances in every metric, for few dimensions and for many.
pub fn pairwise(criterion: &mut Criterion, target: &Target) {
    let (device, [m, n]) = (&target.device, batch());
    for d in [2, 32] {
        let (a, b) = (random(m * d, 6), random(n * d, 7));
        let rows = sample(m);
        let chosen: Vec<f32> = rows.iter().flat_map(|i| &a[i * d..][..d]).copied().collect();
        let (on_a, on_b) = (upload(device, &a), upload(device, &b));
        let sizes = [m, n, d].map(|size| size as u32);
        for (kernel, metric, launch) in METRICS {
            // A power for each coordinate: seconds, which tell nothing more than few dimensions do.
            if kernel == "pairwise_lp" && d > 2 {
                continue;
            }
            let mut out = poisoned(device, m * n);
            device.launch(launch(&on_a, &on_b, &mut out, sizes)).expect("the launch succeeds");
            let found = device.download(&out).expect("the launch succeeds");
            let found: Vec<f32> = rows.iter().flat_map(|i| &found[i * n..][..n]).copied().collect();
            let expected = reference::pairwise(&wide(&chosen), &wide(&b), d, metric);
            // Differences are below 2. The general norm is built on powers that are off by 2^-20.
            let relative = if let Metric::Lp(_) = metric { 128.0 } else { d as f64 + 3.0 };
            let largest = expected.iter().fold(1.0, |a: f64, b| a.max(*b));
            assert_close(&found, &expected, relative * ROUNDING * largest, kernel);

            let pairs = Throughput::Elements((m * n) as u64);
            time(criterion, target, kernel, &format!("{m}x{n},d={d}"), pairs, |device| {
                device.launch(launch(&on_a, &on_b, &mut out, sizes)).expect("the launch succeeds");
            });
        }
    }
}

type Weigh = for<'a> fn(&'a mut Buffer<f32>, f32) -> Launch<'a>;

const WEIGHTS: [(&str, WeightFunction, f64, Weigh); 3] = [
    ("weight_gaussian", WeightFunction::Gaussian, Gaussian::SCALE, |values, scale| {
        weight_gaussian::launch(values, scale, 1.0)
    }),
    ("weight_triangular", WeightFunction::Triangular, Triangular::SCALE, |values, scale| {
        weight_triangular::launch(values, scale, 1.0)
    }),
    ("weight_flat", WeightFunction::Flat, Flat::SCALE, |values, scale| weight_flat::launch(values, scale, 1.0)),
];

/// Weights in place. Timed runs weigh the weights of the run before: the same work on other numbers.
pub fn weights(criterion: &mut Criterion, target: &Target) {
    let (device, [m, n]) = (&target.device, batch());
    let bandwidth = 2.5;
    let distances: Vec<f32> = random(m * n, 8).iter().map(|x| x.abs() * 12.0).collect();
    for (kernel, function, scale, launch) in WEIGHTS {
        let scale = (scale / bandwidth) as f32;
        let mut values = upload(device, &distances);
        device.launch(launch(&mut values, scale)).expect("the launch succeeds");
        let found = device.download(&values).expect("the launch succeeds");
        let expected = distances.iter().map(|&x| reference::weight(function, f64::from(x), bandwidth));
        // Neighbours of the flat weight's step fall on either side of it.
        let near = |x: f32| function == WeightFunction::Flat && (f64::from(x) - bandwidth).abs() < 1e-5;
        let (found, expected): (Vec<f32>, Vec<f64>) =
            found.iter().zip(expected).zip(&distances).filter(|(_, x)| !near(**x)).map(|(pair, _)| pair).unzip();
        assert_close(&found, &expected, 64.0 * ROUNDING, kernel);

        let work = Throughput::Elements((m * n) as u64);
        time(criterion, target, kernel, &format!("{m}x{n}"), work, |device| {
            device.launch(launch(&mut values, scale)).expect("the launch succeeds");
        });
    }
}

/// Weighted means, each kernel with as many columns as it is made for, and the last with many.
pub fn reduce(criterion: &mut Criterion, target: &Target) {
    let (device, [m, n]) = (&target.device, batch());
    let weights: Vec<f32> = random(m * n, 9).iter().map(|w| w.abs() + 0.01).collect();
    let on_weights = upload(device, &weights);
    let rows = sample(m);
    let chosen: Vec<f32> = rows.iter().flat_map(|i| &weights[i * n..][..n]).copied().collect();
    for d in [1, 2, 3, 4, 8, 32] {
        let points = random(n * d, 10);
        let on_points = upload(device, &points);
        let mut out = poisoned(device, m * d);
        let mut reduction = Reduction::new(device, [m, n, d]).expect("the memory is there");
        let launch = reduction.launch(&on_weights, &on_points, &mut out, m as u32);
        let kernel = launch.kernel().name;
        device.launch(launch).expect("the launch succeeds");
        let found = device.download(&out).expect("the launch succeeds");
        let found: Vec<f32> = rows.iter().flat_map(|i| &found[i * d..][..d]).copied().collect();
        let expected = reference::reduce_weighted(&wide(&chosen), &wide(&points), n, d);
        // Means of numbers below 1; sums in pieces of n over the lanes of a block.
        assert_close(&found, &expected, 600.0 * ROUNDING, kernel);

        let work = Throughput::Elements((m * n) as u64);
        time(criterion, target, kernel, &format!("{m}x{n},d={d}"), work, |device| {
            device.launch(reduction.launch(&on_weights, &on_points, &mut out, m as u32)).expect("the launch succeeds");
        });
    }
}
