//! NPY: numpy's array.

use std::io::{self, Read};
use std::sync::Arc;

use arrow_array::types::{ArrowPrimitiveType, Float16Type};
use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use npyz::{DType, DTypeError, Deserialize, Endianness, NpyFile, NpyHeader, Order, TypeChar, TypeRead};

use super::chunk::{Chunk, Rows};
use super::{Carry, Chunks};
use crate::data::columns::{Chosen, ReadOptions, Role};
use crate::data::error::DataError;
use crate::data::format::Format;
use crate::data::source::Source;

/// What a file of an array begins with.
const MARK: &[u8] = b"\x93NUMPY";

/// A header has some hundred bytes.
const LONGEST_HEADER: usize = 1 << 20;

pub type Values = Box<dyn Iterator<Item = io::Result<f64>> + Send>;

/// An array of one or two axes.
pub struct Npy {
    names: Vec<String>,
    chosen: Chosen,
    roles: Vec<(usize, Role)>,
    options: ReadOptions,
    carry: Carry,
    values: Layout,
    n: u64,
    row: u64,
}

/// How an array is stored.
enum Layout {
    /// Row by row: it can be read in parts.
    Rows(Values),
    /// Column by column: all of it had to be read.
    Columns(Vec<f64>),
}

impl Npy {
    /// Begins to read a file of one array.
    ///
    /// # Errors
    /// What [`DataError`] has for arrays.
    pub fn open(source: &Source, options: &ReadOptions, carry: Carry) -> Result<Self, DataError> {
        let bytes = checked(source, source.stream()?)?;
        let array = NpyFile::new(bytes).map_err(|error| failure(source, error))?;
        Self::new(source, options, carry, array)
    }

    /// Begins to read the values of an array.
    ///
    /// # Errors
    /// What [`DataError`] has for arrays.
    pub fn new(
        source: &Source,
        options: &ReadOptions,
        carry: Carry,
        array: NpyFile<impl Read + Send + 'static>,
    ) -> Result<Self, DataError> {
        let (n, d) = match *array.shape() {
            [n] => (n, 1),
            [n, d] => (n, d),
            ref shape => {
                return Err(source.malformed(format_args!("it has {} axes; give n x d numbers", shape.len())));
            }
        };
        if n > 0 && d == 0 {
            return Err(DataError::NoColumns { file: source.to_string() });
        }
        if n == 0 {
            return Err(DataError::Empty { file: source.to_string() });
        }
        let too_large = || DataError::TooLarge { file: source.to_string(), values: n.saturating_mul(d) };
        let count = n.checked_mul(d).filter(|_| i32::try_from(d).is_ok()).ok_or_else(too_large)?;
        let order = array.order();
        let mut values = values(source, array)?;
        // As long as the file goes on: what a header promises is not believed. A row is there before its columns have
        // names.
        let promised = if order == Order::C { d } else { count };
        let mut all = Vec::new();
        for at in 0..promised {
            if all.len() == all.capacity() {
                all.try_reserve(all.len().max(1 << 12)).map_err(|_| too_large())?;
            }
            all.push(next(source, &mut values, at, count)?);
        }
        let names: Vec<String> = (0..d).map(|c| format!("x{c}")).collect();
        let chosen = Chosen::of(options, &source.to_string(), &names, &vec![None; names.len()])?;
        let values = match order {
            Order::C => Layout::Rows(Box::new(all.into_iter().map(Ok).chain(values))),
            Order::Fortran => Layout::Columns(all),
        };
        let roles = chosen.roles().collect();
        Ok(Self { names, chosen, roles, options: options.clone(), carry, values, n, row: 0 })
    }

    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub fn chosen(&self) -> &Chosen {
        &self.chosen
    }
}

