//! Runs cargo on the kernel crate, for one architecture, and brings back the PTX.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::arch::Arch;
use crate::compiler::Compiler;
use crate::error::Error;

pub(crate) const TARGET: &str = "nvptx64-nvidia-cuda";

/// For `core` and the kernels alike.
const RUSTFLAGS: [&str; 3] = [
    "-Zunstable-options",
    // A failed bounds check becomes `trap` inline. Otherwise it calls functions that nobody links.
    "-Cpanic=immediate-abort",
    // Up to rustc 1.96 this pass copies a barrier into both arms of a branch (rust-lang/rust#137086).
    "-Zmir-enable-passes=-JumpThreading",
];

/// LLVM's passes. `cuda_std` says of a pointer to shared memory `assume(llvm.nvvm.isspacep.shared(p))`, and
/// `infer-address-spaces` makes of that `ld.shared` and `st.shared` for ordinary slices. In the default order
/// it runs after the assumption has been dropped as unnecessary, so it is run beforehand as well, with the few
/// passes that bring the assumption and its uses into one function. Named on its own, `instcombine` aborts where
/// one round leaves work for another, unless it is told that this is no error.
const PASSES: &str = "always-inline,\
                      function(sroa,instcombine<no-verify-fixpoint>,simplifycfg,infer-address-spaces),\
                      default<O3>";

/// The profile, whatever the workspace makes of `release`.
const PROFILE: [&str; 7] = [
    "opt-level=3",
    "debug=false",
    // One unit, so that there is one PTX file.
    "codegen-units=1",
    "lto=false",
    "debug-assertions=false",
    "overflow-checks=false",
    "incremental=false",
];

/// Settings of the user's that must reach the inner cargo. All other variables of cargo's own are those of the
/// outer build, which is for another machine.
const KEPT_VARIABLES: [&str; 6] =
    ["CARGO_HOME", "CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTRIES_", "CARGO_REGISTRY_", "CARGO_SOURCE_"];

/// All that decides, besides the sources and the compiler, what the PTX is.
pub(crate) fn recipe(archs: &[Arch]) -> String {
    let archs: Vec<_> = archs.iter().map(Arch::to_string).collect();
    [archs.join(" "), RUSTFLAGS.join(" "), PASSES.to_owned(), PROFILE.join(" ")].join("\n")
}

/// One run of cargo.
#[derive(Debug)]
pub(crate) struct DeviceBuild<'a> {
    pub(crate) crate_dir: &'a Path,
    /// The name of its library, as rustc has it.
    pub(crate) library: &'a str,
    pub(crate) compiler: &'a Compiler,
    pub(crate) arch: &'a Arch,
    pub(crate) line_tables: bool,
    /// The builder's own, never the outer cargo's: that one is locked while a build script runs.
    pub(crate) target_dir: &'a Path,
}

