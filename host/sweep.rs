//! What other bandwidths would have found: to help people choose one.
//!
//! A clustering that says something about the data hardly changes when the bandwidth changes a little. So for a range of
//! bandwidths, a constant factor apart, a sweep tells how many clusters there are, and how far labels agree with those of
//! the neighbouring bandwidths: the adjusted Rand index, 1 for the same clusters.

mod picture;

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::time::Instant;

use serde::Serialize;

use crate::agreement::adjusted_rand_index;
use crate::error::{Error, Result};
use crate::executor::Device;
use crate::mean_shift::{Bandwidth, MeanShift};
use crate::points::Points;

/// The most bandwidths of a sweep.
pub const MOST_BANDWIDTHS: usize = 1000;

/// Labels of neighbouring bandwidths that agree so far are taken for the same.
const SAME: f64 = 0.95;

/// What a bandwidth finds.
///
/// ```
/// use modeseek::sweep::{Sweep, bandwidths};
/// use modeseek::{Device, MeanShift, Points};
///
/// # let device = Device::processor()?;
/// let points = Points::from_rows(&[0.0, 0.1, 0.2, 5.0, 5.1, 5.2], 1)?;
/// let sweep = Sweep::new(&device, &points, &MeanShift::new(), &bandwidths(0.5, 1.0, 3)?, |_| Ok(()))?;
/// let found = &sweep.found[0];
/// assert_eq!((found.clusters, found.largest, found.noise), (2, 3, 0));
/// // The next bandwidth finds the same.
/// assert_eq!(found.stability, 1.0);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Found {
    /// The bandwidth.
    pub bandwidth: f64,
    /// How many clusters.
    pub clusters: usize,
    /// Points in the largest of them.
    pub largest: usize,
    /// Points that belong to none.
    pub noise: usize,
    /// The adjusted Rand index with the next smaller bandwidth's labels and with the next larger one's: their mean, or the
    /// one that there is.
    pub stability: f64,
    /// Iterations.
    pub iterations: usize,
    /// Whether every query came to rest.
    pub converged: bool,
    /// The time of the fit.
    pub seconds: f64,
}

