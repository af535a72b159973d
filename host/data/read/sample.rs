//! The first lines of a text, from which its columns are found out.

use std::io::{Cursor, Read};

use csv::StringRecord;

use super::records::Records;
use crate::data::error::DataError;
use crate::data::source::{Format, Source};

/// Bytes that are looked at, unless lines are longer.
const BYTES: usize = 1 << 16;

/// Bytes within which two lines must end: what has none so long is no table, and is not taken into memory for one.
const LONGEST: usize = 1 << 30;

/// Lines that are looked at.
const LINES: usize = 200;

/// Lines that must be whole: the first, which may have names, and one with values.
const WHOLE: usize = 2;

/// The beginning of a text, which can grow.
pub struct Sample<R> {
    bytes: Vec<u8>,
    /// Whether the text went on when this was read.
    cut: bool,
    rest: R,
}

impl<R: Read + 'static> Sample<R> {
    /// The first bytes of what is read from `text`.
    ///
    /// # Errors
    /// [`DataError::Read`]; [`DataError::NotText`] if a byte is 0.
    pub fn of(source: &Source, text: R) -> Result<Self, DataError> {
        let mut sample = Self { bytes: Vec::new(), cut: true, rest: text };
        sample.read_to(source, BYTES)?;
        // A mark of the byte order is no part of the first name.
        if sample.bytes.starts_with(b"\xef\xbb\xbf") {
            sample.bytes.drain(..3);
        }
        Ok(sample)
    }

    /// The first lines, and the delimiter between their fields: `given`, or what they have. There are fewer than two
    /// only if the text has no more.
    ///
    /// # Errors
    /// As [`of`](Self::of); [`DataError::Malformed`] if lines are too long; what [`Records`] has.
    pub fn lines(&mut self, source: &Source, given: Option<u8>) -> Result<(Vec<StringRecord>, u8), DataError> {
        loop {
            let delimiter = match (given, source.format()) {
                (Some(delimiter), _) => delimiter,
                (None, Format::Tsv) => b'\t',
                (None, _) => sniff(&self.bytes),
            };
            let mut records = Records::new(&self.bytes[..], delimiter, !self.cut);
            let next = || {
                let mut record = StringRecord::new();
                records.read(source, &mut record).map(|more| more.then_some(record)).transpose()
            };
            let mut lines: Vec<_> = std::iter::from_fn(next).take(LINES + 1).collect();
            // The last line may go on behind the sample's end. If it does so between quotes, the end of a line is none.
            if self.cut || lines.len() > LINES {
                lines.pop();
            }
            if lines.len() >= WHOLE || !self.cut {
                return Ok((lines.into_iter().collect::<Result<_, _>>()?, delimiter));
            }
            if self.bytes.len() >= LONGEST {
                let bytes = self.bytes.len();
                return Err(source.malformed(format_args!("its first {bytes} bytes are not two whole lines")));
            }
            self.read_to(source, 2 * self.bytes.len())?;
        }
    }

    /// The whole text, from its first byte.
    pub fn text(self) -> Box<dyn Read> {
        Box::new(Cursor::new(self.bytes).chain(self.rest))
    }

    /// Reads until there are `length` bytes, or the text ends.
    fn read_to(&mut self, source: &Source, length: usize) -> Result<(), DataError> {
        let from = self.bytes.len();
        let more = (length - from) as u64;
        let read = self.rest.by_ref().take(more).read_to_end(&mut self.bytes);
        // What was read tells, not what is left of it without a mark.
        self.cut = read.map_err(|error| source.unreadable(error))? as u64 == more;
        match self.bytes[from..].iter().position(|&byte| byte == 0) {
            Some(at) => Err(DataError::NotText { file: source.to_string(), at: (from + at) as u64, byte: 0 }),
            None => Ok(()),
        }
    }
}

/// The bytes up to the last end of a line; all, if there is none.
fn whole_lines(sample: &[u8]) -> &[u8] {
    sample.iter().rposition(|&byte| byte == b'\n').map_or(sample, |at| &sample[..=at])
}

/// The delimiter that the first lines have, each as often as the others; a comma if none.
fn sniff(sample: &[u8]) -> u8 {
    let lines: Vec<Vec<u8>> = whole_lines(sample).lines_of().take(20).map(unquoted).collect();
    let count = |delimiter: u8| {
        let mut counts = lines.iter().map(|line| match delimiter {
            // Several are one, and those about a line none.
            b' ' => line.split(|&byte| byte == b' ').filter(|field| !field.is_empty()).count().saturating_sub(1),
            _ => line.iter().filter(|&&byte| byte == delimiter).count(),
        });
        let first = counts.next().unwrap_or(0);
        if counts.all(|count| count == first) { first } else { 0 }
    };
    let candidates = [b',', b';', b'\t', b'|', b' '];
    // The first of those with the most, which is the usual one.
    candidates.into_iter().rev().max_by_key(|&delimiter| count(delimiter)).filter(|&d| count(d) > 0).unwrap_or(b',')
}

trait Lines {
    /// Lines that are not empty.
    fn lines_of(&self) -> impl Iterator<Item = &[u8]>;
}

impl Lines for [u8] {
    fn lines_of(&self) -> impl Iterator<Item = &[u8]> {
        self.split(|&byte| byte == b'\n').map(|line| line.trim_ascii_end()).filter(|line| !line.is_empty())
    }
}

/// A line without what stands between quotes.
fn unquoted(line: &[u8]) -> Vec<u8> {
    let mut quoted = false;
    line.iter()
        .copied()
        .filter(|&byte| {
            quoted ^= byte == b'"';
            !quoted
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_are_found() {
        for (text, delimiter) in [
            ("x,y\n1,2\n", b','),
            ("1;2,5\n3;4,5\n5;6\n", b';'),
            ("1\t2\n3\t4\n", b'\t'),
            ("1|2\n", b'|'),
            ("1 2\n3 4\n", b' '),
            ("x  y\n1   2 \n  3 4\n", b' '),
            ("1,  2\n3,  4\n", b','),
            ("\"a,b\";1\n\"c\";2\n", b';'),
            ("a,b c\n1,2 3\n", b','),
            ("1\n2\n", b','),
        ] {
            assert_eq!(char::from(sniff(text.as_bytes())), char::from(delimiter), "{text:?}");
        }
    }
}
