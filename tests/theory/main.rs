//! What holds of mean shift by its mathematics, whatever the points.

mod ascent;
mod blurring;
mod by_products;
mod invariance;
mod weights;
mod workers;

use std::sync::LazyLock;

use modeseek::{Bandwidth, Clustering, Device, Distance, Form, MeanShift, Merging, Points, Seeding, WeightFunction};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// With nothing of what was measured for whoever runs the tests.
static DEVICE: LazyLock<Device> = LazyLock::new(|| Device::processor().unwrap().without_tuning());

/// Points by rows.
#[derive(Clone)]
struct Set {
    rows: Vec<f64>,
    d: usize,
}

impl Set {
    /// Normal clouds of 50, 40 and 30 points, whose deviation is 1, some 9 apart. Coordinates are multiples of 1/1024, so
    /// that f32 holds them, and sums of two of them.
    fn clouds(d: usize) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(d as u64);
        let mut rows = Vec::new();
        for (cloud, size) in [50, 40, 30].into_iter().enumerate() {
            for _ in 0..size {
                for c in 0..d {
                    let noise: f64 = StandardNormal.sample(&mut random);
                    let centre = if c % 3 == cloud { 6.5 } else { 0.25 * c as f64 };
                    rows.push(((centre + noise) * 1024.0).round() / 1024.0);
                }
            }
        }
        Self { rows, d }
    }

    fn len(&self) -> usize {
        self.rows.len() / self.d
    }

    fn row(&self, i: usize) -> &[f64] {
        &self.rows[i * self.d..][..self.d]
    }

    fn points(&self) -> Points {
        Points::from_rows(&self.rows, self.d).unwrap()
    }

    /// The points at these places, in this order.
    fn at(&self, places: &[usize]) -> Self {
        Self { rows: places.iter().flat_map(|&i| self.row(i).to_vec()).collect(), d: self.d }
    }

    /// Every coordinate changed.
    fn map(&self, change: impl Fn(usize, f64) -> f64) -> Self {
        let rows = self.rows.iter().enumerate().map(|(at, &x)| change(at % self.d, x)).collect();
        Self { rows, d: self.d }
    }
}

/// Numbers 0..n in some order.
fn shuffled(n: usize) -> Vec<usize> {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        order.swap(i, random.random_range(0..=i));
    }
    order
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

fn scalar(h: f64) -> MeanShift {
    MeanShift::new().on(&DEVICE).bandwidth(Bandwidth::Fixed(h))
}

/// A bandwidth for clouds of deviation 1 in d dimensions, by weight: compact ones must reach farther.
fn bandwidth(weight: WeightFunction, d: usize) -> f64 {
    let far = if weight == WeightFunction::Gaussian { 1.25 } else { 2.75 };
    far * (d as f64 / 2.0).sqrt()
}

/// Estimators of many kinds that find the clouds, with the distance that each uses.
fn estimators(d: usize) -> Vec<(String, MeanShift, Distance)> {
    let mut all = Vec::new();
    for weight in WeightFunction::ALL {
        let h = bandwidth(weight, d);
        all.push((format!("{weight:?}, blurring"), scalar(h).weight(weight), Distance::L2));
        let standard = scalar(h).weight(weight).form(Form::Standard);
        all.push((format!("{weight:?}, standard"), standard.clone(), Distance::L2));
        all.push((format!("{weight:?}, densest"), standard.clone().merging(Merging::Densest), Distance::L2));
    }
    let wide = scalar(1.5 * bandwidth(WeightFunction::Gaussian, d));
    for distance in [Distance::L1, Distance::Lp(3.0)] {
        all.push((format!("{distance:?}"), wide.clone().distance(distance), distance));
    }
    let bandwidths = [
        Bandwidth::Quantile { quantile: 0.15, sample: None, seed: 0 },
        Bandwidth::MeanNeighbour { k: 20 },
        Bandwidth::Neighbours { k: 40 },
        Bandwidth::Scott,
    ];
    for bandwidth in bandwidths {
        let estimator = MeanShift::new().on(&DEVICE).bandwidth(bandwidth.clone());
        all.push((format!("{bandwidth:?}"), estimator, Distance::L2));
    }
    all
}

/// The bits of everything that a clustering says.
fn bits(found: &Clustering) -> Vec<u64> {
    let mut bits: Vec<u64> = found.labels.iter().map(|&label| label as u64).collect();
    for mode in &found.modes {
        bits.extend(mode.position.iter().chain(&mode.centre).map(|x| x.to_bits()));
        bits.extend([mode.size as u64, mode.weight.to_bits()]);
    }
    bits.extend(found.shifts.iter().map(|x| x.to_bits()));
    bits.extend(found.queries.iter().flat_map(|query| [u64::from(query.iterations), query.last_shift.to_bits()]));
    bits.push(found.bandwidth.to_bits());
    bits
}

/// A seeding at one place.
fn seed(place: &[f64]) -> Seeding {
    Seeding::At(Points::from_rows(place, place.len()).unwrap())
}
