//! What is to be built, and what was.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::arch::Arch;
use crate::check::{Allowances, KernelInfo, check};
use crate::compiler::{self, Compiler};
use crate::device_build::{DeviceBuild, recipe};
use crate::error::Error;
use crate::ptx::{Malformed, Ptx, cut, rolled, split};
use crate::sources::Sources;
use crate::stamp::{CheckedIn, Fit, write_files};

/// Builds a crate of kernels to PTX.
///
/// ```no_run
/// let build = cuda_builder::CudaBuilder::new("gpu").allow_local("histogram").build()?;
/// for module in &build.modules {
///     println!("{}: {} kernels", module.path(), module.entries.len());
/// }
/// # Ok::<(), cuda_builder::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct CudaBuilder {
    pub(crate) crate_dir: PathBuf,
    archs: Vec<Arch>,
    line_tables: bool,
    target_dir: Option<PathBuf>,
    extra_sources: Vec<PathBuf>,
    allowed: Allowances,
}

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
    sources: String,
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

    fn to_checked_in(&self) -> CheckedIn {
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

impl CudaBuilder {
    /// Builds the crate in `crate_dir` for [`Arch::defaults`].
    ///
    /// ```
    /// use cuda_builder::{Arch, CudaBuilder};
    ///
    /// assert_eq!(CudaBuilder::new("gpu").archs(), Arch::defaults());
    /// ```
    pub fn new(crate_dir: impl Into<PathBuf>) -> Self {
        Self {
            crate_dir: crate_dir.into(),
            archs: Vec::new(),
            line_tables: false,
            target_dir: None,
            extra_sources: Vec::new(),
            allowed: Allowances::default(),
        }
    }

    /// Adds an architecture. The first takes the place of the defaults.
    ///
    /// ```
    /// use cuda_builder::{Arch, CudaBuilder};
    ///
    /// let ampere = Arch::new("sm_80", "ptx70");
    /// assert_eq!(CudaBuilder::new("gpu").arch(ampere.clone()).archs(), [ampere]);
    /// ```
    #[must_use]
    pub fn arch(mut self, arch: Arch) -> Self {
        self.archs.push(arch);
        self
    }

    /// Whether the PTX says which source line each instruction comes from, for profilers and debuggers.
    ///
    /// ```no_run
    /// use cuda_builder::CudaBuilder;
    ///
    /// // For a profiler.
    /// let build = CudaBuilder::new("gpu").line_tables(true).build()?;
    /// assert!(build.modules[0].text.contains(".loc"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn line_tables(mut self, line_tables: bool) -> Self {
        self.line_tables = line_tables;
        self
    }

    /// Where the compiler's intermediate files go: a folder that no other cargo uses. By default one in the
    /// workspace's target folder, so that `core` is compiled once for all profiles.
    ///
    /// ```no_run
    /// use cuda_builder::CudaBuilder;
    ///
    /// let build = CudaBuilder::new("gpu").target_dir("/var/tmp/device").build()?;
    /// assert!(!build.modules.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn target_dir(mut self, target_dir: impl Into<PathBuf>) -> Self {
        self.target_dir = Some(target_dir.into());
        self
    }

    /// Adds a crate whose sources decide the PTX although the manifest does not lead to it.
    ///
    /// ```no_run
    /// use cuda_builder::{CudaBuilder, Fit};
    ///
    /// // A crate of constants that the kernels include as text.
    /// let (_, fit) = CudaBuilder::new("gpu").source("constants").checked_in()?;
    /// assert_ne!(fit, Fit::Missing);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn source(mut self, crate_dir: impl Into<PathBuf>) -> Self {
        self.extra_sources.push(crate_dir.into());
        self
    }

    /// Lets a kernel use local memory.
    ///
    /// This and the other permissions may stand in the kernel crate's manifest instead, where the program sees
    /// them too: `allow-local`, `allow-divergent-barriers` and `allow-extern`, each a list of names, in
    /// `[package.metadata.cuda_builder]`.
    ///
    /// ```no_run
    /// use cuda_builder::CudaBuilder;
    ///
    /// let build = CudaBuilder::new("gpu").allow_local("sort_small").build()?;
    /// assert!(build.kernels.iter().any(|kernel| kernel.name == "sort_small"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn allow_local(mut self, kernel: impl Into<String>) -> Self {
        self.allowed.local.insert(kernel.into());
        self
    }

    /// Lets a kernel's barriers pass that the check takes for divergent. The check cannot see that a condition
    /// computed from the thread's index is the same for all threads of a block.
    ///
    /// ```no_run
    /// use cuda_builder::CudaBuilder;
    ///
    /// let build = CudaBuilder::new("gpu").allow_divergent_barriers("sweep").build()?;
    /// assert!(build.kernels.iter().any(|kernel| kernel.name == "sweep"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn allow_divergent_barriers(mut self, kernel: impl Into<String>) -> Self {
        self.allowed.divergent_barriers.insert(kernel.into());
        self
    }

    /// Lets kernels refer to a symbol that the driver provides.
    ///
    /// ```no_run
    /// use cuda_builder::CudaBuilder;
    ///
    /// // What prints from a kernel is the driver's.
    /// let build = CudaBuilder::new("gpu").allow_extern("vprintf").build()?;
    /// assert!(!build.modules.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn allow_extern(mut self, symbol: impl Into<String>) -> Self {
        self.allowed.externals.insert(symbol.into());
        self
    }

    /// Compiles the kernels for each architecture, checks the PTX and splits it by family.
    ///
    /// ```no_run
    /// use cuda_builder::CudaBuilder;
    ///
    /// let build = CudaBuilder::new("gpu").build()?;
    /// for module in &build.modules {
    ///     assert!(module.text.contains(&format!(".target {}", module.target)));
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Where no compiler is found, the kernels do not compile, or their PTX does not pass its checks.
    pub fn build(&self) -> Result<Build, Error> {
        let sources = self.sources()?;
        let compiler = compiler::discover(&sources.kernel_crate().dir)?;
        self.build_with(&sources, compiler)
    }

    pub(crate) fn build_with(&self, sources: &Sources, compiler: Compiler) -> Result<Build, Error> {
        let hash = sources.hash(&recipe(&self.archs()))?;
        let target_dir = absolute(&self.target_dir.clone().unwrap_or_else(|| default_target_dir(sources)))?;
        let allowed = self.allowed.clone().or(sources.allowed());
        let (mut modules, mut kernels) = (Vec::new(), Vec::<KernelInfo>::new());
        for arch in &self.archs() {
            let krate = sources.kernel_crate();
            let device_build = DeviceBuild {
                crate_dir: &krate.dir,
                library: &krate.library,
                compiler: &compiler,
                arch,
                line_tables: self.line_tables,
                target_dir: &target_dir,
            };
            let (more, infos) = examine(arch, &rolled(&device_build.run()?), &allowed)?;
            modules = with_new(modules, more);
            // A family may be left out for an old architecture, whose instructions do not reach for it.
            let is_new = |info: &KernelInfo| !kernels.iter().any(|known: &KernelInfo| known.name == info.name);
            let new: Vec<_> = infos.into_iter().filter(is_new).collect();
            kernels.extend(new);
        }
        let (archs, line_tables) = (self.archs(), self.line_tables);
        Ok(Build { compiler, archs, modules, kernels, line_tables, sources: hash })
    }

    /// Replaces the checked-in copy.
    ///
    /// ```no_run
    /// use cuda_builder::{Comparison, CudaBuilder};
    ///
    /// let builder = CudaBuilder::new("gpu");
    /// let build = builder.build()?;
    /// builder.check_in(&build)?;
    /// assert_eq!(builder.compare(&build)?, Comparison::Same);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::LineTablesCheckedIn`] for a build with line tables, or [`Error::Io`].
    pub fn check_in(&self, build: &Build) -> Result<(), Error> {
        if build.line_tables {
            return Err(Error::LineTablesCheckedIn);
        }
        build.to_checked_in().write(&self.ptx_dir())
    }

    /// The checked-in copy, if there is one, and whether it fits the sources as they are.
    ///
    /// ```
    /// use cuda_builder::CudaBuilder;
    ///
    /// // modeseek's own kernels.
    /// let (copy, fit) = CudaBuilder::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../gpu")).checked_in()?;
    /// println!("{}", fit.reason());
    /// assert!(copy.expect("it is there").files.contains_key("sm_75/vector.ptx"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Where the sources or the stamp cannot be read.
    pub fn checked_in(&self) -> Result<(Option<CheckedIn>, Fit), Error> {
        self.checked_in_for(&self.sources()?)
    }

    pub(crate) fn checked_in_for(&self, sources: &Sources) -> Result<(Option<CheckedIn>, Fit), Error> {
        let copy = CheckedIn::read(&self.ptx_dir())?;
        let hash = sources.hash(&recipe(&self.archs()))?;
        let fit = copy.as_ref().map_or(Fit::Missing, |copy| copy.fit(&hash));
        Ok((copy, fit))
    }

    /// Compares the checked-in copy with a build.
    ///
    /// ```no_run
    /// use cuda_builder::{Comparison, CudaBuilder};
    ///
    /// let builder = CudaBuilder::new("gpu");
    /// match builder.compare(&builder.build()?)? {
    ///     Comparison::Same | Comparison::OtherCompiler { .. } => {}
    ///     other => panic!("the checked-in PTX is not what the sources make: {other:?}"),
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Where the stamp cannot be read.
    pub fn compare(&self, build: &Build) -> Result<Comparison, Error> {
        let Some(copy) = CheckedIn::read(&self.ptx_dir())? else { return Ok(Comparison::Unfit(Fit::Missing)) };
        Ok(compare(&copy, &build.to_checked_in()))
    }

    /// The folder of the checked-in copy.
    ///
    /// ```
    /// use std::path::Path;
    ///
    /// use cuda_builder::CudaBuilder;
    ///
    /// assert_eq!(CudaBuilder::new("gpu").ptx_dir(), Path::new("gpu/ptx"));
    /// ```
    pub fn ptx_dir(&self) -> PathBuf {
        self.crate_dir.join("ptx")
    }

    /// The architectures that are built.
    ///
    /// ```
    /// use cuda_builder::CudaBuilder;
    ///
    /// assert_eq!(CudaBuilder::new("gpu").archs()[0].target(), "sm_75");
    /// ```
    pub fn archs(&self) -> Vec<Arch> {
        if self.archs.is_empty() { Arch::defaults() } else { self.archs.clone() }
    }

    pub(crate) fn wants_line_tables(&self) -> bool {
        self.line_tables
    }

    pub(crate) fn has_target_dir(&self) -> bool {
        self.target_dir.is_some()
    }

    pub(crate) fn sources(&self) -> Result<Sources, Error> {
        let extra: Result<Vec<_>, _> = self.extra_sources.iter().map(|dir| absolute(dir)).collect();
        Sources::find(&absolute(&self.crate_dir)?, &extra?)
    }
}