impl Found {
    /// What an estimator of this bandwidth finds, and the labels.
    fn of(
        estimator: &MeanShift,
        bandwidth: f64,
        points: &Points,
        mut go_on: impl FnMut() -> Result<()>,
    ) -> Result<(Self, Vec<i32>)> {
        let (start, mut asked) = (Instant::now(), Ok(()));
        let fitted = estimator.fit_watched(points, |_| {
            asked = go_on();
            if asked.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        asked?;
        let clustering = match fitted {
            Ok(clustering) => Some(clustering),
            // Other bandwidths may find some.
            Err(error) if error.is_no_cluster() => None,
            Err(error) => return Err(error),
        };
        let modes = clustering.as_ref().map_or(&[][..], |clustering| &clustering.modes);
        let mut one = Self {
            bandwidth,
            clusters: modes.len(),
            largest: modes.iter().map(|mode| mode.size).max().unwrap_or(0),
            noise: 0,
            stability: 0.0,
            iterations: clustering.as_ref().map_or(0, |clustering| clustering.iterations),
            converged: clustering.as_ref().is_none_or(|clustering| clustering.converged),
            seconds: start.elapsed().as_secs_f64(),
        };
        let labels = clustering.map_or_else(|| vec![-1; points.len()], |clustering| clustering.labels);
        one.noise = labels.iter().filter(|&&label| label < 0).count();
        Ok((one, labels))
    }
}

/// A range of bandwidths, and what each finds.
///
/// ```
/// use modeseek::sweep::{Sweep, bandwidths};
/// use modeseek::{Device, MeanShift, Points};
///
/// let device = Device::processor()?;
/// let points = Points::from_rows(&[0.0, 0.1, 0.2, 5.0, 5.1, 5.2], 1)?;
/// let sweep = Sweep::new(&device, &points, &MeanShift::new(), &bandwidths(0.3, 10.0, 10)?, |_| Ok(()))?;
/// assert_eq!(sweep.found.last().unwrap().clusters, 1);
/// let suggested = sweep.suggested.expect("two clusters, for many bandwidths");
/// assert!(suggested > 0.3 && suggested < 5.0);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Sweep {
    /// From the smallest bandwidth to the largest.
    pub found: Vec<Found>,
    /// The middle of the longest stretch of bandwidths that find the same number of clusters, more than one and no more than
    /// half of the points that differ, and whose labels agree with their neighbours' (adjusted Rand index of 0.95 and
    /// more). None, if there is no such pair.
    pub suggested: Option<f64>,
}

/// Bandwidths from `low` to `high`, a constant factor apart.
///
/// ```
/// use modeseek::sweep::bandwidths;
///
/// let found = bandwidths(1.0, 4.0, 3)?;
/// assert!(found.iter().zip([1.0, 2.0, 4.0]).all(|(found, expected)| (found - expected).abs() < 1e-12));
/// assert!(bandwidths(4.0, 1.0, 3).is_err());
/// # Ok::<(), modeseek::Error>(())
/// ```
///
/// # Errors
/// [`Error::Option`] for a range that is none, or fewer than two of them.
pub fn bandwidths(low: f64, high: f64, count: usize) -> Result<Vec<f64>> {
    let fits = |h: f64| (1e-30..=1e30).contains(&h);
    if !fits(low) {
        return Err(Error::Option {
            option: "the first bandwidth of a sweep",
            value: low.to_string(),
            must: "between 1e-30 and 1e30",
        });
    }
    if !(fits(high) && high > low) {
        return Err(Error::Option {
            option: "the last bandwidth of a sweep",
            value: high.to_string(),
            must: "above the first, up to 1e30",
        });
    }
    if !(2..=MOST_BANDWIDTHS).contains(&count) {
        return Err(Error::Option {
            option: "the number of bandwidths of a sweep",
            value: count.to_string(),
            must: "from 2 to 1000",
        });
    }
    let (low, high) = (low.ln(), high.ln());
    Ok((0..count).map(|k| (low + (high - low) * k as f64 / (count - 1) as f64).exp()).collect())
}

impl Sweep {
    /// Clusters points with each of the bandwidths, which ascend, from the largest down. `go_on` is asked before each, and after
    /// each iteration, and told how many are done; its error ends the sweep. A bandwidth at which no seed finds a cluster is
    /// none: all points are noise then.
    ///
    /// ```
    /// # use modeseek::sweep::{Sweep, bandwidths};
    /// # use modeseek::{Device, Error, MeanShift, Points};
    /// # let device = Device::processor()?;
    /// # let points = Points::from_rows(&[0.0, 0.1, 0.2, 5.0, 5.1, 5.2], 1)?;
    /// let mut asked = 0;
    /// Sweep::new(&device, &points, &MeanShift::new(), &bandwidths(0.5, 1.0, 3)?, |done| {
    ///     asked += 1;
    ///     assert!(done < 3);
    ///     Ok(())
    /// })?;
    /// assert!(asked > 3);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Option`] for no bandwidths, or some that do not ascend; as [`MeanShift::fit`]; that of `go_on`.
    pub fn new(
        device: &Device,
        points: &Points,
        estimator: &MeanShift,
        bandwidths: &[f64],
        go_on: impl FnMut(usize) -> Result<()>,
    ) -> Result<Self> {
        Self::while_few(device, points, estimator, bandwidths, usize::MAX, go_on)
    }

    /// The same from the largest bandwidth down, and no farther than to the first that finds more clusters than `most`:
    /// smaller ones find still more, and take longest.
    ///
    /// ```
    /// # use modeseek::sweep::{Sweep, bandwidths};
    /// # use modeseek::{Device, MeanShift, Points};
    /// # let device = Device::processor()?;
    /// # let points = Points::from_rows(&[0.0, 0.1, 0.2, 5.0, 5.1, 5.2], 1)?;
    /// let all = bandwidths(0.001, 1.0, 10)?;
    /// let sweep = Sweep::while_few(&device, &points, &MeanShift::new(), &all, 2, |_| Ok(()))?;
    /// assert!(sweep.found.len() < 10 && sweep.found[0].clusters > 2 && sweep.found[1].clusters == 2);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Sweep::new`].
    pub fn while_few(
        device: &Device,
        points: &Points,
        estimator: &MeanShift,
        bandwidths: &[f64],
        most: usize,
        mut go_on: impl FnMut(usize) -> Result<()>,
    ) -> Result<Self> {
        if bandwidths.is_empty() {
            let (option, value) = ("the bandwidths of a sweep", "none".to_owned());
            return Err(Error::Option { option, value, must: "at least one" });
        }
        if let Some(pair) = bandwidths.windows(2).find(|pair| pair[0] > pair[1]) {
            let (option, value) = ("a bandwidth of a sweep", format!("{} behind {}", pair[1], pair[0]));
            return Err(Error::Option { option, value, must: "no smaller than the one before" });
        }
        let mut found: Vec<Found> = Vec::new();
        let mut labels: Vec<i32> = Vec::new();
        // How far each agrees with the next larger one.
        let mut agreements = Vec::new();
        for &bandwidth in bandwidths.iter().rev() {
            go_on(found.len())?;
            let estimator = estimator.clone().bandwidth(Bandwidth::Fixed(bandwidth)).on(device);
            let done = found.len();
            let (one, now) = Found::of(&estimator, bandwidth, points, || go_on(done))?;
            if !found.is_empty() {
                agreements.push(adjusted_rand_index(&labels, &now));
            }
            let is_enough = one.clusters > most;
            found.push(one);
            labels = now;
            if is_enough {
                break;
            }
        }
        found.reverse();
        agreements.reverse();
        Ok(Self::of(found, &agreements, unmerged(points)))
    }

