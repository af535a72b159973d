//! numpy's arrays. Their headers say how many rows follow: rows are kept until the end.

use std::io::{Cursor, Write};

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use npyz::{AutoSerialize, Serialize, WriteOptions, WriterBuilder};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::{Sink, unsupported};
use crate::data::read::numbers;
use crate::error::Result;

/// Columns of numbers: one array, or an archive of one for each column.
pub struct Arrays<W: Write> {
    out: W,
    archive: bool,
    columns: Vec<(String, Values)>,
}

enum Values {
    Whole(Vec<i32>),
    Real(Vec<f64>),
}

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

impl<W: Write> Sink for Arrays<W> {
    fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        let mut at = 0;
        for (array, field) in rows.columns().iter().zip(rows.schema().fields()) {
            let more = match array.data_type() {
                // An integer has no value for one that is missing.
                DataType::Int32 if array.null_count() == 0 => {
                    Values::Whole(array.as_primitive::<Int32Type>().values().to_vec())
                }
                kind => match numbers(array.as_ref()) {
                    Ok(values) => Values::Real(values),
                    Err(_) if self.archive => continue,
                    Err(_) => return Err(unsupported(field.name(), kind, "it holds numbers; write .csv or .parquet")),
                },
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
        let columns = std::mem::take(&mut self.columns);
        if self.archive {
            // An archive is written to and fro.
            let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
            for (name, values) in &columns {
                let options = SimpleFileOptions::default().large_file(true);
                zip.start_file(format!("{name}.npy"), options).map_err(std::io::Error::from)?;
                vector(&mut zip, values)?;
            }
            let bytes = zip.finish().map_err(std::io::Error::from)?.into_inner();
            self.out.write_all(&bytes)?;
        } else if let [(_, values)] = &columns[..] {
            vector(&mut self.out, values)?;
        } else {
            let columns: Vec<Vec<f64>> = columns.into_iter().map(|(_, values)| values.real()).collect();
            let n = columns.first().map_or(0, Vec::len);
            let rows = (0..n).flat_map(|i| columns.iter().map(move |column| column[i]));
            write(&mut self.out, &[n as u64, columns.len() as u64], rows)?;
        }
        Ok(self.out.flush()?)
    }
}

impl Values {
    /// Adds those of later rows. Integers stay so only while all are.
    fn extend(&mut self, more: Self) {
        match (self, more) {
            (Self::Whole(values), Self::Whole(more)) => values.extend(more),
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
            Self::Whole(values) => values.into_iter().map(f64::from).collect(),
            Self::Real(values) => values,
        }
    }
}

fn vector(out: impl Write, values: &Values) -> Result<()> {
    match values {
        Values::Whole(values) => write(out, &[values.len() as u64], values.iter().copied()),
        Values::Real(values) => write(out, &[values.len() as u64], values.iter().copied()),
    }
}

fn write<T: AutoSerialize + Serialize>(out: impl Write, shape: &[u64], values: impl Iterator<Item = T>) -> Result<()> {
    let mut writer = WriteOptions::new().default_dtype().shape(shape).writer(out).begin_nd()?;
    writer.extend(values)?;
    Ok(writer.finish()?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::*;
    use arrow_array::{ArrayRef, PrimitiveArray};

    use super::*;
    use crate::data::table;

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
    fn integers_of_32_bits_that_are_all_there_stay_so() {
        let mut arrays = Arrays::archive(Vec::new());
        for part in [vec![7], vec![-8, 9]] {
            let column = Arc::new(PrimitiveArray::<Int32Type>::from(part)) as ArrayRef;
            arrays.write(&table(vec![("id".to_owned(), column)])).unwrap();
        }
        assert!(matches!(&arrays.columns[0].1, Values::Whole(values) if values[..] == [7, -8, 9]));
    }
}
