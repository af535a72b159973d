//! The first lines of a text, from which its columns are found out.

use std::io::{Cursor, Read};

use csv::StringRecord;

use super::above::Line;
use super::records::Records;
use crate::data::columns::Decimal;
use crate::data::error::DataError;
use crate::data::format::Format;
use crate::data::source::Source;

/// Bytes that are looked at, unless lines are longer.
const BYTES: usize = 1 << 16;

/// Bytes within which two lines must end: what has none so long is no table, and is not taken into memory for one.
const LONGEST: usize = 1 << 30;

/// Lines that are looked at.
const LINES: usize = 200;

/// Lines that tell the delimiter.
const SNIFFED: usize = 20;

/// Lines that must be whole: the first, which may have names, and one with values.
const WHOLE: usize = 2;

/// The beginning of a text, which can grow.
pub struct Sample<R> {
    bytes: Vec<u8>,
    /// Whether the text went on when this was read.
    cut: bool,
    rest: R,
    /// Bytes before these that are not kept: those of a mark of the byte order, and of lines above the table.
    before: u64,
    /// Lines above the table.
    above: u64,
    /// What stands in the last of those that begin with `#`.
    comment: Option<Vec<u8>>,
}

impl<R: Read + Send + 'static> Sample<R> {
    /// The first bytes of the table that is read from `text`.
    ///
    /// # Errors
    /// [`DataError::Read`]; [`DataError::NotText`] if a byte is 0; [`DataError::Utf16`]; [`DataError::Malformed`] if lines
    /// are too long.
    pub fn of(source: &Source, text: R) -> Result<Self, DataError> {
        let mut sample = Self { bytes: Vec::new(), cut: true, rest: text, before: 0, above: 0, comment: None };
        sample.read_to(source, BYTES)?;
        // A mark of the byte order is no part of the first name.
        if sample.bytes.starts_with(b"\xef\xbb\xbf") {
            sample.leave(3);
        }
        sample.skip_above(source)?;
        Ok(sample)
    }

    /// Leaves out the lines above the table.
    fn skip_above(&mut self, source: &Source) -> Result<(), DataError> {
        let mut at = 0;
        loop {
            match Line::of(&self.bytes[at..], !self.cut) {
                Line::Table => break,
                Line::Above(comment, next) => {
                    self.comment = comment.map(<[u8]>::to_vec).or(self.comment.take());
                    self.above += 1;
                    at += next;
                }
                Line::Open => {
                    self.leave(std::mem::take(&mut at));
                    self.grow(source)?;
                }
            }
        }
        self.leave(at);
        if self.cut && self.bytes.len() < BYTES { self.read_to(source, BYTES) } else { Ok(()) }
    }

    /// Does not keep the first bytes.
    fn leave(&mut self, length: usize) {
        self.bytes.drain(..length);
        self.before += length as u64;
    }

    /// Reads more, unless there is too much already for two lines.
    fn grow(&mut self, source: &Source) -> Result<(), DataError> {
        if self.bytes.len() >= LONGEST {
            let bytes = self.bytes.len();
            return Err(source.malformed(format_args!("its first {bytes} bytes are not two whole lines")));
        }
        self.read_to(source, (2 * self.bytes.len()).max(BYTES))
    }

    /// Lines above the table.
    pub fn above(&self) -> u64 {
        self.above
    }

    /// The fields of the last line above the table that begins with `#`, if it can be read.
    pub fn comment(&self, source: &Source, delimiter: u8) -> Option<StringRecord> {
        let mut record = StringRecord::new();
        let mut records = Records::new(self.comment.as_deref()?, delimiter, true, 0);
        records.read(source, &mut record).is_ok().then_some(record)
    }

    /// The first lines, and the delimiter between their fields: `given`, or what they have. There are fewer than two
    /// only if the text has no more.
    ///
    /// # Errors
    /// As [`of`](Self::of); [`DataError::Malformed`] if lines are too long; what [`Records`] has.
    pub fn lines(
        &mut self,
        source: &Source,
        (given, decimal): (Option<u8>, Decimal),
    ) -> Result<(Vec<StringRecord>, u8), DataError> {
        loop {
            let delimiter = match (given, source.format()) {
                (Some(delimiter), _) => delimiter,
                (None, Format::Tsv) => b'\t',
                (None, _) => sniff(&self.bytes, decimal),
            };
            let mut records = Records::new(&self.bytes[..], delimiter, !self.cut, self.above);
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
            self.grow(source)?;
        }
    }

    /// The whole text, from its first byte.
    pub fn text(self) -> Box<dyn Read + Send> {
        Box::new(Cursor::new(self.bytes).chain(self.rest))
    }

    /// Reads until there are `length` bytes, or the text ends.
    fn read_to(&mut self, source: &Source, length: usize) -> Result<(), DataError> {
        let from = self.bytes.len();
        let more = (length - from) as u64;
        let read = self.rest.by_ref().take(more).read_to_end(&mut self.bytes);
        // What was read tells, not what is left of it without a mark.
        self.cut = read.map_err(|error| source.unreadable(error))? as u64 == more;
        let marked = [b"\xff\xfe", b"\xfe\xff"].into_iter().any(|mark| self.bytes.starts_with(mark));
        if self.before == 0 && marked {
            return Err(DataError::Utf16 { file: source.to_string() });
        }
        match self.bytes[from..].iter().position(|&byte| byte == 0) {
            Some(at) => {
                let at = self.before + (from + at) as u64;
                Err(DataError::NotText { file: source.to_string(), at, byte: 0 })
            }
            None => Ok(()),
        }
    }
}

