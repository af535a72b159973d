//! Which end positions belong together, against plain computations over all pairs.

use gpu::layout::STRIDE;
use modeseek::mean_shift::labels::{
    Columns, Components, NOISE, components, count_within, order, relabel, suppress, tally,
};
use modeseek::{Buffer, Device};

use crate::check::{is_interpreted, random};

/// Points by rows, and by columns on a device.
pub struct Set {
    pub rows: Vec<f32>,
    pub n: usize,
    pub d: usize,
    stride: usize,
    columns: Buffer<f32>,
}

impl Set {
    pub fn new(device: &Device, rows: Vec<f32>, d: usize) -> Self {
        let n = rows.len() / d;
        let stride = n.next_multiple_of(STRIDE);
        // What stands behind the last point is nobody's business.
        let mut columns = vec![7e7; stride * d];
        for (i, row) in rows.chunks(d).enumerate() {
            for (c, x) in row.iter().enumerate() {
                columns[c * stride + i] = *x;
            }
        }
        Self { n, d, stride, columns: device.upload(&columns).unwrap(), rows }
    }

    pub fn columns(&self) -> Columns<'_> {
        Columns { values: &self.columns, n: self.n, d: self.d, stride: self.stride }
    }

    pub fn row(&self, i: usize) -> &[f32] {
        &self.rows[i * self.d..][..self.d]
    }

    fn distance(&self, i: usize, j: usize, p: f32) -> f64 {
        distance(self.row(i), self.row(j), p)
    }
}

pub fn distance(a: &[f32], b: &[f32], p: f32) -> f64 {
    let p = f64::from(p);
    let sum: f64 = a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs().powf(p)).sum();
    sum.powf(1.0 / p)
}

/// The component of each point over all pairs, numbered by first points; `present` says which count.
fn components_over_all_pairs(set: &Set, p: f32, radius: f64, present: &[bool]) -> (Vec<u32>, usize) {
    let mut ids = vec![NOISE; set.n];
    let mut count = 0;
    for start in 0..set.n {
        if !present[start] || ids[start] != NOISE {
            continue;
        }
        ids[start] = count;
        let mut reached = vec![start];
        while let Some(i) = reached.pop() {
            for j in 0..set.n {
                if present[j] && ids[j] == NOISE && set.distance(i, j, p) <= radius {
                    ids[j] = count;
                    reached.push(j);
                }
            }
        }
        count += 1;
    }
    (ids, count as usize)
}

/// Whether any two that `fine` has together `coarse` has together too.
fn refines(fine: &[u32], coarse: &[u32]) -> bool {
    let mut of = std::collections::HashMap::new();
    fine.iter().zip(coarse).all(|(fine, coarse)| of.entry(fine).or_insert(coarse) == &coarse)
}

/// Sets of every kind: spread, all equal, few spots, a chain, far apart, two far and a crowd, a single point.
fn sets(n: usize, d: usize) -> Vec<(&'static str, Vec<f32>)> {
    let noise = random(n * d, (n + d) as u64);
    let scatter = |factor: f32| noise.iter().map(|x| x * factor).collect::<Vec<f32>>();
    let spots = |i: usize, c: usize| ((i % 5 * 7 + c * 3) % 11) as f32;
    let near_spots = (0..n * d).map(|k| spots(k / d, k % d) + noise[k] * 1e-4).collect();
    let chain = (0..n * d).map(|k| if k % d == d - 1 { (k / d * 7 % n) as f32 * 0.9 } else { 0.25 }).collect();
    let apart = (0..n * d).map(|k| (k / d) as f32 * 1e3 - if k % d == 0 { 1e4 } else { 0.0 }).collect();
    let mut outliers: Vec<f32> = scatter(0.1);
    outliers[..d].fill(3e5);
    outliers[n * d - d..].fill(-2e5);
    vec![
        ("spread", scatter(4.0)),
        ("crowded", scatter(1.0)),
        ("all equal", vec![0.75; n * d]),
        ("few spots", near_spots),
        ("a chain", chain),
        ("far apart", apart),
        ("outliers", outliers),
        ("a single point", noise[..d].to_vec()),
    ]
}