impl Chunks for Npy {
    fn next(&mut self, source: &Source, most: usize) -> Result<Option<Chunk>, DataError> {
        let (n, d, first) = (self.n as usize, self.names.len(), self.row);
        let rows = (self.n - first).min(most as u64) as usize;
        if rows == 0 {
            return Ok(None);
        }
        let mut columns = vec![Vec::new(); d];
        match &mut self.values {
            Layout::Rows(values) => {
                let total = self.n * d as u64;
                for i in 0..rows as u64 {
                    for (c, column) in columns.iter_mut().enumerate() {
                        column.push(next(source, values, (first + i) * d as u64 + c as u64, total)?);
                    }
                }
            }
            Layout::Columns(values) => {
                for (values, column) in values.chunks(n).zip(&mut columns) {
                    column.extend_from_slice(&values[first as usize..][..rows]);
                }
            }
        }
        self.row += rows as u64;
        let batch = (self.carry != Carry::Nothing).then(|| batch(&self.names, &columns));
        let of_roles: Vec<Vec<f64>> = self.roles.iter().map(|&(at, _)| columns[at].clone()).collect();
        let file = source.to_string();
        let taker = Rows { file: &file, names: &self.names, roles: &self.roles, missing: self.options.missing };
        taker.of_columns(&of_roles, first, batch.as_ref()).map(Some)
    }
}

/// An array's bytes, if its header is one that the library can take: it begins as one, is no longer than a header is, and of
/// a shape whose product can be counted.
pub fn checked<R: Read>(source: &Source, mut bytes: R) -> Result<impl Read + use<R>, DataError> {
    let mut head = Vec::new();
    let mut read = |head: &mut Vec<u8>, more: usize| {
        let from = head.len();
        bytes.by_ref().take(more as u64).read_to_end(head).map_err(|error| failure(source, error))?;
        if head.is_empty() {
            return Err(source.malformed("it is empty"));
        }
        // Before its length is taken from what may be anything.
        if !head.starts_with(&MARK[..MARK.len().min(head.len())]) {
            let hint = if source.format() == Format::Npy { "; if it is text, say --format csv" } else { "" };
            return Err(source.malformed(format_args!("what it holds does not begin as an NPY file{hint}")));
        }
        if head.len() < from + more { Err(source.malformed("it is cut off within its header")) } else { Ok(()) }
    };
    read(&mut head, 8)?;
    // The length of the text has two bytes in version 1, four in others.
    let length = if head[6] <= 1 { 2 } else { 4 };
    read(&mut head, length)?;
    let length = head[8..].iter().rev().fold(0_usize, |length, &byte| length << 8 | usize::from(byte));
    if length > LONGEST_HEADER {
        return Err(source.malformed(format_args!("its header has {length} bytes")));
    }
    let from = head.len();
    read(&mut head, length)?;
    let text = String::from_utf8_lossy(&head[from..]);
    let shape = text.split_once("'shape':").map_or("", |(_, shape)| shape.split(')').next().unwrap_or(""));
    let sizes = shape.split(|letter: char| !letter.is_ascii_digit()).filter(|digits| !digits.is_empty());
    // In bytes, of the longest numbers.
    let count =
        sizes.map(|digits| digits.parse().ok()).try_fold(16_u64, |count, size: Option<u64>| count.checked_mul(size?));
    match count {
        Some(_) => Ok(io::Cursor::new(head).chain(bytes)),
        None => Err(source.malformed(format_args!("its shape is more than can be counted: {}", shape.trim()))),
    }
}

/// Columns as a table.
fn batch(names: &[String], columns: &[Vec<f64>]) -> RecordBatch {
    let fields: Vec<Field> = names.iter().map(|name| Field::new(name, DataType::Float64, true)).collect();
    let arrays = columns.iter().map(|column| Arc::new(Float64Array::from(column.clone())) as ArrayRef).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("columns of equal lengths")
}

