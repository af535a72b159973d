//! Columns brought to one scale, and back.

use serde::{Deserialize, Serialize};

/// How columns are brought to one scale.
///
/// ```
/// use modeseek::data::{Standard, Standardization};
///
/// let rows = [1.0, 10.0, 3.0, 30.0];
/// let z = Standardization::of(Standard::ZScore, &rows, 2);
/// assert_eq!((z.offsets, z.scales), (vec![2.0, 20.0], vec![1.0, 10.0]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standard {
    /// Mean 0, standard deviation 1.
    ZScore,
    /// From 0 to 1; to 2 at most where the range is more than `f64` holds.
    MinMax,
}

/// Beyond this magnitude, squares and their sums may be infinite.
const LARGE: f64 = power_of_two(450);

/// Below this one, squares of differences may be 0, or have lost digits.
const SMALL: f64 = power_of_two(-450);

/// What columns beyond are multiplied by, one way or the other: the result is between 2^-474 and 2^424.
const FAR: i32 = 600;

/// What was subtracted from each column, and what it was divided by.
///
/// ```
/// use modeseek::data::{Standard, Standardization};
///
/// // A constant column stays as far apart as it is: not at all.
/// let found = Standardization::of(Standard::MinMax, &[0.0, 7.0, 4.0, 7.0], 2);
/// assert_eq!(found, Standardization { offsets: vec![0.0, 7.0], scales: vec![4.0, 1.0] });
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standardization {
    /// Subtracted.
    pub offsets: Vec<f64>,
    /// Divided by; 1 for a column that is constant. Finite: a range that is not is taken for the largest number.
    pub scales: Vec<f64>,
}

impl Standardization {
    /// That of these rows of d values, of which there is at least one. Of rows of no values, none.
    ///
    /// ```
    /// use modeseek::data::{Standard, Standardization};
    ///
    /// // Two rows of one value.
    /// assert_eq!(Standardization::of(Standard::MinMax, &[2.0, 6.0], 1).scales, [4.0]);
    /// ```
    pub fn of(standard: Standard, rows: &[f64], d: usize) -> Self {
        Self::weighted(standard, rows, &[], d)
    }

    /// [`of`](Self::of), where a row of weight 2 counts as the row twice, and one of weight 0 as none; `weights` has one for
    /// each row, or there are none.
    ///
    /// ```
    /// use modeseek::data::{Standard, Standardization};
    ///
    /// let rows = [2.0, 6.0, 400.0];
    /// let weighted = Standardization::weighted(Standard::ZScore, &rows, &[2.0, 1.0, 0.0], 1);
    /// assert_eq!(weighted, Standardization::of(Standard::ZScore, &[2.0, 2.0, 6.0], 1));
    /// ```
    pub fn weighted(standard: Standard, rows: &[f64], weights: &[f64], d: usize) -> Self {
        if d == 0 {
            return Self { offsets: Vec::new(), scales: Vec::new() };
        }
        // Over the largest: their sum may be more than f64 holds.
        let largest = weights.iter().copied().fold(0.0, f64::max);
        // Whether all of them are 0 is for others to say.
        let weights = if largest > 0.0 { weights } else { &[] };
        let weight = |row: usize| weights.get(row).map_or(1.0, |weight| weight / largest);
        let n = (0..rows.len() / d).map(weight).sum::<f64>();
        let all = |c: usize| rows.iter().skip(c).step_by(d).copied();
        let counted =
            |c: usize| all(c).enumerate().map(|(row, x)| (x, weight(row))).filter(|&(_, weight)| weight > 0.0);
        let column = |c: usize| counted(c).map(|(x, _)| x);
        let (offsets, scales): (Vec<f64>, Vec<f64>) = (0..d)
            .map(|c| match standard {
                Standard::ZScore => {
                    // A power of two, which changes no digit.
                    let (unit, whole) = match column(c).fold(0.0, |most: f64, x| most.max(x.abs())) {
                        most if most > LARGE => (power_of_two(-FAR), power_of_two(FAR)),
                        most if most < SMALL => (power_of_two(FAR), power_of_two(-FAR)),
                        _ => (1.0, 1.0),
                    };
                    // About the first value: the sum of values far from 0 would lose what tells them apart.
                    let first = column(c).next().unwrap_or(0.0) * unit;
                    let mean = first + counted(c).map(|(x, weight)| (x * unit - first) * weight).sum::<f64>() / n;
                    let variance = counted(c).map(|(x, weight)| (x * unit - mean).powi(2) * weight).sum::<f64>() / n;
                    (finite(mean * whole), variance.sqrt() * whole)
                }
                Standard::MinMax => {
                    let low = column(c).fold(f64::INFINITY, f64::min);
                    (low, column(c).fold(f64::NEG_INFINITY, f64::max) - low)
                }
            })
            .unzip();
        let scales = scales.into_iter().map(|scale| if scale > 0.0 { finite(scale) } else { 1.0 }).collect();
        Self { offsets, scales }
    }

