//! Bandwidths from distances to k-th neighbours.

use gpu::moments::replace_zeros;
use gpu::neighbours::roots;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::scaled::{Rows, Scaled, Summary, unit};
use super::search::{Ordered, Search};
use super::{Resolved, Sample, USABLE, Values, spread};
use crate::error::{Error, Result};
use crate::executor::{Buffer, Device};
use crate::mean_shift::masses::Masses;
use crate::mean_shift::near::order_numbers;
use crate::picture::numbers;

/// From so many points on, brackets are guessed from some of them: below, that costs what it saves.
const GUESS_FROM: usize = 4096;

/// From how many.
const GUESS: usize = 512;

/// How many times as much mass there is at least as is sought: of more, few tiles are too far.
const FEW: u64 = 16;

/// The largest power of two that weights are multiplied with: their sum stays within f32.
const MOST_UNIT: f64 = (1_u64 << 60) as f64;

/// How much of the points a distance must cover.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mass {
    /// So many points.
    Points(usize),
    /// This part of them.
    Part(f64),
}

/// Points to search among, for their own neighbours.
struct Set {
    points: Scaled,
    weights: Option<Buffer<f32>>,
    masses: Masses,
    /// The sum of the weights, and whether all of them are whole.
    weight: f64,
    whole: bool,
    p: f32,
    /// What turns scaled distances into the data's.
    back: f32,
}

impl Set {
    /// All points, or the ones picked. `None` if there is nothing to measure: all coordinates are 0, or all weights.
    fn new(device: &Device, sample: &Sample<'_>, picked: Option<&Buffer<u32>>) -> Result<Option<Self>> {
        let Some((factor, back)) = unit(device, sample.rows)? else { return Ok(None) };
        let rows = || picked.map_or(Rows::Spread(sample.n), Rows::At);
        let points = Scaled::gather(device, sample.rows, (sample.n, sample.d), rows(), factor)?;
        let mut set = Self {
            masses: Masses::alike(device, points.n)?,
            weight: points.n as f64,
            whole: true,
            p: sample.p,
            back,
            weights: None,
            points,
        };
        if let Some((weights, unit)) = sample.weights {
            // Numbers of points are counted in weights as given, as far as f32 can: beyond, they are no numbers of points.
            let unit = unit.clamp(1.0 / MOST_UNIT, MOST_UNIT) as f32;
            let weights = Scaled::gather(device, weights, (sample.n, 1), rows(), unit)?.columns;
            let Summary { weight, whole, .. } = Summary::of(device, &weights, Some(&weights))?;
            if weight == 0.0 {
                return Ok(None);
            }
            set.masses = Masses::of(device, &weights, weight)?;
            (set.weight, set.whole, set.weights) = (weight, whole, Some(weights));
        }
        Ok(Some(set))
    }

    /// The mass that the points up to the wanted one have.
    fn target(&self, mass: Mass) -> Result<u32> {
        let weight = match mass {
            Mass::Points(k) if k as f64 > self.weight => {
                return Err(Error::Neighbour { k, points: self.weight });
            }
            Mass::Points(k) => k as f64,
            // scikit-learn's max(1, int(n * quantile)).
            Mass::Part(part) if self.whole => (self.weight * part).floor().max(1.0),
            Mass::Part(part) => self.weight * part,
        };
        Ok(self.masses.mass(weight).min(self.masses.total))
    }

    /// Each point's distance to the nearest others that have this mass together with it.
    fn distances(&self, device: &Device, k: u32) -> Result<Buffer<f32>> {
        let mut values = device.zeros::<f32>(self.points.n)?;
        let few = u64::from(k) * FEW <= u64::from(self.masses.total);
        let ordered = if self.points.n >= GUESS_FROM && few {
            Ordered::new(device, &self.points, &self.masses.values, self.p)?
        } else {
            Ordered::none(device)?
        };
        let (points, masses) = match &ordered.points {
            Some(points) => (points, &ordered.masses),
            None => (&self.points, &self.masses.values),
        };
        let guesses = self.guesses(device, points, k)?;
        let search = Search { points, masses, queries: points, k, total: self.masses.total, p: self.p };
        device.launch(search.launch(&guesses, &ordered, &mut values))?;
        device.launch(roots::launch(&mut values, self.back, self.p))?;
        Ok(values)
    }

