//! Records of text with a delimiter, and the lines on which they begin.

use std::io::{self, Read};

use csv::{ByteRecord, ReaderBuilder, StringRecord};
use thiserror::Error;

use crate::bytes::Bytes;
use crate::data::error::DataError;
use crate::data::source::Source;

/// Bytes that are looked at together.
const BYTES: usize = 1 << 15;

/// The most bytes of a record, to within those: a longer one is no row of a table, and is not taken into memory for one.
const LONGEST: usize = 1 << 28;

/// Records, of whatever numbers of fields.
pub struct Records<R> {
    reader: csv::Reader<Plain<R>>,
    /// Lines above.
    above: u64,
}

impl<R: Read> Records<R> {
    /// Those of a text: of all of it, or of the beginning of one, which may end between quotes; with so many lines of its
    /// file `above` it.
    pub fn new(text: R, delimiter: u8, whole: bool, above: u64) -> Self {
        let mut builder = ReaderBuilder::new();
        builder.has_headers(false).delimiter(delimiter).flexible(true);
        Self { reader: builder.from_reader(Plain::new(text, delimiter, whole, above)), above }
    }

    /// Reads the next record, and on which line it begins; false at the end.
    ///
    /// # Errors
    /// [`DataError::Read`]; [`DataError::OpenQuote`]; [`DataError::Malformed`] for what is not UTF-8, or is too long.
    pub fn read(&mut self, source: &Source, record: &mut StringRecord) -> Result<bool, DataError> {
        let before = self.reader.position().line();
        let mut bytes = std::mem::take(record).into_byte_record();
        let more = self.reader.read_byte_record(&mut bytes).map_err(|error| failure(source, error))?;
        let after = self.reader.position().line();
        // The library's line is that behind the record before: empty lines may follow it.
        let behind_empty = after - before != 1;
        if more && (behind_empty || self.above > 0) {
            let mut position = bytes.position().expect("of what was read").clone();
            let line = if behind_empty { after - 1 - ends_within(&bytes) } else { position.line() };
            bytes.set_position(Some(position.set_line(line + self.above).clone()));
        }
        let line = bytes.position().map_or(0, csv::Position::line);
        *record = StringRecord::from_byte_record(bytes).map_err(|error| {
            let field = error.utf8_error().field() + 1;
            let remedy = "convert it first, as iconv -f latin1 -t utf8 does with text of Western Europe";
            source.malformed(format_args!("line {line}, field {field}: not UTF-8; {remedy}"))
        })?;
        Ok(more)
    }
}

/// Ends of lines between a record's quotes.
fn ends_within(record: &ByteRecord) -> u64 {
    record.as_slice().iter().filter(|&&byte| byte == b'\n').count() as u64
}

/// What the library, or what is between it and the file, found wrong.
fn failure(source: &Source, error: csv::Error) -> DataError {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => match error.get_ref().and_then(|error| error.downcast_ref::<Endless>()) {
            Some(&Endless::Quote { line }) => DataError::OpenQuote { file: source.to_string(), line },
            Some(long @ Endless::Record { .. }) => source.malformed(long),
            None => source.unreadable(error),
        },
        other => source.malformed(format_args!("{other:?}")),
    }
}

/// What should have ended.
#[derive(Debug, Error)]
enum Endless {
    #[error("a quote opens on line {line} and is not closed")]
    Quote { line: u64 },
    #[error("line {line}: a row goes on for more than {}; end it, or close the quote in it", Bytes(LONGEST as u128))]
    Record { line: u64 },
}

/// Where in a record the next byte stands, as the library has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At its beginning.
    Record,
    /// At a field's beginning, the only place where a quote opens.
    Field,
    /// In a field, where quotes are letters like others.
    Within,
    /// Between quotes.
    Quoted,
    /// Behind a quote that closes, or is the first of two, which stand for one.
    Closed,
}

/// Text in which every line ends on `\n`, the last too, and one space is between fields where spaces are. The library
/// counts no lines that end otherwise, takes each space for a delimiter, and a quote that nothing closes for one that
/// the end of the file does.
struct Plain<R> {
    text: R,
    delimiter: u8,
    /// Whether the text's end is the file's.
    whole: bool,
    state: State,
    /// From 1.
    line: u64,
    /// On which the last quote opened.
    opened: u64,
    /// Whether the last byte was `\r`, with which `\n` ends one line.
    returned: bool,
    /// Whether a record ended in the bytes that were taken last.
    closed: bool,
    /// Bytes that were taken since one did, but for those with which it did.
    length: usize,
    /// The most of those: [`LONGEST`].
    most: usize,
    /// Whether spaces were there that are a delimiter if another field follows.
    spaces: bool,
    raw: Vec<u8>,
    out: Vec<u8>,
    /// What of `out` was given.
    given: usize,
    ended: bool,
}

