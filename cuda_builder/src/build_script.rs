//! What a build script does: choose the PTX, hand it to the crate that is compiled, and tell cargo what to watch.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::arch::Arch;
use crate::build::Module;
use crate::builder::CudaBuilder;
use crate::compiler::{self, ADVICE, RUSTC_VARIABLE};
use crate::error::Error;
use crate::policy::{MODE_VARIABLE, Mode, Otherwise, Plan, plan};
use crate::sources::{Sources, hash_text};
use crate::stamp::{CheckedIn, Fit, STAMP, write_files};

/// Asks for line tables where it is `1`.
pub const LINE_TABLES_VARIABLE: &str = "CUDA_BUILDER_LINE_TABLES";

/// The PTX that was chosen.
struct Choice {
    modules: Vec<Module>,
    /// Where it comes from, in words.
    origin: String,
    /// One sentence for the user, if something is not as it should be.
    warning: Option<String>,
}

impl CudaBuilder {
    /// Chooses the PTX as the variable `CUDA_BUILDER` says ([`Mode`]) and writes `ptx.rs` into `OUT_DIR`.
    ///
    /// The file is to be included where a struct `PtxModule` is in scope, which has the public fields
    /// `compute: u32`, `exact: bool`, `ptx_version: (u32, u32)`, `family: &'static str`, `entries: &'static [&'static str]`
    /// and `text: &'static str`. It defines `PTX: &[PtxModule]`, `PTX_ORIGIN: &str` and `PTX_HASH: &str`.
    ///
    /// ```no_run
    /// // In a build script; the PTX is then in `OUT_DIR`.
    /// fn main() -> Result<(), cuda_builder::Error> {
    ///     cuda_builder::CudaBuilder::new("gpu").build_for_cargo()
    /// }
    /// ```
    ///
    /// # Errors
    /// Where `CUDA_BUILDER` demands what is not to be had, the kernels do not compile, or their PTX does not
    /// pass its checks.
    pub fn build_for_cargo(self) -> Result<(), Error> {
        let out_dir = std::env::var_os("OUT_DIR").map(PathBuf::from).ok_or(Error::NotABuildScript("OUT_DIR"))?;
        for variable in [MODE_VARIABLE, RUSTC_VARIABLE, LINE_TABLES_VARIABLE] {
            println!("cargo:rerun-if-env-changed={variable}");
        }
        let mode = Mode::parse(std::env::var(MODE_VARIABLE).ok().as_deref())?;
        let builder = self.in_build_script(&out_dir);
        let sources = builder.sources()?;
        for path in sources.watched().into_iter().chain(builder.watched_copy()?) {
            println!("cargo:rerun-if-changed={}", path.display());
        }
        let choice = builder.choose(mode, &sources)?;
        if let Some(warning) = &choice.warning {
            println!("cargo:warning={warning}");
        }
        choice.write(&out_dir)
    }

    fn in_build_script(self, out_dir: &Path) -> Self {
        let asked = std::env::var(LINE_TABLES_VARIABLE).is_ok_and(|value| value == "1");
        let line_tables = asked || self.wants_line_tables();
        let builder = self.line_tables(line_tables);
        if builder.has_target_dir() { builder } else { builder.target_dir(shared_target_dir(out_dir)) }
    }

    /// The checked-in copy; or where it would be, for cargo to see it appear: a path that does not exist would
    /// have cargo run the build script each time.
    fn watched_copy(&self) -> Result<Vec<PathBuf>, Error> {
        let folder = self.ptx_dir();
        let copy = CheckedIn::read(&folder)?;
        let files = copy.into_iter().flat_map(|copy| copy.files.into_keys()).map(|name| folder.join(name));
        let stamp = folder.join(STAMP);
        let watched = if stamp.is_file() { stamp } else { self.crate_dir.clone() };
        Ok(files.chain([watched]).collect())
    }

