//! Every estimate of the bandwidth against plain f64, and against what scikit-learn and scipy give.
//!
//! tests/golden/bandwidth.py makes tests/golden/bandwidth.json. Coordinates there are short binary fractions, so
//! that f32 holds them; a distance is then off by a few roundings of f32, d of its square at most.

use modeseek::mean_shift::bandwidth::{Bandwidth, Resolved, Sample, Values};
use modeseek::reference::{Metric, pairwise};
use modeseek::{Buffer, Device, Error, Points, WeightFunction};
use serde::Deserialize;

use crate::check::{ROUNDING, is_interpreted, random, wide};

/// A set of points and weights, where the estimator has them.
struct Set {
    /// Centred, and rounded to f32, as the device sees them.
    rows: Vec<f64>,
    weights: Option<Vec<f32>>,
    d: usize,
    p: f64,
}

impl Set {
    fn new(rows: &[f64], d: usize) -> Self {
        let rows = wide(Points::from_rows(rows, d).unwrap().centred_rows());
        Self { rows, weights: None, d, p: 2.0 }
    }

    fn random(n: usize, d: usize, p: f64) -> Self {
        // Two clusters of unlike size.
        let shifted = |(i, x): (usize, f64)| if (i / d).is_multiple_of(3) { x * 0.5 + 3.0 } else { x };
        let rows: Vec<f64> = wide(&random(n * d, (n + d) as u64)).into_iter().enumerate().map(shifted).collect();
        Self { p, ..Self::new(&rows, d) }
    }

    fn n(&self) -> usize {
        self.rows.len() / self.d
    }

    fn weigh(&mut self, weight: impl Fn(usize) -> f32) {
        self.weights = Some((0..self.n()).map(weight).collect());
    }

    fn resolve(&self, device: &Device, bandwidth: &Bandwidth) -> Result<Resolved, Error> {
        let rows = device.upload(&self.rows.iter().map(|&x| x as f32).collect::<Vec<_>>())?;
        let weights: Option<Buffer<f32>> = self.weights.as_ref().map(|weights| device.upload(weights)).transpose()?;
        let (n, d, p) = (self.n(), self.d, self.p as f32);
        bandwidth.resolve(
            device,
            &Sample {
                rows: &rows,
                n,
                d,
                p,
                function: WeightFunction::Flat,
                sphere: false,
                weights: weights.as_ref().map(|weights| (weights, 1.0)),
            },
        )
    }

    fn scalar(&self, device: &Device, bandwidth: &Bandwidth) -> f64 {
        scalar(&self.resolve(device, bandwidth).unwrap())
    }

    fn weight(&self, i: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |weights| f64::from(weights[i]))
    }

    /// Point i's distance to the nearest others that have each of some weights together with it.
    fn distances_from(&self, i: usize, weights: &[f64]) -> Vec<f64> {
        let metric = match self.p {
            1.0 => Metric::L1,
            2.0 => Metric::L2,
            p => Metric::Lp(p),
        };
        let row = pairwise(&self.rows[i * self.d..][..self.d], &self.rows, self.d, metric);
        let mut order: Vec<usize> = (0..row.len()).collect();
        order.sort_unstable_by(|&a, &b| row[a].total_cmp(&row[b]));
        let found = weights.iter().map(|weight| {
            let mut sum = 0.0;
            let at = order.iter().find(|&&j| {
                sum += self.weight(j);
                sum >= weight * (1.0 - 1e-9)
            });
            row[*at.unwrap()]
        });
        found.collect()
    }

    /// For each of some weights, each point's distance to the nearest others that have that weight together with it.
    fn distances(&self, weights: &[f64]) -> Vec<Vec<f64>> {
        let mut found = vec![Vec::new(); weights.len()];
        for i in 0..self.n() {
            found.iter_mut().zip(self.distances_from(i, weights)).for_each(|(found, distance)| found.push(distance));
        }
        found
    }

    /// The weighted mean of distances.
    fn mean(&self, distances: &[f64]) -> f64 {
        let total: f64 = (0..self.n()).map(|i| self.weight(i)).sum();
        distances.iter().enumerate().map(|(i, distance)| distance * self.weight(i)).sum::<f64>() / total
    }

    /// By how much of itself a distance may be off: powers are approximate.
    fn tolerance(&self) -> f64 {
        let powers = if self.p == 1.0 || self.p == 2.0 { 0.0 } else { 256.0 };
        (self.d as f64 + 8.0 + powers) * ROUNDING
    }
}

