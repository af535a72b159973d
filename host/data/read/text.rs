//! Text with a delimiter: CSV and TSV.

use std::io::{BufReader, Cursor, Read};
use std::sync::Arc;

use arrow_array::builder::{ArrayBuilder, Float64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use csv::StringRecord;

use super::chunk::{Chunk, Rows};
use super::{Carry, Chunks};
use crate::data::columns::{Chosen, ReadOptions, Role};
use crate::data::error::DataError;
use crate::data::source::{Format, Source};

/// Bytes from which the delimiter, the names and the kinds of columns are found out.
const SAMPLE: usize = 1 << 16;

/// Lines of these that are looked at.
const SAMPLE_LINES: usize = 200;

/// What stands for a missing value, whatever its case.
const MISSING: [&str; 7] = ["", "na", "n/a", "nan", "null", "none", "?"];

/// Letters of a wrong value that are shown.
const SHOWN: usize = 40;

/// Rows of text.
pub struct Text {
    file: String,
    reader: csv::Reader<Box<dyn Read>>,
    names: Vec<String>,
    chosen: Chosen,
    roles: Vec<(usize, Role)>,
    options: ReadOptions,
    carry: Carry,
    /// Whether the first line was taken for one with values though nobody said so.
    guessed: bool,
    record: StringRecord,
}

impl Text {
    /// Begins to read.
    ///
    /// # Errors
    /// What [`DataError`] has for text.
    pub fn open(source: &Source, options: &ReadOptions, carry: Carry) -> Result<Self, DataError> {
        let file = source.to_string();
        let (sample, cut, bytes) = begin(source)?;
        if let Some(at) = sample.iter().position(|&byte| byte == 0) {
            return Err(DataError::NotText { file, at: at as u64, byte: 0 });
        }
        let delimiter = match (options.delimiter, source.format()) {
            (Some(delimiter), _) => delimiter,
            (None, Format::Tsv) => b'\t',
            (None, _) => sniff(&sample),
        };
        let build = || {
            let mut builder = csv::ReaderBuilder::new();
            builder.has_headers(false).delimiter(delimiter).flexible(false);
            builder
        };
        // A line that the sample's end cuts is not looked at.
        let whole = if cut { whole_lines(&sample) } else { &sample[..] };
        let mut lines = build().flexible(true).from_reader(whole);
        let mut sampled: Vec<StringRecord> = Vec::new();
        for record in lines.records().take(SAMPLE_LINES) {
            sampled.push(record.map_err(|error| failure(source, error))?);
        }
        let Some(first) = sampled.first() else { return Err(DataError::Empty { file }) };
        let has_names = options.header.unwrap_or_else(|| is_header(first));
        let names: Vec<String> = match has_names {
            true => first.iter().map(|name| name.trim().to_owned()).collect(),
            false => (0..first.len()).map(|c| format!("x{c}")).collect(),
        };
        let rows = &sampled[usize::from(has_names)..];
        if rows.is_empty() {
            return Err(DataError::Empty { file });
        }
        let no_numbers: Vec<_> = (0..names.len()).map(|c| no_numbers(rows, c)).collect();
        let chosen = Chosen::of(options, &file, &names, &no_numbers)?;
        let mut reader = build().from_reader(bytes);
        let mut record = StringRecord::new();
        if has_names {
            reader.read_record(&mut record).map_err(|error| failure(source, error))?;
        }
        let roles = chosen.roles().collect();
        let guessed = !has_names && options.header.is_none();
        Ok(Self { file, reader, names, chosen, roles, options: options.clone(), carry, guessed, record })
    }

    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub fn chosen(&self) -> &Chosen {
        &self.chosen
    }

    /// Why a field is wrong.
    fn wrong(&self, column: usize, value: &str, line: u64) -> DataError {
        DataError::NotNumber {
            file: self.file.clone(),
            at: format!("line {line}"),
            column: self.names[column].clone(),
            value: shown(value),
            hint: match line {
                1 if self.guessed => "; if the first line has names, say --header yes",
                _ => "; choose other --columns, or mend the line",
            },
        }
    }
}

impl Chunks for Text {
    fn next(&mut self, source: &Source, most: usize) -> Result<Option<Chunk>, DataError> {
        let mut chunk = Chunk::default();
        let mut carried = Carried::new(self.carry, &self.names, &self.chosen);
        let mut values = Vec::with_capacity(self.roles.len());
        let mut read = 0;
        while read < most {
            let mut record = std::mem::take(&mut self.record);
            let more = self.reader.read_record(&mut record).map_err(|error| failure(source, error))?;
            self.record = record;
            if !more {
                break;
            }
            read += 1;
            let line = || self.record.position().map_or(0, csv::Position::line);
            let rows = Rows { file: &self.file, names: &self.names, roles: &self.roles, missing: self.options.missing };
            values.clear();
            let mut whole = true;
            for &(column, _) in &self.roles {
                let text = &self.record[column];
                let value = parse(text).ok_or_else(|| self.wrong(column, text, line()))?;
                whole &= rows.check(value, column, || format!("line {}", line()))?;
                values.push(value);
            }
            if !whole {
                chunk.dropped += 1;
                continue;
            }
            for (&(_, role), &value) in self.roles.iter().zip(&values) {
                chunk.push(role, value);
            }
            carried.push(&self.record);
        }
        chunk.carried = carried.finish();
        Ok((read > 0).then_some(chunk))
    }
}

/// The first bytes, whether more may follow, and all of them.
fn begin(source: &Source) -> Result<(Vec<u8>, bool, Box<dyn Read>), DataError> {
    let mut stream = source.stream()?;
    let mut sample = Vec::new();
    stream.by_ref().take(SAMPLE as u64).read_to_end(&mut sample).map_err(|error| source.unreadable(error))?;
    // What was read tells, not what the next lines leave of it.
    let cut = sample.len() == SAMPLE;
    // A mark of the byte order is no part of the first name.
    if sample.starts_with(b"\xef\xbb\xbf") {
        sample.drain(..3);
    }
    Ok((sample.clone(), cut, Box::new(BufReader::new(Cursor::new(sample)).chain(stream))))
}

/// The bytes up to the last end of a line; all, if there is none.
fn whole_lines(sample: &[u8]) -> &[u8] {
    sample.iter().rposition(|&byte| byte == b'\n').map_or(sample, |at| &sample[..=at])
}

/// The delimiter that the first lines have, each as often as the others; a comma if none.
fn sniff(sample: &[u8]) -> u8 {
    let lines: Vec<Vec<u8>> = whole_lines(sample).lines_of().take(20).map(unquoted).collect();
    let count = |delimiter: u8| {
        let mut counts = lines.iter().map(|line| line.iter().filter(|&&byte| byte == delimiter).count());
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

/// A number; NaN for what stands for a missing value; nothing for other text.
fn parse(text: &str) -> Option<f64> {
    let text = text.trim();
    match text.parse() {
        Ok(value) => Some(value),
        Err(_) => MISSING.iter().any(|missing| text.eq_ignore_ascii_case(missing)).then_some(f64::NAN),
    }
}

/// Whether a first line has names: no field of it is a number, and some are not empty.
fn is_header(first: &StringRecord) -> bool {
    let is_number = |field: &str| field.trim().parse::<f64>().is_ok();
    first.iter().any(|field| parse(field).is_none()) && !first.iter().any(is_number)
}

/// Why a column does not hold numbers, as far as these lines tell; nothing if it does.
fn no_numbers(rows: &[StringRecord], column: usize) -> Option<String> {
    let mut some = false;
    for row in rows {
        let Some(text) = row.get(column) else { continue };
        match parse(text) {
            Some(value) => some |= !value.is_nan(),
            None => {
                let line = row.position().map_or(0, csv::Position::line);
                return Some(format!("line {line} has {:?}", shown(text)));
            }
        }
    }
    (!some).then(|| "it has no value in the first lines".to_owned())
}

/// A value, or as much of it as a message has room for.
fn shown(value: &str) -> String {
    let mut shown: String = value.chars().take(SHOWN).collect();
    if shown.len() < value.len() {
        shown.push('…');
    }
    shown
}

/// What the library found wrong.
fn failure(source: &Source, error: csv::Error) -> DataError {
    let file = source.to_string();
    let position = error.position().cloned();
    match error.into_kind() {
        csv::ErrorKind::Io(error) => source.unreadable(error),
        csv::ErrorKind::UnequalLengths { expected_len: expected, len: found, .. } => {
            DataError::Ragged { file, line: position.map_or(0, |at| at.line()), found, expected }
        }
        csv::ErrorKind::Utf8 { err, .. } => {
            let line = position.map_or(0, |at| at.line());
            source.malformed(format_args!("line {line}, field {}: not UTF-8", err.field() + 1))
        }
        other => source.malformed(format_args!("{other:?}")),
    }
}

/// Columns that are kept.
struct Carried {
    fields: Vec<Field>,
    columns: Vec<Column>,
}

enum Column {
    Text(StringBuilder),
    Numbers(Float64Builder),
}

impl Carried {
    fn new(carry: Carry, names: &[String], chosen: &Chosen) -> Self {
        let (mut fields, mut columns) = (Vec::new(), Vec::new());
        if carry != Carry::Nothing {
            for (at, name) in names.iter().enumerate() {
                let numbers = carry == Carry::AsNumbers && chosen.has(at);
                let kind = if numbers { DataType::Float64 } else { DataType::Utf8 };
                fields.push(Field::new(name, kind, true));
                columns.push(match numbers {
                    true => Column::Numbers(Float64Builder::new()),
                    false => Column::Text(StringBuilder::new()),
                });
            }
        }
        Self { fields, columns }
    }

    fn push(&mut self, record: &StringRecord) {
        for (column, text) in self.columns.iter_mut().zip(record) {
            match column {
                Column::Text(column) => column.append_value(text),
                Column::Numbers(column) => column.append_value(parse(text).unwrap_or(f64::NAN)),
            }
        }
    }

    fn finish(self) -> Option<RecordBatch> {
        if self.fields.is_empty() {
            return None;
        }
        let finish = |column| -> ArrayRef {
            let mut builder: Box<dyn ArrayBuilder> = match column {
                Column::Text(column) => Box::new(column),
                Column::Numbers(column) => Box::new(column),
            };
            builder.finish()
        };
        let columns = self.columns.into_iter().map(finish).collect();
        Some(RecordBatch::try_new(Arc::new(Schema::new(self.fields)), columns).expect("columns of equal lengths"))
    }
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
            ("\"a,b\";1\n\"c\";2\n", b';'),
            ("a,b c\n1,2 3\n", b','),
            ("1\n2\n", b','),
        ] {
            assert_eq!(char::from(sniff(text.as_bytes())), char::from(delimiter), "{text:?}");
        }
    }

    #[test]
    fn names_are_told_from_values() {
        for (line, names) in
            [("x,y", true), ("1,2", false), ("1,b", false), (",y", true), ("nan,", false), ("x,", true)]
        {
            assert_eq!(is_header(&StringRecord::from_iter(line.split(','))), names, "{line}");
        }
    }

    #[test]
    fn numbers_and_missing_values_are_told_apart() {
        assert_eq!((parse(" 1e3 "), parse("-.5"), parse("1,5"), parse("abc")), (Some(1e3), Some(-0.5), None, None));
        for text in ["", " ", "NA", "nan", "NaN", "null", "None", "?"] {
            assert!(parse(text).unwrap().is_nan(), "{text:?}");
        }
        assert_eq!(parse("inf"), Some(f64::INFINITY));
    }
}