/// The next value, which is number `at` of `count`.
fn next(source: &Source, values: &mut Values, at: u64, count: u64) -> Result<f64, DataError> {
    match values.next() {
        Some(Ok(value)) => Ok(value),
        Some(Err(error)) if error.kind() != io::ErrorKind::UnexpectedEof => Err(source.unreadable(error)),
        _ => Err(source.malformed(format_args!("it is cut off: {at} values of {count} are there"))),
    }
}

/// The bytes of an array's values.
pub fn bytes_of(header: &NpyHeader) -> Option<u64> {
    let items = header.shape().iter().try_fold(1_u64, |items, &size| items.checked_mul(size))?;
    items.checked_mul(header.dtype().num_bytes()? as u64)
}

/// Whether values of a type are numbers that are read.
pub fn is_numbers(kind: &DType) -> bool {
    let DType::Plain(plain) = kind else { return false };
    match plain.type_char() {
        TypeChar::Float => [2, 4, 8].contains(&plain.size_field()),
        TypeChar::Int | TypeChar::Uint => [1, 2, 4, 8].contains(&plain.size_field()),
        _ => false,
    }
}

/// That values are of another type.
pub fn no_numbers(source: &Source, kind: &DType) -> DataError {
    let what = format!("its values are of type {}", kind.descr());
    source.malformed(format_args!("{what}; give integers or floating-point numbers of up to 64 bits"))
}

/// The values, whatever their type.
pub fn values<R: Read + Send + 'static>(source: &Source, array: NpyFile<R>) -> Result<Values, DataError> {
    let kind = array.dtype();
    let unknown = || no_numbers(source, &kind);
    let DType::Plain(plain) = &kind else { return Err(unknown()) };
    macro_rules! of {
        ($type:ty, $convert:expr) => {{
            let values = array.data::<$type>().map_err(|error| source.malformed(error))?;
            let convert: fn($type) -> f64 = $convert;
            Ok(Box::new(values.map(move |value| value.map(convert))))
        }};
    }
    match (plain.type_char(), plain.size_field()) {
        (TypeChar::Float, 2) => of!(Half, |Half(value)| value),
        (TypeChar::Float, 4) => of!(f32, f64::from),
        (TypeChar::Float, 8) => of!(f64, |value| value),
        (TypeChar::Int, 1) => of!(i8, f64::from),
        (TypeChar::Int, 2) => of!(i16, f64::from),
        (TypeChar::Int, 4) => of!(i32, f64::from),
        // Those of 64 bits are rounded.
        (TypeChar::Int, 8) => of!(i64, |value| value as f64),
        (TypeChar::Uint, 1) => of!(u8, f64::from),
        (TypeChar::Uint, 2) => of!(u16, f64::from),
        (TypeChar::Uint, 4) => of!(u32, f64::from),
        (TypeChar::Uint, 8) => of!(u64, |value| value as f64),
        _ => Err(unknown()),
    }
}

/// A number of 16 bits, which the library does not know.
struct Half(f64);

/// What reads it in the order of an array's bytes.
struct HalfReader(Endianness);

impl Deserialize for Half {
    type TypeReader = HalfReader;

    fn reader(kind: &DType) -> Result<HalfReader, DTypeError> {
        let DType::Plain(plain) = kind else { unreachable!("of records no values are read") };
        Ok(HalfReader(plain.endianness()))
    }
}

impl TypeRead for HalfReader {
    type Value = Half;

    fn read_one<R: Read>(&self, mut from: R) -> io::Result<Half> {
        let mut bytes = [0; 2];
        from.read_exact(&mut bytes)?;
        let bits = if self.0 == Endianness::Big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) };
        Ok(Half(<Float16Type as ArrowPrimitiveType>::Native::from_bits(bits).to_f64()))
    }
}

/// What the library found wrong: a file that cannot be read, or one that is not what it should be.
pub fn failure(source: &Source, error: io::Error) -> DataError {
    match error.kind() {
        io::ErrorKind::InvalidData
        | io::ErrorKind::UnexpectedEof
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::Other => source.malformed(error),
        _ => source.unreadable(error),
    }
}