fn scalar(resolved: &Resolved) -> f64 {
    match resolved.values {
        Values::Scalar(h) => h,
        ref other => panic!("{other:?} is not one bandwidth"),
    }
}

fn each(resolved: &Resolved) -> &[f64] {
    match &resolved.values {
        Values::PerDimension(values) => values,
        other => panic!("{other:?} is not one bandwidth for each dimension"),
    }
}

fn per_point(device: &Device, resolved: &Resolved) -> Vec<f64> {
    match &resolved.values {
        Values::PerPoint(values) => wide(&device.download(values).unwrap()),
        other => panic!("{other:?} is not one bandwidth for each point"),
    }
}

#[track_caller]
pub fn assert_near(found: f64, expected: f64, relative: f64, what: &str) {
    let tolerance = relative * expected.abs() + 1e-12;
    assert!((found - expected).abs() <= tolerance, "{what}: {found} is not {expected}");
}

fn quantile(quantile: f64) -> Bandwidth {
    Bandwidth::Quantile { quantile, sample: None, seed: 0 }
}

/// Sizes that an executor has the patience for; the last ones fill more than a tile and a block.
fn sizes(device: &Device) -> &'static [(usize, usize)] {
    match is_interpreted(device) {
        true => &[(2, 1), (37, 2), (130, 3), (40, 5), (33, 20), (12, 70)],
        false => &[(2, 1), (37, 1), (150, 2), (1300, 2), (130, 3), (90, 4), (300, 5), (200, 20), (150, 70)],
    }
}

pub fn distances_to_neighbours(device: &Device) {
    for &(n, d) in sizes(device) {
        for p in [2.0, 1.0, 3.0] {
            let set = Set::random(n, d, p);
            let neighbours = [2, n / 3, n - 1, n].map(|k| k.clamp(2, n));
            for (k, distances) in neighbours.into_iter().zip(set.distances(&neighbours.map(|k| k as f64))) {
                let found = set.resolve(device, &Bandwidth::Neighbours { k }).unwrap();
                assert!(found.notes.is_empty(), "{:?}", found.notes);
                for (found, expected) in per_point(device, &found).iter().zip(&distances) {
                    assert_near(*found, *expected, set.tolerance(), &format!("n = {n} d = {d} p = {p} k = {k}"));
                }
                let found = set.scalar(device, &Bandwidth::MeanNeighbour { k });
                let expected = set.mean(&distances);
                assert_near(found, expected, set.tolerance(), &format!("mean n = {n} d = {d} p = {p} k = {k}"));
            }
        }
    }
}

/// From so many points on, searches begin from guesses; ties, and points in order, mislead those.
pub fn guessed_brackets(device: &Device) {
    if is_interpreted(device) {
        return;
    }
    let n = 4100;
    let random = Set::random(n, 2, 2.0);
    let mut sorted = random.rows.clone();
    sorted.sort_by(f64::total_cmp);
    let tied: Vec<f64> = random.rows.iter().map(|x| (x * 4.0).round() / 4.0).collect();
    for set in [random, Set::new(&sorted, 2), Set::new(&tied, 2)] {
        let neighbours = [40, 1500, n];
        for (k, distances) in neighbours.into_iter().zip(set.distances(&neighbours.map(|k| k as f64))) {
            let found = set.scalar(device, &Bandwidth::MeanNeighbour { k });
            assert_near(found, set.mean(&distances), set.tolerance(), &format!("k = {k}"));
        }
    }
}