impl<R: Read> Plain<R> {
    fn new(text: R, delimiter: u8, whole: bool, above: u64) -> Self {
        Self {
            text,
            delimiter,
            whole,
            state: State::Record,
            line: above + 1,
            opened: 0,
            returned: false,
            closed: false,
            length: 0,
            most: LONGEST,
            spaces: false,
            raw: vec![0; BYTES],
            out: Vec::new(),
            given: 0,
            ended: false,
        }
    }

    /// Takes the next bytes.
    fn fill(&mut self) -> io::Result<()> {
        self.out.clear();
        self.given = 0;
        let length = self.text.read(&mut self.raw)?;
        if length == 0 {
            self.ended = true;
            return self.end();
        }
        let raw = std::mem::take(&mut self.raw);
        self.closed = false;
        self.take(&raw[..length]);
        self.raw = raw;
        self.length = if self.closed { 0 } else { self.length + length };
        if self.length > self.most {
            let line = if self.state == State::Quoted { self.opened } else { self.line };
            return Err(io::Error::other(Endless::Record { line }));
        }
        Ok(())
    }

    fn take(&mut self, bytes: &[u8]) {
        let plain = !self.returned && self.delimiter != b' ' && !bytes.contains(&b'"') && !bytes.contains(&b'\r');
        if !plain {
            return bytes.iter().for_each(|&byte| self.push(byte));
        }
        // Most text: it stays as it is, and its last byte says where it is.
        self.out.extend_from_slice(bytes);
        let ends = bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
        self.line += ends;
        if self.state != State::Quoted {
            self.closed = ends > 0;
            self.state = match bytes.last() {
                Some(b'\n') => State::Record,
                Some(&byte) if byte == self.delimiter => State::Field,
                _ => State::Within,
            };
        }
    }

    fn push(&mut self, byte: u8) {
        let ended = std::mem::take(&mut self.returned);
        if self.state == State::Quoted {
            self.line += u64::from(byte == b'\n');
            if byte == b'"' {
                self.state = State::Closed;
            }
            return self.out.push(byte);
        }
        match byte {
            b'\n' if ended => {}
            b'\n' | b'\r' => {
                (self.state, self.returned, self.spaces) = (State::Record, byte == b'\r', false);
                (self.line, self.closed) = (self.line + 1, true);
                self.out.push(b'\n');
            }
            b' ' if self.delimiter == b' ' => self.spaces = self.state != State::Record,
            _ if byte == self.delimiter => {
                self.state = State::Field;
                self.out.push(byte);
            }
            _ => {
                if std::mem::take(&mut self.spaces) {
                    self.state = State::Field;
                    self.out.push(b' ');
                }
                self.state = match (self.state, byte) {
                    (State::Record | State::Field, b'"') => {
                        self.opened = self.line;
                        State::Quoted
                    }
                    (State::Closed, b'"') => State::Quoted,
                    _ => State::Within,
                };
                self.out.push(byte);
            }
        }
    }

    /// The text's end.
    fn end(&mut self) -> io::Result<()> {
        match self.state {
            State::Quoted if self.whole => Err(io::Error::other(Endless::Quote { line: self.opened })),
            State::Record => Ok(()),
            // A record is whole for the library, though not for who knows that the text goes on.
            State::Quoted => {
                self.out.extend(b"\"\n");
                Ok(())
            }
            State::Field | State::Within | State::Closed => {
                self.out.push(b'\n');
                Ok(())
            }
        }
    }
}

