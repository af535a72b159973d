//! Whether the first line of a text has names or values.

use csv::StringRecord;

use super::text::{number, parse};
use crate::data::columns::{Decimal, ReadOptions, quoted};

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
    /// Of the first line, some behind it, and what stands above it in one that begins with `#`.
    pub fn of(
        options: &ReadOptions,
        first: &StringRecord,
        rows: &[StringRecord],
        above: Option<&StringRecord>,
    ) -> Self {
        let lines = Lines { first, rows, decimal: options.decimal };
        let commented = above.filter(|above| above.len() == first.len() && lines.has_no_numbers(above));
        let sure = lines.has_no_numbers(first);
        let guess = || {
            let numbered = || lines.is_of_index() || lines.counts_columns();
            sure || lines.is_text_above_numbers() || commented.is_none() && numbered()
        };
        let is_names = options.header.unwrap_or_else(guess);
        let names = if is_names { Some(first) } else { commented };
        let unsaid = options.header.is_none() && (is_names || commented.is_none());
        let unsure = unsaid && if is_names { !sure } else { lines.may_have_names() };
        let left = above.filter(|above| above.len() > 1 && above.len() == first.len() && commented.is_none());
        Self {
            names: match names {
                Some(line) => line.iter().map(|name| name.trim().to_owned()).collect(),
                None => (0..first.len()).map(|c| format!("x{c}")).collect(),
            },
            first: is_names,
            guessed: unsaid && !is_names,
            // A row that is lost is worse than one too many.
            note: match left {
                Some(line) => {
                    Some(format!("a line above the rows was left out, since it begins with #: {}", shown(line)))
                }
                None => unsure.then(|| note(first, is_names)),
            },
        }
    }
}

fn note(first: &StringRecord, names: bool) -> String {
    let (taken, other, answer) = if names { ("names", "values", "no") } else { ("values", "names", "yes") };
    format!("the first line ({}) was taken for {taken}; if it has {other}, say --header {answer}", shown(first))
}

fn shown(line: &StringRecord) -> String {
    quoted(&line.iter().map(|field| field.trim().to_owned()).collect::<Vec<_>>())
}

/// The first line, and some behind it.
struct Lines<'a> {
    first: &'a StringRecord,
    rows: &'a [StringRecord],
    decimal: Decimal,
}