/// Points that are put in order for the search have the distances that they have in their own, each in its place.
pub fn neighbours_in_order(device: &Device) {
    if is_interpreted(device) {
        return;
    }
    let n = 4100;
    for (d, p, weighted) in
        [(1, 2.0, false), (2, 2.0, true), (3, 2.0, false), (4, 1.0, false), (6, 2.0, true), (3, 3.0, false)]
    {
        let mut set = Set::random(n, d, p);
        if weighted {
            set.weigh(|i| (i % 3) as f32);
        }
        let found = per_point(device, &set.resolve(device, &Bandwidth::Neighbours { k: 9 }).unwrap());
        for i in (0..n).step_by(37) {
            let (expected, what) =
                (set.distances_from(i, &[9.0])[0], format!("d = {d} p = {p} weighted: {weighted}: {i}"));
            assert_near(found[i], expected, set.tolerance(), &what);
        }
    }
}

pub fn weights_are_repetitions(device: &Device) {
    for (n, d) in [(37, 1), (60, 3), (40, 6)] {
        let mut weighted = Set::random(n, d, 2.0);
        weighted.weigh(|i| (i % 4) as f32);
        let copies = |i: usize| weighted.rows[i * d..][..d].repeat(i % 4);
        let repeated = Set::new(&(0..n).flat_map(copies).collect::<Vec<_>>(), d);
        for bandwidth in [quantile(0.3), quantile(0.71), quantile(1.0), Bandwidth::MeanNeighbour { k: 9 }] {
            let (found, expected) = (weighted.scalar(device, &bandwidth), repeated.scalar(device, &bandwidth));
            assert_near(found, expected, 4.0 * ROUNDING, &format!("{bandwidth:?} n = {n} d = {d}"));
        }
    }
    // Weights that are not whole: what they are multiplied by does not matter.
    let mut set = Set::random(50, 2, 2.0);
    for factor in [1.0, 1e-6, 3e7] {
        set.weigh(|i| factor * (0.3 + 0.01 * (i * 7 % 50) as f32));
        let total: f64 = (0..50).map(|i| set.weight(i)).sum();
        let expected = set.mean(&set.distances(&[0.4 * total])[0]);
        assert_near(set.scalar(device, &quantile(0.4)), expected, set.tolerance(), &format!("times {factor}"));
    }
}

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    dimensions: usize,
    rows: Vec<f64>,
    quantiles: Vec<(f64, f64)>,
    rules: std::collections::BTreeMap<String, Rules>,
}

#[derive(Deserialize)]
struct Rules {
    scott: Vec<f64>,
    silverman: Vec<f64>,
}

pub fn golden(device: &Device) {
    let golden: Golden = serde_json::from_str(include_str!("../golden/bandwidth.json")).unwrap();
    assert!(golden.cases.len() >= 9);
    for case in &golden.cases {
        let mut set = Set::new(&case.rows, case.dimensions);
        for &(part, expected) in &case.quantiles {
            let found = set.resolve(device, &quantile(part)).unwrap();
            let what = format!("{}, quantile {part}: {:?}", case.name, found.notes);
            if expected > 0.0 {
                assert_near(scalar(&found), expected, set.tolerance(), &what);
                assert!(found.notes.is_empty(), "{what}");
            } else {
                assert!(scalar(&found) > 0.0 && found.notes.len() == 1, "{what}");
            }
        }
        for (which, rules) in &case.rules {
            if which == "weighted" {
                set.weigh(|i| (1 + i % 3) as f32);
            } else {
                set.weights = None;
            }
            for (bandwidth, expected) in [(Bandwidth::Scott, &rules.scott), (Bandwidth::Silverman, &rules.silverman)] {
                let found = set.resolve(device, &bandwidth).unwrap();
                for (found, expected) in each(&found).iter().zip(expected) {
                    assert_near(*found, *expected, 1e-6, &format!("{} {which} {bandwidth:?}", case.name));
                }
            }
        }
    }
}

