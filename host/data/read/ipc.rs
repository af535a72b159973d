//! Arrow's files, which are read from their ends, and its streams, which are read from the first byte to the last.

use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};

use arrow_ipc::reader::{FileReader, StreamReader, read_footer_length};
use arrow_ipc::root_as_footer;
use arrow_schema::{ArrowError, SchemaRef};

use super::arrow::InParts;
use crate::data::error::DataError;
use crate::data::source::Source;

/// The first bytes of Arrow's files; its streams have none.
const FILE_MARK: &[u8] = b"ARROW1";

/// The first bytes of files of Feather's first version, which was not Arrow's.
const OLD_MARK: &[u8] = b"FEA1";

/// Bytes at the end of a file: the length of what says where its parts are, and the mark once more.
const END: u64 = 10;

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
            check_parts(source, &mut file)?;
            let reader = FileReader::try_new(file, None).map_err(malformed)?;
            return Ok((reader.schema(), Box::new(reader)));
        }
    }
    let mut stream = source.stream()?;
    let mark = mark(source, &mut stream)?;
    if mark == FILE_MARK {
        let message =
            "it is an Arrow file, which is read from its end; write it to a file first, or send Arrow's stream";
        return Err(source.malformed(message));
    }
    let reader = StreamReader::try_new(Cursor::new(mark).chain(stream), None).map_err(malformed)?;
    Ok((reader.schema(), Box::new(reader)))
}

/// The first bytes, as many as a mark has.
fn mark(source: &Source, bytes: &mut impl Read) -> Result<Vec<u8>, DataError> {
    let mut mark = Vec::new();
    bytes.take(FILE_MARK.len() as u64).read_to_end(&mut mark).map_err(|error| source.unreadable(error))?;
    if mark.starts_with(OLD_MARK) {
        return Err(source.malformed("it is Feather of version 1, and only version 2 is read; write it anew"));
    }
    Ok(mark)
}

/// Checks that a file's parts lie within it: memory is taken for as much as its end says that they have. Then begins anew.
fn check_parts(source: &Source, file: &mut (impl Read + Seek)) -> Result<(), DataError> {
    let length = file.seek(SeekFrom::End(0)).map_err(|error| source.unreadable(error))?;
    let cut = || source.malformed("it is cut off, or damaged: its end is not whole");
    let mut read = |from: Option<u64>, bytes: &mut [u8]| {
        file.seek(SeekFrom::Start(from.ok_or_else(cut)?)).map_err(|error| source.unreadable(error))?;
        file.read_exact(bytes).map_err(|error| source.unreadable(error))
    };
    let mut end = [0; END as usize];
    read(length.checked_sub(END), &mut end)?;
    let size = read_footer_length(end).map_err(|error| source.malformed(error))?;
    let behind = (length - END).checked_sub(size as u64);
    let mut footer = vec![0; if behind.is_some() { size } else { 0 }];
    read(behind, &mut footer)?;
    read(Some(0), &mut [])?;
    // What else is wrong with it is for the library to say.
    let Ok(footer) = root_as_footer(&footer) else { return Ok(()) };
    let parts = footer.dictionaries().into_iter().flatten().chain(footer.recordBatches().into_iter().flatten());
    for part in parts {
        let sizes = [part.offset(), part.metaDataLength().into(), part.bodyLength()];
        let ends = sizes.into_iter().try_fold(0_u64, |ends, size| ends.checked_add(u64::try_from(size).ok()?));
        if ends.is_none_or(|ends| ends > length) {
            return Err(
                source.malformed("it is cut off, or damaged: a part of it is said to be where the file has ended")
            );
        }
    }
    Ok(())
}
