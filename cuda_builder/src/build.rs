//! What a build made, and how it compares with the checked-in copy.

use std::collections::BTreeMap;
use std::path::Path;

use crate::arch::Arch;
use crate::check::{Allowances, KernelInfo, check};
use crate::compiler::Compiler;
use crate::error::Error;
use crate::ptx::{FamilyText, Malformed, Ptx, cut, split};
use crate::stamp::{CheckedIn, Fit, write_files};

/// One family of kernels for one architecture.
///
/// ```no_run
/// use cuda_builder::{CudaBuilder, Module};
///
/// for Module { target, family, entries, .. } in CudaBuilder::new("gpu").build()?.modules {
///     println!("{family} for {target}: {} kernels", entries.len());
///     assert!(!entries.is_empty());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// The architecture's folder, as in `sm_75`.
    pub target: String,
    /// The family's name.
    pub family: String,
    /// The PTX version: (7, 0).
    pub ptx_version: (u32, u32),
    /// The names of its kernels.
    pub entries: Vec<String>,
    /// The PTX.
    pub text: String,
}

impl Module {
    /// Where it lies in a folder of modules: `sm_75/mean_shift.ptx`.
    ///
    /// ```
    /// use cuda_builder::Module;
    ///
    /// let (target, family) = ("sm_75".to_owned(), "scan".to_owned());
    /// let module = Module { target, family, ptx_version: (7, 0), entries: Vec::new(), text: String::new() };
    /// assert_eq!(module.path(), "sm_75/scan.ptx");
    /// ```
    pub fn path(&self) -> String {
        format!("{}/{}.ptx", self.target, self.family)
    }

    /// The module cut into those that a driver is to load: of a kernel each.
    pub(crate) fn cut(&self) -> Result<Vec<Self>, Malformed> {
        let parts = cut(&Ptx::read(&self.text)?);
        Ok(parts.into_iter().map(|part| Self { entries: part.entries, text: part.text, ..self.clone() }).collect())
    }

    /// A module by its path and text, as a checked-in copy has them.
    pub(crate) fn read(path: &str, text: &str) -> Result<Self, Malformed> {
        let (target, file) = path.split_once('/').unwrap_or(("", path));
        let ptx = Ptx::read(text)?;
        Ok(Self {
            target: target.to_owned(),
            family: file.trim_end_matches(".ptx").to_owned(),
            ptx_version: ptx.version(),
            entries: ptx.entries().into_iter().map(str::to_owned).collect(),
            text: text.to_owned(),
        })
    }
}

/// Kernels, built and checked.
///
/// ```no_run
/// use cuda_builder::CudaBuilder;
///
/// let build = CudaBuilder::new("gpu").build()?;
/// println!("by {}", build.compiler.version);
/// // A barrier or two is what a reduction has.
/// assert!(build.kernels.iter().all(|kernel| kernel.barriers < 100));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// What compiled them.
    pub compiler: Compiler,
    /// The architectures, in the order of the builder.
    pub archs: Vec<Arch>,
    /// One for each family and architecture for which it differs from those before, if any.
    pub modules: Vec<Module>,
    /// What each kernel turned out to be on the first architecture that has it.
    pub kernels: Vec<KernelInfo>,
    /// Whether `.loc` lines lead from the PTX to the sources.
    pub line_tables: bool,
    /// A hash over what they were made from, taken before the compiler ran.
    pub(crate) sources: String,
}

impl Build {
    /// Writes each module as `folder/<architecture>/<family>.ptx`.
    ///
    /// ```no_run
    /// use std::path::Path;
    ///
    /// use cuda_builder::CudaBuilder;
    ///
    /// CudaBuilder::new("gpu").build()?.write_to(Path::new("/tmp/ptx"))?;
    /// assert!(Path::new("/tmp/ptx/sm_75").is_dir());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write_to(&self, folder: &Path) -> Result<(), Error> {
        write_files(folder, &self.files())
    }

    pub(crate) fn files(&self) -> BTreeMap<String, String> {
        self.modules.iter().map(|module| (module.path(), module.text.clone())).collect()
    }

    pub(crate) fn to_checked_in(&self) -> CheckedIn {
        let archs = self.archs.iter().map(Arch::to_string).collect();
        CheckedIn::new(self.sources.clone(), self.compiler.version.clone(), archs, self.files())
    }
}

/// How a checked-in copy compares with a build.
///
/// ```
/// use cuda_builder::{Comparison, Fit};
///
/// let worst = Comparison::Unfit(Fit::Damaged("sm_75/scan.ptx".to_owned()));
/// if let Comparison::Unfit(fit) = &worst {
///     assert!(fit.reason().contains("sm_75/scan.ptx"));
/// }
/// assert_ne!(worst, Comparison::Same);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// The same sources, compiler and bytes.
    Same,
    /// The same sources; another compiler, so the bytes may rightly differ and were not compared.
    OtherCompiler {
        /// The copy's.
        checked_in: String,
        /// The build's.
        built: String,
    },
    /// The copy may not be used.
    Unfit(Fit),
    /// The same sources and compiler, and these files differ.
    OtherBytes(Vec<String>),
}

/// Adds the modules of another architecture, but for those that an earlier one has with nothing different but
/// their headers: a GPU takes the newest that it can run, and so finds these too.
pub(crate) fn with_new(mut modules: Vec<Module>, more: Vec<Module>) -> Vec<Module> {
    fn body(module: &Module) -> impl Iterator<Item = &str> {
        module.text.lines().filter(|line| !line.starts_with(".version") && !line.starts_with(".target"))
    }
    let is_new = |module: &Module| !modules.iter().any(|old| old.family == module.family && body(old).eq(body(module)));
    let new: Vec<_> = more.into_iter().filter(is_new).collect();
    modules.extend(new);
    modules
}