pub fn samples(device: &Device) {
    let n = if is_interpreted(device) { 300 } else { 3000 };
    let set = Set::random(n, 2, 2.0);
    let sampled = |sample, seed| Bandwidth::Quantile { quantile: 0.2, sample: Some(sample), seed };
    let all = set.scalar(device, &quantile(0.2));
    for sample in [n, n + 1] {
        assert_eq!(set.scalar(device, &sampled(sample, 1)), all);
    }
    let some = set.resolve(device, &sampled(n / 3, 1)).unwrap();
    assert_eq!(some.how, format!("0.2-quantile of {} of {n} points", n / 3));
    assert_eq!(scalar(&some), set.scalar(device, &sampled(n / 3, 1)));
    assert_ne!(scalar(&some), set.scalar(device, &sampled(n / 3, 2)));
    assert_near(scalar(&some), all, 0.25, "a third of the points");
    let third = Bandwidth::Quantile { quantile: 1.0 / 3.0, sample: Some(Bandwidth::SAMPLE), seed: 0 };
    assert_eq!(set.scalar(device, &Bandwidth::Third), set.scalar(device, &third));
}

/// Duplicates, constant columns, one and two points: never 0 or NaN, and what was done is said.
pub fn fallbacks(device: &Device) {
    let same = |rule: &Bandwidth, rows: &[f64], d| Set::new(rows, d).resolve(device, rule).unwrap();
    for rows in [vec![3.0; 2], vec![3.0; 40]] {
        for rule in [Bandwidth::default(), Bandwidth::Third, Bandwidth::MeanNeighbour { k: 1 }] {
            let found = same(&rule, &rows, 2);
            assert_eq!((scalar(&found), found.notes.len()), (1.0, 1), "{rule:?}");
        }
        for rule in [Bandwidth::Scott, Bandwidth::Silverman] {
            let found = same(&rule, &rows, 2);
            assert_eq!((each(&found), found.notes.len()), (&[1.0; 2][..], 1), "{rule:?}");
        }
        let found = same(&Bandwidth::Neighbours { k: 1 }, &rows, 2);
        assert_eq!((per_point(device, &found), found.notes.len()), (vec![1.0; rows.len() / 2], 1));
    }
    // Two points: k = 1 is the point itself, so that 2 is taken.
    let found = same(&quantile(0.3), &[0.0, 0.0, 3.0, 4.0], 2);
    assert_eq!((scalar(&found), found.notes.len()), (5.0, 1));
    // Four of each: neighbours 2 and 4 are at 0, neighbour 8 is not.
    let found = same(&Bandwidth::MeanNeighbour { k: 2 }, &[0.0, 1.0].repeat(4), 1);
    assert_eq!((scalar(&found), found.notes.len()), (1.0, 1));
    assert!(found.notes[0].contains("neighbour 8 is taken"), "{:?}", found.notes);
    // Half of the points have a duplicate.
    let found = same(&Bandwidth::Neighbours { k: 2 }, &[0.0, 0.0, 1.0, 3.0], 1);
    assert_eq!((per_point(device, &found), found.notes.len()), (vec![1.0, 1.0, 1.0, 2.0], 1));
    // A column of three is constant.
    let rows = [0.0, 7.0, 1.0, 2.0, 7.0, 5.0, 4.0, 7.0, 0.0];
    let found = same(&Bandwidth::Scott, &rows, 3);
    let h = each(&found);
    assert!(h[0] > 0.0 && h[1] == (h[0] + h[2]) / 2.0 && h[2] > 0.0 && found.notes.len() == 1, "{found:?}");
    // The points drawn are equal, but not all are.
    let mut rows = vec![1.0; 400];
    rows[7] = 2.0;
    let found = same(&Bandwidth::Quantile { quantile: 0.3, sample: Some(3), seed: 0 }, &rows, 1);
    assert!(scalar(&found) > 0.0 && found.notes.len() == 1, "{found:?}");
    // Squares of these would leave f32.
    for scale in [1e-25, 1e25] {
        let found = same(&quantile(1.0), &[0.0, 0.0, 3.0 * scale, 4.0 * scale], 2);
        assert_near(scalar(&found) / scale, 5.0, 8.0 * ROUNDING, "an extreme scale");
    }
}