impl DeviceBuild<'_> {
    /// The PTX of the whole crate.
    pub(crate) fn run(&self) -> Result<String, Error> {
        let artifact = self.artifact(&self.cargo()?)?;
        if !artifact.ptx.is_file() {
            // Cargo thinks the crate is fresh, and knows nothing of the PTX beside it.
            for file in &artifact.files {
                std::fs::remove_file(file).map_err(Error::io("remove", file))?;
            }
            self.artifact(&self.cargo()?)?;
        }
        let missing = || Error::NoPtx { arch: self.arch.clone(), expected: Some(artifact.ptx.clone()) };
        std::fs::read_to_string(&artifact.ptx).map_err(|_| missing())
    }

    fn cargo(&self) -> Result<Output, Error> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(&cargo);
        self.set_environment(&mut command);
        command.current_dir(self.crate_dir);
        command.args(["rustc", "--release", "--lib", "-Zbuild-std=core", "--quiet", "--color=never"]);
        command.args(["--message-format=json-render-diagnostics", "--target", TARGET, "--target-dir"]);
        // Flags are part of what `core` is compiled with: one folder for each set of them, or each build would
        // compile it anew.
        command.arg(self.target_dir.join(self.arch.target()));
        for setting in PROFILE {
            command.arg("--config").arg(format!("profile.release.{setting}"));
        }
        command.args(["--", "--emit=asm", "-Cno-prepopulate-passes", &format!("-Cpasses={PASSES}")]);
        if self.line_tables {
            // This kind gives the PTX `.file` and `.loc`, and no debug sections. It is for the kernel crate
            // alone: what is inlined into it brings its lines along, and `core` is not compiled anew.
            command.arg("-Cdebuginfo=line-directives-only");
        }
        let output = command.output().map_err(Error::io("run", Path::new(&cargo)))?;
        if output.status.success() {
            Ok(output)
        } else {
            let output = String::from_utf8_lossy(&output.stderr).into_owned();
            Err(Error::Compile { arch: self.arch.clone(), output })
        }
    }

    fn set_environment(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_of_outer_build(name)) {
            command.env_remove(name);
        }
        let cpu = format!("-Ctarget-cpu={}", self.arch.target());
        let feature = format!("-Ctarget-feature=+{}", self.arch.ptx_feature());
        let flags: Vec<&str> = [cpu.as_str(), feature.as_str()].into_iter().chain(RUSTFLAGS).collect();
        command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
        command.env("RUSTC", &self.compiler.path).env("RUSTC_BOOTSTRAP", "1");
        // Empty rather than absent: a wrapper may be set in a file as well.
        command.env("RUSTC_WRAPPER", "").env("RUSTC_WORKSPACE_WRAPPER", "");
    }

    fn artifact(&self, output: &Output) -> Result<Artifact, Error> {
        let stdout = String::from_utf8_lossy(&output.stdout);
        let messages = stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let artifact = messages.filter(|m| self.is_of_library(m)).find_map(|m| artifact(&m, self.library));
        artifact.ok_or_else(|| Error::NoPtx { arch: self.arch.clone(), expected: None })
    }

    fn is_of_library(&self, message: &Value) -> bool {
        let kinds = message["target"]["kind"].as_array();
        message["reason"] == "compiler-artifact"
            && message["target"]["name"].as_str().is_some_and(|name| name.replace('-', "_") == self.library)
            && kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind == "lib" || kind == "rlib"))
    }
}

/// Where this very build put its files. Builds with other flags or compilers leave theirs in the same folder.
#[derive(Debug, PartialEq, Eq)]
struct Artifact {
    ptx: PathBuf,
    files: Vec<PathBuf>,
}

/// The PTX has the same hash in its name as the library that cargo reports.
fn artifact(message: &Value, library: &str) -> Option<Artifact> {
    let files: Vec<PathBuf> =
        message["filenames"].as_array()?.iter().filter_map(Value::as_str).map(PathBuf::from).collect();
    let prefix = format!("lib{library}-");
    let ptx = files.iter().find_map(|file| {
        let hash = file.file_stem()?.to_str()?.strip_prefix(&prefix)?;
        Some(file.with_file_name(format!("{library}-{hash}.s")))
    })?;
    Some(Artifact { ptx, files })
}

fn is_of_outer_build(name: &OsString) -> bool {
    let Some(name) = name.to_str() else { return false };
    let cargos = name.starts_with("CARGO_") && !KEPT_VARIABLES.iter().any(|kept| name.starts_with(kept));
    let others = ["RUSTFLAGS", "RUSTUP_TOOLCHAIN", "MAKEFLAGS", "MFLAGS", "RUSTDOCFLAGS"];
    cargos || others.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ptx_is_the_one_of_this_very_build() {
        let message =
            serde_json::json!({ "filenames": ["/t/release/libgpu.rlib", "/t/release/deps/libgpu-12ab.rmeta"] });
        assert_eq!(artifact(&message, "gpu").unwrap().ptx, Path::new("/t/release/deps/gpu-12ab.s"));
        assert_eq!(artifact(&message, "other"), None);
    }

    #[test]
    fn the_outer_build_does_not_leak_into_the_inner() {
        for outer in ["CARGO_ENCODED_RUSTFLAGS", "CARGO_MAKEFLAGS", "CARGO_PROFILE_RELEASE_LTO", "RUSTUP_TOOLCHAIN"] {
            assert!(is_of_outer_build(&outer.into()), "{outer}");
        }
        for users in ["CARGO_HOME", "CARGO_NET_OFFLINE", "CARGO_REGISTRIES_X_INDEX", "PATH", "HOME", "CARGO"] {
            assert!(!is_of_outer_build(&users.into()), "{users}");
        }
    }

    #[test]
    fn the_recipe_changes_with_the_architectures() {
        assert_ne!(recipe(&Arch::defaults()), recipe(&Arch::defaults()[..1]));
    }
}