    /// Values below and above what is sought, from some of the points: within two deviations of its rank there.
    fn guesses(&self, device: &Device, points: &Scaled, k: u32) -> Result<Buffer<f32>> {
        if points.n < GUESS_FROM || !self.masses.values.is_empty() {
            return device.zeros(0);
        }
        let none = (device.zeros::<u32>(0)?, device.zeros::<f32>(0)?, Ordered::none(device)?);
        let some = some(device, points)?;
        let part = f64::from(k) / f64::from(self.masses.total);
        let (rank, apart) = (part * GUESS as f64, 2.0 * (GUESS as f64 * part * (1.0 - part)).sqrt() + 1.0);
        let mut guesses = device.zeros::<f32>(2 * points.stride)?;
        for (column, rank) in [rank - apart, rank + apart].into_iter().enumerate() {
            let k = (rank.round() as u32).clamp(1, GUESS as u32);
            let search = Search { points: &some, masses: &none.0, queries: points, k, total: GUESS as u32, p: self.p };
            let mut column = guesses.slice_mut(column * points.stride..(column + 1) * points.stride);
            device.launch(search.launch(&none.1, &none.2, &mut column))?;
        }
        Ok(guesses)
    }
}

/// Some of the points, evenly spread.
fn some(device: &Device, Scaled { columns, n, d, stride }: &Scaled) -> Result<Scaled> {
    let mut some = device.zeros::<f32>(GUESS * d)?;
    for c in 0..*d {
        let from = columns.slice(c * stride..c * stride + n);
        let mut to = some.slice_mut(c * GUESS..(c + 1) * GUESS);
        let none = device.zeros::<u32>(0)?;
        device.launch(gpu::gather::gather::launch(
            &from,
            &none,
            &mut to,
            *n as u32,
            1,
            GUESS as u32,
            GUESS as u32,
            1.0,
        ))?;
    }
    Ok(Scaled { columns: some, n: GUESS, d: *d, stride: GUESS })
}

/// The quantile rule, of all points or of some, times a number: but for what is found where there are no distances.
pub(super) fn quantile(
    device: &Device,
    sample: &Sample<'_>,
    (quantile, times): (f64, f64),
    size: Option<usize>,
    seed: u64,
    named: &str,
) -> Result<Resolved> {
    let named = if times == 1.0 { named.to_owned() } else { format!("{times:.3} of the {named}") };
    match size {
        Some(size) if size < sample.n => {
            let how = format!("{named}-quantile of {size} of {} points", sample.n);
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let mut picked: Vec<u32> =
                rand::seq::index::sample(&mut random, sample.n, size).into_iter().map(|i| i as u32).collect();
            // In the order of the points, which is that of memory.
            picked.sort_unstable();
            mean_of(device, sample, Some(&device.upload(&picked)?), (Mass::Part(quantile), times), how)
        }
        _ => {
            let how = format!("{named}-quantile of {} points", sample.n);
            mean_of(device, sample, None, (Mass::Part(quantile), times), how)
        }
    }
}

/// The mean over all points of the distance to a neighbour.
pub(super) fn mean(device: &Device, sample: &Sample<'_>, mass: Mass, how: String) -> Result<Resolved> {
    mean_of(device, sample, None, (mass, 1.0), how)
}

fn mean_of(
    device: &Device,
    sample: &Sample<'_>,
    picked: Option<&Buffer<u32>>,
    (mass, times): (Mass, f64),
    how: String,
) -> Result<Resolved> {
    reserve(device, sample.d, picked.map_or(sample.n, Buffer::len))?;
    let Some(set) = Set::new(device, sample, picked)? else { return without_distances(device, sample, how) };
    let (first, mut notes) = (set.target(mass)?, Vec::new());
    let mut k = first;
    loop {
        let distances = set.distances(device, k)?;
        let Summary { mean, .. } = Summary::of(device, &distances, set.weights.as_ref())?;
        if mean > 0.0 {
            if k > first {
                notes.push(doubled(&set, first, k));
            }
            return Ok(Resolved { values: Values::Scalar(times * mean), how, notes });
        }
        if k == set.masses.total {
            return without_distances(device, sample, how);
        }
        k = k.saturating_mul(2).min(set.masses.total);
    }
}

