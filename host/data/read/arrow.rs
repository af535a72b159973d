//! Apache Parquet and Arrow.

use std::fs::File;

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::reader::{ChunkReader, Length};

use super::chunk::{Chunk, Rows, columns_of};
use super::guarded::guarded;
use super::lists::{LOOKED_AT, Lists};
use super::{Carry, Chunks, ipc, rows_at_a_time};
use crate::data::columns::{Chosen, ReadOptions, Role};
use crate::data::error::DataError;
use crate::data::format::Format;
use crate::data::source::{BytesRead, Source};

/// How the names begin that pandas gives to its index.
const INDEX: &str = "__index_level_";

/// A Parquet file, whose bytes are counted.
struct Counted {
    file: File,
    counter: BytesRead,
}

impl Length for Counted {
    fn len(&self) -> u64 {
        self.file.len()
    }
}

impl ChunkReader for Counted {
    type T = <File as ChunkReader>::T;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        self.file.get_read(start)
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let bytes = self.file.get_bytes(start, length)?;
        self.counter.add(length as u64);
        Ok(bytes)
    }
}

/// A table's rows, as Arrow's libraries give them.
pub type InParts = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>;

/// Batches of columns.
pub struct Batches {
    /// Those of columns that are read, for messages.
    read_names: Vec<String>,
    /// Where the roles' columns are among those that are read.
    read: Chosen,
    roles: Vec<(usize, Role)>,
    options: ReadOptions,
    carry: Carry,
    batches: InParts,
    /// What is left of a batch that had more rows than were asked for.
    left: Option<RecordBatch>,
    /// Of the columns that are read.
    lists: Lists,
    row: u64,
    names: Vec<String>,
    chosen: Chosen,
}

impl Batches {
    /// Begins to read a Parquet file.
    ///
    /// # Errors
    /// What [`DataError`] has for columns.
    pub fn open_parquet(source: &Source, options: &ReadOptions, carry: Carry) -> Result<Self, DataError> {
        let file = Counted { file: source.file()?, counter: source.counter() };
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| source.malformed(error))?;
        let lists = Lists::of(builder.schema(), |columns| first_rows(source, columns));
        let (all, of, chosen) = choose_of(source, options, builder.schema(), &lists)?;
        let (read, lists, mask, count) = if carry == Carry::Nothing {
            // Only what is needed is decoded.
            let mut wanted: Vec<usize> = chosen.roles().map(|(at, _)| of[at]).collect();
            wanted.sort_unstable();
            wanted.dedup();
            let there: Vec<usize> = (0..all.len()).filter(|&at| wanted.binary_search(&of[at]).is_ok()).collect();
            let mask = ProjectionMask::roots(builder.parquet_schema(), wanted.iter().copied());
            (chosen.among(&there), lists.among(&wanted), mask, there.len())
        } else {
            (chosen.clone(), lists, ProjectionMask::all(), all.len())
        };
        let columns = builder.metadata().row_groups().iter().flat_map(|group| group.columns().iter().enumerate());
        let wanted: Vec<_> = columns.filter(|(at, _)| mask.leaf_included(*at)).map(|(_, column)| column).collect();
        if let Some(name) = wanted.iter().find_map(|column| unpackable(column.compression())) {
            let message = format_args!("it is compressed by {name}; write it with zstd, Snappy, gzip, LZ4 or none");
            return Err(source.malformed(message));
        }
        let bytes = wanted.iter().map(|column| column.compressed_size().max(0) as u64).fold(0, u64::saturating_add);
        source.counter().expect(bytes);
        let rows = rows_at_a_time(count);
        let batches =
            builder.with_projection(mask).with_batch_size(rows).build().map_err(|error| source.malformed(error))?;
        Ok(Self { lists, ..Self::new(options, carry, (all, chosen), read, Box::new(batches)) })
    }

    /// Begins to read an Arrow file, or a stream.
    ///
    /// # Errors
    /// What [`DataError`] has for columns.
    pub fn open_arrow(source: &Source, options: &ReadOptions, carry: Carry) -> Result<Self, DataError> {
        let (schema, mut batches) = ipc::open(source)?;
        let mut left = None;
        let lists = Lists::of(&schema, |columns| {
            left = batches.next();
            let rows = left.as_ref()?.as_ref().ok()?.project(columns).ok()?;
            Some(rows.slice(0, rows.num_rows().min(LOOKED_AT)))
        });
        let left = left.transpose().map_err(|error| source.malformed(error))?;
        let (all, _, chosen) = choose_of(source, options, &schema, &lists)?;
        Ok(Self { left, lists, ..Self::new(options, carry, (all, chosen.clone()), chosen, batches) })
    }

    /// Batches of the columns that are `read`, of `all` the names.
    pub fn new(
        options: &ReadOptions,
        carry: Carry,
        (all, chosen): (Vec<String>, Chosen),
        read: Chosen,
        batches: InParts,
    ) -> Self {
        let roles: Vec<_> = read.roles().collect();
        // Messages name columns by where they are among those that are read.
        let mut read_names = all.clone();
        for ((at, _), (original, _)) in roles.iter().zip(chosen.roles()) {
            read_names[*at] = all[original].clone();
        }
        let (options, left, lists) = (options.clone(), None, Lists::default());
        Self { read_names, read, roles, options, carry, batches, left, lists, row: 0, names: all, chosen }
    }

    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub fn chosen(&self) -> &Chosen {
        &self.chosen
    }
}

