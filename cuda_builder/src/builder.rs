//! What is to be built, and what was.

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};

use crate::arch::Arch;
use crate::build::{Build, Comparison, compare, examine, with_new};
use crate::check::{Allowances, KernelInfo};
use crate::compiler::{self, Compiler};
use crate::device_build::{DeviceBuild, recipe};
use crate::error::Error;
use crate::ptx::directives;
use crate::renew;
use crate::sources::Sources;
use crate::stamp::{CheckedIn, Fit};

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
        let (krate, archs) = (sources.kernel_crate(), self.archs());
        archs.iter().try_for_each(|arch| compiler.check(arch, &krate.dir))?;
        let compile = &|arch| {
            let device_build = DeviceBuild {
                crate_dir: &krate.dir,
                library: &krate.library,
                compiler: &compiler,
                arch,
                line_tables: self.line_tables,
                target_dir: &target_dir,
            };
            device_build.run()
        };
        // Side by side: nearly all of the time is LLVM's, which compiles a crate's kernels on one core.
        let texts: Vec<Result<String, Error>> = std::thread::scope(|scope| {
            let builds: Vec<_> = archs.iter().map(|arch| scope.spawn(move || compile(arch))).collect();
            builds.into_iter().map(|build| build.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
        });
        let (mut modules, mut kernels) = (Vec::new(), Vec::<KernelInfo>::new());
        for (arch, text) in archs.iter().zip(texts) {
            let (more, infos) = examine(arch, &directives(&text?), &allowed, &target_dir)?;
            modules = with_new(modules, more);
            // A family may be left out for an old architecture, whose instructions do not reach for it.
            let is_new = |info: &KernelInfo| !kernels.iter().any(|known: &KernelInfo| known.name == info.name);
            let new: Vec<_> = infos.into_iter().filter(is_new).collect();
            kernels.extend(new);
        }
        // What was written meanwhile may be in the PTX, or not.
        if self.sources()?.hash(&recipe(&self.archs()))? != hash {
            return Err(Error::SourcesChanged);
        }
        Ok(Build { compiler, archs, modules, kernels, line_tables: self.line_tables, sources: hash })
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

    /// The command that makes the checked-in copy anew, to be typed in the folder where this runs, or in its workspace.
    ///
    /// ```
    /// use cuda_builder::CudaBuilder;
    ///
    /// // In modeseek's own workspace; from others it says where the program is.
    /// assert_eq!(CudaBuilder::new("gpu").check_in_command(), "cargo run -p cuda_builder -- build gpu");
    /// ```
    pub fn check_in_command(&self) -> String {
        renew::command(&self.crate_dir)
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

/// Cargo runs in the kernel crate's folder, where relative paths would mean something else.
fn absolute(path: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(path).map_err(Error::io("find", path))
}

#[cfg(test)]
mod tests {
    use super::*;

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
