//! CSV and TSV.

use std::fmt::Write as _;
use std::io::Write;

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, RecordBatch, new_empty_array};
use arrow_schema::{DataType, Schema, SchemaRef};

use super::{Sink, unsupported};
use crate::data::read::plain;
use crate::error::{Error, Result};

pub struct Text<W: Write> {
    writer: csv::Writer<W>,
}

impl<W: Write> Text<W> {
    /// Begins with the columns' names.
    pub fn new(out: W, delimiter: u8, schema: &SchemaRef) -> Result<Self> {
        let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(out);
        let names = schema.fields().iter().map(|field| field.name());
        writer.write_record(names).map_err(failure)?;
        Ok(Self { writer })
    }
}

impl<W: Write> Sink for Text<W> {
    fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        let schema = rows.schema();
        // Of dictionaries, what stands there.
        let columns: Vec<_> = rows.columns().iter().map(|array| plain(array.as_ref())).collect();
        let columns = columns.iter().zip(schema.fields());
        let columns = columns.map(|(array, field)| shown(array.as_ref(), field.name())).collect::<Result<Vec<_>>>()?;
        let mut field = String::new();
        for row in 0..rows.num_rows() {
            for column in &columns {
                field.clear();
                column(row, &mut field);
                self.writer.write_field(&field).map_err(failure)?;
            }
            self.writer.write_record(None::<&[u8]>).map_err(failure)?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.writer.flush().map_err(Error::Output)
    }
}

/// That text has a form for all columns.
///
/// # Errors
/// [`DataError::Unsupported`](crate::data::DataError::Unsupported), of the first for which it has none.
pub fn check(schema: &Schema) -> Result<()> {
    schema.fields().iter().try_for_each(|field| {
        let none = plain(new_empty_array(field.data_type()).as_ref());
        shown(none.as_ref(), field.name()).map(drop)
    })
}

type Shown<'a> = Box<dyn Fn(usize, &mut String) + 'a>;

/// What writes a column's values; nothing where there is none. A number is written so that it can be read back
/// without loss.
fn shown<'a>(array: &'a dyn Array, name: &str) -> Result<Shown<'a>> {
    macro_rules! of {
        ($values:expr) => {
            of!($values, value)
        };
        ($values:expr, $value:ident) => {{
            let values = $values;
            Box::new(move |row: usize, out: &mut String| {
                if values.is_valid(row) {
                    write!(out, "{}", values.$value(row)).expect("a string takes all");
                }
            })
        }};
    }
    macro_rules! kinds {
        ($($kind:ident => $of:ty),*) => {
            match array.data_type() {
                $(DataType::$kind => of!(array.as_primitive::<$of>()),)*
                DataType::Utf8 => of!(array.as_string::<i32>()),
                DataType::LargeUtf8 => of!(array.as_string::<i64>()),
                DataType::Utf8View => of!(array.as_string_view()),
                DataType::Boolean => of!(array.as_boolean()),
                DataType::Decimal32(..) => of!(array.as_primitive::<Decimal32Type>(), value_as_string),
                DataType::Decimal64(..) => of!(array.as_primitive::<Decimal64Type>(), value_as_string),
                DataType::Decimal128(..) => of!(array.as_primitive::<Decimal128Type>(), value_as_string),
                DataType::Decimal256(..) => of!(array.as_primitive::<Decimal256Type>(), value_as_string),
                other => return Err(unsupported(name, other, "text has no form for it; write Parquet or Arrow")),
            }
        };
    }
    Ok(kinds!(
        Float64 => Float64Type, Float32 => Float32Type, Float16 => Float16Type, Int8 => Int8Type, Int16 => Int16Type,
        Int32 => Int32Type, Int64 => Int64Type, UInt8 => UInt8Type, UInt16 => UInt16Type, UInt32 => UInt32Type,
        UInt64 => UInt64Type
    ))
}

fn failure(error: csv::Error) -> Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => Error::Output(error),
        other => Error::Output(std::io::Error::other(format!("{other:?}"))),
    }
}
