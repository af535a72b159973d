//! Text with a delimiter: CSV and TSV.

use std::collections::HashSet;
use std::io::Read;
use std::sync::Arc;

use arrow_array::builder::{ArrayBuilder, Float64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use csv::StringRecord;

use super::chunk::{Chunk, Rows};
use super::header::Header;
use super::records::Records;
use super::sample::Sample;
use super::{Carry, Chunks};
use crate::data::columns::{Chosen, Decimal, ReadOptions, Role, quoted};
use crate::data::error::DataError;
use crate::data::source::Source;

/// What stands for a missing value, whatever its case.
const MISSING: [&str; 7] = ["", "na", "n/a", "nan", "null", "none", "?"];

/// The name of an index without one that pandas has read and written again.
const READ_AGAIN: &str = "Unnamed: 0";

/// Bytes of text that are kept at a time: more rows come in the next part. Beyond 2^31 a column could not say where its values begin.
const KEPT: usize = 1 << 26;

/// Letters of a wrong value that are shown.
const SHOWN: usize = 40;

/// What to do about a number with a comma.
const HAS_COMMA: &str = "; numbers have a decimal point unless --decimal , is said";

/// What to do about a first line that is wrong as one with values.
const MAY_HAVE_NAMES: &str = "; if the first line has names, say --header yes";

/// Rows of text.
pub struct Text {
    file: String,
    records: Records<Box<dyn Read + Send>>,
    names: Vec<String>,
    chosen: Chosen,
    roles: Vec<(usize, Role)>,
    options: ReadOptions,
    carry: Carry,
    /// The first line, if it was taken for one with values though nobody said so.
    guessed: Option<u64>,
    delimiter: u8,
    notes: Vec<String>,
    record: StringRecord,
}

impl Text {
    /// Begins to read.
    ///
    /// # Errors
    /// What [`DataError`] has for text.
    pub fn open(source: &Source, options: &ReadOptions, carry: Carry) -> Result<Self, DataError> {
        let file = source.to_string();
        let decimal = options.decimal;
        if (decimal, options.delimiter) == (Decimal::Comma, Some(b',')) {
            let why = "a field would end within a number; give another delimiter";
            return Err(DataError::Unsupported { what: "a comma as decimal mark and delimiter".to_owned(), why });
        }
        let mut sample = Sample::of(source, source.stream()?)?;
        let (sampled, delimiter) = sample.lines(source, (options.delimiter, decimal))?;
        let above = sample.comment(source, delimiter);
        let first = match (sampled.first(), &above) {
            (Some(first), _) => first,
            (None, Some(_)) => return Err(source.malformed("all of its lines begin with #, as those above a table do")),
            (None, None) => return Err(DataError::Empty { file }),
        };
        let header = Header::of(options, first, &sampled[1..], above.as_ref());
        let guessed = first.position().map(csv::Position::line).filter(|_| header.guessed);
        let Header { names, first: has_names, note, .. } = header;
        let rows = &sampled[usize::from(has_names)..];
        if rows.is_empty() {
            return Err(DataError::Empty { file });
        }
        let found: Vec<_> = (0..names.len()).map(|c| Fields::of(rows, c, (delimiter, decimal))).collect();
        let mut unfit: Vec<_> = found.iter().map(Fields::no_numbers).collect();
        if has_names && is_index(&names, rows) {
            let why = "it has no name, and another number in each row, as an index has; '#1' in --columns names it";
            unfit[0].get_or_insert_with(|| why.to_owned());
        }
        let chosen = Chosen::of(options, &file, &names, &unfit).map_err(|error| match error {
            DataError::NoColumn { file, column, known, .. }
                if guessed.is_some() && first.iter().any(|field| field.trim() == column) =>
            {
                DataError::NoColumn { file, column, known, hint: MAY_HAVE_NAMES.to_owned() }
            }
            DataError::NoNumbers { file, left, why, .. } if names.len() == 1 => {
                DataError::NoNumbers { file, left, why, hint: "only one column was found: is --delimiter right?" }
            }
            other => other,
        })?;
        let named = !options.coordinates.is_empty();
        let left_out = (0..names.len()).filter(|&at| !named && !chosen.has(at) && found[at].are_mostly_numbers());
        let notes = note.into_iter().chain(mostly_numbers(left_out.collect(), &names, &found)).collect();
        let above = sample.above();
        let mut records = Records::new(sample.text(), delimiter, true, above);
        let mut record = StringRecord::new();
        if has_names {
            records.read(source, &mut record)?;
        }
        let roles = chosen.roles().collect();
        let options = options.clone();
        Ok(Self { file, records, names, chosen, roles, options, carry, guessed, delimiter, notes, record })
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
            hint: match self.guessed {
                Some(first) if first == line => MAY_HAVE_NAMES,
                _ if has_comma(value, (self.delimiter, self.options.decimal)) => HAS_COMMA,
                _ => "; choose other --columns, or mend the line",
            },
        }
    }

    /// What is to be done about a value of a line, if that is the first and might have names.
    fn of_line(&self, error: DataError, line: u64) -> DataError {
        match error {
            DataError::Missing { file, at, column, .. } if self.guessed == Some(line) => {
                DataError::Missing { file, at, column, hint: MAY_HAVE_NAMES }
            }
            other => other,
        }
    }
}

