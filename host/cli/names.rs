//! What the library calls by its meaning, as it is typed.

use crate::error::Error;

/// Options of the estimator, of synthetic points, of a sweep, of segmentation, of tuning and of devices: a meaning has one name in all
/// of them.
const OPTIONS: [(&str, &str); 24] = [
    ("the accuracy", "--accuracy"),
    ("the bandwidth", "--bandwidth"),
    ("the batch", "--batch"),
    ("the confidence", "--confidence"),
    ("the first bandwidth of a sweep", "--from"),
    ("the last bandwidth of a sweep", "--to"),
    ("the least number of points in a bin", "--min-bin-frequency"),
    ("the merging radius", "--merge-radius"),
    ("the norm's exponent", "--norm"),
    ("the number of bandwidths of a sweep", "--steps"),
    ("the number of clusters", "--clusters"),
    ("the number of dimensions", "--dim"),
    ("the number of iterations", "--iterations"),
    ("the number of points", "--points"),
    ("the number of samples", "--samples"),
    ("the number of seeds", "--seeds"),
    ("the number of threads", "--threads"),
    ("the range of colours", "--range"),
    ("the reach", "--reach"),
    ("the relaxation", "--relaxation"),
    ("the share of points", "--share"),
    ("the smallest size of a cluster", "--min-size"),
    ("the spatial radius", "--spatial"),
    ("the tolerance", "--tolerance"),
];

/// What options must be, where that is typed in another way than the library takes it.
const VALUES: [(&str, &str); 1] =
    [("from 1e-5 to 0.01 bandwidths, or 0, which is exact", "from 1e-5 to 0.01 bandwidths, or `exact`")];

/// The error, with the option's name in place of its meaning.
pub fn as_typed(error: Error) -> Error {
    match error {
        Error::Option { option, value, must } => {
            let (option, must) = (typed(&OPTIONS, option), typed(&VALUES, must));
            Error::Option { option, value, must }
        }
        other => other,
    }
}

/// The words for a meaning, if they are others.
fn typed(words: &[(&str, &'static str)], meaning: &'static str) -> &'static str {
    words.iter().find(|(known, _)| *known == meaning).map_or(meaning, |(_, typed)| typed)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// Options that the program has, each once.
    #[test]
    fn names_are_those_of_options() {
        let command = crate::cli::Args::command();
        let of = |command: &clap::Command| -> Vec<String> {
            command.get_arguments().filter_map(|arg| arg.get_long().map(|long| format!("--{long}"))).collect()
        };
        let known: Vec<String> = command.get_subcommands().flat_map(of).chain(of(&command)).collect();
        for (at, (meaning, option)) in OPTIONS.iter().enumerate() {
            assert!(known.iter().any(|known| known == option), "{option}");
            assert!(OPTIONS[at + 1..].iter().all(|other| other.0 != *meaning && other.1 != *option), "{option}");
        }
    }

    #[test]
    fn errors_name_what_was_typed() {
        let error = crate::MeanShift::new().tolerance(-1.0).check().unwrap_err();
        assert!(error.to_string().starts_with("the tolerance is -1, but must be"), "{error}");
        assert!(as_typed(error).to_string().starts_with("--tolerance is -1, but must be"));
    }
}
