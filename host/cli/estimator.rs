//! The estimator's options, as typed and as meant.

use std::str::FromStr;

use clap::{Args, ValueEnum};

use crate::error::{Error, Result};
use crate::mean_shift::{Assignment, Bandwidth, Distance, Form, MeanShift, Merging, Method, Seeding, WeightFunction};

/// How to cluster.
#[derive(Clone, Debug, Args)]
pub struct EstimatorArgs {
    /// Distance over which points attract each other, in units of the data: a number; a number for each
    /// dimension, as 2.5,1; or a rule: quantile or quantile:Q, of 2000 points (quantile:Q:N of N, quantile:Q:all of all),
    /// third, scott, silverman, neighbour:K (the mean distance to the K-th), each-neighbour:K (one for each point)
    #[arg(long, value_name = "H", default_value = "2.5", allow_hyphen_values = true, help_heading = "Mean shift")]
    pub bandwidth: BandwidthText,

    /// Weight of a point as a function of its distance
    #[arg(long, value_enum, default_value_t, help_heading = "Mean shift")]
    pub kernel: KernelName,

    /// How far two points are apart
    #[arg(long, value_enum, default_value_t, help_heading = "Mean shift")]
    pub distance: DistanceName,

    /// The exponent, for --distance lp, from 1 to 5; 3 if not given
    #[arg(long, value_name = "P", allow_hyphen_values = true, help_heading = "Mean shift")]
    pub norm: Option<f64>,

    /// Which points move
    #[arg(long, value_enum, default_value_t, help_heading = "Mean shift")]
    pub form: FormName,

    /// Where queries start, for --form standard
    #[arg(long, value_enum, default_value_t, help_heading = "Mean shift")]
    pub seeding: SeedingName,

    /// How many seeds, for --seeding random; 500 if not given
    #[arg(long, value_name = "M", allow_negative_numbers = true, help_heading = "Mean shift")]
    pub seeds: Option<usize>,

    /// Fewest points of a bin, for --seeding bins; 1 if not given
    #[arg(long, value_name = "F", allow_negative_numbers = true, help_heading = "Mean shift")]
    pub min_bin_frequency: Option<u32>,

    /// The smallest cluster's share of the points, for --seeding share; 0.01 if not given
    #[arg(long, value_name = "S", allow_hyphen_values = true, help_heading = "Mean shift")]
    pub share: Option<f64>,

    /// The probability that no such cluster is missed, for --seeding share; 0.99 if not given
    #[arg(long, value_name = "C", allow_hyphen_values = true, help_heading = "Mean shift")]
    pub confidence: Option<f64>,

    /// How far along its step a query goes, for --form standard: above 1 it overshoots, below 2 safely
    #[arg(long, value_name = "R", default_value_t = 1.0, allow_hyphen_values = true, help_heading = "Mean shift")]
    pub relaxation: f64,

    /// Most iterations
    #[arg(long, value_name = "MAX", allow_negative_numbers = true, default_value_t = MeanShift::MAX_ITERATIONS, help_heading = "Mean shift")]
    pub iterations: usize,

    /// Stop when no point moves more than this many bandwidths
    #[arg(long, value_name = "TOL", default_value_t = MeanShift::TOLERANCE, allow_hyphen_values = true, help_heading = "Mean shift")]
    pub tolerance: f64,

    /// Which ends are one mode
    #[arg(long, value_enum, default_value_t, help_heading = "Labels")]
    pub merging: MergingName,

    /// How far apart neighbours of a chain may end, in bandwidths, for --merging chains; 0.5 if not given
    #[arg(long, value_name = "R", allow_hyphen_values = true, help_heading = "Labels")]
    pub merge_radius: Option<f64>,

    /// Which mode a point belongs to; its basin's where every point moves, else the nearest, if not given
    #[arg(long, value_enum, help_heading = "Labels")]
    pub assign: Option<AssignmentName>,

    /// Fewest points of a cluster; those of smaller ones are noise
    #[arg(long, value_name = "S", allow_negative_numbers = true, default_value_t = 1, help_heading = "Labels")]
    pub min_size: usize,

    /// With --assign nearest: points farther than this many bandwidths from every mode are noise
    #[arg(long, value_name = "R", allow_hyphen_values = true, help_heading = "Labels")]
    pub reach: Option<f64>,

