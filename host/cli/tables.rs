//! The tables that results are: rows with their labels, and clusters.

use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, Float64Array, Int32Array, RecordBatch, UInt64Array};
use arrow_schema::SchemaRef;

use super::input::Data;
use super::interrupt;
use crate::data::{Carry, Column, Format, Sink, Target, table, with_columns};
use crate::error::Result;
use crate::mean_shift::{Clustering, Distances};

/// Rows that are written at a time, unless they are long.
const ROWS: usize = 1 << 16;

/// New numbers that are written at a time.
const NUMBERS: usize = 1 << 22;

/// What has to be kept of a table that is written again.
pub fn carry_for(target: &Target) -> Carry {
    match target.format() {
        Format::Npy => Carry::Nothing,
        format if format.is_text() => Carry::AsTheyWere,
        _ => Carry::AsNumbers,
    }
}

/// Generated points as a table: their coordinates, and the cluster that each was made for.
pub fn generated(data: &Data, truth: &[u32]) -> RecordBatch {
    let d = data.names.len();
    // They were made as f32.
    let (rows, centre) = (data.points.centred_rows(), data.points.centre());
    let mut columns: Vec<Column> = Vec::new();
    for (c, name) in data.names.iter().enumerate() {
        let values = rows.iter().skip(c).step_by(d).map(|&x| (f64::from(x) + centre[c]) as f32);
        columns.push((name.clone(), Arc::new(Float32Array::from_iter_values(values)) as ArrayRef));
    }
    let truth = truth.iter().map(|&label| label as i32);
    columns.push(("cluster".to_owned(), Arc::new(Int32Array::from_iter_values(truth)) as ArrayRef));
    table(columns)
}

/// A column beside labels.
pub enum Values {
    /// As it is written.
    All(Vec<f64>),
    /// The distances to a mode, of which only those are converted that are being written.
    Distances(Rc<Distances>, usize),
}

impl Values {
    fn of_rows(&self, rows: Range<usize>) -> ArrayRef {
        Arc::new(match self {
            Self::All(values) => Float64Array::from(values[rows].to_vec()),
            Self::Distances(distances, mode) => {
                Float64Array::from_iter_values(rows.map(|row| distances.of(row, *mode)))
            }
        })
    }
}

/// How many numbers of k columns of m rows there are beside what they are made of, while a format is written.
pub fn held(target: &Target, m: u128, k: u128) -> u128 {
    let part = (m * k).min(NUMBERS as u128);
    match target.format() {
        // All, and once more as the archive's bytes.
        Format::Npz => 2 * m * k + part,
        // A group of rows.
        Format::Parquet => m.min(1 << 20) * k + part,
        _ => part,
    }
}

/// Rows of a table, and their labels and other new columns.
pub fn write_rows(target: &Target, tables: &[RecordBatch], labels: &[i32], more: &[(String, Values)]) -> Result<()> {
    let rows = Rows::new(target, tables, labels, more);
    target.write(&rows.schema(), |sink| rows.write(sink))
}

/// Rows with new columns, which are made as they are written.
pub struct Rows<'a> {
    tables: &'a [RecordBatch],
    labels: &'a [i32],
    more: &'a [(String, Values)],
    /// Whether there are no columns of the table's: an NPY file has none.
    alone: bool,
}

impl<'a> Rows<'a> {
    /// For a file.
    pub fn new(target: &Target, tables: &'a [RecordBatch], labels: &'a [i32], more: &'a [(String, Values)]) -> Self {
        Self { tables, labels, more, alone: target.format() == Format::Npy }
    }

    fn columns(&self, rows: Range<usize>) -> Vec<Column> {
        let label = Arc::new(Int32Array::from(self.labels[rows.clone()].to_vec())) as ArrayRef;
        let mut columns = vec![("label".to_owned(), label)];
        columns.extend(self.more.iter().map(|(name, values)| (name.clone(), values.of_rows(rows.clone()))));
        columns
    }

    /// All columns.
    pub fn schema(&self) -> SchemaRef {
        let none = self.tables.first().filter(|_| !self.alone).map(|rows| rows.slice(0, 0));
        with_columns(none.as_ref(), self.columns(0..0)).schema()
    }

    /// Writes them, some at a time.
    ///
    /// # Errors
    /// What the file's says; that the program is to stop.
    pub fn write(&self, sink: &mut dyn Sink) -> Result<()> {
        if self.alone {
            return sink.write(&table(self.columns(0..self.labels.len())));
        }
        let step = (NUMBERS / self.more.len().max(1)).clamp(1, ROWS);
        let mut at = 0;
        for rows in self.tables {
            for from in (0..rows.num_rows()).step_by(step) {
                interrupt::check()?;
                let part = rows.slice(from, step.min(rows.num_rows() - from));
                let to = at + part.num_rows();
                sink.write(&with_columns(Some(&part), self.columns(at..to)))?;
                at = to;
            }
        }
        Ok(())
    }
}

/// The clusters as a table: label, size, weight, mode and centre, in the units of the data. An NPY file has the modes
/// alone.
pub fn write_centres(target: &Target, data: &Data, clustering: &Clustering) -> Result<()> {
    let d = data.names.len();
    let undone = |positions: Vec<f64>| {
        let mut positions = positions;
        if let Some(standardization) = &data.standardization {
            standardization.undo(&mut positions);
        }
        positions
    };
    let modes = undone(clustering.modes.iter().flat_map(|mode| mode.position.iter().copied()).collect());
    let centres = undone(clustering.modes.iter().flat_map(|mode| mode.centre.iter().copied()).collect());
    let column = |positions: &[f64], c: usize| {
        Arc::new(Float64Array::from_iter_values(positions.iter().skip(c).step_by(d).copied())) as ArrayRef
    };
    let coordinates = |positions: &[f64], what: &str| {
        data.names.iter().enumerate().map(|(c, name)| (format!("{what}_{name}"), column(positions, c))).collect()
    };
    let positions: Vec<Column> = coordinates(&modes, "mode");
    let mut columns = Vec::new();
    if target.format() != Format::Npy {
        let modes = &clustering.modes;
        columns.push(("label".to_owned(), Arc::new(Int32Array::from_iter_values(0..modes.len() as i32)) as ArrayRef));
        let sizes = UInt64Array::from_iter_values(modes.iter().map(|mode| mode.size as u64));
        columns.push(("size".to_owned(), Arc::new(sizes)));
        let weights = Float64Array::from_iter_values(modes.iter().map(|mode| mode.weight));
        columns.push(("weight".to_owned(), Arc::new(weights)));
    }
    columns.extend(positions);
    if target.format() != Format::Npy {
        columns.extend::<Vec<Column>>(coordinates(&centres, "centre"));
    }
    let rows = table(columns);
    target.write(&rows.schema(), |sink| sink.write(&rows))
}
