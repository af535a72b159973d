//! The PTX in the program, and which of it a GPU gets.

use crate::error::Error;

/// A kernel as PTX for one architecture: a module of its own, since a driver compiles whole modules.
///
/// ```
/// use modeseek::executor::ptx::{PTX, PtxModule};
///
/// for PtxModule { compute, text, .. } in PTX {
///     assert!(text.contains(&format!(".target sm_{compute}")));
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PtxModule {
    /// The least compute capability that it runs on, times ten.
    pub compute: u32,
    /// Whether it runs on that one alone.
    pub exact: bool,
    /// The version of PTX that it is written in.
    pub ptx_version: (u32, u32),
    /// The family's name.
    pub family: &'static str,
    /// Its kernels: one, unless several share a variable.
    pub entries: &'static [&'static str],
    /// The PTX.
    pub text: &'static str,
}

impl PtxModule {
    /// What tells it from other modules of its architecture: the name of its first kernel.
    ///
    /// ```
    /// use modeseek::executor::ptx::PTX;
    ///
    /// assert!(PTX.iter().all(|module| module.entries.contains(&module.name())));
    /// ```
    pub fn name(&self) -> &'static str {
        self.entries.first().copied().unwrap_or(self.family)
    }
}

include!(concat!(env!("OUT_DIR"), "/ptx.rs"));

/// The newest version of PTX that a driver knows, from its version as `cuDriverGetVersion` gives it
/// (12040 is CUDA 12.4): PTX's major version is CUDA's less 4, and the minor versions agree, but that CUDA 12.6 has what 12.5
/// has, and those behind it one less.
///
/// Source: the release table in the PTX ISA's chapter "Release Notes", CUDA 11.0 and newer.
///
/// ```
/// use modeseek::executor::ptx::newest_ptx;
///
/// assert_eq!([12_040, 12_060, 12_090, 13_000].map(newest_ptx), [(8, 4), (8, 5), (8, 8), (9, 0)]);
/// ```
pub fn newest_ptx(driver_version: i32) -> (u32, u32) {
    let (major, minor) = (driver_version / 1000, driver_version % 1000 / 10);
    let minor = if major == 12 && minor >= 6 { minor - 1 } else { minor };
    (u32::try_from(major - 4).unwrap_or(0), u32::try_from(minor).unwrap_or(0))
}

/// The module with a kernel for a GPU: of those that the GPU and its driver can run, the one for the
/// highest compute capability. What is for one alone is for no newer GPU.
///
/// ```
/// use modeseek::executor::ptx::{PtxModule, module_for};
///
/// let module = |compute, ptx_version| PtxModule { compute, exact: false, ptx_version, family: "f", entries: &["k"], text: "" };
/// let modules = [module(75, (7, 0)), module(90, (7, 8))];
/// assert_eq!(module_for(&modules, "k", 120, (8, 4)).map(|module| module.compute), Some(90));
/// // An older GPU.
/// assert_eq!(module_for(&modules, "k", 86, (8, 4)).map(|module| module.compute), Some(75));
/// assert!(module_for(&modules, "other", 86, (8, 4)).is_none());
/// ```
pub fn module_for<'a>(
    modules: &'a [PtxModule],
    kernel: &str,
    compute: u32,
    newest: (u32, u32),
) -> Option<&'a PtxModule> {
    modules
        .iter()
        .filter(|module| if module.exact { module.compute == compute } else { module.compute <= compute })
        .filter(|module| module.ptx_version <= newest)
        .filter(|module| module.entries.contains(&kernel))
        .max_by_key(|module| module.compute)
}

