//! Whether a build uses the checked-in PTX, builds its own, or does without.

use crate::error::Error;
use crate::stamp::Fit;

/// Says where PTX may come from.
pub const MODE_VARIABLE: &str = "CUDA_BUILDER";

/// What the variable `CUDA_BUILDER` asks for.
///
/// ```
/// use cuda_builder::Mode;
///
/// for name in Mode::NAMES {
///     assert!(Mode::parse(Some(name)).is_ok());
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// The checked-in PTX where it fits the sources; or else a build; or else, where no compiler is found, none.
    #[default]
    Auto,
    /// A build from the sources, or an error.
    Build,
    /// The checked-in PTX, or an error.
    CheckedIn,
    /// No PTX: kernels run on the processor only.
    Off,
}

impl Mode {
    /// The values of the variable.
    pub const NAMES: [&str; 4] = ["auto", "build", "checked-in", "none"];

    /// Reads the variable's value. An empty one is no value.
    ///
    /// ```
    /// use cuda_builder::Mode;
    ///
    /// assert_eq!(Mode::parse(Some("none"))?, Mode::Off);
    /// assert_eq!(Mode::parse(None)?, Mode::Auto);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::UnknownMode`].
    pub fn parse(value: Option<&str>) -> Result<Self, Error> {
        match value {
            None | Some("" | "auto") => Ok(Self::Auto),
            Some("build") => Ok(Self::Build),
            Some("checked-in") => Ok(Self::CheckedIn),
            Some("none") => Ok(Self::Off),
            Some(other) => Err(Error::UnknownMode { value: other.to_owned() }),
        }
    }
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    UseCheckedIn,
    /// Build; and where no compiler is found, do the other thing.
    Build {
        otherwise: Otherwise,
    },
    DoWithout,
    /// The copy was demanded and may not be used.
    Refuse,
}

/// What to do where no compiler is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Otherwise {
    Fail,
    UseCheckedIn,
    DoWithout,
}

/// The plan for a checked-in copy in this state. The copy has no line tables, so a wish for them needs a build.
pub(crate) fn plan(mode: Mode, fit: &Fit, line_tables: bool) -> Plan {
    match (mode, fit) {
        (Mode::Off, _) => Plan::DoWithout,
        (Mode::Build, _) => Plan::Build { otherwise: Otherwise::Fail },
        (Mode::CheckedIn, Fit::Fits) => Plan::UseCheckedIn,
        (Mode::CheckedIn, _) => Plan::Refuse,
        (Mode::Auto, Fit::Fits) if line_tables => Plan::Build { otherwise: Otherwise::UseCheckedIn },
        (Mode::Auto, Fit::Fits) => Plan::UseCheckedIn,
        (Mode::Auto, _) => Plan::Build { otherwise: Otherwise::DoWithout },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_mode() {
        let modes = Mode::NAMES.map(|name| Mode::parse(Some(name)).unwrap());
        assert_eq!(modes, [Mode::Auto, Mode::Build, Mode::CheckedIn, Mode::Off]);
        assert_eq!(Mode::parse(None).unwrap(), Mode::Auto);
        let message = Mode::parse(Some("yes")).unwrap_err().to_string();
        assert_eq!(message, "CUDA_BUILDER is `yes`; set it to auto, build, checked-in, none");
    }

    #[test]
    fn auto_builds_only_what_it_must() {
        let auto = |fit, lines| plan(Mode::Auto, &fit, lines);
        assert_eq!(auto(Fit::Fits, false), Plan::UseCheckedIn);
        assert_eq!(auto(Fit::Fits, true), Plan::Build { otherwise: Otherwise::UseCheckedIn });
        for unfit in [Fit::Stale, Fit::Missing, Fit::Damaged("x".to_owned())] {
            assert_eq!(auto(unfit, false), Plan::Build { otherwise: Otherwise::DoWithout });
        }
    }

    #[test]
    fn the_other_modes_do_what_they_say_or_fail() {
        for lines in [false, true] {
            assert_eq!(plan(Mode::Build, &Fit::Fits, lines), Plan::Build { otherwise: Otherwise::Fail });
            assert_eq!(plan(Mode::CheckedIn, &Fit::Fits, lines), Plan::UseCheckedIn);
            assert_eq!(plan(Mode::CheckedIn, &Fit::Stale, lines), Plan::Refuse);
            assert_eq!(plan(Mode::Off, &Fit::Fits, lines), Plan::DoWithout);
        }
    }
}