/// The delimiter that the first lines have, each as often as the others; if none, a comma, or a semicolon where numbers
/// have commas.
fn sniff(sample: &[u8], decimal: Decimal) -> u8 {
    let lines = unquoted(sample);
    let count = |delimiter: u8| {
        let mut counts = lines.iter().map(|line| match delimiter {
            // Several are one, and those about a line none.
            b' ' => line.split(|&byte| byte == b' ').filter(|field| !field.is_empty()).count().saturating_sub(1),
            _ => line.iter().filter(|&&byte| byte == delimiter).count(),
        });
        let first = counts.next().unwrap_or(0);
        if counts.all(|count| count == first) { first } else { 0 }
    };
    let candidates = match decimal {
        Decimal::Point => &b",;\t| "[..],
        Decimal::Comma => b";\t| ",
    };
    // The first of those with the most, which is the usual one.
    let most = candidates.iter().rev().copied().max_by_key(|&delimiter| count(delimiter));
    most.filter(|&delimiter| count(delimiter) > 0).unwrap_or(candidates[0])
}

/// The first whole lines that are not empty, without what stands between quotes; all of a text without an end of a line.
fn unquoted(sample: &[u8]) -> Vec<Vec<u8>> {
    let (mut lines, mut line) = (Vec::new(), Vec::new());
    // A line ends within a field that begins with a quote, and not behind one that only stands there, as 5" does.
    let (mut quoted, mut of_field, mut before) = (false, false, b'\n');
    for &byte in sample {
        if byte == b'"' {
            // One right behind another is of its field.
            of_field = if quoted || before == b'"' { of_field } else { b",;\t|\n".contains(&before) };
            quoted = !quoted;
        }
        before = byte;
        if byte == b'\n' && !(quoted && of_field) {
            quoted = false;
            end(&mut lines, std::mem::take(&mut line));
            if lines.len() == SNIFFED {
                return lines;
            }
        } else if !quoted {
            line.push(byte);
        }
    }
    // What is begun may be cut.
    if lines.is_empty() {
        end(&mut lines, line);
    }
    lines
}

/// Ends a line, unless there is nothing in it.
fn end(lines: &mut Vec<Vec<u8>>, mut line: Vec<u8>) {
    line.truncate(line.trim_ascii_end().len());
    if !line.is_empty() {
        lines.push(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_long_for_two_lines_is_no_table() {
        let source = Source::new(std::path::Path::new("in.csv"), None).unwrap();
        let (bytes, rest) = (vec![0; LONGEST], std::io::empty());
        let mut sample = Sample { bytes, cut: true, rest, before: 0, above: 0, comment: None };
        let error = sample.grow(&source).unwrap_err().to_string();
        assert!(error.contains("its first 1073741824 bytes are not two whole lines"), "{error}");
    }

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
            // A field goes on in the next line; a quote within one ends with its own.
            ("x;y;note\n1;2;\"a\nb\"\n3;4;c\n", b';'),
            ("x;note;y\n1;\"a \"\"b\n, c\"\"\";2\n3;\"\";4\n", b';'),
            ("\"a\r\nb\";y\r\n1;2\r\n", b';'),
            ("x;y;note\n1;2;5\" pipe\n3;4;c, d\n5;6;\"e\nf", b';'),
            // What is not closed by the end of what is looked at is no line.
            ("x;y\n1;\"2\n", b';'),
            ("1\n2\n", b','),
        ] {
            assert_eq!(char::from(sniff(text.as_bytes(), Decimal::Point)), char::from(delimiter), "{text:?}");
        }
        for (text, delimiter) in [("1,5;2,5\n3,5;4,5\n", ';'), ("1,5 2,5\n", ' '), ("1,5\n", ';')] {
            assert_eq!(char::from(sniff(text.as_bytes(), Decimal::Comma)), delimiter, "{text:?}");
        }
    }
}
