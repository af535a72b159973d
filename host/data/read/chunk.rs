//! Rows of a table as numbers.

use arrow_array::cast::AsArray;
use arrow_array::types::DecimalType;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, make_array};
use arrow_schema::DataType;
use arrow_select::filter::filter_record_batch;
use arrow_select::take::take;

use crate::data::columns::{Chosen, Missing, Role};
use crate::data::error::DataError;

/// Some rows of a table.
///
/// ```
/// use modeseek::data::{Carry, Chunk, ReadOptions, Reader, Source};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("points.csv");
/// std::fs::write(&path, "x,y\n1,2\n3,4\n")?;
/// let mut reader = Reader::open(&Source::new(&path, None)?, &ReadOptions::default(), Carry::AsTheyWere)?;
/// let Some(Chunk { rows, carried: Some(columns), .. }) = reader.next_chunk()? else { panic!("no rows") };
/// assert_eq!(rows, [1.0, 2.0, 3.0, 4.0]);
/// assert_eq!(columns.num_columns(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    /// Coordinates, by rows.
    pub rows: Vec<f64>,
    /// The sample weight of each row, if a column has them.
    pub weights: Vec<f64>,
    /// The bandwidth of each row, if a column has them.
    pub bandwidths: Vec<f64>,
    /// All columns of the rows, if they are to be written again.
    pub carried: Option<RecordBatch>,
    /// Rows that were left out, since a value was missing.
    pub dropped: u64,
}

/// What takes values, row by row, and says where one is wrong.
pub struct Rows<'a> {
    pub file: &'a str,
    pub names: &'a [String],
    pub roles: &'a [(usize, Role)],
    pub missing: Missing,
}

impl<'a> Rows<'a> {
    /// Whether a value is there, and one that its role may have.
    ///
    /// # Errors
    /// [`DataError::Missing`] unless such rows are dropped: then false; [`DataError::Infinite`]; [`DataError::Unfit`].
    pub fn check(
        &self,
        value: f64,
        (column, role): (usize, Role),
        at: impl FnOnce() -> String,
    ) -> Result<bool, DataError> {
        let unfit = match role {
            Role::Weight if value < 0.0 => Some("a sample weight, which is 0 or more"),
            Role::Bandwidth if value <= 0.0 => Some("a bandwidth, which is above 0"),
            _ => None,
        };
        if value.is_finite() && unfit.is_none() {
            return Ok(true);
        }
        let (file, column) = (self.file.to_owned(), self.names[column].clone());
        match (value.is_nan(), self.missing, unfit) {
            (true, Missing::Drop, _) => Ok(false),
            (true, Missing::Error, _) => Err(DataError::Missing { file, at: at(), column, hint: "" }),
            (false, _, Some(what)) => Err(DataError::Unfit { file, at: at(), column, value, what }),
            (false, _, None) => Err(DataError::Infinite { file, at: at(), column }),
        }
    }

    /// A chunk of rows of which `values` has those of each role, NaN where one is missing. The first is row `first`.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn of_columns(&self, values: &[Vec<f64>], first: u64, batch: Option<&RecordBatch>) -> Result<Chunk, DataError> {
        let n = values.first().map_or(0, Vec::len);
        let mut kept = vec![true; n];
        for (&role, values) in self.roles.iter().zip(values) {
            for (i, &value) in values.iter().enumerate() {
                kept[i] &= self.check(value, role, || format!("row {}", first + i as u64))?;
            }
        }
        let mut chunk = Chunk::default();
        let d = self.roles.iter().filter(|(_, role)| matches!(role, Role::Coordinate(_))).count();
        chunk.rows.reserve(n * d);
        for i in (0..n).filter(|&i| kept[i]) {
            for (&(_, role), values) in self.roles.iter().zip(values) {
                chunk.push(role, values[i]);
            }
        }
        chunk.dropped = kept.iter().filter(|kept| !**kept).count() as u64;
        chunk.carried = match batch {
            Some(batch) if chunk.dropped > 0 => {
                Some(filter_record_batch(batch, &BooleanArray::from(kept)).expect("a mark for each row"))
            }
            batch => batch.cloned(),
        };
        Ok(chunk)
    }
}

