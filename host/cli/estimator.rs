//! The estimator's options, as typed and as meant.

use std::path::PathBuf;

use clap::builder::ArgPredicate;
use clap::{Args, ValueEnum};

use super::input::InputArgs;
use super::typed::{AccuracyText, BandwidthText, count, number};
use crate::error::{Error, Result};
use crate::mean_shift::{Assignment, Bandwidth, Distance, Form, MeanShift, Merging, Method, Seeding, WeightFunction};

/// The bandwidth for generated points, if none is given.
const GENERATED: f64 = 2.5;

/// The bandwidth if none is given, as it would be typed.
pub fn bandwidth_by_default(of_file: bool) -> String {
    if of_file { "matched".to_owned() } else { GENERATED.to_string() }
}

/// How to cluster.
#[derive(Clone, Debug, Args)]
pub struct EstimatorArgs {
    /// Distance over which points attract each other, in units of the data: a number; a number for each
    /// dimension, as 2.5,1; column:NAME, a column of FILE with one for each point; or a rule: matched, quantile or quantile:Q, of
    /// 2000 points (quantile:Q:N of N, quantile:Q:all of all), third, scott, silverman, neighbour:K (the mean distance to the
    /// K-th), each-neighbour:K (one for each point). If not given: matched for a file, 2.5 for generated points
    #[arg(long, value_name = "H", allow_hyphen_values = true, help_heading = "Mean shift")]
    pub bandwidth: Option<BandwidthText>,

    /// Weight of a point as a function of its distance
    #[arg(long, value_enum, default_value_t, help_heading = "Mean shift")]
    pub kernel: KernelName,

    /// How far two points are apart
    #[arg(long, value_enum, default_value_t, help_heading = "Mean shift")]
    pub distance: DistanceName,

    /// The exponent, for --distance lp, from 1 to 5; 3 if not given
    #[arg(long, value_name = "P", value_parser = number, allow_hyphen_values = true, help_heading = "Mean shift")]
    pub norm: Option<f64>,

    /// Which points move
    #[arg(
        long,
        value_enum,
        default_value_t,
        default_value_if("stream", ArgPredicate::IsPresent, "standard"),
        help_heading = "Mean shift"
    )]
    pub form: FormName,

    /// Where queries start, for --form standard
    #[arg(long, value_enum, default_value_t, help_heading = "Mean shift")]
    pub seeding: SeedingName,

    /// How many seeds, for --seeding random; 500 if not given
    #[arg(long, value_name = "M", value_parser = count::<usize>, allow_negative_numbers = true, help_heading = "Mean shift")]
    pub seeds: Option<usize>,

    /// Starts queries at the points of another file, with the columns of FILE, for --form standard
    #[arg(long, value_name = "FILE", conflicts_with = "seeding", help_heading = "Mean shift")]
    pub seeds_file: Option<PathBuf>,

    /// Fewest points of a bin, for --seeding bins; 1 if not given
    #[arg(long, value_name = "F", value_parser = count::<u32>, allow_negative_numbers = true, help_heading = "Mean shift")]
    pub min_bin_frequency: Option<u32>,

    /// The smallest cluster's share of the points, for --seeding share; 0.01 if not given
    #[arg(long, value_name = "S", value_parser = number, allow_hyphen_values = true, help_heading = "Mean shift")]
    pub share: Option<f64>,

    /// The probability that no such cluster is missed, for --seeding share; 0.99 if not given
    #[arg(long, value_name = "C", value_parser = number, allow_hyphen_values = true, help_heading = "Mean shift")]
    pub confidence: Option<f64>,

    /// How far along its step a query goes, for --form standard: above 1 it overshoots, below 2 safely
    #[arg(long, value_name = "R", value_parser = number, default_value_t = 1.0, allow_hyphen_values = true, help_heading = "Mean shift")]
    pub relaxation: f64,

    /// Most iterations
    #[arg(long, value_name = "MAX", value_parser = count::<usize>, allow_negative_numbers = true, default_value_t = MeanShift::MAX_ITERATIONS, help_heading = "Mean shift")]
    pub iterations: usize,

    /// Stop when no point moves more than this many bandwidths
    #[arg(long, value_name = "TOL", value_parser = number, default_value_t = MeanShift::TOLERANCE, allow_hyphen_values = true, help_heading = "Mean shift")]
    pub tolerance: f64,

    /// Which ends are one mode
    #[arg(long, value_enum, default_value_t, help_heading = "Labels")]
    pub merging: MergingName,

    /// How far apart neighbours of a chain may end, in bandwidths, for --merging chains; 0.5 if not given
    #[arg(long, value_name = "R", value_parser = number, allow_hyphen_values = true, help_heading = "Labels")]
    pub merge_radius: Option<f64>,

    /// Which mode a point belongs to. If not given: basin where every point is a query, nearest otherwise and with --merging densest
    #[arg(long, value_enum, help_heading = "Labels")]
    pub assign: Option<AssignmentName>,

    /// Fewest points of a cluster; those of smaller ones are noise
    #[arg(long, value_name = "S", value_parser = count::<usize>, allow_negative_numbers = true, default_value_t = 1, help_heading = "Labels")]
    pub min_size: usize,

    /// With --assign nearest: points farther than this many bandwidths from every mode are noise
    #[arg(long, value_name = "R", value_parser = number, allow_hyphen_values = true, help_heading = "Labels")]
    pub reach: Option<f64>,

    /// How an iteration is computed; the clusters are the same
    #[arg(long, value_enum, default_value_t, help_heading = "Execution")]
    pub method: MethodName,

    /// How far a step may be from the exact one, in bandwidths, where that is quicker; or exact
    #[arg(long, value_name = "A", default_value = "1e-4", allow_hyphen_values = true, help_heading = "Execution")]
    pub accuracy: AccuracyText,

    /// Points at a time, for --method composed; 1024 if not given, fewer where memory is short
    #[arg(long, value_name = "B", value_parser = count::<usize>, allow_negative_numbers = true, help_heading = "Execution")]
    pub batch: Option<usize>,
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