impl Chunks for Batches {
    fn next(&mut self, source: &Source, most: usize) -> Result<Option<Chunk>, DataError> {
        let batch = match self.left.take() {
            Some(batch) => batch,
            None => match guarded(source, || self.batches.next())? {
                Some(batch) => batch.map_err(|error| ipc::refused(source, error))?,
                None => return Ok(None),
            },
        };
        let now = batch.slice(0, batch.num_rows().min(most));
        if now.num_rows() < batch.num_rows() {
            self.left = Some(batch.slice(now.num_rows(), batch.num_rows() - now.num_rows()));
        }
        let file = source.to_string();
        let columns = columns_of(&self.lists.spread(&now, self.row, &file)?, &self.read, &file)?;
        let taker = Rows { file: &file, names: &self.read_names, roles: &self.roles, missing: self.options.missing };
        let carried = (self.carry != Carry::Nothing).then_some(&now);
        let chunk = taker.of_columns(&columns, self.row, carried)?;
        self.row += now.num_rows() as u64;
        Ok(Some(chunk))
    }
}

/// The name of a compression that is not read.
fn unpackable(compression: Compression) -> Option<&'static str> {
    match compression {
        Compression::BROTLI(_) => Some("Brotli"),
        Compression::LZO => Some("LZO"),
        Compression::UNCOMPRESSED
        | Compression::SNAPPY
        | Compression::GZIP(_)
        | Compression::LZ4
        | Compression::LZ4_RAW
        | Compression::ZSTD(_) => None,
    }
}

/// The columns that a file of Parquet or Arrow has, without its rows.
///
/// # Errors
/// What [`DataError`] has for files.
pub fn schema(source: &Source) -> Result<SchemaRef, DataError> {
    if source.format() == Format::Parquet {
        let builder = ParquetRecordBatchReaderBuilder::try_new(source.file()?);
        return Ok(builder.map_err(|error| source.malformed(error))?.schema().clone());
    }
    Ok(ipc::open(source)?.0)
}

/// The first rows of a Parquet file's columns; nothing if they cannot be read, which is told when they are wanted.
fn first_rows(source: &Source, columns: &[usize]) -> Option<RecordBatch> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(source.file().ok()?).ok()?;
    let mask = ProjectionMask::roots(builder.parquet_schema(), columns.iter().copied());
    builder.with_projection(mask).with_limit(LOOKED_AT).with_batch_size(LOOKED_AT).build().ok()?.next()?.ok()
}

/// The columns' names, of which file's column each is, and which are meant.
fn choose_of(
    source: &Source,
    options: &ReadOptions,
    schema: &SchemaRef,
    lists: &Lists,
) -> Result<(Vec<String>, Vec<usize>, Chosen), DataError> {
    let (names, of, kinds) = lists.columns(schema);
    let coordinates = lists.chosen(schema, &options.coordinates);
    let chosen = choose(source, &ReadOptions { coordinates, ..options.clone() }, &names, &kinds)?;
    Ok((names, of, chosen))
}

/// Which columns are meant, if for each that holds no numbers there is the kind of what it holds.
///
/// # Errors
/// [`DataError::ColumnKind`]; what [`Chosen::of`] has.
pub fn choose(
    source: &Source,
    options: &ReadOptions,
    names: &[String],
    kinds: &[Option<String>],
) -> Result<Chosen, DataError> {
    let unfit = names.iter().zip(kinds).map(|(name, kind)| match kind {
        Some(kind) => Some(format!("its type is {kind}")),
        None => name.starts_with(INDEX).then(|| "it is the index of a table of pandas".to_owned()),
    });
    let chosen = Chosen::of(options, &source.to_string(), names, &unfit.collect::<Vec<_>>())?;
    let wrong = chosen.roles().find_map(|(at, _)| kinds[at].clone().map(|kind| (at, kind)));
    if let Some((at, kind)) = wrong {
        return Err(DataError::ColumnKind { file: source.to_string(), column: names[at].clone(), kind });
    }
    Ok(chosen)
}