fn default_target_dir(sources: &Sources) -> PathBuf {
    let cargos = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    cargos.unwrap_or_else(|| sources.workspace().join("target")).join("cuda_builder")
}

/// Adds the modules of another architecture, but for those that an earlier one has with nothing different but
/// their headers: a GPU takes the newest that it can run, and so finds these too.
fn with_new(mut modules: Vec<Module>, more: Vec<Module>) -> Vec<Module> {
    fn body(module: &Module) -> impl Iterator<Item = &str> {
        module.text.lines().filter(|line| !line.starts_with(".version") && !line.starts_with(".target"))
    }
    let is_new = |module: &Module| !modules.iter().any(|old| old.family == module.family && body(old).eq(body(module)));
    let new: Vec<_> = more.into_iter().filter(is_new).collect();
    modules.extend(new);
    modules
}

/// Checks the PTX of a whole crate and splits it.
fn examine(arch: &Arch, text: &str, allowed: &Allowances) -> Result<(Vec<Module>, Vec<KernelInfo>), Error> {
    let unreadable = |reason| Error::Unreadable { arch: arch.clone(), reason };
    let ptx = Ptx::read(text).map_err(unreadable)?;
    let kernels = check(&ptx, allowed).map_err(|errors| Error::Check { arch: arch.clone(), errors })?;
    let module = |family: crate::ptx::FamilyText| Module {
        target: arch.target().to_owned(),
        family: family.family,
        ptx_version: ptx.version(),
        entries: family.entries,
        text: family.text,
    };
    Ok((split(&ptx).into_iter().map(module).collect(), kernels))
}

/// Cargo runs in the kernel crate's folder, where relative paths would mean something else.
fn absolute(path: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(path).map_err(Error::io("find", path))
}

fn compare(copy: &CheckedIn, built: &CheckedIn) -> Comparison {
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

    #[test]
    fn the_first_architecture_named_replaces_the_defaults() {
        let builder = CudaBuilder::new("gpu");
        assert_eq!(builder.archs(), Arch::defaults());
        assert_eq!(builder.arch(Arch::new("sm_80", "ptx70")).archs(), [Arch::new("sm_80", "ptx70")]);
    }

    #[test]
    fn a_build_with_line_tables_is_not_checked_in() {
        let compiler = Compiler { path: "rustc".into(), version: String::new() };
        let build = Build {
            compiler,
            archs: Vec::new(),
            modules: Vec::new(),
            kernels: Vec::new(),
            line_tables: true,
            sources: String::new(),
        };
        assert!(matches!(CudaBuilder::new("absent").check_in(&build), Err(Error::LineTablesCheckedIn)));
    }
}
