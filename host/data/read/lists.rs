//! Columns of lists of numbers, as embeddings are kept: each place of the lists is a column.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{DataType, Schema};

use super::chunk::{is_numbers, numbers};
use crate::data::error::DataError;
use crate::data::table;

/// Rows that are looked at for how long lists are, where their type does not say it.
pub const LOOKED_AT: usize = 200;

/// Longer lists are no coordinates: a file that says so is damaged, or something else is meant.
const LONGEST: usize = 1 << 16;

/// Of each column of a file, how many numbers each of its lists has; nothing where it holds no such lists.
#[derive(Clone, Debug, Default)]
pub struct Lists(Vec<Option<usize>>);

impl Lists {
    /// Those of a file's columns. `first` has the first rows of the columns that are asked for, if they can be had.
    pub fn of(schema: &Schema, first: impl FnOnce(&[usize]) -> Option<RecordBatch>) -> Self {
        let mut lengths: Vec<Option<usize>> = schema.fields().iter().map(|field| length(field.data_type())).collect();
        let unsaid = |at: &usize| match schema.field(*at).data_type() {
            DataType::List(of) | DataType::LargeList(of) => is_numbers(of.data_type()),
            _ => false,
        };
        let unsaid: Vec<usize> = (0..lengths.len()).filter(unsaid).collect();
        if !unsaid.is_empty()
            && let Some(rows) = first(&unsaid)
        {
            for (array, at) in rows.columns().iter().zip(unsaid) {
                lengths[at] = length_of(array.as_ref());
            }
        }
        Self(lengths)
    }

    /// Those of some columns alone.
    pub fn among(&self, columns: &[usize]) -> Self {
        Self(columns.iter().map(|&at| self.0[at]).collect())
    }

    /// The columns' names, of which file's column each is, and what it holds if that is no numbers.
    pub fn columns(&self, schema: &Schema) -> (Vec<String>, Vec<usize>, Vec<Option<String>>) {
        let (mut names, mut of, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
        for (at, (field, length)) in schema.fields().iter().zip(&self.0).enumerate() {
            match length {
                Some(length) => names.extend((0..*length).map(|place| name(field.name(), place))),
                None => names.push(field.name().clone()),
            }
            of.resize(names.len(), at);
            kinds.resize(names.len(), length.is_none().then(|| kind(field.data_type())).flatten());
        }
        (names, of, kinds)
    }

    /// What was chosen, with the numbers of their columns for those that hold lists.
    pub fn chosen(&self, schema: &Schema, names: &[String]) -> Vec<String> {
        let mut chosen = Vec::new();
        for name in names {
            let mut found = (0..self.0.len()).filter(|&at| schema.field(at).name() == name);
            let one = found.next().filter(|_| found.next().is_none());
            match one.and_then(|at| Some((at, self.0[at]?))) {
                Some((at, length)) => {
                    let before: usize = self.0[..at].iter().map(|length| length.unwrap_or(1)).sum();
                    chosen.extend((1..=length).map(|place| format!("#{}", before + place)));
                }
                None => chosen.push(name.clone()),
            }
        }
        chosen
    }

    /// Rows of these columns, of which the first is row `first`, without lists.
    ///
    /// # Errors
    /// [`DataError::Uneven`].
    pub fn spread(&self, rows: &RecordBatch, first: u64, file: &str) -> Result<RecordBatch, DataError> {
        if self.0.iter().all(Option::is_none) {
            return Ok(rows.clone());
        }
        let schema = rows.schema();
        let mut columns = Vec::new();
        for ((array, field), length) in rows.columns().iter().zip(schema.fields()).zip(&self.0) {
            let Some(length) = *length else {
                columns.push((field.name().clone(), array.clone()));
                continue;
            };
            let uneven = |(row, found)| DataError::Uneven {
                file: file.to_owned(),
                row: first + row as u64,
                column: field.name().clone(),
                found,
                expected: length as u64,
            };
            let places = places(array.as_ref(), length).map_err(uneven)?.into_iter().enumerate();
            columns.extend(places.map(|(place, array)| (name(field.name(), place), array)));
        }
        Ok(table(columns))
    }
}

fn name(column: &str, place: usize) -> String {
    format!("{column}_{place}")
}

/// How many numbers lists of a type have, if it says so.
fn length(kind: &DataType) -> Option<usize> {
    match kind {
        DataType::FixedSizeList(of, length) if is_numbers(of.data_type()) => {
            usize::try_from(*length).ok().filter(|length| (1..=LONGEST).contains(length))
        }
        _ => None,
    }
}

/// How many numbers all lists have; none if they differ, or there is none.
fn length_of(array: &dyn Array) -> Option<usize> {
    let (_, ends) = values(array);
    let mut lengths = (0..array.len()).filter(|&row| array.is_valid(row)).map(|row| ends[row + 1] - ends[row]);
    let length = lengths.next().filter(|length| (1..=LONGEST).contains(length))?;
    lengths.all(|other| other == length).then_some(length)
}

/// What a column holds, if that is no numbers.
fn kind(kind: &DataType) -> Option<String> {
    match kind {
        DataType::List(of) | DataType::LargeList(of) if is_numbers(of.data_type()) => {
            Some(format!("{kind}, and they are not of one length"))
        }
        kind => (!is_numbers(kind)).then(|| kind.to_string()),
    }
}

/// What is in lists, and where each begins there, and the last ends.
fn values(array: &dyn Array) -> (ArrayRef, Vec<usize>) {
    match array.data_type() {
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            (lists.values().clone(), lists.value_offsets().iter().map(|&at| at as usize).collect())
        }
        DataType::LargeList(_) => {
            let lists = array.as_list::<i64>();
            (lists.values().clone(), lists.value_offsets().iter().map(|&at| at as usize).collect())
        }
        _ => {
            let lists = array.as_fixed_size_list();
            let length = lists.value_length() as usize;
            (lists.values().clone(), (0..=array.len()).map(|row| row * length).collect())
        }
    }
}

/// The numbers at each place of lists, NaN where there are none; or the first list of another length, and its length.
fn places(array: &dyn Array, length: usize) -> Result<Vec<ArrayRef>, (usize, u64)> {
    let (values, ends) = values(array);
    for row in (0..array.len()).filter(|&row| array.is_valid(row)) {
        let found = ends[row + 1] - ends[row];
        if found != length {
            return Err((row, found as u64));
        }
    }
    // Of rows that are part of others, no others' numbers.
    let (first, last) = (ends[0], ends[array.len()]);
    let values = numbers(values.slice(first, last - first).as_ref()).expect("lists of numbers");
    let of = |row: usize, place| if array.is_valid(row) { values[ends[row] - first + place] } else { f64::NAN };
    let place =
        |place| Arc::new(Float64Array::from_iter_values((0..array.len()).map(|row| of(row, place)))) as ArrayRef;
    Ok((0..length).map(place).collect())
}
