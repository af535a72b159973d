//! Fields in files.
//!
//! Their contents ([`sealed`](crate::mean_shift::sealed)): d (u32), the accuracy (f64), d bandwidths (f64), the origin's d
//! coordinates (f64), points (u64), their weight (f64); d first nodes (i64) and d numbers of nodes (u32), all 0 for a field without points; then
//! d + 1 sums (i64) for each node, x first, in multiples of 2^-29.

use std::io::{Read, Write};

use gpu::spread::WORDS;

use super::grid::{FEW_DIMENSIONS, Grid, MOST_DIMENSIONS, MOST_NODES};
use super::value::{DensityField, MOST_WEIGHT};
use crate::error::Result;
use crate::mean_shift::sealed::Kind;
use crate::mean_shift::{Bandwidth, MeanShift};

/// The version is of this layout, of the spacing of nodes for an accuracy, and of the weights of the nodes about a point.
const KIND: Kind = Kind { what: "field", magic: b"modeseek field\0\0", version: 2 };

/// More points than anyone adds, of whom more can be added and counted.
const MOST_POINTS: u64 = 1 << 62;

impl DensityField {
    /// Writes the field: everything that [`MeanShift::load_field`] needs.
    ///
    /// ```
    /// use modeseek::{Bandwidth, MeanShift};
    ///
    /// # let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0));
    /// let mut field = estimator.field(1)?;
    /// field.add(&[0.0, 0.2, 9.0])?;
    /// let mut bytes = Vec::new();
    /// field.save(&mut bytes)?;
    /// // What was saved goes on where it was.
    /// let mut read = estimator.load_field(&bytes[..])?;
    /// read.add(&[9.1])?;
    /// assert_eq!(read.points(), 4);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, to: impl Write) -> Result<()> {
        let d = self.dimensions();
        let mut file = KIND.write(to)?;
        file.put(&[d as u32])?;
        file.put(&[self.options.accuracy])?;
        file.put(&self.bandwidths)?;
        file.put(&self.origin)?;
        file.put(&[self.points])?;
        file.put(&[self.weight])?;
        let (low, nodes) =
            self.grid.map_or(([0; MOST_DIMENSIONS], [0; MOST_DIMENSIONS]), |grid| (grid.low, grid.nodes));
        file.put(&low[..d])?;
        file.put(&nodes[..d])?;
        for words in self.total_sums()?.chunks(WORDS) {
            file.put(&words[..=d])?;
        }
        file.end()
    }
}

impl MeanShift {
    /// A field that was saved, with this estimator's device, tolerance and rule of merging, and its own bandwidth and
    /// accuracy.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, MeanShift};
    /// let of = |h| MeanShift::new().bandwidth(Bandwidth::Fixed(h));
    /// let mut field = of(1.0).field(1)?;
    /// field.add(&[0.0, 0.2, 9.0])?;
    /// let mut bytes = Vec::new();
    /// field.save(&mut bytes)?;
    /// // The field's own bandwidth counts, not the estimator's.
    /// assert_eq!(of(2.0).load_field(&bytes[..])?.bandwidths(), [1.0]);
    /// // A byte too few.
    /// assert!(of(1.0).load_field(&bytes[..bytes.len() - 1]).is_err());
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::ReadSaved`](crate::Error::ReadSaved); [`Error::UnreadableSaved`](crate::Error::UnreadableSaved) for a file that is none, was cut or changed, or is of another version; as
    /// [`field`](Self::field).
    pub fn load_field(&self, from: impl Read) -> Result<DensityField> {
        let mut file = KIND.read(from)?;
        let d = file.take::<u32>()? as usize;
        if !(1..=FEW_DIMENSIONS).contains(&d) {
            return Err(KIND.unreadable(format!("it has {d} dimensions")));
        }
        let accuracy = file.take()?;
        let bandwidths = file.take_all(d)?;
        let origin = file.take_all(d)?;
        let points = file.take()?;
        let weight = file.take()?;
        let estimator = self.clone().bandwidth(Bandwidth::PerDimension(bandwidths)).accuracy(accuracy);
        if points > MOST_POINTS {
            return Err(KIND.unreadable(format!("it has {points} points")));
        }
        if !(0.0..=MOST_WEIGHT).contains(&weight) {
            return Err(KIND.unreadable(format!("its points weigh {weight}")));
        }
        let mut field = estimator.field_about(&origin)?;
        (field.points, field.weight) = (points, weight);
        let (mut low, mut nodes) = ([0_i64; MOST_DIMENSIONS], [1; MOST_DIMENSIONS]);
        low[..d].copy_from_slice(&file.take_all(d)?);
        nodes[..d].copy_from_slice(&file.take_all(d)?);
        // Points extend over 2^21 bandwidths on either side, with 16 nodes each.
        if let Some(low) = low.iter().find(|low| low.unsigned_abs() > 1 << 30) {
            return Err(KIND.unreadable(format!("its first node is number {low}")));
        }
        let count: u128 = nodes.iter().map(|&nodes| u128::from(nodes)).product();
        if count > MOST_NODES || file.left() as u128 != count * (d as u128 + 1) * 8 {
            return Err(KIND.unreadable(format!("it has {} bytes of sums for {count} nodes", file.left())));
        }
        if count > 0 {
            field.grid = Some(Grid { low, nodes, ..field.grid_of_one()? });
            field.sums = vec![0; count as usize * WORDS];
            for words in field.sums.chunks_mut(WORDS) {
                for word in &mut words[..=d] {
                    *word = file.take()?;
                }
            }
        }
        Ok(field)
    }
}