    fn choose(&self, mode: Mode, sources: &Sources) -> Result<Choice, Error> {
        let (copy, fit) = self.checked_in_for(sources)?;
        let otherwise = match plan(mode, &fit, self.wants_line_tables()) {
            Plan::UseCheckedIn => return Choice::checked_in(copy),
            Plan::DoWithout => return Ok(Choice::none("CUDA_BUILDER=none")),
            Plan::Refuse => {
                return Err(Error::CheckedInUnfit { reason: fit.reason(), command: self.check_in_command() });
            }
            Plan::Build { otherwise } => otherwise,
        };
        match (compiler::discover(&sources.kernel_crate().dir), otherwise) {
            (Ok(compiler), _) => {
                let build = self.build_with(sources, compiler)?;
                Ok(Choice {
                    modules: build.modules,
                    origin: format!("built by {}", build.compiler.version),
                    warning: None,
                })
            }
            (Err(none), Otherwise::Fail) => Err(none.into()),
            (Err(_), Otherwise::UseCheckedIn) => {
                let warning = format!(
                    "line tables need a compiler for the kernels, and none was found ({ADVICE}); the checked-in PTX is used, without them"
                );
                Ok(Choice { warning: Some(warning), ..Choice::checked_in(copy)? })
            }
            (Err(_), Otherwise::DoWithout) => {
                let warning = self.processor_only(&fit);
                Ok(Choice {
                    warning: Some(warning),
                    ..Choice::none(&format!("{}, and no compiler for them was found", fit.reason()))
                })
            }
        }
    }

    fn processor_only(&self, fit: &Fit) -> String {
        format!(
            "{}, and no rustc here has the source of `core` that building them needs: this build runs on the \
             processor only, until you install that source ({ADVICE}) and run `{}`",
            fit.reason(),
            self.check_in_command()
        )
    }
}

impl Choice {
    fn none(reason: &str) -> Self {
        Self { modules: Vec::new(), origin: format!("none: {reason}"), warning: None }
    }

    fn checked_in(copy: Option<CheckedIn>) -> Result<Self, Error> {
        let Some(copy) = copy else { return Ok(Self::none("there is no checked-in PTX")) };
        let modules = copy.files.iter().map(|(path, text)| {
            let unfit = |reason: crate::ptx::Malformed| Error::Stamp { path: path.into(), reason: reason.to_string() };
            Module::read(path, text).map_err(unfit)
        });
        let origin = format!("checked in, {}", copy.stamp.compiler);
        Ok(Self { modules: modules.collect::<Result<_, _>>()?, origin, warning: None })
    }

    /// Writes the texts, a module for each kernel, and the Rust that includes them: copies, so that the paths it names
    /// stay valid.
    fn write(&self, out_dir: &Path) -> Result<(), Error> {
        let folder = out_dir.join("ptx");
        let modules = self.cut()?;
        let texts: BTreeMap<_, _> = modules.iter().map(|module| (own_path(module), module.text.clone())).collect();
        write_files(&folder, &texts)?;
        let rust = self.to_rust(&modules, &folder)?;
        write_files(out_dir, &BTreeMap::from([("ptx.rs".to_owned(), rust)]))
    }

    /// The modules that a driver is to load, which compiles whole ones.
    fn cut(&self) -> Result<Vec<Module>, Error> {
        let unfit = |module: &Module, reason: crate::ptx::Malformed| Error::Stamp {
            path: module.path().into(),
            reason: reason.to_string(),
        };
        let mut cut = Vec::new();
        for module in &self.modules {
            cut.extend(module.cut().map_err(|reason| unfit(module, reason))?);
        }
        Ok(cut)
    }