impl Chunk {
    /// Bytes of memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        let numbers = self.rows.len() + self.weights.len() + self.bandwidths.len();
        // Of what is shared with other parts, their own.
        let of = |column: &ArrayRef| column.to_data().get_slice_memory_size().unwrap_or(0);
        let carried = self.carried.iter().flat_map(RecordBatch::columns).map(of);
        numbers * size_of::<f64>() + carried.sum::<usize>()
    }

    /// Adds a value of a row.
    pub(super) fn push(&mut self, role: Role, value: f64) {
        match role {
            Role::Coordinate(_) => self.rows.push(value),
            Role::Weight => self.weights.push(value),
            Role::Bandwidth => self.bandwidths.push(value),
        }
    }
}

/// The values of an array of numbers, NaN where there is none; or what it holds instead.
pub fn numbers(array: &dyn Array) -> Result<Vec<f64>, String> {
    use arrow_array::types::*;
    macro_rules! convert {
        ($($kind:ident => $of:ty),*) => {
            match array.data_type() {
                $(DataType::$kind => {
                    let values = array.as_primitive::<$of>().iter();
                    // Integers of 64 bits are rounded to f64.
                    Ok(values.map(|value| value.map_or(f64::NAN, |value| value as f64)).collect())
                })*
                DataType::Float16 => {
                    let values = array.as_primitive::<Float16Type>().iter();
                    Ok(values.map(|value| value.map_or(f64::NAN, f64::from)).collect())
                }
                // As text a decimal has all of its digits: a quotient of two floats might be off in the last.
                DataType::Decimal32(..) => Ok(decimals::<Decimal32Type>(array)),
                DataType::Decimal64(..) => Ok(decimals::<Decimal64Type>(array)),
                DataType::Decimal128(..) => Ok(decimals::<Decimal128Type>(array)),
                DataType::Decimal256(..) => Ok(decimals::<Decimal256Type>(array)),
                DataType::Dictionary(_, of) => numbers(&plain(array)).map_err(|_| of.to_string()),
                other => Err(other.to_string()),
            }
        };
    }
    convert!(
        Float64 => Float64Type, Float32 => Float32Type, Int8 => Int8Type, Int16 => Int16Type, Int32 => Int32Type,
        Int64 => Int64Type, UInt8 => UInt8Type, UInt16 => UInt16Type, UInt32 => UInt32Type, UInt64 => UInt64Type
    )
}

/// Decimals as the floats that are nearest, NaN where there is none.
fn decimals<T: DecimalType>(array: &dyn Array) -> Vec<f64> {
    let values = array.as_primitive::<T>();
    let number = |row| values.value_as_string(row).parse().expect("digits");
    (0..values.len()).map(|row| if values.is_valid(row) { number(row) } else { f64::NAN }).collect()
}

/// Whether a column's values can be had as [`numbers`].
pub fn is_numbers(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(_, of) => is_numbers(of),
        kind => kind.is_integer() || kind.is_floating() || kind.is_decimal(),
    }
}

/// An array's values, also if it has them as numbers of those in a dictionary.
pub fn plain(array: &dyn Array) -> ArrayRef {
    match array.as_any_dictionary_opt() {
        Some(numbered) => take(numbered.values(), numbered.keys(), None).expect("Arrow looked at the keys"),
        None => make_array(array.to_data()),
    }
}

/// The columns that the roles mean, as numbers.
///
/// # Errors
/// [`DataError::ColumnKind`].
pub fn columns_of(batch: &RecordBatch, chosen: &Chosen, file: &str) -> Result<Vec<Vec<f64>>, DataError> {
    let convert = |(at, _): (usize, Role)| {
        let column = || batch.schema().field(at).name().clone();
        numbers(batch.column(at)).map_err(|kind| DataError::ColumnKind {
            file: file.to_owned(),
            column: column(),
            kind,
        })
    };
    chosen.roles().map(convert).collect()
}
