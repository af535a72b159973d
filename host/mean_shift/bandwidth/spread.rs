//! Bandwidths from the spread of each coordinate.

use gpu::moments::column_moments;

use super::scaled::{Scaled, Summary, unit};
use super::{Resolved, Sample, Values};
use crate::error::{Error, Result};
use crate::executor::Device;

/// The most that f64 can count.
const MOST_COUNT: f64 = (1_u64 << 53) as f64;

/// Which factor the standard deviations get.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rule {
    Scott,
    Silverman,
}

impl Rule {
    /// The factor for a number of points in d dimensions.
    fn factor(self, n: f64, d: usize) -> f64 {
        let d = d as f64;
        let scott = n.powf(-1.0 / (d + 4.0));
        match self {
            Self::Scott => scott,
            Self::Silverman => scott * (4.0 / (d + 2.0)).powf(1.0 / (d + 4.0)),
        }
    }
}

/// A bandwidth for each dimension.
pub(super) fn rule(device: &Device, sample: &Sample<'_>, rule: Rule) -> Result<Resolved> {
    let (deviations, effective) = deviations(device, sample)?;
    if effective.is_infinite() {
        return Err(Error::Undefined {
            what: "a bandwidth by Scott's or Silverman's rule",
            why: "for sample weights whose sum f64 does not hold, since they stand for so many points; divide all by one number",
        });
    }
    // No number of points, and what makes the bandwidth small.
    let weighing = if effective > MOST_COUNT { format!(" that weigh {effective:.1e}") } else { String::new() };
    let how = format!("{rule:?}'s rule for {} points{weighing}", sample.n);
    let factor = rule.factor(effective, sample.d);
    let mut values: Vec<f64> = deviations.iter().map(|deviation| deviation * factor).collect();
    let positive: Vec<f64> = values.iter().copied().filter(|&h| h > 0.0).collect();
    let mut notes = Vec::new();
    if positive.len() < values.len() {
        let fallback = match positive.len() {
            0 => 1.0,
            count => positive.iter().sum::<f64>() / count as f64,
        };
        notes.push(match positive.len() {
            0 => format!("all points are equal, so that any bandwidth gives one cluster: {fallback} is used"),
            count => format!(
                "{} of {} columns are constant; they take the mean bandwidth of the others, {fallback}",
                values.len() - count,
                values.len()
            ),
        });
        values.iter_mut().filter(|h| **h == 0.0).for_each(|h| *h = fallback);
    }
    Ok(Resolved { values: Values::PerDimension(values), how, notes })
}

/// The standard deviation of each column (divided by n - 1, or what takes its place with weights), and
/// the number of points: with weights their sum, or the effective number, (sum w)^2 / sum w^2, if that is
/// more. For whole numbers it never is, so that a weight of 2 is two points; for weights that sum to 1 the sum
/// is no number of points.
pub(super) fn deviations(device: &Device, sample: &Sample<'_>) -> Result<(Vec<f64>, f64)> {
    let Sample { n, d, weights, .. } = *sample;
    let Some((factor, back)) = unit(device, sample.rows)? else {
        return Ok((vec![0.0; d], n as f64));
    };
    let points = Scaled::all(device, sample, factor)?;
    let (none, mut moments) = (device.zeros::<f32>(0)?, device.zeros::<f64>(2 * d)?);
    let sizes = (n as u32, d as u32, points.stride as u32);
    let columns = &points.columns;
    device.launch(column_moments::launch(
        columns,
        weights.map_or(&none, |(weights, _)| weights),
        &mut moments,
        sizes.0,
        sizes.1,
        sizes.2,
    ))?;
    let effective = match weights {
        Some((weights, unit)) => {
            let Summary { weight, weight_squared, .. } = Summary::of(device, weights, Some(weights))?;
            (weight * unit).max(weight * weight / weight_squared)
        }
        None => n as f64,
    };
    // var n / (n - 1); a single point has no deviation.
    let unbiased = if effective > 1.0 { effective / (effective - 1.0) } else { 0.0 };
    let moments = device.download(&moments)?;
    let deviation = |moments: &[f64]| (moments[1] * unbiased).sqrt() * f64::from(back);
    Ok((moments.chunks(2).map(deviation).collect(), effective))
}