    /// What was found, how far each agrees with the next, and from how many clusters on nothing is found yet.
    fn of(mut found: Vec<Found>, agreements: &[f64], unmerged: usize) -> Self {
        for (k, one) in found.iter_mut().enumerate() {
            let beside = [k.checked_sub(1), Some(k)];
            let known: Vec<f64> = beside.into_iter().flatten().filter_map(|at| agreements.get(at)).copied().collect();
            one.stability = known.iter().sum::<f64>() / known.len().max(1) as f64;
        }
        let (mut best, mut first) = (None, 0);
        for last in 0..found.len() {
            let goes_on = last > first && agreements[last - 1] >= SAME && found[last].clusters == found[first].clusters;
            if !goes_on {
                first = last;
            }
            let length = found[last].bandwidth.ln() - found[first].bandwidth.ln();
            // Of equals the first, whatever the logarithms are rounded to.
            let longest = best.is_none_or(|(longest, _, _)| length > longest * (1.0 + 1e-9));
            let alone = found[first].clusters >= unmerged;
            if length > 0.0 && found[first].clusters > 1 && !alone && longest {
                best = Some((length, first, last));
            }
        }
        let middle = |first: usize, last: usize| (found[first].bandwidth * found[last].bandwidth).sqrt();
        let suggested = best.map(|(_, first, last)| middle(first, last));
        Self { found, suggested }
    }
}

/// From how many clusters on most points are still alone, however stable that is: more than half of the points that differ.
/// Where so many are equal that each place has ten, places are clusters.
fn unmerged(points: &Points) -> usize {
    let rows = points.centred_rows().chunks_exact(points.dimensions());
    let places: HashSet<Vec<u32>> = rows.map(|row| row.iter().map(|x| x.to_bits()).collect()).collect();
    if places.len() * 10 <= points.len() { usize::MAX } else { places.len() / 2 + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mean_shift::{Distance, Form, Seeding};

    fn found(bandwidth: f64, clusters: usize) -> Found {
        let (largest, noise, stability, iterations, converged, seconds) = (2, 0, 0.0, 1, true, 0.0);
        Found { bandwidth, clusters, largest, noise, stability, iterations, converged, seconds }
    }

    #[test]
    fn bandwidths_are_a_factor_apart() {
        let all = bandwidths(1.0, 16.0, 5).unwrap();
        for (found, expected) in all.iter().zip([1.0, 2.0, 4.0, 8.0, 16.0]) {
            assert!((found - expected).abs() < 1e-12);
        }
        for (low, high, count) in [(0.0, 1.0, 5), (2.0, 2.0, 5), (f64::NAN, 1.0, 5), (1.0, f64::NAN, 5), (1.0, 2.0, 1)]
        {
            let error = bandwidths(low, high, count).unwrap_err();
            assert!(error.is_usage(), "{error}");
        }
    }

    #[test]
    fn a_sweep_has_a_bandwidth() {
        let (device, points) = (Device::processor().unwrap(), Points::from_rows(&[0.0, 1.0], 1).unwrap());
        let error = Sweep::new(&device, &points, &MeanShift::new(), &[], |_| Ok(())).unwrap_err();
        assert!(error.is_usage() && error.to_string().contains("none"), "{error}");
        let one = Sweep::new(&device, &points, &MeanShift::new(), &[0.1], |_| Ok(())).unwrap();
        assert!(one.picture().to_svg().contains("bandwidth"));
        // Stretches are measured from one to the next: what does not ascend has none.
        let error = Sweep::new(&device, &points, &MeanShift::new(), &[0.1, 3.0, 2.0], |_| Ok(())).unwrap_err();
        assert!(error.is_usage() && error.to_string().contains("2 behind 3"), "{error}");
        assert!(Sweep::new(&device, &points, &MeanShift::new(), &[0.1, 0.1, 2.0], |_| Ok(())).is_ok());
    }

    /// A bandwidth so small that no bin has enough points finds nothing, and ends no sweep.
    #[test]
    fn bandwidths_that_find_nothing_are_told() {
        let (device, points) = (Device::processor().unwrap(), Points::from_rows(&[0.0, 0.3, 9.6, 9.8], 1).unwrap());
        let bins = MeanShift::new().form(Form::Standard).seeding(Seeding::Bins { min_frequency: 2 });
        let sweep = Sweep::new(&device, &points, &bins, &[0.1, 2.0], |_| Ok(())).unwrap();
        let told = sweep.found.iter().map(|found| (found.clusters, found.largest, found.noise, found.converged));
        assert_eq!(told.collect::<Vec<_>>(), [(0, 0, 4, true), (2, 2, 0, true)]);
        // What is wrong with every bandwidth is an error.
        let wide = Points::from_rows(&[0.0; 42], 21).unwrap();
        assert!(matches!(Sweep::new(&device, &wide, &bins, &[1.0], |_| Ok(())), Err(Error::Undefined { .. })));
    }

    /// The largest bandwidth that is guessed is one of the distance that is meant.
    #[test]
    fn a_bandwidth_is_guessed_by_the_distance() {
        let (device, points) = (Device::processor().unwrap(), Points::from_rows(&[3.0, 0.0, 0.0, 40.0], 2).unwrap());
        let guess = |estimator: MeanShift| {
            estimator.on(&device).bandwidth(Bandwidth::MeanNeighbour { k: 2 }).estimate_bandwidth(&points).unwrap()
        };
        assert!((guess(MeanShift::new()) - 1609_f64.sqrt()).abs() < 1e-3);
        assert!((guess(MeanShift::new().distance(Distance::Cosine)) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn the_longest_stretch_is_suggested() {
        // Stable from 2 to 8 with three clusters, and from 16 on with a single one.
        let all = [(1.0, 9), (2.0, 3), (4.0, 3), (8.0, 3), (16.0, 1), (32.0, 1), (64.0, 1), (128.0, 1)];
        let sweep = Sweep::of(all.map(|(h, k)| found(h, k)).to_vec(), &[0.2, 1.0, 0.99, 0.0, 1.0, 1.0, 1.0], 50);
        assert!((sweep.suggested.unwrap() - 4.0).abs() < 1e-12);
        let stability: Vec<f64> = sweep.found.iter().map(|found| found.stability).collect();
        assert_eq!(stability[..3], [0.2, 0.6, 0.995]);
        assert_eq!(stability[7], 1.0);
        // Equally long, as they are said to be; and longer, but of points that are mostly alone.
        let all = [(3.0, 9), (6.0, 9), (30.0, 4), (60.0, 4), (600.0, 3), (1200.0, 3)].map(|(h, k)| found(h, k));
        let agreements = [1.0, 0.0, 1.0, 0.0, 1.0];
        assert_eq!(Sweep::of(all.to_vec(), &agreements, 50).suggested, Some(18_f64.sqrt()));
        assert_eq!(Sweep::of(all.to_vec(), &agreements, 9).suggested, Some(1800_f64.sqrt()));
        let sweep = Sweep::of(vec![found(1.0, 5), found(2.0, 1)], &[0.1], 50);
        assert_eq!(sweep.suggested, None);
    }

    /// Equal rows are one cluster for any bandwidth, which says nothing of the others.
    #[test]
    fn equal_rows_are_no_stretch() {
        let device = Device::processor().unwrap();
        let of = |rows: &[f64], low: f64, high: f64| {
            let points = Points::from_rows(rows, 1).unwrap();
            Sweep::new(&device, &points, &MeanShift::new(), &bandwidths(low, high, 12).unwrap(), |_| Ok(())).unwrap()
        };
        // Farther apart each time, so that there is no other stretch.
        let mut rows: Vec<f64> = (0..12).map(|at| 1.5_f64.powi(at)).collect();
        assert_eq!(of(&rows, 1e-4, 1e-2).suggested, None);
        rows.push(rows[11]);
        assert_eq!(of(&rows, 1e-4, 1e-2).found[0].largest, 2);
        assert_eq!(of(&rows, 1e-4, 1e-2).suggested, None);
        // Each of them twice.
        rows.pop();
        rows.extend_from_within(..);
        assert_eq!(of(&rows, 1e-4, 1e-2).suggested, None);
        // Two clusters are found behind the stretch that finds nothing, though that is longer.
        let near: Vec<f64> = (0..40).map(|at| f64::from(at % 20) * 0.1 + f64::from(at / 20) * 20.0).collect();
        let suggested = of(&[&near[..], &near[..1]].concat(), 1e-4, 10.0).suggested.unwrap();
        assert!((0.1..10.0).contains(&suggested), "{suggested}");
        // Places of many points each are clusters.
        let places: Vec<f64> = (0..60).map(|at| f64::from(at % 3)).collect();
        assert!(of(&places, 1e-3, 0.1).suggested.is_some());
    }
}
