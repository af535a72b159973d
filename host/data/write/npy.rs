//! numpy's arrays. Their headers say how many rows follow: rows are kept until the end.

use std::io::{self, Cursor, Write};

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, RecordBatch, new_empty_array};
use arrow_schema::{DataType, Field, Schema};
use npyz::{AutoSerialize, Serialize, WriteOptions, WriterBuilder};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::{Sink, unsupported};
use crate::data::read::{is_numbers, numbers, plain};
use crate::error::{Error, Result};

/// Columns of numbers: one array, or an archive of one for each column.
pub struct Arrays<W: Write> {
    out: W,
    archive: bool,
    columns: Vec<(String, Values)>,
}

/// What holds integers of each type that numpy and Arrow have, and real numbers.
macro_rules! values {
    ($($kind:ident: $of:ty = $native:ty),*) => {
        enum Values {
            $($kind(Vec<$native>),)*
            Real(Vec<f64>),
        }

        impl Values {
            /// Integers, if all are there: numpy has no value for one that is missing.
            fn integers(array: &dyn Array) -> Option<Self> {
                match array.data_type() {
                    $(DataType::$kind if array.null_count() == 0 => {
                        Some(Self::$kind(array.as_primitive::<$of>().values().to_vec()))
                    })*
                    _ => None,
                }
            }

            /// Adds those of later rows. Integers stay so only while all are.
            fn extend(&mut self, more: Self) {
                match (self, more) {
                    $((Self::$kind(values), Self::$kind(more)) => values.extend(more),)*
                    (Self::Real(values), more) => values.extend(more.real()),
                    (values, more) => {
                        let mut real = std::mem::replace(values, Self::Real(Vec::new())).real();
                        real.extend(more.real());
                        *values = Self::Real(real);
                    }
                }
            }

            fn real(self) -> Vec<f64> {
                match self {
                    // Integers of 64 bits are rounded.
                    $(Self::$kind(values) => values.into_iter().map(|value| value as f64).collect(),)*
                    Self::Real(values) => values,
                }
            }

            /// Writes them as an array of one axis.
            fn write(&self, out: impl Write) -> io::Result<()> {
                match self {
                    $(Self::$kind(values) => write(out, &[values.len() as u64], values.iter().copied()),)*
                    Self::Real(values) => write(out, &[values.len() as u64], values.iter().copied()),
                }
            }
        }
    };
}

values!(
    Int8: Int8Type = i8, Int16: Int16Type = i16, Int32: Int32Type = i32, Int64: Int64Type = i64,
    UInt8: UInt8Type = u8, UInt16: UInt16Type = u16, UInt32: UInt32Type = u32, UInt64: UInt64Type = u64
);

impl<W: Write> Arrays<W> {
    /// An NPY file: a vector for one column, a matrix of n rows for several.
    pub fn one(out: W) -> Self {
        Self { out, archive: false, columns: Vec::new() }
    }

    /// An NPZ file: a vector for each column that holds numbers. Text is left out.
    pub fn archive(out: W) -> Self {
        Self { out, archive: true, columns: Vec::new() }
    }
}

/// That an archive has a form for all columns, or leaves them out, as text is known to be.
///
/// # Errors
/// [`DataError::Unsupported`](crate::data::DataError::Unsupported), of the first for which it has none.
pub fn check(schema: &Schema) -> Result<()> {
    schema.fields().iter().try_for_each(|field| check_column(field))
}

fn check_column(field: &Field) -> Result<()> {
    let none = plain(new_empty_array(field.data_type()).as_ref());
    let kind = none.data_type();
    if is_numbers(kind) || kind.is_string() || kind.is_null() {
        return Ok(());
    }
    Err(unsupported(
        field.name(),
        kind,
        "it holds numbers, one a row; write .parquet or .arrow, or .npy for labels alone",
    ))
}

impl<W: Write> Sink for Arrays<W> {
    fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        let mut at = 0;
        for (array, field) in rows.columns().iter().zip(rows.schema().fields()) {
            let array = plain(array.as_ref());
            let integers = Values::integers(array.as_ref()).map(Ok);
            let more = match integers.unwrap_or_else(|| numbers(array.as_ref()).map(Values::Real)) {
                Ok(values) => values,
                Err(_) if self.archive => {
                    check_column(field)?;
                    continue;
                }
                Err(_) => {
                    let why = "it holds numbers; write .csv or .parquet";
                    return Err(unsupported(field.name(), array.data_type(), why));
                }
            };
            match self.columns.get_mut(at) {
                None => {
                    // A table may have two columns of a name, an archive has no two arrays.
                    let mut name = field.name().clone();
                    while self.columns.iter().any(|(taken, _)| *taken == name) {
                        name = format!("other-{name}");
                    }
                    self.columns.push((name, more));
                }
                Some((_, values)) => values.extend(more),
            }
            at += 1;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.write_all().map_err(Error::Output)
    }
}

