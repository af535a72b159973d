//! Other points than those that were clustered: their labels by a model, and a table of them.

use arrow_array::RecordBatch;
use nalgebra::DMatrixView;

use super::bar::{Bar, Status};
use super::interrupt;
use super::outputs::More;
use super::reading::Known;
use super::tables::{Rows, Values, carry_for};
use crate::data::{ReadOptions, Source, Target};
use crate::error::Result;
use crate::mean_shift::{Assignment, Model};

/// Other points, whose labels are written.
#[derive(Clone, Debug)]
pub struct Predict {
    pub source: Source,
    pub target: Target,
    pub by: Assignment,
}

/// What was read, and which labels it has.
#[derive(Clone, Debug, Default)]
pub struct Labelled {
    /// The names of the coordinates.
    pub names: Vec<String>,
    pub notes: Vec<String>,
    /// Rows that were left out, since a value was missing.
    pub dropped: u64,
    /// Points of each mode.
    pub sizes: Vec<u64>,
    /// Points of none.
    pub noise: u64,
}

impl Labelled {
    /// Nothing so far, for so many modes.
    fn new(names: Vec<String>, notes: Vec<String>, modes: usize) -> Self {
        Self { names, notes, sizes: vec![0; modes], ..Self::default() }
    }

    /// How many points there are.
    pub fn points(&self) -> u64 {
        self.sizes.iter().sum::<u64>() + self.noise
    }

    fn count(&mut self, labels: &[i32]) {
        for &label in labels {
            *usize::try_from(label).map_or(&mut self.noise, |label| &mut self.sizes[label]) += 1;
        }
    }
}

impl Predict {
    /// Reads the points, and writes their columns with a label; and what it read and found. What takes long is shown if there is
    /// to be a `status`.
    ///
    /// # Errors
    /// What cannot be read or written; whatever the device reports.
    pub fn write(&self, model: &Model, more: More, options: Option<&ReadOptions>, status: bool) -> Result<Labelled> {
        let Self { source, target, .. } = self;
        let table = Known::of(model).read(source, options, carry_for(target), !status)?;
        let mut labelled = Labelled::new(table.names, table.notes, model.modes().len());
        labelled.dropped = table.dropped;
        let part = self.part(model, more, (table.rows, table.carried), (&mut labelled, status))?;
        let rows = part.rows(target);
        target.write(&rows.schema(), |sink| rows.write(sink))?;
        Ok(labelled)
    }

    /// The same, part by part, of which one is held at a time.
    ///
    /// # Errors
    /// As [`write`](Self::write): then a file is left as it was.
    pub fn write_in_parts(
        &self,
        model: &Model,
        more: More,
        options: Option<&ReadOptions>,
        status: bool,
    ) -> Result<Labelled> {
        let Self { source, target, .. } = self;
        let mut parts = Known::of(model).read_in_parts(source, options, carry_for(target))?;
        let _bar = Bar::of(source, !status);
        let mut labelled = Labelled::new(parts.names.clone(), parts.notes.clone(), model.modes().len());
        let mut next = || match parts.next()? {
            Some(rows) => self.part(model, more, rows, (&mut labelled, false)).map(Some),
            None => Ok(None),
        };
        // The columns of the result are those of its first part.
        if let Some(first) = next()? {
            target.write(&first.rows(target).schema(), |sink| {
                let mut part = Some(first);
                while let Some(rows) = part {
                    rows.rows(target).write(sink)?;
                    drop(rows);
                    part = next()?;
                }
                Ok(())
            })?;
        }
        labelled.dropped = parts.dropped;
        Ok(labelled)
    }

    /// Labels coordinates, by rows, beside their columns, and adds what was asked for; what takes long is shown if there is to be a
    /// `status`. Points are as they are, so that each is rounded about the fit's centre, whatever is beside it.
    fn part(
        &self,
        model: &Model,
        more: More,
        (rows, carried): (Vec<f64>, Vec<RecordBatch>),
        (labelled, status): (&mut Labelled, bool),
    ) -> Result<Part> {
        let d = labelled.names.len();
        let points = DMatrixView::from_slice(&rows, d, rows.len() / d);
        let shown = Status::of("the modes of other points", status);
        let labels = model.predict_watched(&points, self.by, &mut |iteration| {
            shown.tell_of(&iteration);
            interrupt::flow()
        })?;
        drop(shown);
        interrupt::check()?;
        labelled.count(&labels);
        let columns = more.columns(&self.target, &points, model)?;
        Ok(Part { carried, labels, columns })
    }
}

/// Rows of a table with their labels.
struct Part {
    carried: Vec<RecordBatch>,
    labels: Vec<i32>,
    columns: Vec<(String, Values)>,
}

impl Part {
    fn rows(&self, target: &Target) -> Rows<'_> {
        Rows::new(target, &self.carried, &self.labels, &self.columns)
    }
}