impl From<KernelName> for WeightFunction {
    fn from(name: KernelName) -> Self {
        match name {
            KernelName::Gaussian => Self::Gaussian,
            KernelName::Triangular => Self::Triangular,
            KernelName::Flat => Self::Flat,
            KernelName::Epanechnikov => Self::Epanechnikov,
            KernelName::Biweight => Self::Biweight,
        }
    }
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
    /// Distances, weights and a weighted mean, in batches; for --form blurring, --distance l2, one bandwidth and no --weights
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
            (
                self.seeds_file.is_some() && self.form == FormName::Blurring,
                "--seeds-file without --form standard",
                "the points themselves move in the blurring form",
            ),
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

    /// Finds what a density is not defined for, before there is anything to compute it from.
    ///
    /// # Errors
    /// [`Error::Conflict`].
    pub fn check_density(&self) -> Result<()> {
        let of_points = matches!(
            self.bandwidth,
            Some(BandwidthText::Column(_) | BandwidthText::Rule(Bandwidth::Neighbours { .. } | Bandwidth::PerPoint(_)))
        );
        let l2 = self.distance == DistanceName::L2;
        for (present, what, why) in [
            (!l2, "--density with another distance than l2", "its integral is not known; leave it out"),
            (of_points, "--density with bandwidths of points", "it is defined for one of all; leave it out"),
        ] {
            if present {
                return Err(Error::Conflict { what, why });
            }
        }
        Ok(())
    }

    /// The column of bandwidths, if they are to come from one.
    pub fn bandwidth_column(&self) -> Option<&str> {
        match &self.bandwidth {
            Some(BandwidthText::Column(name)) => Some(name),
            _ => None,
        }
    }

    /// The bandwidth, for points of a file or generated ones. Those of a column are not known yet.
    pub fn bandwidth(&self, of_file: bool) -> Bandwidth {
        match &self.bandwidth {
            Some(BandwidthText::Rule(bandwidth)) => bandwidth.clone(),
            Some(BandwidthText::Column(_)) => Bandwidth::PerPoint(Vec::new()),
            None if of_file => Bandwidth::default(),
            None => Bandwidth::Fixed(GENERATED),
        }
    }

    /// What was meant, for points that are chosen so.
    ///
    /// # Errors
    /// As [`MeanShift::check`]; [`Error::Conflict`] for an option without effect.
    pub fn estimator(&self, input: &InputArgs) -> Result<MeanShift> {
        self.check_effects()?;
        let seed = input.seed;
        let weight = self.kernel.into();
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
            .bandwidth(self.bandwidth(input.file.is_some()))
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
            // Seeds of a file are not known yet, and are not every point.
            None if self.seeds_file.is_some() => estimator = estimator.assignment(Assignment::NearestMode),
            None => {}
        }
        if let Some(reach) = self.reach {
            estimator = estimator.reach(reach);
        }
        if input.weights.is_some() {
            // Which, is not known yet; that there are some, excludes some options.
            estimator = estimator.sample_weights([]);
        }
        estimator.check()?;
        Ok(estimator)
    }
}