impl<W: Write> Arrays<W> {
    fn write_all(&mut self) -> io::Result<()> {
        let columns = std::mem::take(&mut self.columns);
        if self.archive {
            // An archive is written to and fro.
            let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
            for (name, values) in &columns {
                let options = SimpleFileOptions::default().large_file(true);
                zip.start_file(format!("{name}.npy"), options)?;
                values.write(&mut zip)?;
            }
            let bytes = zip.finish()?.into_inner();
            self.out.write_all(&bytes)?;
        } else if let [(_, values)] = &columns[..] {
            values.write(&mut self.out)?;
        } else {
            let columns: Vec<Vec<f64>> = columns.into_iter().map(|(_, values)| values.real()).collect();
            let n = columns.first().map_or(0, Vec::len);
            let rows = (0..n).flat_map(|i| columns.iter().map(move |column| column[i]));
            write(&mut self.out, &[n as u64, columns.len() as u64], rows)?;
        }
        self.out.flush()
    }
}

fn write<T: AutoSerialize + Serialize>(
    out: impl Write,
    shape: &[u64],
    values: impl Iterator<Item = T>,
) -> io::Result<()> {
    let mut writer = WriteOptions::new().default_dtype().shape(shape).writer(out).begin_nd()?;
    writer.extend(values)?;
    writer.finish()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, BooleanArray, Int32Array, ListArray, NullArray, PrimitiveArray, StringArray};

    use super::*;
    use crate::data::table;

    #[test]
    fn text_is_left_out_and_nothing_else() {
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1)]), Some([Some(2)])]);
        let columns: [(ArrayRef, bool); 4] = [
            (Arc::new(StringArray::from(vec!["a", "b"])), true),
            (Arc::new(NullArray::new(2)), true),
            (Arc::new(BooleanArray::from(vec![true, false])), false),
            (Arc::new(lists), false),
        ];
        for (column, left_out) in columns {
            let kind = column.data_type().clone();
            let label = Arc::new(Int32Array::from(vec![0, 1])) as ArrayRef;
            let rows = table(vec![("other".to_owned(), column), ("label".to_owned(), label)]);
            let mut arrays = Arrays::archive(Vec::new());
            assert_eq!((arrays.write(&rows).is_ok(), check(&rows.schema()).is_ok()), (left_out, left_out), "{kind}");
            assert!(arrays.columns.iter().all(|(name, _)| name == "label"), "{kind}");
        }
    }

    /// A column in parts, of which the second has the values that are missing.
    #[test]
    fn integers_that_are_missing_become_no_others() {
        macro_rules! check {
            ($($kind:ident),*) => {$(
                let mut arrays = Arrays::archive(Vec::new());
                for part in [vec![Some(7)], vec![None, Some(9), None], vec![Some(11)]] {
                    let column = Arc::new(PrimitiveArray::<$kind>::from_iter(part)) as ArrayRef;
                    arrays.write(&table(vec![("id".to_owned(), column)])).unwrap();
                }
                let (_, values) = arrays.columns.pop().unwrap();
                let shown = format!("{:?}", values.real());
                assert_eq!(shown, "[7.0, NaN, 9.0, NaN, 11.0]", stringify!($kind));
            )*};
        }
        check!(Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type);
    }

    #[test]
    fn integers_that_are_all_there_stay_so() {
        macro_rules! check {
            ($($kind:ident: $of:ident = $native:ident),*) => {$(
                let mut arrays = Arrays::archive(Vec::new());
                for part in [vec![$native::MAX], vec![$native::MIN, 9]] {
                    let column = Arc::new(PrimitiveArray::<$of>::from(part)) as ArrayRef;
                    arrays.write(&table(vec![("id".to_owned(), column)])).unwrap();
                }
                let expected = [$native::MAX, $native::MIN, 9];
                assert!(matches!(&arrays.columns[0].1, Values::$kind(values) if values[..] == expected));
            )*};
        }
        check!(
            Int8: Int8Type = i8, Int16: Int16Type = i16, Int32: Int32Type = i32, Int64: Int64Type = i64,
            UInt8: UInt8Type = u8, UInt16: UInt16Type = u16, UInt32: UInt32Type = u32, UInt64: UInt64Type = u64
        );
    }
}