fn check_components(device: &Device, what: &str, set: &Set, p: f32, support: Option<&[f32]>) {
    let radius = 1.0;
    let buffer = support.map(|support| device.upload(support).unwrap());
    let Components { ids, count } = components(device, set.columns(), p, buffer.as_ref(), radius).unwrap();
    let ids = device.download(&ids).unwrap();
    let present: Vec<bool> = (0..set.n).map(|i| support.is_none_or(|support| support[i] > 0.0)).collect();
    let what = format!("{what}: n = {} d = {} p = {p}", set.n, set.d);

    let mut next = 0;
    for (i, &id) in ids.iter().enumerate() {
        assert_eq!(id == NOISE, !present[i], "{what}: end {i}");
        if id != NOISE {
            assert!(id <= next, "{what}: ids are in the order of their first ends");
            next = next.max(id + 1);
        }
    }
    assert_eq!(next as usize, count, "{what}");
    // What the step promises: all within 3/4 of the radius together, none without a chain of steps.
    let rounding = 1e-5;
    let (least, _) = components_over_all_pairs(set, p, radius * (0.75 - rounding), &present);
    let (most, _) = components_over_all_pairs(set, p, radius * (1.0 + rounding), &present);
    assert!(refines(&least, &ids), "{what}: near ends are apart");
    assert!(refines(&ids, &most), "{what}: ends without a chain are together");
    // Exactly the components, where every end has a small cell for itself and no pair is at the radius.
    let pairs = (0..set.n).flat_map(|i| (0..i).map(move |j| (i, j)));
    let clear = |distance: f64| distance > radius / 8.0 && (distance - radius).abs() > rounding;
    if support.is_none() && pairs.clone().all(|(i, j)| clear(set.distance(i, j, p))) {
        assert_eq!(ids, most, "{what}");
    }
}

pub fn components_of_ends(device: &Device) {
    let sizes: &[usize] = if is_interpreted(device) { &[70] } else { &[2, 33, 300] };
    for &n in sizes {
        for d in [1, 2, 3, 5, 64] {
            for (what, rows) in sets(n, d) {
                let set = Set::new(device, rows, d);
                for p in [1.0, 2.0, 3.0] {
                    check_components(device, what, &set, p, None);
                }
                let support: Vec<f32> = (0..set.n).map(|i| (i % 3) as f32).collect();
                check_components(device, what, &set, 2.0, Some(&support));
            }
        }
    }
}

/// A chain on a lattice whose steps are the radius itself, and one of steps a little longer.
pub fn components_at_the_radius(device: &Device) {
    let lattice = |step: f32| (0..40).map(|i| i as f32 * step - 20.0).collect::<Vec<f32>>();
    for (step, expected) in [(1.0, 1), (1.01, 40)] {
        let set = Set::new(device, lattice(step), 1);
        assert_eq!(components(device, set.columns(), 2.0, None, 1.0).unwrap().count, expected);
    }
    let set = Set::new(device, lattice(1.0), 1);
    assert!(components(device, set.columns(), 2.0, None, 0.0).is_err());
    assert!(components(device, set.columns(), 2.0, None, f64::NAN).is_err());
    // So small that nothing is near; so large that all is.
    assert_eq!(components(device, set.columns(), 2.0, None, 1e-42).unwrap().count, 40);
    assert_eq!(components(device, set.columns(), 2.0, None, 1e15).unwrap().count, 1);
}