    /// How an iteration is computed; the clusters are the same
    #[arg(long, value_enum, default_value_t, help_heading = "Execution")]
    pub method: MethodName,

    /// How far a step may be from the exact one, in bandwidths, where that is quicker; or exact
    #[arg(long, value_name = "A", default_value = "1e-4", allow_hyphen_values = true, help_heading = "Execution")]
    pub accuracy: AccuracyText,

    /// Points at a time, for --method composed; 1024 if not given, fewer where memory is short
    #[arg(long, value_name = "B", allow_negative_numbers = true, help_heading = "Execution")]
    pub batch: Option<usize>,
}

/// A bandwidth, as typed.
#[derive(Clone, Debug, PartialEq)]
pub struct BandwidthText(pub Bandwidth);

impl FromStr for BandwidthText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words = "give a number, a number for each dimension with commas between, or quantile[:Q[:N|:all]], third, \
                     scott, silverman, neighbour:K, each-neighbour:K";
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
            ("quantile", None) => Bandwidth::default(),
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
        Ok(Self(bandwidth))
    }
}

/// Names of the weight functions, for a distance over the bandwidth u.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum KernelName {
    /// exp(-u^2 / 2)
    #[default]
    Gaussian,
    /// max(1 - u, 0)
    Triangular,
    /// 1 up to h, 0 beyond
    Flat,
    /// max(1 - u^2, 0)
    Epanechnikov,
    /// max(1 - u^2, 0)^2
    Biweight,
}

/// Names of the distances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DistanceName {
    /// sqrt(sum (x - y)^2)
    #[default]
    L2,
    /// sum |x - y|
    L1,
    /// (sum |x - y|^P)^(1/P), with --norm P
    Lp,
    /// 1 - cos of the angle, seen from the origin
    Cosine,
}

/// Names of the forms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FormName {
    /// The points themselves
    #[default]
    Blurring,
    /// Queries, over points that stay
    Standard,
}

/// Names of the ways to choose seeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SeedingName {
    /// At every point
    #[default]
    EveryPoint,
    /// At the occupied bins of a grid, of a bandwidth each
    Bins,
    /// At random points
    Random,
    /// At as many random points as clusters of a share of the points need
    Share,
}

/// Names of the ways to merge ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum MergingName {
    /// Chains of near ends
    #[default]
    Chains,
    /// scikit-learn's rule: the densest takes what is within a bandwidth
    Densest,
}

/// Names of the ways to assign points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AssignmentName {
    /// The mode that the point climbs to
    Basin,
    /// The nearest mode
    Nearest,
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
            _ => Err("give a number of bandwidths above 0, or exact".to_owned()),
        }
    }
}

/// Names of the methods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum MethodName {
    /// What serves and takes least time; the report says what and why
    #[default]
    Auto,
    /// All pairs, by one kernel a step, which stores no distance
    Fused,
    /// A binned field, in time that grows with the points and not with their square
    Field,
    /// Distances, weights and a weighted mean, in batches
    Composed,
    /// The fused kernels, without the tiles of points that are too far to count
    Tiles,
}

impl EstimatorArgs {
    /// Finds an option that another one leaves without effect: who gave it means something else.
    fn check_effects(&self) -> Result<()> {
        let (lp, random) = (self.distance == DistanceName::Lp, self.seeding == SeedingName::Random);
        let share = self.seeding == SeedingName::Share;
        let (bins, densest) = (self.seeding == SeedingName::Bins, self.merging == MergingName::Densest);
        let composed = self.method == MethodName::Composed;
        for (without_effect, what, why) in [
            (self.norm.is_some() && !lp, "--norm without --distance lp", "it is the exponent of that distance"),
            (self.seeds.is_some() && !random, "--seeds without --seeding random", "it is their number"),
            (self.share.is_some() && !share, "--share without --seeding share", "it says how many these are"),
            (self.confidence.is_some() && !share, "--confidence without --seeding share", "it says how many these are"),
            (
                self.min_bin_frequency.is_some() && !bins,
                "--min-bin-frequency without --seeding bins",
                "it is how many points a bin must have",
            ),
            (
                self.merge_radius.is_some() && densest,
                "--merge-radius with --merging densest",
                "that rule merges within a bandwidth; use --merging chains",
            ),
            (self.batch.is_some() && !composed, "--batch without --method composed", "other methods have no batches"),
        ] {
            if without_effect {
                return Err(Error::Conflict { what, why });
            }
        }
        Ok(())
    }

