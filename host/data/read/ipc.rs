//! Arrow's files, which are read from their ends, and its streams, which are read from the first byte to the last.

use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};

use arrow_ipc::reader::{FileReader, StreamReader, read_footer_length};
use arrow_ipc::root_as_footer;
use arrow_schema::{ArrowError, SchemaRef};

use super::arrow::InParts;
use super::messages::{Messages, check_head};
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
    // A pipe that has a name cannot be begun anew, and has a stream.
    if source.is_file() {
        let mut file = BufReader::new(source.counted_file()?);
        if mark(source, &mut file)? == FILE_MARK {
            check_parts(source)?;
            let reader = FileReader::try_new(file, None).map_err(|error| refused(source, error))?;
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
    let messages = Messages::new(Cursor::new(mark).chain(stream));
    let reader = StreamReader::try_new(messages, None).map_err(|error| refused(source, error))?;
    Ok((reader.schema(), Box::new(reader)))
}

/// What the library, or what is between it and the file, found wrong.
pub fn refused(source: &Source, error: ArrowError) -> DataError {
    match error {
        ArrowError::IoError(said, _) => source.malformed(said),
        other => source.malformed(other),
    }
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

/// Checks that a file's parts lie within it, and that there is memory for each: it is taken for as much as the file says.
fn check_parts(source: &Source) -> Result<(), DataError> {
    let mut file = source.file()?;
    let length = file.seek(SeekFrom::End(0)).map_err(|error| source.unreadable(error))?;
    let mut read = |from: u64, bytes: &mut [u8]| file.seek(SeekFrom::Start(from)).and_then(|_| file.read_exact(bytes));
    let cut = || source.malformed("it is cut off, or damaged: its end is not whole");
    let mut end = [0; END as usize];
    read(length.checked_sub(END).ok_or_else(cut)?, &mut end).map_err(|error| source.unreadable(error))?;
    let size = read_footer_length(end).map_err(|error| source.malformed(error))?;
    let behind = (length - END).checked_sub(size as u64).ok_or_else(cut)?;
    let mut footer = vec![0; size];
    read(behind, &mut footer).map_err(|error| source.unreadable(error))?;
    // What else is wrong with it is for the library to say.
    let Ok(footer) = root_as_footer(&footer) else { return Ok(()) };
    let parts = footer.dictionaries().into_iter().flatten().chain(footer.recordBatches().into_iter().flatten());
    for part in parts {
        let sizes = [part.offset(), part.metaDataLength().into(), part.bodyLength()].map(u64::try_from);
        let [Ok(begins), Ok(head), Ok(body)] = sizes else { return Err(nowhere(source)) };
        let behind_head = begins.checked_add(head).ok_or_else(|| nowhere(source))?;
        if behind_head.checked_add(body).is_none_or(|ends| ends > length) {
            return Err(nowhere(source));
        }
        let mut bytes = vec![0; head as usize];
        read(begins, &mut bytes).map_err(|error| source.unreadable(error))?;
        check_head(&bytes, body, |place, bytes| read(behind_head + place, bytes)).map_err(|error| {
            match error.kind() {
                io::ErrorKind::OutOfMemory => source.malformed(error),
                _ => source.unreadable(error),
            }
        })?;
    }
    Ok(())
}

fn nowhere(source: &Source) -> DataError {
    source.malformed("it is cut off, or damaged: a part of it is said to be where the file has ended")
}