    /// Brings rows to that scale.
    ///
    /// ```
    /// # use modeseek::data::{Standard, Standardization};
    /// let mut rows = [2.0, 4.0, 6.0];
    /// Standardization::of(Standard::MinMax, &rows, 1).apply(&mut rows);
    /// assert_eq!(rows, [0.0, 0.5, 1.0]);
    /// ```
    pub fn apply(&self, rows: &mut [f64]) {
        self.each(rows, |x, offset, scale| match (x - offset) / scale {
            scaled if scaled.is_finite() => scaled,
            // The difference may be infinite where its parts are not.
            _ => x / scale - offset / scale,
        });
    }

    /// Brings rows back.
    ///
    /// ```
    /// # use modeseek::data::{Standard, Standardization};
    /// let mut modes = [0.5];
    /// Standardization::of(Standard::MinMax, &[2.0, 4.0, 6.0], 1).undo(&mut modes);
    /// assert_eq!(modes, [4.0]);
    /// ```
    pub fn undo(&self, rows: &mut [f64]) {
        self.each(rows, |x, offset, scale| match x * scale + offset {
            undone if undone.is_finite() => undone,
            // So may the product be, of what comes to lie within bounds; halves of numbers so large lose nothing.
            _ => finite(2.0 * (x * (scale / 2.0) + offset / 2.0)),
        });
    }

    /// What a volume is multiplied by, on the way back.
    ///
    /// ```
    /// # use modeseek::data::{Standard, Standardization};
    /// // A density of scaled points is divided by it, to be one of the points.
    /// let scaling = Standardization::of(Standard::MinMax, &[0.0, 0.0, 2.0, 5.0], 2);
    /// assert_eq!(scaling.volume(), 10.0);
    /// ```
    pub fn volume(&self) -> f64 {
        self.scales.iter().product()
    }

    /// A density of scaled points as one of the points: over the [`volume`](Self::volume), be that more or less than `f64` holds.
    ///
    /// ```
    /// # use modeseek::data::{Standard, Standardization};
    /// let scaling = Standardization::of(Standard::MinMax, &[0.0, 0.0, 2.0, 5.0], 2);
    /// assert_eq!(scaling.density(3.0), 0.3);
    /// ```
    pub fn density(&self, scaled: f64) -> f64 {
        // Digits and powers of two by themselves.
        let (mut density, mut power) = (scaled, 0_i64);
        for &scale in &self.scales {
            let of_scale = scale.log2().floor().clamp(-1022.0, 1023.0) as i32;
            density /= scale * power_of_two(-of_scale / 2) * power_of_two(-of_scale - -of_scale / 2);
            power += i64::from(of_scale);
        }
        while power != 0 && density != 0.0 && density.is_finite() {
            let part = power.clamp(-1000, 1000);
            density *= power_of_two(-part as i32);
            power -= part;
        }
        density
    }

    fn each(&self, rows: &mut [f64], change: impl Fn(f64, f64, f64) -> f64) {
        // Of no columns there are no values.
        for row in rows.chunks_mut(self.offsets.len().max(1)) {
            for ((x, &offset), &scale) in row.iter_mut().zip(&self.offsets).zip(&self.scales) {
                *x = change(*x, offset, scale);
            }
        }
    }
}

/// 2^`power`, for powers from -1022 to 1023.
const fn power_of_two(power: i32) -> f64 {
    f64::from_bits(((1023 + power) as u64) << 52)
}

