//! Messages of Arrow's files and streams: how much memory one takes is found out before it is taken.
//!
//! A buffer that is packed begins with how long it is when it is unpacked, which the library believes: it takes as much, and the
//! process ends where there is not.

use std::io::{self, Cursor, Read};

use arrow_ipc::{Message, RecordBatch, root_as_message};

use crate::bytes::Bytes;
use crate::executor::host_memory;

/// What stands in front of a message's length, but in old files.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// Bytes of a length: of a message, and of a buffer that is packed.
const LENGTH: usize = 4;
const UNPACKED: usize = 8;

/// Bytes of a message for which the system is not asked how many are free: streams may have many that are small.
const LITTLE: u128 = 1 << 24;

/// The batch that a message brings, if its buffers are packed.
fn packed(message: Message<'_>) -> Option<RecordBatch<'_>> {
    let batch = message.header_as_record_batch().or_else(|| message.header_as_dictionary_batch()?.data())?;
    batch.compression().is_some().then_some(batch)
}

/// Sees to it that there is memory for a message's body, of so many bytes, and for its buffers when they are unpacked;
/// `read` gives the bytes from a place of the body on.
///
/// # Errors
/// Of the kind `OutOfMemory` if there is not; whatever `read` returns.
fn check(
    message: Option<Message<'_>>,
    body: u64,
    mut read: impl FnMut(u64, &mut [u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut taken = u128::from(body);
    let batch = message.and_then(packed);
    for buffer in batch.and_then(|batch| batch.buffers()).into_iter().flatten() {
        let place = u64::try_from(buffer.offset()).unwrap_or(u64::MAX);
        // What is not there, or too short, is for the library to refuse.
        if buffer.length() >= UNPACKED as i64 && place.checked_add(UNPACKED as u64).is_some_and(|end| end <= body) {
            let mut length = [0; UNPACKED];
            read(place, &mut length)?;
            taken += i64::from_le_bytes(length).max(0) as u128;
        }
    }
    let available = if taken > LITTLE { host_memory() as u128 } else { taken };
    if taken <= available {
        return Ok(());
    }
    let [taken, available] = [Bytes(taken), Bytes(available)];
    let what = format!("a batch of it takes {taken} of memory, and the host has {available} free");
    Err(io::Error::new(io::ErrorKind::OutOfMemory, what + "; it is damaged, or has to be written in smaller batches"))
}

/// Checks a message of a file: its head is `head`, and `read` gives the bytes from a place of its body on.
///
/// # Errors
/// As [`check`].
pub fn check_head(head: &[u8], body: u64, read: impl FnMut(u64, &mut [u8]) -> io::Result<()>) -> io::Result<()> {
    // What else is wrong with it is for the library to say.
    let message = head.strip_prefix(&CONTINUATION).unwrap_or(head).get(LENGTH..);
    check(message.and_then(|message| root_as_message(message).ok()), body, read)
}

/// A stream of messages, of which each is checked before all of it is passed on.
pub struct Messages<R> {
    stream: R,
    /// A message's head, and its body if that is packed.
    held: [Cursor<Vec<u8>>; 2],
    /// Bytes of a body that is not, which are passed on as they come.
    behind: u64,
}

impl<R: Read> Messages<R> {
    pub fn new(stream: R) -> Self {
        Self { stream, held: Default::default(), behind: 0 }
    }

    /// Comes to the next message.
    fn next(&mut self) -> io::Result<()> {
        let (mut head, mut body) = (Vec::new(), Vec::new());
        // No more memory is taken than there are bytes.
        let mut take = |to: &mut Vec<u8>, bytes| self.stream.by_ref().take(bytes).read_to_end(to);
        take(&mut head, LENGTH as u64)?;
        if head == CONTINUATION {
            take(&mut head, LENGTH as u64)?;
        }
        let (from, length) = (head.len(), head.last_chunk().map_or(0, |&length| i32::from_le_bytes(length)));
        take(&mut head, length.max(0) as u64)?;
        let message = root_as_message(&head[from..]).ok();
        let length = message.map_or(0, |message| message.bodyLength().max(0) as u64);
        if message.and_then(packed).is_some() {
            take(&mut body, length)?;
        }
        check(message, length, |place, bytes| {
            // That a body is cut off is for the library to find.
            if let Some(there) = body.get(place as usize..).and_then(|there| there.get(..bytes.len())) {
                bytes.copy_from_slice(there);
            }
            Ok(())
        })?;
        self.behind = length - body.len() as u64;
        self.held = [head, body].map(Cursor::new);
        Ok(())
    }

    /// Reads what is there of the message.
    fn read_on(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let [head, body] = &mut self.held;
        let read = head.chain(body).read(to)?;
        if read > 0 {
            return Ok(read);
        }
        let read = self.stream.by_ref().take(self.behind).read(to)?;
        self.behind -= read as u64;
        Ok(read)
    }
}

impl<R: Read> Read for Messages<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self.read_on(to)? {
            0 if self.behind == 0 && !to.is_empty() => self.next()?,
            read => return Ok(read),
        }
        self.read_on(to)
    }
}
