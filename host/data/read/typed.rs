//! Columns of text that hold numbers, as numbers.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};

use super::text::{parse, there};
use crate::data::columns::Decimal;

/// What all of a column's values are, the narrowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Missing,
    Integers,
    Numbers,
    Text,
}

/// Gives columns of text the type that all of their values have: integers of 64 bits, other numbers, or else text. In
/// columns that are read as numbers all are numbers; in others codes are text.
pub fn typed(parts: &mut [RecordBatch], read: &[usize], decimal: Decimal) {
    let Some(first) = parts.first() else { return };
    let names: Vec<String> = first.schema().fields().iter().map(|field| field.name().clone()).collect();
    let kinds: Vec<Kind> = (0..names.len()).map(|at| kind_of(parts, at, (read.contains(&at), decimal))).collect();
    let type_of = |kind| match kind {
        Kind::Integers => DataType::Int64,
        Kind::Numbers => DataType::Float64,
        Kind::Missing | Kind::Text => DataType::Utf8,
    };
    let fields = names.iter().zip(&kinds).map(|(name, &kind)| Field::new(name, type_of(kind), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    // Part by part, lest all are there twice.
    for part in parts {
        let columns =
            part.columns().iter().zip(&kinds).map(|(column, &kind)| converted(column, kind, decimal)).collect();
        *part = RecordBatch::try_new(schema.clone(), columns).expect("columns of equal lengths");
    }
}

fn kind_of(parts: &[RecordBatch], at: usize, (read, decimal): (bool, Decimal)) -> Kind {
    let mut all = Kind::Missing;
    for part in parts {
        for text in part.column(at).as_string::<i32>().iter().flatten() {
            all = all.max(kind(text, (read, decimal)));
            if all == Kind::Text {
                return all;
            }
        }
    }
    all
}

fn kind(text: &str, (read, decimal): (bool, Decimal)) -> Kind {
    let text = text.trim();
    match parse(text, decimal) {
        None => Kind::Text,
        Some(_) if !read && is_code(text) => Kind::Text,
        Some(_) if text.parse::<i64>().is_ok() => Kind::Integers,
        // What says that it is none, as NaN does.
        Some(value) if value.is_nan() => Kind::Missing,
        Some(_) => Kind::Numbers,
    }
}

/// Whether digits are a name, such as a postal code, rather than a number: those behind a zero, or too many for an
/// integer. As numbers they would be others.
fn is_code(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let all = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    all && (digits.len() > 1 && digits.starts_with('0') || text.parse::<i64>().is_err())
}

/// A column's values, none where one is missing.
fn converted(column: &ArrayRef, kind: Kind, decimal: Decimal) -> ArrayRef {
    let texts = || column.as_string::<i32>().iter().map(|text| text.unwrap_or("").trim());
    match kind {
        Kind::Integers => Arc::new(texts().map(|text| text.parse().ok()).collect::<Int64Array>()),
        Kind::Numbers => {
            let number = |text| parse(text, decimal).filter(|value| !value.is_nan());
            Arc::new(texts().map(number).collect::<Float64Array>())
        }
        Kind::Missing | Kind::Text => {
            let texts = column.as_string::<i32>().iter().map(|text| text.filter(|text| there(text)));
            Arc::new(texts.collect::<StringArray>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str], read: bool) -> Kind {
        values.iter().map(|text| kind(text, (read, Decimal::Point))).max().unwrap()
    }

    #[test]
    fn types_are_those_of_all_values() {
        for (values, expected) in [
            (&["1", "-2", " 3 ", "9007199254740993"][..], Kind::Integers),
            (&["1", "", "NA", "0"], Kind::Integers),
            (&["1", "2.5", "-0.5", "1e3"], Kind::Numbers),
            (&["1", "two"], Kind::Text),
            (&["", "NA", "nan"], Kind::Missing),
        ] {
            assert_eq!((of(values, false), of(values, true)), (expected, expected), "{values:?}");
        }
    }

    #[test]
    fn codes_are_text_unless_they_are_read_as_numbers() {
        for (values, as_numbers) in [
            (["01067", "10115"], Kind::Integers),
            (["18446744073709551615", "1"], Kind::Numbers),
            (["-007", "+1"], Kind::Integers),
        ] {
            assert_eq!((of(&values, false), of(&values, true)), (Kind::Text, as_numbers), "{values:?}");
        }
    }
}