/// Each point's own distance to its k-th neighbour.
pub(super) fn each(device: &Device, sample: &Sample<'_>, k: usize) -> Result<Resolved> {
    let how = format!("each point's distance to neighbour {k} of {} points", sample.n);
    reserve(device, sample.d, sample.n)?;
    let Some(set) = Set::new(device, sample, None)? else { return equal(device, sample.n, how) };
    let (first, mut notes) = (set.target(Mass::Points(k))?, Vec::new());
    let mut k = first;
    loop {
        let mut distances = set.distances(device, k)?;
        let Summary { smallest_positive, largest, zeros, .. } = Summary::of(device, &distances, None)?;
        if largest > 0.0 {
            if k > first {
                notes.push(doubled(&set, first, k));
            }
            if zeros > 0 {
                notes.push(format!(
                    "{zeros} points are at distance 0 from that neighbour; they take the smallest bandwidth of the others, {smallest_positive}"
                ));
                device.launch(replace_zeros::launch(&mut distances, smallest_positive as f32))?;
            }
            if let Some(value) = [smallest_positive, largest].into_iter().find(|h| !USABLE.contains(h)) {
                return Err(Error::BandwidthEstimate { how, value });
            }
            return Ok(Resolved { values: Values::PerPoint(distances), how, notes });
        }
        if k == set.masses.total {
            return equal(device, sample.n, how);
        }
        k = k.saturating_mul(2).min(set.masses.total);
    }
}

/// What is said when there are too many duplicates.
fn doubled(set: &Set, first: u32, k: u32) -> String {
    let points = |k: u32| f64::from(k) / set.masses.factor;
    // Of weights, as much as one point has is no point.
    let alone = set.weights.is_none() && points(first) <= 1.0;
    let why = if alone { "which is the point itself" } else { "since that many are equal" };
    let number = |k: u32| match points(k) {
        number if number.fract() == 0.0 => number.to_string(),
        part => numbers::short(part),
    };
    format!("the distance to neighbour {} is 0 for every point, {why}; neighbour {} is taken", number(first), number(k))
}

/// One for each of n equal points.
fn equal(device: &Device, n: usize, how: String) -> Result<Resolved> {
    let notes = vec!["all points are equal, so that any bandwidth gives one cluster: 1 is used".to_owned()];
    Ok(Resolved { values: Values::PerPoint(device.upload(&vec![1.0_f32; n])?), how, notes })
}

/// The points looked at are equal, or have no weight: the spread of all points tells what there is.
fn without_distances(device: &Device, sample: &Sample<'_>, how: String) -> Result<Resolved> {
    let Resolved { values, how: rule, .. } = spread::rule(device, sample, spread::Rule::Scott)?;
    let (deviations, _) = spread::deviations(device, sample)?;
    let Values::PerDimension(values) = values else { unreachable!("Scott's rule gives one for each dimension") };
    if deviations.iter().all(|&deviation| deviation == 0.0) {
        let notes = vec!["all points are equal, so that any bandwidth gives one cluster: 1 is used".to_owned()];
        return Ok(Resolved { values: Values::Scalar(1.0), how, notes });
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let notes = vec![format!(
        "the points looked at are all equal, though not all points are: the mean of {rule} is used, {mean}"
    )];
    Ok(Resolved { values: Values::Scalar(mean), how, notes })
}

/// Columns, distances, guesses, what weights add; and the same in order, with what puts them in it.
fn reserve(device: &Device, d: usize, n: usize) -> Result<()> {
    let bytes = (n as u128 * (2 * d as u128 + 14) + order_numbers(n, d)) * 4;
    device.reserve(
        bytes,
        &format!("a bandwidth estimate from {n} points"),
        "give a bandwidth, or estimate it from a sample",
    )
}
