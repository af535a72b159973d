//! What is said of a result that tells little.

use super::assemble::Mode;
use super::builder::MeanShift;
use super::options::{Form, Merging};
use crate::picture::numbers;

/// What helps where a bandwidth tells nothing apart.
const SWEEP: &str = "`modeseek sweep` finds which are stable";

/// The blurring form draws clusters together as well.
const STANDARD: &str =
    "the standard form (`--form standard`) may keep clusters apart that the blurring form draws into one";

/// A merge radius, in bandwidths, that is large beside the default: ends so far apart are hardly one mode's.
const LARGE_RADIUS: f64 = 1.0;

/// So many points are enough to speak of most of them.
const ENOUGH: usize = 20;

impl MeanShift {
    /// That most clusters are single points.
    pub(super) fn note_of_small(&self, modes: &[Mode], n: usize) -> Option<String> {
        let clusters = modes.len();
        if clusters == n && n > 1 {
            return Some(format!("every point is a cluster of its own: the bandwidth is small; {SWEEP}"));
        }
        let single = modes.iter().filter(|mode| mode.size == 1).count();
        // Beside clusters of many points single ones are outliers, of which the bandwidth says nothing.
        let most = n >= ENOUGH && 2 * single >= clusters && 4 * clusters >= n;
        most.then(|| format!("{single} of {clusters} clusters are single points: the bandwidth is small; {SWEEP}"))
    }

    /// That all points are one cluster, or nearly all and none is noise.
    pub(super) fn note_of_large(&self, modes: &[Mode], n: usize) -> Option<String> {
        let largest = modes.iter().map(|mode| mode.size).max()?;
        let none_is_noise = modes.iter().map(|mode| mode.size).sum::<usize>() == n;
        if !none_is_noise || 20 * largest < 19 * n {
            return None;
        }
        let points = if largest == n { "all points".to_owned() } else { format!("{largest} of {n} points") };
        Some(match self.merging {
            // Then a smaller bandwidth need not help.
            Merging::Chains { radius } if radius > LARGE_RADIUS => {
                let radius = numbers::short(radius);
                format!("{points} are one cluster: the merge radius is large, {radius} bandwidths (0.5 if not given)")
            }
            _ if self.form == Form::Blurring => {
                format!("{points} are one cluster: the bandwidth is large; {SWEEP}; {STANDARD}")
            }
            _ => format!("{points} are one cluster: the bandwidth is large; {SWEEP}"),
        })
    }
}