impl<R: Read> Read for Plain<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.given == self.out.len() && !self.ended {
            self.fill()?;
        }
        let length = to.len().min(self.out.len() - self.given);
        to[..length].copy_from_slice(&self.out[self.given..][..length]);
        self.given += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a byte at a time, so that every place is the end of a part.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let length = self.0.len().min(to.len()).min(1);
            self.0.read(&mut to[..length])
        }
    }

    /// Lines and fields, or on which line a quote stays open.
    fn read(text: impl Read, delimiter: u8) -> Result<Vec<(u64, Vec<String>)>, u64> {
        let source = Source::new(std::path::Path::new("in.csv"), None).unwrap();
        let mut records = Records::new(text, delimiter, true, 0);
        let (mut record, mut found) = (StringRecord::new(), Vec::new());
        loop {
            match records.read(&source, &mut record) {
                Ok(true) => {
                    let line = record.position().unwrap().line();
                    found.push((line, record.iter().map(str::to_owned).collect()));
                }
                Ok(false) => return Ok(found),
                Err(DataError::OpenQuote { line, .. }) => return Err(line),
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[track_caller]
    fn check(text: &str, delimiter: u8, expected: Result<&[(u64, &[&str])], u64>) {
        let expected = expected.map(|records| {
            records
                .iter()
                .map(|&(line, fields)| (line, fields.iter().map(|&field| field.to_owned()).collect()))
                .collect()
        });
        assert_eq!(read(text.as_bytes(), delimiter), expected, "{text:?}");
        assert_eq!(read(Slow(text.as_bytes()), delimiter), expected, "{text:?}, byte by byte");
    }

    #[test]
    fn lines_are_counted_however_they_end() {
        let expected: &[(u64, &[&str])] = &[(1, &["x", "y"]), (2, &["1", "2"]), (5, &["3", ""]), (6, &["4", "5"])];
        for end in ["\n", "\r\n", "\r"] {
            let text = "x,y\n1,2\n\n\n3,\n4,5\n".replace('\n', end);
            check(&text, b',', Ok(expected));
            check(text.trim_end(), b',', Ok(expected));
        }
        check(
            "a,\"b\r\nc\"\r\n1,\"\n\n\"\r\n2,3",
            b',',
            Ok(&[(1, &["a", "b\r\nc"]), (3, &["1", "\n\n"]), (6, &["2", "3"])]),
        );
    }

    #[test]
    fn quotes_that_stay_open_are_told_from_those_that_are_letters() {
        check("x,name\n1,a\n2,\"b\n3,c\n4,d\n", b',', Err(3));
        check("x,name\r\n1,\"a\r\nb\"\r\n2,\"b\"\"\r\n", b',', Err(4));
        check("x\n\"", b',', Err(2));
        check("1,5\" pipe\n2,a\"\n", b',', Ok(&[(1, &["1", "5\" pipe"]), (2, &["2", "a\""])]));
        check("1,\"a\"\"b\"\n2,\"\"\n3,\"c\"", b',', Ok(&[(1, &["1", "a\"b"]), (2, &["2", ""]), (3, &["3", "c"])]));
        check("1,\"a\" \"b\n2,3\n", b',', Ok(&[(1, &["1", "a \"b"]), (2, &["2", "3"])]));
    }

    #[test]
    fn spaces_are_one_delimiter() {
        check(
            "x  y\n1   2 \n  3 4\n   \n5 6",
            b' ',
            Ok(&[(1, &["x", "y"]), (2, &["1", "2"]), (3, &["3", "4"]), (5, &["5", "6"])]),
        );
        check("  \"a  b\"   \"c\"\n", b' ', Ok(&[(1, &["a  b", "c"])]));
        check("x,  y\n,\n", b',', Ok(&[(1, &["x", "  y"]), (2, &["", ""])]));
    }

    /// Gives the same bytes again and again.
    struct Again(Vec<u8>);

    impl Read for Again {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            (&self.0[..]).read(to)
        }
    }

    /// Neither a line nor what is between quotes is taken into memory however long it is.
    #[test]
    fn records_that_do_not_end_are_refused() {
        for (begins, goes_on, line) in [
            ("x\n1\n", "1", Some(3)),
            ("x\n\"1\n\n", "1", Some(2)),
            ("x\n\"", "\n", Some(2)),
            ("x\n\"", "\n\"\r\"", None),
        ] {
            let text = Again(goes_on.repeat(BYTES / goes_on.len()).into_bytes()).take(10 * BYTES as u64);
            let mut text = Plain::new(begins.as_bytes().chain(text), b',', false, 0);
            text.most = 9 * BYTES;
            let found = io::copy(&mut text, &mut io::sink());
            let found = found.err().and_then(|error| match error.downcast().unwrap() {
                Endless::Record { line } => Some(line),
                Endless::Quote { .. } => None,
            });
            assert_eq!(found, line, "{begins:?} and {goes_on:?}");
        }
    }

    /// What is left to the library is as it was without this.
    #[test]
    fn fields_are_those_of_the_library() {
        let letters = [",", "\"", "\n", "\r\n", "a", " "];
        for number in 0..letters.len().pow(6) {
            let text: String = (0..6).map(|place| letters[number / letters.len().pow(place) % letters.len()]).collect();
            let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
            let expected: Vec<StringRecord> = reader.records().map(Result::unwrap).collect();
            let Ok(found) = read(text.as_bytes(), b',') else { continue };
            let found: Vec<StringRecord> = found.into_iter().map(|(_, fields)| StringRecord::from(fields)).collect();
            assert_eq!(found, expected, "{text:?}");
        }
    }
}
