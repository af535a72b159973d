//! Fields in files.
//!
//! All numbers are little-endian: the magic bytes, the version (u32), d (u32), the accuracy (f64), d bandwidths (f64), the origin's d
//! coordinates (f64), points (u64), their weight (f64); d first nodes (i64) and d numbers of nodes (u32), all 0 for a field without points; then
//! d + 1 sums (i64) for each node, x first, in multiples of 2^-29; last the SHA-256 of all that.

use std::io::{Read, Write};

use gpu::spread::WORDS;
use sha2::{Digest, Sha256};

use super::grid::{FEW_DIMENSIONS, Grid, MOST_DIMENSIONS, MOST_NODES};
use super::value::{DensityField, MOST_WEIGHT};
use crate::error::{Error, Result};
use crate::mean_shift::{Bandwidth, MeanShift};

const MAGIC: &[u8; 16] = b"modeseek field\0\0";

/// Of this layout, of the spacing of nodes for an accuracy, and of the weights of the nodes about a point.
const VERSION: u32 = 2;

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
    pub fn save(&self, mut to: impl Write) -> Result<()> {
        let d = self.dimensions();
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend((d as u32).to_le_bytes());
        bytes.extend(self.options.accuracy.to_le_bytes());
        bytes.extend(self.bandwidths.iter().chain(&self.origin).flat_map(|x| x.to_le_bytes()));
        bytes.extend(self.points.to_le_bytes());
        bytes.extend(self.weight.to_le_bytes());
        let (low, nodes) =
            self.grid.map_or(([0; MOST_DIMENSIONS], [0; MOST_DIMENSIONS]), |grid| (grid.low, grid.nodes));
        bytes.extend(low[..d].iter().flat_map(|low| low.to_le_bytes()));
        bytes.extend(nodes[..d].iter().flat_map(|nodes| nodes.to_le_bytes()));
        for words in self.total_sums()?.chunks(WORDS) {
            bytes.extend(words[..=d].iter().flat_map(|word| word.to_le_bytes()));
        }
        let checksum = Sha256::digest(&bytes);
        let written = to.write_all(&bytes).and_then(|()| to.write_all(&checksum)).and_then(|()| to.flush());
        written.map_err(Error::Output)
    }
}

/// The bytes that are left of a file.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>().ok_or_else(|| unreadable("it ends too early"))?;
        self.0 = rest;
        Ok(*first)
    }

    fn f64(&mut self) -> Result<f64> {
        self.take().map(f64::from_le_bytes)
    }
}

fn unreadable(why: impl Into<String>) -> Error {
    Error::UnreadableField(why.into())
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
    /// [`Error::ReadField`]; [`Error::UnreadableField`] for a file that is none, was cut or changed, or is of another version; as
    /// [`field`](Self::field).
    pub fn load_field(&self, mut from: impl Read) -> Result<DensityField> {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).map_err(Error::ReadField)?;
        if !bytes.starts_with(MAGIC) {
            return Err(unreadable("it does not begin as one"));
        }
        let length = bytes.len().checked_sub(32).ok_or_else(|| unreadable("it ends too early"))?;
        let (held, checksum) = bytes.split_at(length);
        let mut rest = Rest(held.get(MAGIC.len()..).ok_or_else(|| unreadable("it ends too early"))?);
        let version = u32::from_le_bytes(rest.take()?);
        if version != VERSION {
            return Err(unreadable(format!("it is of version {version}, and this program reads {VERSION}")));
        }
        if Sha256::digest(held)[..] != *checksum {
            return Err(unreadable("it was cut or changed: its checksum is not that of its contents"));
        }
        let d = u32::from_le_bytes(rest.take()?) as usize;
        if !(1..=FEW_DIMENSIONS).contains(&d) {
            return Err(unreadable(format!("it has {d} dimensions")));
        }
        let accuracy = rest.f64()?;
        let bandwidths = (0..d).map(|_| rest.f64()).collect::<Result<Vec<_>>>()?;
        let origin = (0..d).map(|_| rest.f64()).collect::<Result<Vec<_>>>()?;
        let points = u64::from_le_bytes(rest.take()?);
        let weight = rest.f64()?;
        let estimator = self.clone().bandwidth(Bandwidth::PerDimension(bandwidths)).accuracy(accuracy);
        if points > MOST_POINTS {
            return Err(unreadable(format!("it has {points} points")));
        }
        if !(0.0..=MOST_WEIGHT).contains(&weight) {
            return Err(unreadable(format!("its points weigh {weight}")));
        }
        let mut field = estimator.field_about(&origin)?;
        (field.points, field.weight) = (points, weight);
        let (mut low, mut nodes) = ([0; MOST_DIMENSIONS], [1; MOST_DIMENSIONS]);
        for low in &mut low[..d] {
            *low = i64::from_le_bytes(rest.take()?);
        }
        for nodes in &mut nodes[..d] {
            *nodes = u32::from_le_bytes(rest.take()?);
        }
        // Points extend over 2^21 bandwidths on either side, with 16 nodes each.
        if let Some(low) = low.iter().find(|low| low.unsigned_abs() > 1 << 30) {
            return Err(unreadable(format!("its first node is number {low}")));
        }
        let count: u128 = nodes.iter().map(|&nodes| u128::from(nodes)).product();
        if count > MOST_NODES || rest.0.len() as u128 != count * (d as u128 + 1) * 8 {
            return Err(unreadable(format!("it has {} bytes of sums for {count} nodes", rest.0.len())));
        }
        if count > 0 {
            field.grid = Some(Grid { low, nodes, ..field.grid_of_one()? });
            field.sums = vec![0; count as usize * WORDS];
            for words in field.sums.chunks_mut(WORDS) {
                for word in &mut words[..=d] {
                    *word = u64::from_le_bytes(rest.take()?);
                }
            }
        }
        Ok(field)
    }
}
