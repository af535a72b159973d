//! Whether the first line of a text has names or values.

use csv::StringRecord;

use super::text::{is_number, parse};
use crate::data::columns::list;

/// Lines whose first fields tell an index from other numbers.
const OF_INDEX: usize = 3;

/// What the first line of a text is.
#[derive(Debug, PartialEq, Eq)]
pub struct Header {
    /// The columns' names.
    pub names: Vec<String>,
    /// Whether they are the first line's.
    pub first: bool,
    /// Whether the first line was taken for one with values though nobody said so.
    pub guessed: bool,
    /// That it might be otherwise.
    pub note: Option<String>,
}

impl Header {
    /// Of a first line and some `rows` behind it, if nobody `said` whether it has names.
    pub fn of(said: Option<bool>, first: &StringRecord, rows: &[StringRecord]) -> Self {
        let sure = has_no_numbers(first);
        let names = said.unwrap_or_else(|| sure || is_above_numbers(first, rows) || counts_columns(first, rows));
        let unsure = said.is_none() && if names { !sure } else { may_have_names(first, rows) };
        Self {
            names: match names {
                true => first.iter().map(|name| name.trim().to_owned()).collect(),
                false => (0..first.len()).map(|c| format!("x{c}")).collect(),
            },
            first: names,
            guessed: said.is_none() && !names,
            note: unsure.then(|| note(first, names)),
        }
    }
}

fn note(first: &StringRecord, names: bool) -> String {
    let line = list(&first.iter().map(|field| format!("{:?}", field.trim())).collect::<Vec<_>>());
    let (taken, other, answer) = if names { ("names", "values", "no") } else { ("values", "names", "yes") };
    format!("the first line ({line}) was taken for {taken}; if it has {other}, say --header {answer}")
}

/// Whether no field is a number, and some are not empty.
fn has_no_numbers(line: &StringRecord) -> bool {
    line.iter().any(|field| parse(field).is_none()) && !line.iter().any(is_number)
}

/// Whether some text of a line stands above numbers. Nothing does so too where an index has its name and no other is
/// missing: elsewhere it is a value that is.
fn is_above_numbers(first: &StringRecord, rows: &[StringRecord]) -> bool {
    let of_index = first.iter().enumerate().all(|(c, field)| field.trim().is_empty() == (c == 0));
    (0..first.len()).any(|c| (parse(&first[c]).is_none() || c == 0 && of_index) && is_number_below(rows, c))
}

/// Whether the first value of a column is a number.
fn is_number_below(rows: &[StringRecord], column: usize) -> bool {
    let fields = rows.iter().filter_map(|row| row.get(column));
    let value = fields.map(parse).find(|value| value.is_none_or(|value| !value.is_nan()));
    value.flatten().is_some()
}

/// Whether a line counts columns, as pandas does with those that have no names, and the next line does not. A first
/// line of which the others count on is a row with its index.
fn counts_columns(first: &StringRecord, rows: &[StringRecord]) -> bool {
    let counts = |line: &StringRecord| {
        let from = usize::from(line.get(0).is_some_and(|field| !is_number(field)));
        line.len() >= from + 2 && line.iter().skip(from).enumerate().all(|(c, field)| field.trim() == c.to_string())
    };
    let mut rows = rows.iter().take(OF_INDEX).enumerate();
    let indexed = rows.clone().all(|(i, row)| row.get(0).is_some_and(|field| field.trim() == (i + 1).to_string()));
    counts(first) && !indexed && rows.next().is_some_and(|(_, second)| !counts(second))
}

