//! Files of our own: 16 bytes by which one is known, a version (u32), contents, and the SHA-256 of all that. Numbers are little-endian.

use std::io::{Read, Write};

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// What is kept in such a file.
#[derive(Debug)]
pub struct Kind {
    /// As errors name it.
    pub what: &'static str,
    pub magic: &'static [u8; 16],
    pub version: u32,
}

/// Numbers that are kept.
pub trait Number: Copy {
    const SIZE: usize;

    fn put(self, bytes: &mut Vec<u8>);

    /// From `SIZE` bytes.
    fn of(bytes: &[u8]) -> Self;
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Number for $number {
            const SIZE: usize = size_of::<$number>();

            fn put(self, bytes: &mut Vec<u8>) {
                bytes.extend(self.to_le_bytes());
            }

            fn of(bytes: &[u8]) -> Self {
                Self::from_le_bytes(bytes.try_into().expect("as many bytes as it has"))
            }
        }
    )*};
}

numbers!(u32, u64, i64, f32, f64);

impl Kind {
    /// Begins to write one.
    ///
    /// # Errors
    /// [`Error::Output`].
    pub fn write<W: Write>(&self, to: W) -> Result<Writing<W>> {
        let mut writing = Writing { to, hash: Sha256::new(), waiting: self.magic.to_vec() };
        writing.put(&[self.version])?;
        Ok(writing)
    }

    /// Reads one, as far as it can be known to be what was written.
    ///
    /// # Errors
    /// [`Error::ReadSaved`]; [`Error::UnreadableSaved`].
    pub fn read(&self, mut from: impl Read) -> Result<Contents<'_>> {
        let failed = |cause| Error::ReadSaved { what: self.what, cause };
        // What does not begin as one is not read to its end, which may be far away.
        let mut bytes = Vec::new();
        from.by_ref().take(self.magic.len() as u64).read_to_end(&mut bytes).map_err(failed)?;
        if bytes != self.magic {
            return Err(self.unreadable("it does not begin as one"));
        }
        from.read_to_end(&mut bytes).map_err(failed)?;
        let least = self.magic.len() + 4;
        let end = bytes.len().checked_sub(32).filter(|&end| end >= least);
        let end = end.ok_or_else(|| self.unreadable("it ends too early"))?;
        let sealed = Sha256::digest(&bytes[..end])[..] == bytes[end..];
        bytes.truncate(end);
        let mut contents = Contents { kind: self, at: self.magic.len(), bytes };
        let version: u32 = contents.take()?;
        if version != self.version {
            let reads = self.version;
            return Err(self.unreadable(format!("it is of version {version}, and this program reads {reads}")));
        }
        if !sealed {
            return Err(self.unreadable("it was cut or changed: its checksum is not that of its contents"));
        }
        Ok(contents)
    }

    pub fn unreadable(&self, why: impl Into<String>) -> Error {
        Error::UnreadableSaved { file: None, what: self.what, why: why.into() }
    }
}

/// Bytes that are kept before they are written together.
const TOGETHER: usize = 1 << 16;

/// A file that is being written.
pub struct Writing<W> {
    to: W,
    hash: Sha256,
    waiting: Vec<u8>,
}

impl<W: Write> Writing<W> {
    /// Writes numbers.
    ///
    /// # Errors
    /// [`Error::Output`].
    pub fn put<N: Number>(&mut self, numbers: &[N]) -> Result<()> {
        for part in numbers.chunks(TOGETHER / N::SIZE) {
            part.iter().for_each(|number| number.put(&mut self.waiting));
            if self.waiting.len() >= TOGETHER {
                self.pass_on()?;
            }
        }
        Ok(())
    }

    /// Writes bytes, behind how many they are.
    ///
    /// # Errors
    /// [`Error::Output`].
    pub fn put_counted(&mut self, bytes: &[u8]) -> Result<()> {
        self.put(&[bytes.len() as u64])?;
        self.waiting.extend(bytes);
        self.pass_on()
    }

    fn pass_on(&mut self) -> Result<()> {
        self.hash.update(&self.waiting);
        self.to.write_all(&self.waiting).map_err(Error::Output)?;
        self.waiting.clear();
        Ok(())
    }

    /// Writes the checksum.
    ///
    /// # Errors
    /// [`Error::Output`].
    pub fn end(mut self) -> Result<()> {
        self.pass_on()?;
        let checksum = self.hash.finalize();
        self.to.write_all(&checksum).and_then(|()| self.to.flush()).map_err(Error::Output)
    }
}

/// What a file holds, and how much of it was taken.
#[derive(Debug)]
pub struct Contents<'a> {
    kind: &'a Kind,
    bytes: Vec<u8>,
    at: usize,
}

impl Contents<'_> {
    /// Bytes that are left.
    pub fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn bytes(&mut self, count: u64) -> Result<&[u8]> {
        let count = usize::try_from(count).ok().filter(|&count| count <= self.left());
        let from = self.at;
        self.at += count.ok_or_else(|| self.kind.unreadable("it ends too early"))?;
        Ok(&self.bytes[from..self.at])
    }

    /// Takes a number.
    ///
    /// # Errors
    /// [`Error::UnreadableSaved`].
    pub fn take<N: Number>(&mut self) -> Result<N> {
        self.bytes(N::SIZE as u64).map(|bytes| N::of(bytes))
    }

    /// Takes so many numbers.
    ///
    /// # Errors
    /// [`Error::UnreadableSaved`].
    pub fn take_all<N: Number>(&mut self, count: usize) -> Result<Vec<N>> {
        let bytes = self.bytes((count as u64).saturating_mul(N::SIZE as u64))?;
        Ok(bytes.chunks_exact(N::SIZE).map(N::of).collect())
    }

    /// Takes bytes that stand behind how many they are.
    ///
    /// # Errors
    /// [`Error::UnreadableSaved`].
    pub fn take_counted(&mut self) -> Result<&[u8]> {
        let count = self.take()?;
        self.bytes(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    const KIND: Kind = Kind { what: "list", magic: b"modeseek list\0\0\0", version: 3 };

    #[test]
    fn what_is_written_is_read() {
        let many: Vec<f32> = (0..100_000).map(|i| i as f32 + 0.5).collect();
        let mut bytes = Vec::new();
        let mut writing = KIND.write(&mut bytes).unwrap();
        writing.put(&[7_u32]).unwrap();
        writing.put_counted(b"words").unwrap();
        writing.put(&many).unwrap();
        writing.put(&[i64::MIN]).unwrap();
        writing.end().unwrap();
        assert_eq!(bytes.len(), 16 + 4 + 4 + 8 + 5 + 400_000 + 8 + 32);
        let mut contents = KIND.read(&bytes[..]).unwrap();
        assert_eq!(contents.take::<u32>().unwrap(), 7);
        assert_eq!(contents.take_counted().unwrap(), b"words");
        assert_eq!(contents.take_all::<f32>(100_000).unwrap(), many);
        assert!(contents.take_all::<f64>(usize::MAX).is_err());
        assert_eq!((contents.left(), contents.take::<i64>().unwrap(), contents.left()), (8, i64::MIN, 0));
        assert!(contents.take::<u32>().unwrap_err().to_string().contains("this is no list that can be read: it ends"));
    }

    /// Of what is no such file only the beginning is looked at.
    #[test]
    fn an_endless_file_is_left_alone() {
        assert!(KIND.read(io::repeat(b'm')).unwrap_err().to_string().contains("does not begin"));
    }
}
