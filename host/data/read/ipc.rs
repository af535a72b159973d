//! Arrow's files, which are read from their ends, and its streams, which are read from the first byte to the last.

use std::io::{BufReader, Read, Seek};

use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, SchemaRef};

use super::arrow::InParts;
use crate::data::error::DataError;
use crate::data::source::Source;

/// The first bytes of Arrow's files; its streams have none.
const FILE_MARK: &[u8] = b"ARROW1";

/// Begins to read a file, or a stream: its columns, and its rows.
///
/// # Errors
/// What [`DataError`] has for files.
pub fn open(source: &Source) -> Result<(SchemaRef, InParts), DataError> {
    let malformed = |error: ArrowError| source.malformed(error);
    // A pipe that has a name cannot be begun anew, and has a stream.
    if source.is_file() {
        let mut file = BufReader::new(source.counted_file()?);
        if mark(source, &mut file)? == FILE_MARK {
            file.rewind().map_err(|error| source.unreadable(error))?;
            let reader = FileReader::try_new(file, None).map_err(malformed)?;
            return Ok((reader.schema(), Box::new(reader)));
        }
    }
    let reader = StreamReader::try_new(source.stream()?, None).map_err(malformed)?;
    Ok((reader.schema(), Box::new(reader)))
}

/// The first bytes, as many as a mark has.
fn mark(source: &Source, bytes: &mut impl Read) -> Result<Vec<u8>, DataError> {
    let mut mark = Vec::new();
    bytes.take(FILE_MARK.len() as u64).read_to_end(&mut mark).map_err(|error| source.unreadable(error))?;
    Ok(mark)
}
