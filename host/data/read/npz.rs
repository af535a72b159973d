//! NPZ: numpy's arrays in a zip archive, of which one has the points, or each is a column of them.

use std::io::{BufReader, Cursor, Read};
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, PrimitiveArray, RecordBatch};
use arrow_schema::{Field, Schema};
use npyz::{DType, NpyFile, NpyHeader, TypeChar};
use zip::ZipArchive;
use zip::result::ZipError;

use super::Carry;
use super::arrow::Batches;
use super::npy::{self, Npy, bytes_of, checked, failure, values};
use crate::data::columns::{ReadOptions, list, quoted};
use crate::data::error::DataError;
use crate::data::source::{Counting, Source};

/// Names of arrays that are points without being said to be.
const USUAL: [&str; 3] = ["points", "X", "data"];

/// What an archive has.
pub enum Npz {
    /// An array of points.
    Points(Npy),
    /// Arrays that are columns.
    Columns(Batches),
}

/// An archive, and the names of its arrays.
struct Archive<'a> {
    source: &'a Source,
    zip: ZipArchive<BufReader<Counting<std::fs::File>>>,
    names: Vec<String>,
}

/// Begins to read an archive.
///
/// # Errors
/// What [`DataError`] has for arrays and columns.
pub fn open(source: &Source, options: &ReadOptions, carry: Carry) -> Result<Npz, DataError> {
    let mut archive = Archive::open(source)?;
    let name = match (&options.array, &archive.names[..]) {
        (_, []) => return Err(source.malformed("it has no arrays")),
        (Some(name), names) if names.contains(name) => name.clone(),
        (Some(name), names) => {
            let (file, array, known) = (source.to_string(), name.clone(), quoted(names));
            return Err(DataError::NoArray { file, array, known });
        }
        (None, [only]) => only.clone(),
        (None, names) => {
            let usual = USUAL.iter().find(|usual| names.iter().any(|name| name == *usual)).map(|&name| name.to_owned());
            match (archive.headers(), usual) {
                (Ok(headers), _) if are_columns(&headers) => {
                    return archive.columns(options, carry, &headers).map(Npz::Columns);
                }
                (_, Some(usual)) => usual,
                (Ok(headers), None) => {
                    let known = archive.names.iter().zip(&headers).map(|(name, header)| shaped(name, header));
                    let known = list(&known.collect::<Vec<_>>());
                    return Err(DataError::SeveralArrays { file: source.to_string(), known });
                }
                (Err(error), None) => return Err(error),
            }
        }
    };
    source.counter().expect(archive.compressed(&name)?);
    let array = archive.array(&name)?;
    Npy::new(source, options, carry, array).map(Npz::Points)
}

/// Whether an archive's arrays are read as columns, which have names.
///
/// # Errors
/// What [`DataError`] has for archives.
pub fn has_columns(source: &Source, options: &ReadOptions) -> Result<bool, DataError> {
    let mut archive = Archive::open(source)?;
    let several = options.array.is_none() && archive.names.len() > 1;
    Ok(several && archive.headers().is_ok_and(|headers| are_columns(&headers)))
}

/// Whether arrays are columns of one table: all have one axis, and are as long.
fn are_columns(headers: &[NpyHeader]) -> bool {
    headers.iter().all(|header| header.shape().len() == 1 && header.shape() == headers[0].shape())
}

/// An array as numpy would describe it.
fn shaped(name: &str, header: &NpyHeader) -> String {
    let sizes: Vec<_> = header.shape().iter().map(u64::to_string).collect();
    format!("{name} ({})", sizes.join(" x "))
}

/// The name of a type of which no numbers are read.
fn no_numbers(header: &NpyHeader) -> Option<String> {
    let kind = header.dtype();
    (!npy::is_numbers(&kind)).then(|| kind.descr().trim_matches('\'').to_owned())
}

impl<'a> Archive<'a> {
    fn open(source: &'a Source) -> Result<Self, DataError> {
        let file = BufReader::new(source.counted_file()?);
        let zip = ZipArchive::new(file).map_err(|error| match error {
            _ if source.bytes() == Some(0) => source.malformed("it is empty"),
            // The list of its parts stands at the end.
            ZipError::InvalidArchive(_) => {
                source.malformed("it is no ZIP archive, as NPZ files are, or it is cut off or damaged")
            }
            other => source.malformed(other),
        })?;
        let names = zip.file_names().filter_map(|name| name.strip_suffix(".npy")).map(str::to_owned).collect();
        Ok(Self { source, zip, names })
    }

    /// Of every array.
    fn headers(&mut self) -> Result<Vec<NpyHeader>, DataError> {
        self.names.clone().iter().map(|name| self.begin(name).map(|array| array.header().clone())).collect()
    }

