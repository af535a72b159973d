//! Apache Parquet and Arrow.

use std::io::Write;

use arrow_array::RecordBatch;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::Sink;
use crate::error::{Error, Result};

/// A Parquet file, compressed with zstd.
pub struct Parquet<'a> {
    writer: ArrowWriter<&'a mut (dyn Write + Send)>,
}

impl<'a> Parquet<'a> {
    pub fn new(out: &'a mut (dyn Write + Send), schema: &SchemaRef) -> Result<Self> {
        let compression = Compression::ZSTD(ZstdLevel::default());
        let properties = WriterProperties::builder().set_compression(compression).build();
        let writer = ArrowWriter::try_new(out, schema.clone(), Some(properties)).map_err(parquet_failure)?;
        Ok(Self { writer })
    }
}

impl Sink for Parquet<'_> {
    fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        self.writer.write(rows).map_err(parquet_failure)
    }

    fn finish(&mut self) -> Result<()> {
        self.writer.finish().map(drop).map_err(parquet_failure)
    }
}

/// An Arrow file.
pub struct Arrow<W: Write> {
    writer: FileWriter<W>,
}

impl<W: Write> Arrow<W> {
    pub fn new(out: W, schema: &SchemaRef) -> Result<Self> {
        Ok(Self { writer: FileWriter::try_new(out, schema).map_err(arrow_failure)? })
    }
}

impl<W: Write> Sink for Arrow<W> {
    fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        self.writer.write(rows).map_err(arrow_failure)
    }

    fn finish(&mut self) -> Result<()> {
        self.writer.finish().map_err(arrow_failure)
    }
}

fn parquet_failure(error: ParquetError) -> Error {
    match error {
        ParquetError::External(error) => match error.downcast::<std::io::Error>() {
            Ok(error) => Error::Output(*error),
            Err(error) => Error::Output(std::io::Error::other(error)),
        },
        other => Error::Output(std::io::Error::other(other)),
    }
}

fn arrow_failure(error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, error) => Error::Output(error),
        other => Error::Output(std::io::Error::other(other)),
    }
}