impl Chunks for Text {
    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn next(&mut self, source: &Source, most: usize) -> Result<Option<Chunk>, DataError> {
        let mut chunk = Chunk::default();
        let decimal = self.options.decimal;
        let mut carried = Carried::new(self.carry, &self.names, &self.chosen);
        let mut values = Vec::with_capacity(self.roles.len());
        let mut read = 0;
        while read < most && carried.bytes < KEPT && self.records.read(source, &mut self.record)? {
            read += 1;
            let line = || self.record.position().map_or(0, csv::Position::line);
            let (found, expected) = (self.record.len() as u64, self.names.len() as u64);
            if found != expected {
                return Err(DataError::Ragged { file: self.file.clone(), line: line(), found, expected });
            }
            let rows = Rows { file: &self.file, names: &self.names, roles: &self.roles, missing: self.options.missing };
            values.clear();
            let mut whole = true;
            for &(column, role) in &self.roles {
                let text = &self.record[column];
                let value = parse(text, decimal).ok_or_else(|| self.wrong(column, text, line()))?;
                let checked = rows.check(value, (column, role), || format!("line {}", line()));
                whole &= checked.map_err(|error| self.of_line(error, line()))?;
                values.push(value);
            }
            if !whole {
                chunk.dropped += 1;
                continue;
            }
            for (&(_, role), &value) in self.roles.iter().zip(&values) {
                chunk.push(role, value);
            }
            carried.push(&self.record, decimal);
        }
        chunk.carried = carried.finish();
        Ok((read > 0).then_some(chunk))
    }
}

/// A number; NaN for what stands for a missing value; nothing for other text.
pub fn parse(text: &str, decimal: Decimal) -> Option<f64> {
    let is_missing = || MISSING.iter().any(|missing| text.trim().eq_ignore_ascii_case(missing));
    number(text, decimal).or_else(|| is_missing().then_some(f64::NAN))
}

/// A number, NaN if it says so; nothing for other text.
pub fn number(text: &str, decimal: Decimal) -> Option<f64> {
    let text = text.trim();
    match decimal {
        Decimal::Comma if text.contains('.') => None,
        Decimal::Comma if text.contains(',') => text.replace(',', ".").parse().ok(),
        Decimal::Point | Decimal::Comma => text.parse().ok(),
    }
}

/// Whether a text would be a number if commas were decimal marks, as they may be.
fn has_comma(text: &str, (delimiter, decimal): (u8, Decimal)) -> bool {
    let is_number = || number(text, Decimal::Comma).is_some();
    decimal == Decimal::Point && delimiter != b',' && text.contains(',') && is_number()
}

/// Whether a field has anything in it.
pub fn there(text: &str) -> bool {
    !text.trim().is_empty()
}

/// What a column's fields are, as far as the first lines tell.
struct Fields {
    numbers: usize,
    others: usize,
    /// The first that is neither a number nor missing, and where it is.
    other: Option<String>,
}