    /// Bytes in the file.
    fn compressed(&mut self, name: &str) -> Result<u64, DataError> {
        let entry = self.zip.by_name(&format!("{name}.npy")).map_err(|error| self.source.malformed(error))?;
        Ok(entry.compressed_size())
    }

    /// An array behind its header.
    fn begin(&mut self, name: &str) -> Result<NpyFile<impl Read + use<'_>>, DataError> {
        let entry = self.zip.by_name(&format!("{name}.npy")).map_err(|error| self.source.malformed(error))?;
        NpyFile::new(checked(self.source, entry)?).map_err(|error| failure(self.source, error))
    }

    /// An array in memory: an entry borrows its archive, and would have to stay beside it. It is unpacked as far as its
    /// header says.
    fn array(&mut self, name: &str) -> Result<NpyFile<Cursor<Vec<u8>>>, DataError> {
        let source = self.source;
        let array = self.begin(name)?;
        let header = array.header().clone();
        if !npy::is_numbers(&header.dtype()) {
            return Err(npy::no_numbers(source, &header.dtype()));
        }
        let expected = bytes_of(&header).ok_or_else(|| source.malformed("its size is more than can be counted"))?;
        let mut bytes = Vec::new();
        array.into_inner().take(expected).read_to_end(&mut bytes).map_err(|error| failure(source, error))?;
        Ok(NpyFile::with_header(header, Cursor::new(bytes)))
    }

    /// Arrays as columns: those that are read as numbers, and if they are to be written again all others of numbers.
    fn columns(&mut self, options: &ReadOptions, carry: Carry, headers: &[NpyHeader]) -> Result<Batches, DataError> {
        let kinds: Vec<_> = headers.iter().map(no_numbers).collect();
        let chosen = super::arrow::choose(self.source, options, &self.names, &kinds)?;
        let wanted = |&at: &usize| chosen.has(at) || carry != Carry::Nothing && kinds[at].is_none();
        let wanted: Vec<usize> = (0..headers.len()).filter(wanted).collect();
        let names: Vec<String> = wanted.iter().map(|&at| self.names[at].clone()).collect();
        let mut bytes = 0;
        for name in &names {
            bytes += self.compressed(name)?;
        }
        self.source.counter().expect(bytes);
        let columns = names.iter().map(|name| column(self.source, self.array(name)?)).collect::<Result<Vec<_>, _>>()?;
        let fields =
            names.iter().zip(&columns).map(|(name, column)| Field::new(name, column.data_type().clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let batch = RecordBatch::try_new(schema, columns).expect("columns of equal lengths");
        let read = chosen.among(&wanted);
        Ok(Batches::new(options, carry, (self.names.clone(), chosen), read, Box::new(std::iter::once(Ok(batch)))))
    }
}

/// A column of the type that the array has.
fn column(source: &Source, array: NpyFile<Cursor<Vec<u8>>>) -> Result<ArrayRef, DataError> {
    use arrow_array::types::*;
    let (n, kind) = (array.len(), array.dtype());
    let cut = |at: usize| source.malformed(format_args!("it is cut off: {at} values of {n} are there"));
    macro_rules! of {
        ($kind:ty, $native:ty) => {{
            let values = array.data::<$native>().map_err(|error| source.malformed(error))?;
            let values: Vec<$native> = values.map_while(Result::ok).collect();
            (values.len(), Arc::new(PrimitiveArray::<$kind>::from(values)) as ArrayRef)
        }};
    }
    let DType::Plain(plain) = &kind else { return Err(source.malformed("its values are of no type of numbers")) };
    let (length, column) = match (plain.type_char(), plain.size_field()) {
        (TypeChar::Float, 4) => of!(Float32Type, f32),
        (TypeChar::Int, 1) => of!(Int8Type, i8),
        (TypeChar::Int, 2) => of!(Int16Type, i16),
        (TypeChar::Int, 4) => of!(Int32Type, i32),
        (TypeChar::Int, 8) => of!(Int64Type, i64),
        (TypeChar::Uint, 1) => of!(UInt8Type, u8),
        (TypeChar::Uint, 2) => of!(UInt16Type, u16),
        (TypeChar::Uint, 4) => of!(UInt32Type, u32),
        (TypeChar::Uint, 8) => of!(UInt64Type, u64),
        _ => {
            let all: Vec<f64> = values(source, array)?.map_while(Result::ok).collect();
            (all.len(), Arc::new(Float64Array::from(all)) as ArrayRef)
        }
    };
    if length as u64 == n { Ok(column) } else { Err(cut(length)) }
}
