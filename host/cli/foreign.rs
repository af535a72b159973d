//! What others call what can be said here too, above all scikit-learn.

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Their options, with `-` between words, and what is meant.
const WORDS: [(&str, &str); 11] = [
    ("affinity", "the distance is said by --distance"),
    ("bin-seeding", "bins are asked for by --seeding bins, with --form standard"),
    ("cluster-all", "points far from all modes are left out by --assign nearest --reach 1"),
    ("k", "mean shift is not told how many clusters there are; a smaller --bandwidth finds more"),
    ("max-iter", "the most iterations are said by --iterations"),
    ("metric", "the distance is said by --distance"),
    ("min-bin-freq", "it is said by --min-bin-frequency"),
    ("n-clusters", "mean shift is not told how many clusters there are; a smaller --bandwidth finds more"),
    ("n-jobs", "threads are said by --threads"),
    ("normalize", "columns are brought to one scale by --standardize"),
    ("scale", "columns are brought to one scale by --standardize"),
];

/// Tells what is meant by an option of others, in place of whatever is spelt about as it is.
pub fn explain(error: &mut clap::Error) {
    if error.kind() != ErrorKind::UnknownArgument {
        return;
    }
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidArg) else { return };
    let name = typed.split('=').next().unwrap_or_default().trim_start_matches('-').replace('_', "-");
    if let Some((_, meant)) = WORDS.iter().find(|(word, _)| *word == name) {
        error.remove(ContextKind::SuggestedArg);
        // It has what would have been suggested.
        error.remove(ContextKind::Usage);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(*meant)]));
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// What is an option here needs no other word.
    #[test]
    fn words_are_those_of_others() {
        let command = crate::cli::Args::command();
        for (word, _) in WORDS {
            let of = |command: &clap::Command| command.get_arguments().any(|arg| arg.get_long() == Some(word));
            assert!(!of(&command) && !command.get_subcommands().any(of), "{word}");
        }
    }
}
