//! Which columns of a table mean what.

use serde::Serialize;

use super::error::DataError;

/// What to do with rows in which a value is missing.
///
/// ```
/// use modeseek::data::{Carry, Missing, ReadOptions, Source, Table};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("gaps.csv");
/// std::fs::write(&path, "x,y\n1,2\n3,\n5,6\n")?;
/// let options = ReadOptions { missing: Missing::Drop, ..ReadOptions::default() };
/// let table = Table::read(&Source::new(&path, None)?, &options, Carry::Nothing)?;
/// assert_eq!(table.rows, [1.0, 2.0, 5.0, 6.0]);
/// assert_eq!(table.dropped, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missing {
    /// It is an error.
    #[default]
    Error,
    /// They are left out.
    Drop,
}

/// The mark before the decimal places of numbers in text.
///
/// ```
/// use modeseek::data::{Carry, Decimal, ReadOptions, Source, Table};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("german.csv");
/// std::fs::write(&path, "x;y\n1,5;2\n")?;
/// let options = ReadOptions { decimal: Decimal::Comma, ..ReadOptions::default() };
/// let table = Table::read(&Source::new(&path, None)?, &options, Carry::Nothing)?;
/// assert_eq!(table.rows, [1.5, 2.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decimal {
    /// 1.5
    #[default]
    Point,
    /// 1,5
    Comma,
}

/// How to read a table. Columns go by name, or by number from 1, as `#2`.
///
/// ```
/// use modeseek::data::{Carry, ReadOptions, Source, Table};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("cities.csv");
/// std::fs::write(&path, "east,north,people\n1,2,10\n3,4,20\n")?;
/// let options = ReadOptions {
///     coordinates: vec!["north".to_owned(), "east".to_owned()],
///     weights: Some("people".to_owned()),
///     ..ReadOptions::default()
/// };
/// let table = Table::read(&Source::new(&path, None)?, &options, Carry::Nothing)?;
/// assert_eq!(table.rows, [2.0, 1.0, 4.0, 3.0]);
/// assert_eq!(table.weights, [10.0, 20.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// The columns of coordinates; all that hold numbers if empty.
    pub coordinates: Vec<String>,
    /// The column of sample weights.
    pub weights: Option<String>,
    /// The column of bandwidths.
    pub bandwidths: Option<String>,
    /// What to do with rows in which a value is missing.
    pub missing: Missing,
    /// The delimiter of text; found out if none is given.
    pub delimiter: Option<u8>,
    /// The mark before the decimal places of numbers in text.
    pub decimal: Decimal,
    /// Whether the first line of text has names; found out if not said, from its fields and those below.
    pub header: Option<bool>,
    /// The array of an NPZ file; if not said, the only one, or all as columns if each has one axis and they are as long,
    /// or that which is called `points`, `X` or `data`.
    pub array: Option<String>,
}

/// A column that is no coordinate though no columns were named, since it does not hold numbers, or is an index.
///
/// ```
/// use modeseek::data::{Carry, ReadOptions, Reader, Source};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("gaps.csv");
/// std::fs::write(&path, "x,y\n1,2\n3,four\n")?;
/// let reader = Reader::open(&Source::new(&path, None)?, &ReadOptions::default(), Carry::Nothing)?;
/// assert_eq!(reader.left_out()[0].to_string(), "y (line 3 has \"four\")");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The column.
    pub column: String,
    /// What it holds instead, or why that is an index.
    pub why: String,
}

impl std::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &*self.column {
            "" => write!(f, "\"\" ({})", self.why),
            column => write!(f, "{column} ({})", self.why),
        }
    }
}

/// A column that is read as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// This coordinate.
    Coordinate(usize),
    /// The sample weight.
    Weight,
    /// The bandwidth.
    Bandwidth,
}

/// The columns that are read as numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Of the coordinates, in order.
    pub coordinates: Vec<usize>,
    /// Of the sample weights.
    pub weights: Option<usize>,
    /// Of the bandwidths.
    pub bandwidths: Option<usize>,
    /// Those that would be coordinates if they held numbers, and were no index.
    pub left_out: Vec<LeftOut>,
}

impl Chosen {
    /// The columns that the options mean, of those with these names. For each, why it is no coordinate unless it is
    /// named; nothing if it is one.
    ///
    /// # Errors
    /// [`DataError::NoColumn`], [`DataError::Ambiguous`], [`DataError::Repeated`], [`DataError::NoNumbers`].
    pub fn of(
        options: &ReadOptions,
        file: &str,
        names: &[String],
        unfit: &[Option<String>],
    ) -> Result<Self, DataError> {
        let find = |name: &String| find(name, file, names);
        let weights = options.weights.as_ref().map(find).transpose()?;
        let bandwidths = options.bandwidths.as_ref().map(find).transpose()?;
        let mut coordinates = options.coordinates.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        if let Some(at) =
            coordinates.iter().enumerate().find_map(|(c, at)| coordinates[..c].contains(at).then_some(*at))
        {
            return Err(DataError::Repeated { file: file.to_owned(), column: names[at].clone() });
        }
        let mut left_out = Vec::new();
        if coordinates.is_empty() {
            for at in (0..names.len()).filter(|&at| ![weights, bandwidths].contains(&Some(at))) {
                match &unfit[at] {
                    None => coordinates.push(at),
                    Some(why) => left_out.push(LeftOut { column: names[at].clone(), why: why.clone() }),
                }
            }
        }
        if coordinates.is_empty() {
            let left = if weights.or(bandwidths).is_some() { " besides weights and bandwidths" } else { "" };
            let why = left_out.first().map(|column| format!(": {column}")).unwrap_or_default();
            return Err(DataError::NoNumbers {
                file: file.to_owned(),
                left,
                why,
                hint: "clustering needs at least one",
            });
        }
        Ok(Self { coordinates, weights, bandwidths, left_out })
    }