impl Fields {
    fn of(rows: &[StringRecord], column: usize, marks: (u8, Decimal)) -> Self {
        let mut found = Self { numbers: 0, others: 0, other: None };
        for row in rows {
            let Some(text) = row.get(column) else { continue };
            match parse(text, marks.1) {
                Some(value) => found.numbers += usize::from(!value.is_nan()),
                None => {
                    found.others += 1;
                    found.other.get_or_insert_with(|| {
                        let line = row.position().map_or(0, csv::Position::line);
                        let hint = if has_comma(text, marks) { HAS_COMMA } else { "" };
                        format!("line {line} has {:?}{hint}", shown(text))
                    });
                }
            }
        }
        found
    }

    /// Why they are no numbers; nothing if they are.
    fn no_numbers(&self) -> Option<String> {
        self.other.clone().or_else(|| (self.numbers == 0).then(|| "it has no value in the first lines".to_owned()))
    }

    /// Whether the column looks as if it was to hold numbers, though some of its fields are none.
    fn are_mostly_numbers(&self) -> bool {
        self.others > 0 && self.numbers >= self.others
    }
}

/// That columns were left out which look as if they were coordinates: one field that was mistyped is not to take one from
/// the points unnoticed.
fn mostly_numbers(columns: Vec<usize>, names: &[String], found: &[Fields]) -> Option<String> {
    let (&first, others) = columns.split_first()?;
    let Fields { numbers, others: no_numbers, other } = &found[first];
    let (column, fields, other) = (&names[first], numbers + no_numbers, other.as_deref().unwrap_or_default());
    let others: Vec<String> = others.iter().map(|&at| names[at].clone()).collect();
    let alike = if others.is_empty() { String::new() } else { format!("; likewise left out: {}", quoted(&others)) };
    Some(format!(
        "column {column:?} was left out of the coordinates, though {numbers} of its first {fields} values are numbers: \
         {other}; naming it in --columns makes that an error{alike}"
    ))
}

/// Whether the first column is an index, as pandas and R write one: it alone has no name, and its numbers are whole and differ.
fn is_index(names: &[String], rows: &[StringRecord]) -> bool {
    let mut found = HashSet::new();
    let differs = |row: &StringRecord| {
        let text = row.get(0).unwrap_or("").trim();
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && found.insert(text.to_owned())
    };
    let unnamed = |name: &str| name.is_empty() || name == READ_AGAIN;
    let alone = names.len() > 1 && names.iter().enumerate().all(|(c, name)| unnamed(name) == (c == 0));
    alone && rows.iter().all(differs)
}

/// A value, or as much of it as a message has room for.
fn shown(value: &str) -> String {
    let mut shown: String = value.chars().take(SHOWN).collect();
    if shown.len() < value.len() {
        shown.push('…');
    }
    shown
}

/// Columns that are kept.
struct Carried {
    fields: Vec<Field>,
    columns: Vec<Column>,
    /// Whether an empty field of text is none at all.
    missing: bool,
    /// Bytes of the rows so far, if there are columns.
    bytes: usize,
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
        Self { fields, columns, missing: carry == Carry::AsNumbers, bytes: 0 }
    }

    fn push(&mut self, record: &StringRecord, decimal: Decimal) {
        if !self.columns.is_empty() {
            self.bytes += record.as_slice().len();
        }
        for (column, text) in self.columns.iter_mut().zip(record) {
            match column {
                Column::Text(column) => column.append_option(Some(text).filter(|text| !self.missing || there(text))),
                Column::Numbers(column) => column.append_value(parse(text, decimal).unwrap_or(f64::NAN)),
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
    fn numbers_and_missing_values_are_told_apart() {
        let point = |text| parse(text, Decimal::Point);
        assert_eq!((point(" 1e3 "), point("-.5"), point("1,5"), point("abc")), (Some(1e3), Some(-0.5), None, None));
        for text in ["", " ", "NA", "nan", "NaN", "null", "None", "?"] {
            assert!(point(text).unwrap().is_nan() && parse(text, Decimal::Comma).unwrap().is_nan(), "{text:?}");
        }
        assert_eq!(point("inf"), Some(f64::INFINITY));
    }

    #[test]
    fn numbers_may_have_commas() {
        for (text, value) in [
            (" 1,5 ", Some(1.5)),
            ("-,5e1", Some(-5.0)),
            ("3", Some(3.0)),
            ("1.5", None),
            ("1.234,5", None),
            ("1,2,3", None),
        ] {
            assert_eq!(parse(text, Decimal::Comma), value, "{text:?}");
        }
    }
}
