//! What can go wrong, named for what the user can do about it.

use std::path::{Path, PathBuf};

use cuda_std::launch::LaunchError;
use thiserror::Error;

use crate::bytes::Bytes;
use crate::picture::numbers::{count, short};

/// A result whose error is [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, and what to do. A message has its causes in it: none of them is a `source` that would say them again.
///
/// ```
/// use modeseek::{Error, Points};
///
/// let error = Points::from_rows(&[1.0, f64::NAN], 2).unwrap_err();
/// assert!(matches!(error, Error::NotFinite { row: 0, column: 1, .. }));
/// // Every error says what was wrong and what to do.
/// assert!(error.to_string().ends_with("remove such points or fill the gap first"));
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// An option has a value that makes no sense.
    #[error("{option} is {value}, but must be {must}")]
    Option {
        /// The option.
        option: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        must: &'static str,
    },
    /// There are no points.
    #[error("there are no points; give at least one")]
    NoPoints,
    /// Points without coordinates.
    #[error("the points have no coordinates; give at least one dimension")]
    NoDimensions,
    /// The number of values is not a multiple of the dimensions.
    #[error("{values} values do not make rows of {dimensions}; the last row is incomplete")]
    IncompleteRow {
        /// How many values.
        values: usize,
        /// How many dimensions.
        dimensions: usize,
    },
    /// A coordinate is NaN or infinite.
    #[error("coordinate {column} of point {row} is {value}; remove such points or fill the gap first")]
    NotFinite {
        /// The point, from 0.
        row: usize,
        /// The coordinate, from 0.
        column: usize,
        /// NaN or an infinity.
        value: f64,
    },
    /// Coordinates so far apart that f32 does not hold them about their middle.
    #[error(
        "the points extend over {} in column {} (from 1), which f32 does not hold; scale the data first (--standardize zscore, or `Standardization`)",
        short(*extent),
        column + 1
    )]
    Range {
        /// The coordinate, from 0.
        column: usize,
        /// Its largest distance from the middle.
        extent: f64,
    },
    /// A row has another length than the first.
    #[error("row {row} has {}, and the first has {expected}; all rows have the same length", count(*found, "value"))]
    RaggedRow {
        /// The row, from 0.
        row: usize,
        /// Its values.
        found: usize,
        /// Those of the first row.
        expected: usize,
    },
    /// Options that exclude each other.
    #[error("{what} is not possible: {why}")]
    Conflict {
        /// Which.
        what: &'static str,
        /// Why, and what to do.
        why: &'static str,
    },
    /// A result that would be written over what is read.
    #[error("{} is read, and cannot be written too; give the result another name", .path.display())]
    WriteOverRead {
        /// The file.
        path: PathBuf,
    },
    /// Two results that would be written to one file.
    #[error("{} would have two results; give each a name of its own", .path.display())]
    WrittenTwice {
        /// The file.
        path: PathBuf,
    },
    /// Weights of points that are not as many, or not weights.
    #[error("{what}; give one finite number of at least 0 for each of the {points} points, not all 0")]
    SampleWeights {
        /// What is wrong.
        what: String,
        /// How many points there are.
        points: usize,
    },
    /// Points of another dimension than those that were fitted, or seeds than the points.
    #[error("{what} have {}, and the points {expected}", count(*found, "coordinate"))]
    Dimensions {
        /// Which.
        what: &'static str,
        /// Their dimension.
        found: usize,
        /// The points'.
        expected: usize,
    },
    /// A point without direction.
    #[error(
        "point {row} (from 0) lies at the origin, to the precision of the points, and has no direction; remove such points, or take another distance"
    )]
    NoDirection {
        /// The point, from 0.
        row: usize,
    },
    /// Something that is not defined for these options.
    #[error("{what} is not defined {why}")]
    Undefined {
        /// What was asked for.
        what: &'static str,
        /// Why.
        why: &'static str,
    },
    /// A list of bandwidths of the wrong length.
    #[error("{given} bandwidths were given, one for each {each}, but there are {wanted}")]
    BandwidthLength {
        /// How many there are.
        given: usize,
        /// How many there must be.
        wanted: usize,
        /// What each is for.
        each: &'static str,
    },
    /// A bandwidth in a list that makes no sense.
    #[error("the bandwidth of {each} {at} is {value:e}, but must be between 1e-30 and 1e30")]
    BandwidthValue {
        /// What it is for.
        each: &'static str,
        /// Which of them, from 0.
        at: usize,
        /// Its value.
        value: f64,
    },
    /// A neighbour that there is not.
    #[error(
        "the bandwidth asks for neighbour {k} of each point, but must ask for one from 1 to {points}, the points' number or weight"
    )]
    Neighbour {
        /// Which neighbour.
        k: usize,
        /// How many points there are, or their weight.
        points: f64,
    },
    /// An estimate that the kernels cannot compute with.
    #[error("the bandwidth estimated ({how}) is {value:e}, but must be between 1e-30 and 1e30; scale the data first")]
    BandwidthEstimate {
        /// By which rule.
        how: String,
        /// The estimate.
        value: f64,
    },
    /// Bandwidths of points that lie too far apart.
    #[error(
        "bandwidths of points from {smallest:e} to {largest:e} lie too far apart for {dimensions} dimensions, where what each point counts is as its bandwidth to the power of -{dimensions} - 2: f32 does not hold both; clamp them to {:e}..{:e}, or use one bandwidth",
        range.start,
        range.end
    )]
    BandwidthRatio {
        /// The smallest.
        smallest: f64,
        /// The largest.
        largest: f64,
        /// d.
        dimensions: usize,
        /// A range about their geometric mean that is narrow enough.
        range: std::ops::Range<f64>,
    },
    /// Coordinates, in bandwidths, that f32 cannot hold.
    #[error(
        "the points extend over {} in column {} (from 1), which is too far for a bandwidth of {}; use a larger bandwidth or remove outliers",
        short(*extent),
        column + 1,
        short(*bandwidth)
    )]
    Extent {
        /// The coordinate, from 0.
        column: usize,
        /// Its largest distance from the centre.
        extent: f64,
        /// Its bandwidth.
        bandwidth: f64,
    },
    /// More points or dimensions than 32-bit sizes count.
    #[error("{what} of {count} is more than the kernels can count ({most})")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// More regions than an image of labels can tell apart.
    #[error(
        "{regions} regions are more than the {most} that a PNG of 16 bits can number; ask for fewer by a larger --min-region or --range, or leave out --labels"
    )]
    TooManyRegions {
        /// How many there are.
        regions: usize,
        /// How many there may be.
        most: usize,
    },
    /// There is less memory than needed.
    #[error("{device} has {available} of memory free, and {needed} are needed for {what}; {advice}")]
    Memory {
        /// Whose memory.
        device: String,
        /// For what.
        what: String,
        /// Bytes needed.
        needed: Bytes,
        /// Bytes there are.
        available: Bytes,
        /// What would need less.
        advice: &'static str,
    },
    /// A GPU was asked for, and there is none to be had.
    #[error("no GPU can be used: {reason}; the processor can: --device cpu, or `Device::processor`")]
    NoGpu {
        /// Why.
        reason: String,
    },
    /// The GPU's driver refused something.
    #[error(
        "the GPU's driver refused to {what}: {message}; choose the processor (--device cpu, or `Device::processor`)"
    )]
    Driver {
        /// What was asked of it.
        what: String,
        /// Its own message.
        message: String,
    },
    /// A kernel that ran on the GPU failed; which one, a GPU does not say.
    #[error(
        "a kernel failed on the GPU ({last} was launched last): {message}; the interpreter finds where (--device interpreter, or `Device::interpreter`), and the processor is another way (--device cpu, or `Device::processor`)"
    )]
    GpuKernel {
        /// The kernel that was launched last.
        last: &'static str,
        /// The driver's own message.
        message: String,
    },
    /// The GPU works no more, in the midst of a run.
    #[error(
        "the GPU was lost when it was to {what}: {message}; `nvidia-smi -q` and the system's log (Xid) tell more; start again when the GPU is back, which may take a restart of the machine, or choose the processor (--device cpu, or `Device::processor`)"
    )]
    GpuLost {
        /// What was asked of it.
        what: String,
        /// The driver's own message.
        message: String,
    },
    /// The GPU's driver refused a module that was to take the place of the program's kernels.
    #[error("the GPU's driver refused module {index} of those given (from 0): {message}. The driver's log:\n{log}")]
    Module {
        /// Which of the modules, from 0.
        index: usize,
        /// The driver's message.
        message: String,
        /// The driver's log.
        log: String,
    },
    /// A kernel of another module has other parameters than the program's kernel of its name.
    #[error(
        "kernel {kernel} of another module has parameters of {found:?} bytes, where the program's has {passed:?}; a slice is a pointer and a length"
    )]
    Parameters {
        /// The kernel.
        kernel: &'static str,
        /// The sizes of its parameters.
        found: Vec<usize>,
        /// The sizes of what was to be passed.
        passed: Vec<usize>,
    },
    /// The GPU's driver refused the kernels.
    #[error(
        "the GPU's driver refused the kernels of family {family}: {message}; update the driver, or choose the processor (--device cpu, or `Device::processor`). The driver's log:\n{log}"
    )]
    Ptx {
        /// Which family.
        family: String,
        /// The driver's message.
        message: String,
        /// The driver's log.
        log: String,
    },
    /// The program has no PTX for a kernel.
    #[error(
        "{}; {}choose the processor (--device cpu, or `Device::processor`)",
        if *known {
            let needs = needs.map_or(String::new(), |least| {
                let other = if *exact { " and no other" } else { "" };
                format!(": it needs compute capability {}.{}{other}", least / 10, least % 10)
            });
            format!("there is no PTX for kernel {kernel} that compute capability {compute} and the driver can run{needs} ({origin})")
        } else {
            format!("the program has no PTX for kernel {kernel} ({origin})")
        },
        if *known { "" } else { "for a kernel of your own give its PTX as `modules` of `CudaOptions` or `InterpreterOptions`, or " }
    )]
    NoPtx {
        /// The kernel.
        kernel: &'static str,
        /// The GPU's compute capability, times ten.
        compute: u32,
        /// The least that the program has PTX for, if that is more.
        needs: Option<u32>,
        /// Whether there is PTX for that one alone.
        exact: bool,
        /// Whether there is PTX for it at all: a kernel that is not the program's own comes with its PTX, as
        /// [`CudaOptions::modules`](crate::executor::CudaOptions::modules).
        known: bool,
        /// Where the PTX in the program comes from.
        origin: &'static str,
    },
    /// A launch was refused before it began.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// A kernel failed on the processor.
    #[error(transparent)]
    Kernel(#[from] cpu_executor::Fault),
    /// A launch on the interpreter was refused or went wrong.
    #[error(transparent)]
    Interpreted(#[from] ptx_interpreter::LaunchError),
    /// PTX that the interpreter cannot read.
    #[error("the interpreter cannot read the PTX: {0}")]
    UnreadablePtx(ptx_interpreter::ParseError),
    /// Memory of the interpreter was used wrongly, or there is none left.
    #[error(transparent)]
    InterpreterMemory(#[from] ptx_interpreter::MemoryError),
    /// The system refused worker threads.
    #[error("the system refused {workers} worker threads: {cause}; ask for fewer (--threads)")]
    Workers {
        /// How many were asked for.
        workers: usize,
        /// Why.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A binned field over points too far apart.
    #[error("the field would have {nodes} nodes, and can have {most}: use a larger bandwidth, or remove far points")]
    FieldTooLarge {
        /// Nodes that it would have.
        nodes: u128,
        /// The most that it can have.
        most: u128,
    },
    /// Fields that do not lie over the same grid.
    #[error("a field with {theirs} cannot be merged into one with {ours}")]
    OtherField {
        /// This one's grid.
        ours: String,
        /// The other's.
        theirs: String,
    },
    /// A saved field or model that cannot be read.
    #[error("{} is no {what} that can be read: {why}", named(.file.as_deref()))]
    UnreadableSaved {
        /// The file, if its name is known.
        file: Option<PathBuf>,
        /// What it was to be.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// What a saved field or model is to be read from fails.
    #[error("the {what} cannot be read: {cause}")]
    ReadSaved {
        /// What was to be read.
        what: &'static str,
        /// Why.
        cause: std::io::Error,
    },
    /// An iteration gave a position that is not a number.
    #[error(
        "iteration {iteration} moved a point to a position that is not a number; this is a defect, please report it"
    )]
    Diverged {
        /// Which, from 1.
        iteration: usize,
    },
    /// Ranges for a profiler were asked for, and its library is not there.
    #[error(
        "--nvtx needs NVIDIA's library of ranges, and none of {tried} is found; it comes with the CUDA toolkit: name its folder in LD_LIBRARY_PATH, or leave out --nvtx"
    )]
    NoNvtx {
        /// The names that were looked for.
        tried: String,
    },
    /// There is no folder for what was measured.
    #[error(
        "the system names no folder for caches, where `modeseek tune` keeps what it finds; set HOME, or say --dry-run"
    )]
    NoCacheFolder,
    /// Ctrl-C.
    #[error("interrupted; nothing was written that is not whole")]
    Interrupted,
    /// Something about a file of points.
    #[error(transparent)]
    Data(#[from] crate::data::DataError),
    /// The result could not be written. Whoever writes says so (`map_err(Error::Output)`): an I/O error may be any other.
    #[error("the result cannot be written: {0}")]
    Output(std::io::Error),
    /// A file could not be read.
    #[error("{} cannot be read: {cause}", .path.display())]
    ReadFile {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// A file that is no image, or not all of one.
    #[error("{} is no image that can be read: {message}", .path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// An image without pixels, or with too many.
    #[error("{} has {width} x {height} pixels, and an image must have from 1 to {most}; make it smaller first", .path.display())]
    ImageSize {
        /// The file.
        path: PathBuf,
        /// Its width.
        width: u32,
        /// Its height.
        height: u32,
        /// The most pixels.
        most: u64,
    },
    /// A picture's file whose name does not say what it is to be.
    #[error("{} is not the name of a picture that can be written: it must end with {ends}", .path.display())]
    PictureName {
        /// The file.
        path: PathBuf,
        /// What names may end with.
        ends: &'static str,
    },
    /// A file could not be written; what stood there before still does.
    #[error("{} cannot be written: {cause}{}", .path.display(), advice(.cause))]
    WriteFile {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
}

impl Error {
    /// What is not defined where no bin has enough points.
    pub(crate) const NO_SEEDS: &str = "a fit without seeds";

    /// What is not defined where no seed has a point within its reach.
    pub(crate) const NO_MODE: &str = "a mode";

    /// Whether there was nothing wrong but that no cluster was found, as there may be with another bandwidth.
    pub(crate) fn is_no_cluster(&self) -> bool {
        matches!(self, Self::Undefined { what: Self::NO_SEEDS | Self::NO_MODE, .. })
    }

    /// Whether the command was wrong rather than its execution: the program then exits with 2, not 1.
    ///
    /// ```
    /// use modeseek::{MeanShift, Points};
    ///
    /// assert!(MeanShift::new().tolerance(-1.0).check().unwrap_err().is_usage());
    /// // Here the data are wrong, not the call.
    /// assert!(!Points::from_rows(&[1.0, f64::NAN], 2).unwrap_err().is_usage());
    /// ```
    pub fn is_usage(&self) -> bool {
        if let Self::Data(error) = self {
            return error.is_usage();
        }
        matches!(
            self,
            Self::Option { .. }
                | Self::Conflict { .. }
                | Self::WriteOverRead { .. }
                | Self::WrittenTwice { .. }
                | Self::PictureName { .. }
                | Self::BandwidthLength { .. }
                | Self::BandwidthValue { .. }
                | Self::Neighbour { .. }
                | Self::Launch(
                    LaunchError::Block { .. } | LaunchError::FixedBlock { .. } | LaunchError::Registers { .. }
                )
        )
    }
}

/// A file, if its name is known.
fn named(file: Option<&Path>) -> String {
    file.map_or_else(|| "this".to_owned(), |file| file.display().to_string())
}

/// What to do about a file that cannot be written.
fn advice(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::NotFound => "; make its folder first",
        std::io::ErrorKind::IsADirectory => "; name a file in it",
        std::io::ErrorKind::PermissionDenied => "; name a file that you may write",
        std::io::ErrorKind::FileTooLarge => "; have the system allow larger files (ulimit -f)",
        std::io::ErrorKind::StorageFull => "; make room, or name a file on another disk",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, Path};
    use crate::data::DataError;

    /// What fails to be read is not said to be what cannot be written: no `?` makes one of the other.
    #[test]
    fn an_error_of_reading_is_none_of_writing() {
        trait Converts<Which> {
            fn known() {}
        }
        impl<T> Converts<()> for T {}
        struct FromIo;
        impl<T: From<std::io::Error>> Converts<FromIo> for T {}
        // With both there would be a choice, and this would not compile.
        <Error as Converts<_>>::known();
    }

    /// Who prints an error with its sources would say a cause twice.
    #[test]
    fn a_cause_that_the_message_has_is_no_source() {
        use std::error::Error as _;
        use std::io;

        let (path, why) = (Path::new("points.csv"), "the disk is damaged");
        let io = || io::Error::other(why);
        let parsed = ptx_interpreter::Module::parse("no PTX").unwrap_err();
        for error in [
            Error::UnreadablePtx(parsed),
            Error::Workers { workers: 2, cause: why.into() },
            Error::ReadSaved { what: "field", cause: io() },
            DataError::Read { file: "points.csv".to_owned(), cause: io() }.into(),
            Error::Output(io()),
            Error::ReadFile { path: path.to_owned(), cause: io() },
            Error::WriteFile { path: path.to_owned(), cause: io() },
        ] {
            let words = error.to_string();
            assert!(words.contains(why) || matches!(error, Error::UnreadablePtx(_)), "{words}");
            assert!(error.source().is_none(), "{words}");
        }
    }
}
