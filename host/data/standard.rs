//! Columns brought to one scale, and back.

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
pub enum Standard {
    /// Mean 0, standard deviation 1.
    ZScore,
    /// From 0 to 1.
    MinMax,
}

/// What was subtracted from each column, and what it was divided by.
///
/// ```
/// use modeseek::data::{Standard, Standardization};
///
/// // A constant column stays as far apart as it is: not at all.
/// let found = Standardization::of(Standard::MinMax, &[0.0, 7.0, 4.0, 7.0], 2);
/// assert_eq!(found, Standardization { offsets: vec![0.0, 7.0], scales: vec![4.0, 1.0] });
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Standardization {
    /// Subtracted.
    pub offsets: Vec<f64>,
    /// Divided by; 1 for a column that is constant.
    pub scales: Vec<f64>,
}

impl Standardization {
    /// That of these rows of d values, of which there is at least one.
    ///
    /// ```
    /// use modeseek::data::{Standard, Standardization};
    ///
    /// // Two rows of one value.
    /// assert_eq!(Standardization::of(Standard::MinMax, &[2.0, 6.0], 1).scales, [4.0]);
    /// ```
    pub fn of(standard: Standard, rows: &[f64], d: usize) -> Self {
        let n = (rows.len() / d) as f64;
        let column = |c: usize| rows.iter().skip(c).step_by(d).copied();
        let (offsets, scales): (Vec<f64>, Vec<f64>) = (0..d)
            .map(|c| match standard {
                Standard::ZScore => {
                    // About the first value: the sum of values far from 0 would lose what tells them apart.
                    let first = rows[c];
                    let mean = first + column(c).map(|x| x - first).sum::<f64>() / n;
                    let variance = column(c).map(|x| (x - mean).powi(2)).sum::<f64>() / n;
                    (mean, variance.sqrt())
                }
                Standard::MinMax => {
                    let low = column(c).fold(f64::INFINITY, f64::min);
                    (low, column(c).fold(f64::NEG_INFINITY, f64::max) - low)
                }
            })
            .unzip();
        let scales = scales.into_iter().map(|scale| if scale > 0.0 { scale } else { 1.0 }).collect();
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
        self.each(rows, |x, offset, scale| (x - offset) / scale);
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
        self.each(rows, |x, offset, scale| x * scale + offset);
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

    fn each(&self, rows: &mut [f64], change: impl Fn(f64, f64, f64) -> f64) {
        for row in rows.chunks_mut(self.offsets.len()) {
            for ((x, &offset), &scale) in row.iter_mut().zip(&self.offsets).zip(&self.scales) {
                *x = change(*x, offset, scale);
            }
        }
    }
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
}