/// A number that rounding alone, or a range, made infinite.
fn finite(x: f64) -> f64 {
    x.clamp(-f64::MAX, f64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_come_to_one_scale_and_back() {
        let rows = [1e9 + 1.0, 5.0, 1e9 + 3.0, 5.0];
        for (standard, scaled, scale) in
            [(Standard::ZScore, [-1.0, 0.0, 1.0, 0.0], 1.0), (Standard::MinMax, [0.0, 0.0, 1.0, 0.0], 2.0)]
        {
            let found = Standardization::of(standard, &rows, 2);
            assert_eq!((found.scales[0], found.scales[1], found.volume()), (scale, 1.0, scale));
            let mut changed = rows;
            found.apply(&mut changed);
            assert_eq!(changed, scaled);
            found.undo(&mut changed);
            assert_eq!(changed, rows);
        }
    }

    #[test]
    fn rows_without_columns_are_left_alone() {
        for standard in [Standard::ZScore, Standard::MinMax] {
            let found = Standardization::of(standard, &[], 0);
            assert_eq!(found, Standardization { offsets: vec![], scales: vec![] });
            found.apply(&mut []);
            found.undo(&mut []);
            assert_eq!((found.volume(), found.density(2.0)), (1.0, 2.0));
        }
    }

    /// Whatever the product of scales is on the way.
    #[test]
    fn densities_are_over_volumes_that_f64_does_not_hold() {
        let density = |scales: &[f64], scaled: f64| {
            Standardization { offsets: vec![0.0; scales.len()], scales: scales.to_vec() }.density(scaled)
        };
        let near =
            |found: f64, expected: f64| assert!((found / expected - 1.0).abs() <= 1e-14, "{found}, not {expected}");
        near(density(&[1e200, 2e200, 1e-200, 1e-200], 0.5), 0.25);
        near(density(&[1e-200, 1e-200, 1e200, 2e200], 0.5), 0.25);
        near(density(&[3.0, 5.0], 0.5), 0.5 / 15.0);
        near(density(&[1e-200, 4e-200], 1e-300), 1e-300 / 4e-200 / 1e-200);
        near(density(&[f64::from_bits(1)], 1e-300), 1e-300 / f64::from_bits(1));
        near(density(&[f64::MAX, 1.0 / 1024.0], 1e10), 1e10 / f64::MAX * 1024.0);
        assert_eq!(
            (density(&[1e-200; 2], 0.1), density(&[1e200; 2], 0.1), density(&[1e200], 0.0)),
            (f64::INFINITY, 0.0, 0.0)
        );
    }

    /// Squares, and differences too, of these are infinite or 0.
    #[test]
    fn columns_of_any_magnitude_come_to_one_scale_and_back() {
        let (least, most) = (f64::from_bits(1), f64::MAX);
        let root = 1.5_f64.sqrt();
        for (rows, z, range) in [
            ([-1e200, 1e200, 3e200], [-root, 0.0, root], [0.0, 0.5, 1.0]),
            ([-1e-200, 1e-200, 3e-200], [-root, 0.0, root], [0.0, 0.5, 1.0]),
            // The deviation is 6.53 times the least number there is, and rounded to 7 times.
            ([0.0, 8.0 * least, 16.0 * least], [-8.0 / 7.0, 0.0, 8.0 / 7.0], [0.0, 0.5, 1.0]),
            ([-most, 0.0, most], [-root, 0.0, root], [0.0, 1.0, 2.0]),
            ([-0.5 * most, 0.0, 0.5 * most], [-root, 0.0, root], [0.0, 0.5, 1.0]),
            ([most, most, most], [0.0; 3], [0.0; 3]),
            ([1e-300, 1e-300, 1e-300], [0.0; 3], [0.0; 3]),
        ] {
            for (standard, expected) in [(Standard::ZScore, z), (Standard::MinMax, range)] {
                let found = Standardization::of(standard, &rows, 1);
                let mut changed = rows;
                found.apply(&mut changed);
                for (found, expected) in changed.iter().zip(expected) {
                    assert!((found - expected).abs() <= 1e-15, "{standard:?} {rows:?}: {changed:?}");
                }
                found.undo(&mut changed);
                for (found, expected) in changed.iter().zip(rows) {
                    let near = (found / expected - 1.0).abs() <= 1e-15 || *found == expected;
                    assert!(near, "{standard:?} {rows:?}: {changed:?}");
                }
            }
        }
    }
}