    fn to_rust(&self, modules: &[Module], folder: &Path) -> Result<String, Error> {
        let mut rust = String::from("/// The compiled kernels: one module for each architecture and kernel.\n");
        rust += "pub static PTX: &[PtxModule] = &[\n";
        for module in modules {
            let arch = Arch::new(&module.target, "");
            let (compute, exact) = (arch.compute()?, arch.is_exact());
            let path = folder.join(own_path(module));
            let _ = writeln!(
                rust,
                "    PtxModule {{ compute: {compute}, exact: {exact}, ptx_version: {:?}, family: {:?}, entries: &{:?}, text: include_str!({:?}) }},",
                module.ptx_version, module.family, module.entries, path
            );
        }
        rust += "];\n\n/// Where [`PTX`] comes from.\n";
        let _ = writeln!(rust, "pub static PTX_ORIGIN: &str = {:?};", self.origin);
        let texts: String = modules.iter().map(|module| module.text.as_str()).collect();
        let _ = writeln!(
            rust,
            "\n/// A hash over the texts of [`PTX`].\npub static PTX_HASH: &str = {:?};",
            hash_text(&texts)
        );
        Ok(rust)
    }
}

/// Where a module that was cut lies: `sm_75/gaussian/shift_gaussian_2.ptx`.
fn own_path(module: &Module) -> String {
    let name = module.entries.first().map_or("none", String::as_str);
    format!("{}/{}/{name}.ptx", module.target, module.family)
}

/// A folder in cargo's target folder that serves all profiles and packages, so that `core` is compiled once.
fn shared_target_dir(out_dir: &Path) -> PathBuf {
    // `<target>/[<triple>/]<profile>/build/<package>/out`.
    let build = out_dir.ancestors().skip(1).find(|path| path.file_name().is_some_and(|name| name == "build"));
    build.and_then(|build| build.parent()?.parent()).unwrap_or(out_dir).join("cuda_builder")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_share_a_folder_that_is_not_cargos_own() {
        let dir = |out| shared_target_dir(Path::new(out));
        assert_eq!(dir("/w/target/debug/build/host-1/out"), Path::new("/w/target/cuda_builder"));
        assert_eq!(dir("/w/target/release/build/host/2/out"), Path::new("/w/target/cuda_builder"));
        assert_eq!(dir("/elsewhere/out"), Path::new("/elsewhere/out/cuda_builder"));
    }

    #[test]
    fn the_generated_rust_lists_a_module_for_each_kernel() {
        let kernel = |name: &str| format!(".visible .entry {name}()\n{{\nret;\n}}\n");
        let text = |head: &str, body: &str| {
            let banner = "// Kernels written in Rust, compiled by cuda_builder. Do not edit.\n";
            format!("{banner}.version 7.8\n.target sm_90\n\n{head}\n{body}")
        };
        let marker = |name: &str| format!("// cuda_std.kernel {name} gpu::reduce\n");
        let family = text(&(marker("k") + &marker("l")), &(kernel("k") + "\n" + &kernel("l")));
        let module = Module::read("sm_90/reduce.ptx", &family).unwrap();
        let choice = Choice { modules: vec![module], origin: "built by rustc".to_owned(), warning: None };
        let out_dir = tempfile::tempdir().unwrap();
        choice.write(out_dir.path()).unwrap();
        let read = |name: &str| std::fs::read_to_string(out_dir.path().join(name)).unwrap();
        let rust = read("ptx.rs");
        for name in ["k", "l"] {
            let line = format!(
                r#"PtxModule {{ compute: 90, exact: false, ptx_version: (7, 8), family: "reduce", entries: &["{name}"], text: include_str!(""#
            );
            assert!(rust.contains(&line), "{rust}");
            assert_eq!(read(&format!("ptx/sm_90/reduce/{name}.ptx")), text(&marker(name), &kernel(name)));
        }
        assert!(rust.contains("pub static PTX_ORIGIN: &str = \"built by rustc\";"));
        assert!(rust.contains("pub static PTX_HASH: &str = \""));
    }

    #[test]
    fn the_warning_says_what_why_and_what_to_do() {
        let warning = CudaBuilder::new("gpu").processor_only(&Fit::Stale);
        for part in ["have changed", "processor only", "rustup component add", "cargo run -p cuda_builder -- build gpu"]
        {
            assert!(warning.contains(part), "{warning}");
        }
        assert!(!warning.contains('\n'), "cargo shows one line");
    }
}