/// Checks the PTX of a whole crate and splits it. What is refused is written into `folder`, for whoever reads the error.
pub(crate) fn examine(
    arch: &Arch,
    text: &str,
    allowed: &Allowances,
    folder: &Path,
) -> Result<(Vec<Module>, Vec<KernelInfo>), Error> {
    let refused = || {
        let name = format!("refused/{}.ptx", arch.target());
        // That it cannot be written is not what is wrong with the kernels.
        let written = write_files(folder, &BTreeMap::from([(name.clone(), text.to_owned())]));
        written.ok().map(|()| folder.join(name))
    };
    let unreadable = |reason| Error::Unreadable { arch: arch.clone(), reason, ptx: refused() };
    let ptx = Ptx::read(text).map_err(unreadable)?;
    let kernels = check(&ptx, allowed).map_err(|errors| Error::Check { arch: arch.clone(), errors, ptx: refused() })?;
    let module = |family: FamilyText| Module {
        target: arch.target().to_owned(),
        family: family.family,
        ptx_version: ptx.version(),
        entries: family.entries,
        text: family.text,
    };
    Ok((split(&ptx).into_iter().map(module).collect(), kernels))
}

pub(crate) fn compare(copy: &CheckedIn, built: &CheckedIn) -> Comparison {
    let fit = copy.fit(&built.stamp.sources);
    if fit != Fit::Fits {
        return Comparison::Unfit(fit);
    }
    let (old, new) = (&copy.stamp, &built.stamp);
    if old.compiler != new.compiler {
        return Comparison::OtherCompiler { checked_in: old.compiler.clone(), built: new.compiler.clone() };
    }
    let paths = old.files.keys().chain(new.files.keys());
    let mut differing: Vec<String> =
        paths.filter(|path| old.files.get(*path) != new.files.get(*path)).cloned().collect();
    differing.sort();
    differing.dedup();
    if differing.is_empty() { Comparison::Same } else { Comparison::OtherBytes(differing) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(sources: &str, compiler: &str, text: &str) -> CheckedIn {
        let files = BTreeMap::from([("sm_75/a.ptx".to_owned(), text.to_owned())]);
        CheckedIn::new(sources.to_owned(), compiler.to_owned(), Vec::new(), files)
    }

    #[test]
    fn bytes_are_compared_where_sources_and_compiler_agree() {
        let old = copy("1", "rustc 1.96.0", "text");
        assert_eq!(compare(&old, &old), Comparison::Same);
        assert_eq!(compare(&old, &copy("2", "rustc 1.96.0", "text")), Comparison::Unfit(Fit::Stale));
        let other = Comparison::OtherBytes(vec!["sm_75/a.ptx".to_owned()]);
        assert_eq!(compare(&old, &copy("1", "rustc 1.96.0", "other")), other);
        let newer = compare(&old, &copy("1", "rustc 1.97.0", "other"));
        assert!(matches!(newer, Comparison::OtherCompiler { .. }));
    }

    #[test]
    fn what_is_refused_can_be_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let examine = |text: &str, folder: &Path| {
            examine(&Arch::new("sm_75", "ptx70"), text, &Allowances::default(), folder).unwrap_err().to_string()
        };
        let head = ".version 7.0\n.target sm_75\n.address_size 64\n// cuda_std.kernel k gpu::family\n";
        let text =
            format!("{head}.visible .entry k()\n{{\nsetp.eq.u32 %p1, %tid.x, 0;\n@%p1 ret;\nbar.sync 0;\nret;\n}}\n");
        let error = examine(&text, folder.path());
        let path = folder.path().join("refused").join("sm_75.ptx");
        let expected =
            format!("the PTX for sm_75+ptx70, in {}, did not pass its checks:\n- kernel `k`", path.display());
        assert!(error.starts_with(&expected), "{error}");
        let written = std::fs::read_to_string(&path).unwrap();
        let line = |part: &str| written.lines().position(|line| line.contains(part)).unwrap() + 1;
        let named =
            [format!("`@%p1 ret;` (line {}, in `k`)", line("@%p1")), format!("`bar.sync 0;` (line {})", line("bar"))];
        assert!(named.iter().all(|part| error.contains(part)), "{error}");

        let error = examine(&format!("{head}.visible .entry k()\n{{\nret\n}}\n"), folder.path());
        assert!(error.contains("`ret` has no semicolon") && error.contains("line 7 of the PTX"), "{error}");
        let error = examine(&format!("{head}.visible .entry k()\n{{\n"), folder.path());
        assert!(error.contains("sm_75.ptx, cannot be read: line 5 of the PTX"), "{error}");
        // A file is no folder: the error goes without the text.
        let error = examine(&text, &path);
        assert!(error.starts_with("the PTX for sm_75+ptx70 did not pass its checks:\n- kernel `k`"), "{error}");
    }

    #[test]
    fn a_module_that_an_older_architecture_has_is_left_out() {
        let module = |target: &str, family: &str, body: &str| {
            let text = format!(
                "//\n// cuda_std.kernel k gpu::{family}\n.version 7.0\n.target {target}\n.visible .entry k() {{ {body} }}\n"
            );
            Module::read(&format!("{target}/{family}.ptx"), &text).unwrap()
        };
        let older = vec![module("sm_75", "a", "ret;"), module("sm_75", "b", "ret;")];
        let newer = vec![module("sm_90", "a", "ret;"), module("sm_90", "b", "exit;")];
        let paths: Vec<_> = with_new(older, newer).iter().map(Module::path).collect();
        assert_eq!(paths, ["sm_75/a.ptx", "sm_75/b.ptx", "sm_90/b.ptx"]);
    }
}
