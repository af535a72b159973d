//! Numbers and rules, as typed.

use std::num::{IntErrorKind, ParseIntError};
use std::str::FromStr;

use crate::error::Error;
use crate::mean_shift::Bandwidth;

/// A number of things, as typed.
///
/// # Errors
/// What to type instead.
pub fn count<T: FromStr<Err = ParseIntError>>(text: &str) -> Result<T, &'static str> {
    whole(text, "give a whole number from 1 on, as 100000")
}

/// A seed of random numbers, as typed.
///
/// # Errors
/// What to type instead.
pub fn seed(text: &str) -> Result<u64, &'static str> {
    whole(text, "give a whole number from 0 on, as 14")
}

/// A number, as typed.
///
/// # Errors
/// What to type instead.
pub fn number(text: &str) -> Result<f64, &'static str> {
    text.parse().map_err(|_| "give a number, as 0.5 or 1e-3")
}

/// One of several names, as typed.
///
/// # Errors
/// What to type instead: clap says what was typed, and for which option.
pub fn name<T: FromStr<Err = Error>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| match error {
        Error::Option { must, .. } => format!("give {must}"),
        other => other.to_string(),
    })
}

fn whole<T: FromStr<Err = ParseIntError>>(text: &str, words: &'static str) -> Result<T, &'static str> {
    let wrong = |error: ParseIntError| match error.kind() {
        IntErrorKind::PosOverflow => "that is more than can be counted",
        _ => words,
    };
    text.parse().map_err(wrong)
}

/// The quantile rule as it is without numbers, which are scikit-learn's but for the sample.
pub const QUANTILE: Bandwidth = Bandwidth::Quantile { quantile: 0.3, sample: Some(Bandwidth::SAMPLE), seed: 0 };

/// A bandwidth, as typed.
#[derive(Clone, Debug, PartialEq)]
pub enum BandwidthText {
    /// Given, or to be estimated.
    Rule(Bandwidth),
    /// Those of a column.
    Column(String),
}

impl FromStr for BandwidthText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words = "give a number, a number for each dimension with commas between, or matched, quantile[:Q[:N|:all]], third, \
                     scott, silverman, neighbour:K, each-neighbour:K, column:NAME";
        let number = |text: &str| text.parse::<f64>().map_err(|_| words.to_owned());
        let count = |text: Option<&str>| text.and_then(|k| k.parse().ok()).ok_or_else(|| words.to_owned());
        let (rule, value) = match text.split_once(':') {
            Some((rule, value)) => (rule, Some(value)),
            None => (text, None),
        };
        let bandwidth = match (rule, value) {
            ("quantile", Some(quantile)) => {
                let (quantile, sample) = match quantile.split_once(':') {
                    Some((quantile, "all")) => (quantile, None),
                    Some((quantile, points)) => (quantile, Some(count(Some(points))?)),
                    None => (quantile, Some(Bandwidth::SAMPLE)),
                };
                Bandwidth::Quantile { quantile: number(quantile)?, sample, seed: 0 }
            }
            ("quantile", None) => QUANTILE,
            ("matched", None) => Bandwidth::Matched,
            ("column", Some(name)) if !name.is_empty() => return Ok(Self::Column(name.to_owned())),
            ("third", None) => Bandwidth::Third,
            ("scott", None) => Bandwidth::Scott,
            ("silverman", None) => Bandwidth::Silverman,
            ("neighbour", k) => Bandwidth::MeanNeighbour { k: count(k)? },
            ("each-neighbour", k) => Bandwidth::Neighbours { k: count(k)? },
            (_, Some(_)) => return Err(words.to_owned()),
            (text, None) if text.contains(',') => {
                Bandwidth::PerDimension(text.split(',').map(number).collect::<Result<_, _>>()?)
            }
            (text, None) => Bandwidth::Fixed(number(text)?),
        };
        Ok(Self::Rule(bandwidth))
    }
}

/// An accuracy, as typed: 0 is exact.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AccuracyText(pub f64);

impl FromStr for AccuracyText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            _ if text == "exact" => Ok(Self(0.0)),
            // What the library takes for exact nobody types by accident.
            Ok(accuracy) if accuracy != 0.0 => Ok(Self(accuracy)),
            _ => Err("give a number of bandwidths from 1e-5 to 0.01, or `exact`".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracies_are_parsed() {
        assert_eq!("exact".parse(), Ok(AccuracyText(0.0)));
        assert_eq!("1e-3".parse(), Ok(AccuracyText(1e-3)));
        for text in ["", "0", "fine", "1e-3h"] {
            assert!(text.parse::<AccuracyText>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn numbers_are_parsed() {
        assert_eq!(
            (count::<usize>("0"), count::<u32>("7"), seed("0"), number("-1e-3")),
            (Ok(0), Ok(7), Ok(0), Ok(-1e-3))
        );
        for text in ["1e5", "100,000", "-5", "1.5", "abc", ""] {
            assert_eq!(count::<usize>(text), Err("give a whole number from 1 on, as 100000"), "{text:?}");
            assert_eq!(seed(text), Err("give a whole number from 0 on, as 14"), "{text:?}");
        }
        assert_eq!(count::<std::num::NonZero<usize>>("0"), Err("give a whole number from 1 on, as 100000"));
        assert_eq!(count::<u32>("4294967296"), Err("that is more than can be counted"));
        assert_eq!(number("1,5"), Err("give a number, as 0.5 or 1e-3"));
    }

    #[test]
    fn bandwidths_are_parsed() {
        for (text, bandwidth) in [
            ("2.5", Bandwidth::Fixed(2.5)),
            ("1,2.5", Bandwidth::PerDimension(vec![1.0, 2.5])),
            ("third", Bandwidth::Third),
            ("scott", Bandwidth::Scott),
            ("silverman", Bandwidth::Silverman),
            ("neighbour:7", Bandwidth::MeanNeighbour { k: 7 }),
            ("each-neighbour:7", Bandwidth::Neighbours { k: 7 }),
            ("quantile", QUANTILE),
            ("matched", Bandwidth::Matched),
            ("quantile:0.1", Bandwidth::Quantile { quantile: 0.1, sample: Some(Bandwidth::SAMPLE), seed: 0 }),
            ("quantile:0.3:all", Bandwidth::Quantile { quantile: 0.3, sample: None, seed: 0 }),
            ("quantile:0.3:5000", Bandwidth::Quantile { quantile: 0.3, sample: Some(5000), seed: 0 }),
        ] {
            assert_eq!(text.parse(), Ok(BandwidthText::Rule(bandwidth)), "{text}");
        }
        assert_eq!("column:h".parse(), Ok(BandwidthText::Column("h".to_owned())));
        for text in [
            "",
            "wide",
            "1,",
            "neighbour",
            "neighbour:x",
            "quantile:",
            "quantile:0.3:",
            "quantile:0.3:some",
            "quantile::all",
            "scott:1",
            "column",
            "column:",
            "third:2",
        ] {
            assert!(text.parse::<BandwidthText>().is_err(), "{text:?}");
        }
    }
}
