//! The architectures that PTX is made for.

use std::fmt;

use crate::error::Error;

/// A PTX target: the oldest processor that may run the module, and the PTX version it is written in.
///
/// PTX for one architecture runs on that one and on every later one; the driver compiles it at load. PTX for a name that ends
/// in a letter, such as `sm_90a`, runs on that architecture alone.
///
/// ```
/// use cuda_builder::Arch;
///
/// // Turing and newer, in a PTX that old drivers read.
/// let arch = Arch::new("sm_75", "ptx70");
/// assert_eq!(arch.to_string(), "sm_75+ptx70");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arch {
    target: String,
    ptx: String,
}

impl Arch {
    /// An architecture by the names that rustc has for it: `Arch::new("sm_75", "ptx70")`.
    ///
    /// The PTX version is named because it decides which drivers load the module, and rustc's own choice
    /// for an old processor is older than line tables need.
    ///
    /// ```
    /// use cuda_builder::Arch;
    ///
    /// assert_eq!(Arch::new("sm_90a", "ptx80").target(), "sm_90a");
    /// ```
    pub fn new(target: &str, ptx: &str) -> Self {
        Self { target: target.to_owned(), ptx: ptx.to_owned() }
    }

    /// What is built unless a builder says otherwise: Turing and newer, Ampere and newer, Hopper and newer, and Hopper alone.
    ///
    /// ```
    /// use cuda_builder::Arch;
    ///
    /// assert!(Arch::defaults().contains(&Arch::new("sm_75", "ptx70")));
    /// ```
    pub fn defaults() -> Vec<Self> {
        vec![
            Self::new("sm_75", "ptx70"),
            Self::new("sm_80", "ptx70"),
            Self::new("sm_90", "ptx78"),
            Self::new("sm_90a", "ptx80"),
        ]
    }

    /// The processor, as in `sm_75`; also the folder its modules are kept in.
    ///
    /// ```
    /// use cuda_builder::Arch;
    ///
    /// assert_eq!(Arch::new("sm_75", "ptx70").target(), "sm_75");
    /// ```
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The target feature that fixes the PTX version, as in `ptx70`.
    ///
    /// ```
    /// use cuda_builder::Arch;
    ///
    /// assert_eq!(Arch::new("sm_75", "ptx70").ptx_feature(), "ptx70");
    /// ```
    pub fn ptx_feature(&self) -> &str {
        &self.ptx
    }

    /// The compute capability without its dot: 75 for `sm_75`, and 90 for `sm_90a`.
    ///
    /// ```
    /// use cuda_builder::Arch;
    ///
    /// assert_eq!(Arch::new("sm_90a", "ptx80").compute()?, 90);
    /// assert!(Arch::new("gfx90a", "ptx80").compute().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::UnknownArch`] where the name holds no such number.
    pub fn compute(&self) -> Result<u32, Error> {
        let digits: String =
            self.target.strip_prefix("sm_").unwrap_or_default().chars().take_while(char::is_ascii_digit).collect();
        digits.parse().map_err(|_| Error::UnknownArch { target: self.target.clone() })
    }

    /// Whether its PTX runs on this architecture alone: `sm_90a`.
    ///
    /// ```
    /// use cuda_builder::Arch;
    ///
    /// assert!(Arch::new("sm_90a", "ptx80").is_exact());
    /// assert!(!Arch::new("sm_90", "ptx78").is_exact());
    /// ```
    pub fn is_exact(&self) -> bool {
        self.target.ends_with(|c: char| c.is_ascii_alphabetic())
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.target, self.ptx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compute_is_the_number_in_the_name() {
        assert_eq!(Arch::new("sm_75", "ptx70").compute().unwrap(), 75);
        assert_eq!(Arch::new("sm_90a", "ptx80").compute().unwrap(), 90);
        assert!(Arch::new("gfx90a", "ptx80").compute().is_err());
    }
}