    /// What was meant.
    ///
    /// # Errors
    /// As [`MeanShift::check`]; [`Error::Conflict`] for an option without effect.
    pub fn estimator(&self, seed: u64) -> Result<MeanShift> {
        self.check_effects()?;
        let weight = match self.kernel {
            KernelName::Gaussian => WeightFunction::Gaussian,
            KernelName::Triangular => WeightFunction::Triangular,
            KernelName::Flat => WeightFunction::Flat,
            KernelName::Epanechnikov => WeightFunction::Epanechnikov,
            KernelName::Biweight => WeightFunction::Biweight,
        };
        let distance = match self.distance {
            DistanceName::L2 => Distance::L2,
            DistanceName::L1 => Distance::L1,
            DistanceName::Lp => Distance::Lp(self.norm.unwrap_or(3.0)),
            DistanceName::Cosine => Distance::Cosine,
        };
        let form = match self.form {
            FormName::Blurring => Form::Blurring,
            FormName::Standard => Form::Standard,
        };
        let seeding = match self.seeding {
            SeedingName::EveryPoint => Seeding::EveryPoint,
            SeedingName::Bins => Seeding::Bins { min_frequency: self.min_bin_frequency.unwrap_or(1) },
            SeedingName::Share => {
                let (share, confidence) = (self.share.unwrap_or(0.01), self.confidence.unwrap_or(0.99));
                Seeding::Share { share, confidence, seed }
            }
            SeedingName::Random => Seeding::Random { count: self.seeds.unwrap_or(500), seed },
        };
        let merging = match self.merging {
            MergingName::Chains => self.merge_radius.map_or(Merging::default(), |radius| Merging::Chains { radius }),
            MergingName::Densest => Merging::Densest,
        };
        let method = match self.method {
            MethodName::Auto => Method::Auto,
            MethodName::Fused => Method::Fused,
            MethodName::Field => Method::Field,
            MethodName::Composed => Method::Composed { batch: self.batch.unwrap_or(1024) },
            MethodName::Tiles => Method::Tiles,
        };
        let mut estimator = MeanShift::new()
            .bandwidth(self.bandwidth.0.clone())
            .weight(weight)
            .distance(distance)
            .form(form)
            .seeding(seeding)
            .relaxation(self.relaxation)
            .tolerance(self.tolerance)
            .max_iterations(self.iterations)
            .merging(merging)
            .minimum_size(self.min_size)
            .method(method)
            .accuracy(self.accuracy.0);
        match self.assign {
            Some(AssignmentName::Basin) => estimator = estimator.assignment(Assignment::Basin),
            Some(AssignmentName::Nearest) => estimator = estimator.assignment(Assignment::NearestMode),
            None => {}
        }
        if let Some(reach) = self.reach {
            estimator = estimator.reach(reach);
        }
        estimator.check()?;
        Ok(estimator)
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
    fn bandwidths_are_parsed() {
        for (text, bandwidth) in [
            ("2.5", Bandwidth::Fixed(2.5)),
            ("1,2.5", Bandwidth::PerDimension(vec![1.0, 2.5])),
            ("third", Bandwidth::Third),
            ("scott", Bandwidth::Scott),
            ("silverman", Bandwidth::Silverman),
            ("neighbour:7", Bandwidth::MeanNeighbour { k: 7 }),
            ("each-neighbour:7", Bandwidth::Neighbours { k: 7 }),
            ("quantile", Bandwidth::default()),
            ("quantile:0.1", Bandwidth::Quantile { quantile: 0.1, sample: Some(Bandwidth::SAMPLE), seed: 0 }),
            ("quantile:0.3:all", Bandwidth::Quantile { quantile: 0.3, sample: None, seed: 0 }),
            ("quantile:0.3:5000", Bandwidth::Quantile { quantile: 0.3, sample: Some(5000), seed: 0 }),
        ] {
            assert_eq!(text.parse(), Ok(BandwidthText(bandwidth)), "{text}");
        }
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
            "third:2",
        ] {
            assert!(text.parse::<BandwidthText>().is_err(), "{text:?}");
        }
    }
}