/// What is wrong where [`module_for`] finds nothing.
pub(super) fn no_module(kernel: &'static str, compute: u32) -> Error {
    let with_kernel = || PTX.iter().filter(|module| module.entries.contains(&kernel));
    let known = with_kernel().next().is_some();
    let exact = known && with_kernel().all(|module| module.exact);
    let least = with_kernel().map(|module| module.compute).min();
    let needs = least.filter(|least| *least > compute || exact && *least != compute);
    Error::NoPtx { kernel, compute, needs, exact, known, origin: PTX_ORIGIN }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn module(compute: u32, ptx_version: (u32, u32)) -> PtxModule {
        PtxModule { compute, exact: false, ptx_version, family: "f", entries: &["k"], text: "" }
    }

    #[test]
    fn the_variant_follows_from_gpu_and_driver() {
        let modules = [module(75, (7, 0)), module(90, (7, 8))];
        let chosen = |compute, driver| module_for(&modules, "k", compute, newest_ptx(driver)).map(|m| m.compute);
        assert_eq!(chosen(90, 12_040), Some(90));
        assert_eq!(chosen(120, 13_000), Some(90));
        assert_eq!(chosen(86, 12_040), Some(75));
        // An H100 under an old driver still gets the baseline.
        assert_eq!(chosen(90, 11_070), Some(75));
        assert_eq!(chosen(75, 11_000), Some(75));
        assert_eq!(chosen(75, 10_020), None);
        assert_eq!(chosen(70, 12_040), None);
        assert!(module_for(&modules, "other", 90, (9, 0)).is_none());
    }

    /// Families that are left out for compute 7.5: their kernels need what 8.0 brought.
    const FROM_80: [&str; 6] =
        ["matmul_tensor", "reduce_tensor", "round_rows", "shift_tensor", "shift_tensor_split", "shift_tensor_wide"];

    #[test]
    fn what_a_newer_architecture_has_the_oldest_has_too() {
        for module in PTX {
            if module.exact {
                runs_on_one_alone(module);
                continue;
            }
            let oldest = if FROM_80.contains(&module.family) { 80 } else { 75 };
            for entry in module.entries {
                assert_eq!(
                    module_for(PTX, entry, oldest, (9, 0)).map(|module| module.compute),
                    Some(oldest),
                    "{entry}"
                );
                if oldest > 75 {
                    assert!(module_for(PTX, entry, 75, (9, 0)).is_none(), "{entry}");
                    let message = no_module(entry, 75).to_string();
                    assert!(message.contains("it needs compute capability 8.0"), "{message}");
                }
            }
        }
        assert!(PTX.is_empty() || PTX.iter().any(|module| module.exact && module.family == "matmul_wgmma"));
        let message = no_module("nowhere", 75).to_string();
        assert!(!message.contains("needs") && message.contains("kernel nowhere"), "{message}");
        assert!(
            message.contains("give its PTX as `modules` of `CudaOptions` or `InterpreterOptions`, or choose"),
            "{message}"
        );
    }

    /// What the braces of a name in a table stand for.
    fn names(text: &str) -> Vec<String> {
        let Some(open) = text.find('{') else { return vec![text.to_owned()] };
        let mut depth = 0;
        let (mut choices, mut from, mut close) = (Vec::new(), open + 1, open);
        for (at, letter) in text[open..].char_indices().map(|(at, letter)| (open + at, letter)) {
            match letter {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 || (depth == 1 && letter == ',') {
                choices.push(&text[from..at]);
                (from, close) = (at + 1, at);
            }
            if depth == 0 {
                break;
            }
        }
        let (before, behind) = (&text[..open], &text[close + 1..]);
        choices.into_iter().flat_map(|choice| names(&format!("{before}{choice}{behind}"))).collect()
    }

    #[test]
    fn every_kernel_is_in_the_table_of_its_crate() {
        let table = include_str!("../../gpu/lib.rs").lines().filter_map(|line| line.strip_prefix("//! | `"));
        let first_column = table.map(|row| row.split('|').next().unwrap());
        let listed: Vec<String> = first_column.flat_map(|cell| cell.split('`').flat_map(names)).collect();
        let entries = || PTX.iter().flat_map(|module| module.entries);
        for entry in entries() {
            assert!(listed.iter().any(|name| name == entry), "gpu/lib.rs does not list {entry}");
        }
        for name in listed.iter().filter(|name| !PTX.is_empty() && name.contains(char::is_alphanumeric)) {
            assert!(entries().any(|entry| entry == name), "gpu/lib.rs lists {name}, which is no kernel");
        }
    }

    /// PTX for an architecture alone is found there and nowhere else, newer ones included.
    fn runs_on_one_alone(module: &PtxModule) {
        assert!(module.text.contains(&format!(".target sm_{}a", module.compute)), "{}", module.family);
        for entry in module.entries {
            let found = |compute| module_for(PTX, entry, compute, (9, 0)).map(PtxModule::name);
            assert_eq!(found(module.compute), Some(module.name()), "{entry}");
            for compute in [75, 80, 89, 100, 120] {
                assert_eq!(found(compute), None, "{entry}");
                let message = no_module(entry, compute).to_string();
                assert!(message.contains("it needs compute capability 9.0 and no other"), "{message}");
            }
        }
    }
}