impl Lines<'_> {
    fn is_number(&self, field: &str) -> bool {
        number(field, self.decimal).is_some()
    }

    fn is_text(&self, field: &str) -> bool {
        parse(field, self.decimal).is_none()
    }

    /// Whether no field is a number, and some are not empty.
    fn has_no_numbers(&self, line: &StringRecord) -> bool {
        line.iter().any(|field| self.is_text(field)) && !line.iter().any(|field| self.is_number(field))
    }

    fn is_text_above_numbers(&self) -> bool {
        self.first.iter().enumerate().any(|(c, field)| self.is_text(field) && self.is_number_below(c))
    }

    /// Whether nothing stands above numbers where an index has its name, and no other field is missing: elsewhere it is
    /// a value that is.
    fn is_of_index(&self) -> bool {
        let fields = self.first.iter().enumerate();
        fields.clone().all(|(c, field)| field.trim().is_empty() == (c == 0)) && self.is_number_below(0)
    }

    /// Whether the first value of a column is a number.
    fn is_number_below(&self, column: usize) -> bool {
        let fields = self.rows.iter().filter_map(|row| row.get(column));
        let value =
            fields.map(|field| parse(field, self.decimal)).find(|value| value.is_none_or(|value| !value.is_nan()));
        value.flatten().is_some()
    }

    /// Whether the first line counts columns, as pandas does with those that have no names, and the next does not. One
    /// of which the others count on is a row with its index.
    fn counts_columns(&self) -> bool {
        let counts = |line: &StringRecord| {
            let from = usize::from(line.get(0).is_some_and(|field| !self.is_number(field)));
            line.len() >= from + 2 && line.iter().skip(from).enumerate().all(|(c, field)| field.trim() == c.to_string())
        };
        let goes_on = |(i, row): (usize, &StringRecord)| row.get(0).is_some_and(|at| at.trim() == (i + 1).to_string());
        let indexed = self.rows.iter().take(OF_INDEX).enumerate().all(goes_on);
        counts(self.first) && !indexed && self.rows.first().is_some_and(|second| !counts(second))
    }

    /// Whether a line with numbers might have names all the same: if its numbers are whole and differ, as names do, and
    /// text is beside them, or each is one more than that before, or no number below is whole.
    fn may_have_names(&self) -> bool {
        let numbers = |line: &StringRecord| -> Vec<String> {
            line.iter().map(str::trim).filter(|field| self.is_number(field)).map(str::to_owned).collect()
        };
        let is_whole = |field: &str| !field.is_empty() && field.bytes().all(|byte| byte.is_ascii_digit());
        let run = |numbers: &[String]| {
            let values: Vec<u64> = numbers.iter().filter_map(|number| number.parse().ok()).collect();
            let by_one = |pair: &[u64]| pair[0].checked_add(1) == Some(pair[1]);
            values.len() > 1 && values.len() == numbers.len() && values.windows(2).all(by_one)
        };
        let found = numbers(self.first);
        let differ = found.iter().enumerate().all(|(at, number)| is_whole(number) && !found[..at].contains(number));
        if found.is_empty() || !differ {
            return false;
        }
        let text = self.first.iter().any(|field| self.is_text(field));
        let counted = run(&found) && self.rows.first().is_some_and(|second| !run(&numbers(second)));
        let whole_below = self.rows.iter().any(|row| row.iter().any(|field| is_whole(field.trim())));
        text || counted || !self.rows.is_empty() && !whole_below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> StringRecord {
        StringRecord::from_iter(text.split(','))
    }

    fn header(text: &str) -> Header {
        let lines: Vec<StringRecord> = text.lines().map(line).collect();
        Header::of(&ReadOptions::default(), &lines[0], &lines[1..], None)
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
            let options = ReadOptions { header: Some(said), ..ReadOptions::default() };
            let found = Header::of(&options, &line("0,1"), &[line("1.5,2.5")], None);
            assert_eq!((found.first, found.note, found.guessed), (said, None, false));
            assert_eq!(found.names[0], names);
        }
    }

    /// A line above that begins with `#` has the names if it has as many as there are columns, and no other has.
    #[test]
    fn names_may_stand_above() {
        let of = |said, above: &str, text: &str| {
            let lines: Vec<StringRecord> = text.lines().map(line).collect();
            let options = ReadOptions { header: said, ..ReadOptions::default() };
            Header::of(&options, &lines[0], &lines[1..], Some(&line(above)))
        };
        for (said, above, text, names, noted) in [
            (None, " x, y", "1,2\n3,4", "x,y", false),
            (None, " x, y", "0,1\n1.5,2.5", "x,y", false),
            (Some(false), "x,y", "1,2\n3,4", "x,y", false),
            (None, "made,by me", "x,y\n3,4", "x,y", false),
            (None, "made,by me", "id,2019\n3,4", "id,2019", true),
            (Some(true), "x,y", "1,2\n3,4", "1,2", false),
            (None, "made by me", "1,2\n3,4", "x0,x1", false),
            // It might be a row.
            (None, "2019,2020", "1.5,2\n3,4", "x0,x1", true),
            (None, "f00,1", "red,2\nblue,4", "x0,x1", true),
        ] {
            let found = of(said, above, text);
            assert_eq!((found.names.join(","), found.note.is_some()), (names.to_owned(), noted), "{above:?} {text:?}");
            let left = found.note.is_some_and(|note| note.contains("begins with #"));
            assert_eq!(left, noted && names == "x0,x1", "{above:?} {text:?}");
        }
    }
}