    /// Columns and what they are, each once for each role.
    pub fn roles(&self) -> impl Iterator<Item = (usize, Role)> {
        let coordinates = self.coordinates.iter().enumerate().map(|(c, &at)| (at, Role::Coordinate(c)));
        let weights = self.weights.map(|at| (at, Role::Weight));
        let bandwidths = self.bandwidths.map(|at| (at, Role::Bandwidth));
        coordinates.chain(weights).chain(bandwidths)
    }

    /// The same columns where only those that are `wanted`, in order, are there.
    pub fn among(&self, wanted: &[usize]) -> Self {
        let at = |column: usize| wanted.binary_search(&column).expect("wanted");
        Self {
            coordinates: self.coordinates.iter().map(|&column| at(column)).collect(),
            weights: self.weights.map(at),
            bandwidths: self.bandwidths.map(at),
            left_out: Vec::new(),
        }
    }

    /// Whether a column is read as numbers.
    pub fn has(&self, column: usize) -> bool {
        self.roles().any(|(at, _)| at == column)
    }
}

fn find(name: &String, file: &str, names: &[String]) -> Result<usize, DataError> {
    let mut found = (0..names.len()).filter(|&at| names[at] == *name);
    if let Some(at) = found.next() {
        return match found.next() {
            None => Ok(at),
            Some(_) => Err(DataError::Ambiguous { file: file.to_owned(), column: name.clone() }),
        };
    }
    let number = name.strip_prefix('#').and_then(|number| number.parse::<usize>().ok());
    match number {
        Some(number) if (1..=names.len()).contains(&number) => Ok(number - 1),
        _ => {
            let number = name.parse::<usize>().ok().filter(|number| (1..=names.len()).contains(number));
            let hint = number.map(|number| format!("; by number it is '#{number}'")).unwrap_or_default();
            Err(DataError::NoColumn { file: file.to_owned(), column: name.clone(), known: quoted(names), hint })
        }
    }
}

/// The first names in quotes: they may have commas.
pub fn quoted(names: &[String]) -> String {
    list(&names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>())
}

/// Which columns were left out and why, for a report; nothing if none were.
pub fn left_out_text(columns: &[LeftOut]) -> Option<String> {
    let texts: Vec<_> = columns.iter().map(ToString::to_string).collect();
    (!texts.is_empty()).then(|| format!("left out of the coordinates: {}", list(&texts)))
}

/// The first names, for a message.
pub fn list(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn choose(options: &ReadOptions) -> Result<Chosen, DataError> {
        let unfit = [Some("line 2 has \"a\"".to_owned()), None, None, None, None];
        Chosen::of(options, "a.csv", &names(&["id", "x", "y", "w", "x"]), &unfit)
    }

    #[test]
    fn columns_are_found_by_name_and_number() {
        let options = ReadOptions {
            coordinates: names(&["y", "#2"]),
            weights: Some("w".to_owned()),
            bandwidths: Some("#5".to_owned()),
            ..Default::default()
        };
        let chosen = choose(&options).unwrap();
        // Whoever names columns is told nothing of others.
        let left_out = Vec::new();
        assert_eq!(chosen, Chosen { coordinates: vec![2, 1], weights: Some(3), bandwidths: Some(4), left_out });
        assert!(chosen.has(3) && !chosen.has(0));
    }

    #[test]
    fn all_numbers_are_coordinates_unless_they_are_said_to_be_something_else() {
        let options = ReadOptions { weights: Some("w".to_owned()), ..Default::default() };
        let chosen = choose(&options).unwrap();
        assert_eq!(chosen.coordinates, [1, 2, 4]);
        assert_eq!(chosen.left_out[0].to_string(), "id (line 2 has \"a\")");
    }

    #[test]
    fn columns_that_are_not_there_are_named() {
        for (column, known) in [
            ("z", "it has \"id\", \"x\", \"y\", \"w\", \"x\""),
            ("5", "\"x\"; by number it is '#5'"),
            ("#6", "\"x\""),
            ("#0", "#0"),
            ("x", "several"),
        ] {
            let options = ReadOptions { coordinates: names(&[column]), ..Default::default() };
            let error = choose(&options).unwrap_err().to_string();
            assert!(error.contains(known) && error.contains("a.csv"), "{error}");
            assert_eq!(error.contains("by number"), ["5", "x"].contains(&column), "{error}");
        }
        let many: Vec<String> = (0..100).map(|c| format!("c{c}")).collect();
        let options = ReadOptions { coordinates: names(&["0"]), ..Default::default() };
        let error = Chosen::of(&options, "a.csv", &many, &vec![None; 100]).unwrap_err().to_string();
        assert!(error.ends_with("\"c11\" and 88 more"), "{error}");
        // However it is named.
        let options = ReadOptions { coordinates: names(&["w", "y", "#4"]), ..Default::default() };
        let twice = choose(&options).unwrap_err();
        assert!(
            twice.is_usage() && twice.to_string().contains("column \"w\" is among the coordinates twice"),
            "{twice}"
        );
        let options = ReadOptions { weights: Some("x".to_owned()), ..Default::default() };
        let none = Chosen::of(&options, "a.csv", &names(&["x"]), &[None]).unwrap_err();
        assert!(matches!(none, DataError::NoNumbers { .. }), "{none}");
    }
}