/// Whether a line with numbers might have names all the same: if its numbers are whole and differ, as names do, and text
/// is beside them, or each is one more than that before, or no number below is whole.
fn may_have_names(first: &StringRecord, rows: &[StringRecord]) -> bool {
    let numbers = |line: &StringRecord| -> Vec<String> {
        line.iter().map(str::trim).filter(|field| is_number(field)).map(str::to_owned).collect()
    };
    let is_whole = |field: &str| !field.is_empty() && field.bytes().all(|byte| byte.is_ascii_digit());
    let run = |numbers: &[String]| {
        let values: Vec<u64> = numbers.iter().filter_map(|number| number.parse().ok()).collect();
        values.len() > 1
            && values.len() == numbers.len()
            && values.windows(2).all(|pair| pair[0].checked_add(1) == Some(pair[1]))
    };
    let found = numbers(first);
    let differ = found.iter().enumerate().all(|(at, number)| is_whole(number) && !found[..at].contains(number));
    if found.is_empty() || !differ {
        return false;
    }
    let text = first.iter().any(|field| parse(field).is_none());
    let counted = run(&found) && rows.first().is_some_and(|second| !run(&numbers(second)));
    let alone = !rows.is_empty() && !rows.iter().any(|row| row.iter().any(|field| is_whole(field.trim())));
    text || counted || alone
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> StringRecord {
        StringRecord::from_iter(text.split(','))
    }

    fn header(text: &str) -> Header {
        let lines: Vec<StringRecord> = text.lines().map(line).collect();
        Header::of(None, &lines[0], &lines[1..])
    }

    #[test]
    fn lines_without_numbers_are_names() {
        for (text, names) in
            [("x,y", true), ("1,2", false), ("1.5,b", false), (",y", true), ("nan,", false), ("x,", true)]
        {
            let found = header(text);
            assert_eq!((found.first, found.note), (names, None), "{text}");
        }
    }

    /// Names, and whether it is noted that they may be none.
    #[test]
    fn names_may_be_numbers() {
        for text in [
            // Text above numbers, and nothing above an index.
            "id,2019,2020\n1,5,6",
            "id,2019\n,5\n1,6",
            ",2019,2020\n0,1.5,2.5",
            "1,b\n3,4",
            // As pandas counts columns.
            "0,1\n1.5,2.5",
            "0,1,2\n0,1,1\n0,1,3",
            ",0,1\na,1.5,2.5",
            "name,0,1\na,1.5,2.5",
        ] {
            let found = header(text);
            assert!(found.first && !found.guessed, "{text}");
            assert!(found.note.unwrap().ends_with("was taken for names; if it has values, say --header no"), "{text}");
            assert_eq!(found.names, text.lines().next().unwrap().split(',').collect::<Vec<_>>());
        }
    }

    #[test]
    fn numbers_may_be_names() {
        for (text, noted) in [
            ("1,2\n3,4", false),
            ("1.5,a\n2.5,b", false),
            ("0,0\n0,1", false),
            ("1,,3\n4,5,6", false),
            ("NA,2,4\n4,5,6", false),
            ("0\n5\n6", false),
            ("5", false),
            ("0,1\n0,1", false),
            ("0,1.5\n1,2.5\n2,3.5", false),
            // A row with its index, though it counts columns.
            ("0,1\n1,5\n2,7", true),
            ("name,2019,2020\na,5,6", true),
            ("a,1\nb,2", true),
            ("2019,2020\n5,8", true),
            ("10,20,50\n1.5,2.5,3.5", true),
            ("0\n0.5\n1.5", true),
            ("18446744073709551615,0\n1.5,2.5", true),
        ] {
            let found = header(text);
            assert!(!found.first && found.guessed, "{text}");
            assert_eq!(found.note.is_some(), noted, "{text}: {found:?}");
            assert_eq!(found.names[0], "x0");
        }
        let note = header("name,2019\na,5").note.unwrap();
        assert_eq!(note, "the first line (\"name\", \"2019\") was taken for values; if it has names, say --header yes");
    }

    #[test]
    fn what_is_said_counts() {
        for (said, names) in [(true, "0"), (false, "x0")] {
            let found = Header::of(Some(said), &line("0,1"), &[line("1.5,2.5")]);
            assert_eq!((found.first, found.note, found.guessed), (said, None, false));
            assert_eq!(found.names[0], names);
        }
    }
}