pub fn senseless_bandwidths_are_refused(device: &Device) {
    let set = Set::random(10, 2, 2.0);
    let error = |bandwidth: Bandwidth| set.resolve(device, &bandwidth).unwrap_err();
    for h in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-31, 1e31] {
        assert!(matches!(error(Bandwidth::Fixed(h)), Error::Option { option: "the bandwidth", .. }), "{h}");
        let found = error(Bandwidth::PerDimension(vec![1.0, h]));
        assert!(matches!(found, Error::BandwidthValue { each: "dimension", at: 1, .. }), "{found}");
        let mut values = vec![1.0; 10];
        values[3] = h;
        let found = error(Bandwidth::PerPoint(values));
        assert!(matches!(found, Error::BandwidthValue { each: "point", at: 3, .. }), "{found}");
    }
    let found = error(Bandwidth::PerDimension(vec![1.0; 3]));
    assert!(matches!(found, Error::BandwidthLength { given: 3, wanted: 2, each: "dimension" }), "{found}");
    let found = error(Bandwidth::PerPoint(vec![1.0; 9]));
    assert!(matches!(found, Error::BandwidthLength { given: 9, wanted: 10, each: "point" }), "{found}");
    for part in [0.0, -0.1, 1.1, f64::NAN] {
        assert!(matches!(error(quantile(part)), Error::Option { option: "the bandwidth's quantile", .. }), "{part}");
    }
    let none = Bandwidth::Quantile { quantile: 0.3, sample: Some(0), seed: 0 };
    assert!(matches!(error(none), Error::Option { option: "the bandwidth's sample", .. }));
    for k in [0, 11] {
        assert!(matches!(error(Bandwidth::Neighbours { k }), Error::Neighbour { .. }), "{k}");
        assert!(matches!(error(Bandwidth::MeanNeighbour { k }), Error::Neighbour { .. }), "{k}");
    }
    let given = set.resolve(device, &Bandwidth::PerDimension(vec![1.0, 2.0])).unwrap();
    assert_eq!(each(&given), [1.0, 2.0]);
    let given = set.resolve(device, &Bandwidth::PerPoint((1..11).map(f64::from).collect())).unwrap();
    assert_eq!(per_point(device, &given), (1..11).map(f64::from).collect::<Vec<_>>());
    assert_eq!(set.scalar(device, &Bandwidth::Fixed(2.5)), 2.5);
}

/// The same bits for one worker as for all, and twice.
pub fn workers_agree(device: &Device) {
    let interpreted = is_interpreted(device);
    let n = if interpreted { 150 } else { 4500 };
    let mut set = Set::random(n, 2, 2.0);
    let mut others = vec![device.clone()];
    if device.describe().contains("processor") {
        let workers = std::num::NonZero::new(1);
        let machine = Some(device.machine());
        others.push(Device::processor_with(modeseek::executor::CpuOptions { workers, machine }).unwrap());
    }
    for weighted in [false, true] {
        if weighted {
            set.weigh(|i| 0.1 + (i % 7) as f32 / 3.0);
        }
        for other in &others {
            for rule in [quantile(0.3), Bandwidth::default()] {
                assert_eq!(set.scalar(device, &rule).to_bits(), set.scalar(other, &rule).to_bits());
            }
            let (a, b) = (set.resolve(device, &Bandwidth::Scott), set.resolve(other, &Bandwidth::Scott));
            assert_eq!(each(&a.unwrap()), each(&b.unwrap()));
        }
    }
}