/// scikit-learn's rule as it is written there: ranks of candidates that are kept.
fn suppress_in_order(set: &Set, counts: &[u32], p: f32, bandwidth: f64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..set.n).filter(|&i| counts[i] > 0).collect();
    order.sort_by(|&a, &b| counts[b].cmp(&counts[a]).then(set.row(b).partial_cmp(set.row(a)).unwrap()).then(a.cmp(&b)));
    let mut kept: Vec<usize> = Vec::new();
    for i in order {
        if kept.iter().all(|&k| set.distance(k, i, p) > bandwidth) {
            kept.push(i);
        }
    }
    kept
}

pub fn suppressed_centres(device: &Device) {
    let sizes: &[usize] = if is_interpreted(device) { &[35] } else { &[2, 33, 600] };
    for &n in sizes {
        for d in [1, 2, 3, 64] {
            for (what, rows) in sets(n, d) {
                let set = Set::new(device, rows, d);
                let counts: Vec<u32> = (0..set.n).map(|i| (i * 5 % 4) as u32).collect();
                let on_device = device.upload(&counts).unwrap();
                for p in [1.0, 2.0, 3.0] {
                    let found = suppress(device, set.columns(), &on_device, p, 0.7).unwrap();
                    let expected = suppress_in_order(&set, &counts, p, 0.7);
                    let what = format!("{what}: n = {n} d = {d} p = {p}");
                    let rows: Vec<f32> = expected.iter().flat_map(|&i| set.row(i).to_vec()).collect();
                    assert_eq!(found.count, expected.len(), "{what}");
                    assert_eq!(device.download(&found.centres).unwrap(), rows, "{what}");
                    let about: Vec<u32> = expected.iter().map(|&i| counts[i]).collect();
                    assert_eq!(device.download(&found.about).unwrap(), about, "{what}");
                }
            }
        }
    }
}

/// Ends that gather, with their noise, and ends that do not.
fn many_ends(n: usize) -> [Vec<f32>; 2] {
    let noise = random(2 * n, 51);
    let spots = (0..2 * n).map(|k| ((k / 2 * 7919 % 60) * (k % 2 + 1) * 13 % 40) as f32 + noise[k] * 1e-4).collect();
    let spread = noise.iter().map(|x| x * (n as f32).sqrt() * 0.4).collect();
    [spots, spread]
}

/// All that the steps make of some ends, bit by bit.
fn all_steps(device: &Device, set: &Set, weights: &[f32]) -> Vec<Vec<u64>> {
    let weights = device.upload(weights).unwrap();
    let Components { ids, count } = components(device, set.columns(), 2.0, None, 0.5).unwrap();
    let groups = tally(device, &ids, count, set.columns(), Some(&weights)).unwrap();
    let found = order(device, &groups, 2).unwrap();
    let labels = relabel(device, &ids, &found.label_of).unwrap();
    let counts = count_within(device, set.columns(), set.columns(), None, 2.0, 0.5).unwrap();
    let kept = suppress(device, set.columns(), &counts, 2.0, 3.0).unwrap();
    let numbers = |buffer: &Buffer<u32>| device.download(buffer).unwrap().into_iter().map(u64::from).collect();
    let bits = |buffer: &Buffer<f32>| device.download(buffer).unwrap().iter().map(|x| u64::from(x.to_bits())).collect();
    let totals = device.download(&found.groups.totals).unwrap().into_iter().map(f64::to_bits).collect();
    vec![numbers(&labels), bits(&found.groups.means), totals, bits(&kept.centres), numbers(&kept.about)]
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let device = |workers| {
        let workers = std::num::NonZero::new(workers);
        Device::processor_with(modeseek::executor::CpuOptions { workers, machine: None }).unwrap()
    };
    let n = 5000;
    let weights: Vec<f32> = random(n, 52).iter().map(|w| w.abs()).collect();
    for rows in many_ends(n) {
        let (one, seven) = (device(1), device(7));
        let expected = all_steps(&one, &Set::new(&one, rows.clone(), 2), &weights);
        for _ in 0..3 {
            assert!(all_steps(&seven, &Set::new(&seven, rows.clone(), 2), &weights) == expected);
        }
    }
}
