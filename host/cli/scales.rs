//! Columns of very different scales, of which one decides the clusters.

use super::input::Data;
use crate::mean_shift::Clustering;
use crate::points::Points;

/// A column so many times as wide as the others decides alone what is near.
const WIDE: f64 = 20.0;

/// That one column decides, if nobody has chosen a scale: by another one, or a bandwidth.
pub fn note_of(data: &Data, clustering: &Clustering) -> Option<String> {
    let chosen = clustering.bandwidth_from == "given" || clustering.bandwidth_per_dimension.is_some();
    if chosen || clustering.is_of_directions() { None } else { note(data) }
}

/// That one column decides, where columns are not brought to one scale.
pub fn note(data: &Data) -> Option<String> {
    if data.standardization.is_some() || data.truth.is_some() {
        return None;
    }
    let spreads = spreads(&data.points);
    let (column, widest) = spreads.iter().copied().enumerate().max_by(|one, other| one.1.total_cmp(&other.1))?;
    // Those that are constant have no scale.
    let mut others: Vec<f64> = spreads.iter().copied().filter(|&spread| spread > 0.0).collect();
    others.sort_unstable_by(f64::total_cmp);
    let times = widest / others.get(others.len().checked_sub(1)? / 2)?;
    (times > WIDE).then(|| {
        let name = &data.names[column];
        format!(
            "column {name:?} is {times:.0} times as wide as the others are by their median, and decides the clusters; \
             --standardize zscore brings columns to one scale"
        )
    })
}

/// The standard deviation of each column.
fn spreads(points: &Points) -> Vec<f64> {
    let (n, d) = (points.len() as f64, points.dimensions());
    let mut sums = vec![(0.0, 0.0); d];
    for row in points.centred_rows().chunks_exact(d) {
        for ((sum, squares), &x) in sums.iter_mut().zip(row) {
            *sum += f64::from(x);
            *squares += f64::from(x).powi(2);
        }
    }
    sums.into_iter().map(|(sum, squares)| (squares / n - (sum / n).powi(2)).max(0.0).sqrt()).collect()
}
