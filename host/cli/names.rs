//! What the library calls by its meaning, as it is typed.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::commands;
use crate::data::DataError;
use crate::error::Error;
use crate::mean_shift::Model;

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

/// Options that exclude each other: what the library says of them, and how it begins to say why where that tells which they
/// are; and both as they are typed.
const CONFLICTS: [([&str; 2], [&str; 2]); 14] = [
    (
        ["the blurring form with seeds", ""],
        ["--seeding without --form standard", "in the blurring form the points themselves move"],
    ),
    (
        ["over-relaxation here", ""],
        ["--relaxation without --form standard and --distance l2", "only with both is it proven safe"],
    ),
    (
        ["a reach with labels by basin", ""],
        ["--reach without --assign nearest", "it is the distance to the nearest mode"],
    ),
    (
        ["the composed method here", ""],
        [
            "--method composed here",
            "it knows --form blurring, --distance l2, one bandwidth, and no --weights; use --method fused",
        ],
    ),
    (
        ["leaving out far tiles of an exact Gaussian", ""],
        ["--method tiles with --accuracy exact", "the Gaussian never ends; give an accuracy, or use --method fused"],
    ),
    (
        ["an exact step of a binned field", ""],
        ["--method field with --accuracy exact", "a field is approximate; use --method fused"],
    ),
    (
        ["a binned field here", "a binned field has at most 5"],
        ["--method field in so many dimensions", "a binned field has at most 5"],
    ),
    (
        ["a binned field here", "a binned field needs the Gaussian"],
        [
            "--method field without --kernel gaussian",
            "a binned field needs the one weight that is a product over dimensions and smooth",
        ],
    ),
    (
        ["a binned field here", "a binned field needs the 2-norm"],
        ["--method field without --distance l2", "a binned field needs that distance"],
    ),
    (
        ["a binned field here", "a binned field needs one bandwidth"],
        ["--method field with a --bandwidth for each point", "a binned field needs one for all"],
    ),
    (
        ["a binned field here", "over-relaxed queries"],
        ["--method field with --relaxation", "queries that overshoot may leave the field's grid"],
    ),
    (
        ["a binned field here", "of points that come in parts"],
        [
            "--stream in so many dimensions",
            "a binned field of parts has at most 3; choose fewer --columns, or leave it out",
        ],
    ),
    (
        ["more than one bandwidth with the cosine distance", ""],
        ["--distance cosine with more than one --bandwidth", "it needs a single one"],
    ),
    (
        ["seeding by bins here", ""],
        [
            "--seeding bins with --distance cosine or a --bandwidth for each dimension",
            "bins need one bandwidth in units of the data",
        ],
    ),
];

/// What names of images end with.
const IMAGES: [&str; 5] = ["png", "jpg", "jpeg", "gif", "bmp"];

/// The error, with the option's name in place of its meaning.
pub fn as_typed(error: Error) -> Error {
    match error {
        Error::Option { option, value, must } => {
            let (option, must) = (typed(&OPTIONS, option), typed(&VALUES, must));
            Error::Option { option, value, must }
        }
        Error::Conflict { what, why } => {
            let is_meant = |of: &[&str; 2]| of[0] == what && why.starts_with(of[1]);
            let typed = CONFLICTS.iter().find(|(meaning, _)| is_meant(meaning)).map(|(_, typed)| *typed);
            let [what, why] = typed.unwrap_or([what, why]);
            Error::Conflict { what, why }
        }
        // What is no command is taken for a file, and points may be meant to be an image's.
        Error::Data(DataError::UnknownFormat { path, option: option @ "--format", hint }) => {
            let hint = match commands::nearly(&path) {
                Some(command) => format!("; did you mean the command `{command}`?"),
                None if is_model(&path) => {
                    format!("; it is a model, by which `modeseek predict {} FILE` labels points", path.display())
                }
                None if is_image(&path) => format!("; of an image: `modeseek segment {}`", path.display()),
                None => hint,
            };
            DataError::UnknownFormat { path, option, hint }.into()
        }
        other => other,
    }
}

/// Whether a file begins as a model that was kept.
fn is_model(path: &Path) -> bool {
    let mut beginning = [0; Model::BEGINNING.len()];
    File::open(path).and_then(|mut file| file.read_exact(&mut beginning)).is_ok() && beginning == *Model::BEGINNING
}

/// Whether a file is an image by its name.
fn is_image(path: &Path) -> bool {
    path.extension().is_some_and(|extension| IMAGES.iter().any(|image| extension.eq_ignore_ascii_case(image)))
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
