//! From a crate of kernels to a checked-in copy, with a compiler where there is one.

use std::path::{Path, PathBuf};
use std::process::Command;

use cuda_builder::{Arch, Build, Comparison, CudaBuilder, Error, Fit};

/// Kept between runs: compiling `core` takes half a minute.
fn target_dir() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("fixture_kernels")
}

/// A fresh copy of the fixture, which a test may change. In the same place each time, so that builds do not
/// pile up in the target folder.
fn fixture(name: &str) -> PathBuf {
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixture_kernels");
    let _ = std::fs::remove_dir_all(&copy);
    std::fs::create_dir_all(copy.join("src")).unwrap();
    for file in ["Cargo.toml", "src/lib.rs"] {
        std::fs::write(copy.join(file), std::fs::read(original.join(file)).unwrap()).unwrap();
    }
    copy
}

fn builder(krate: &Path) -> CudaBuilder {
    CudaBuilder::new(krate).arch(Arch::new("sm_75", "ptx70")).target_dir(target_dir())
}

/// A build, or nothing where no compiler can make one.
fn build(builder: &CudaBuilder) -> Option<Build> {
    match builder.build() {
        Ok(build) => Some(build),
        Err(Error::NoCompiler(reason)) => {
            println!("skipped: {reason}");
            None
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn kernels_are_built_split_checked_and_checked_in() {
    let krate = fixture("built");
    let builder = builder(&krate);
    let Some(made) = build(&builder) else { return };
    let paths: Vec<_> = made.modules.iter().map(|module| module.path()).collect();
    assert_eq!(paths, ["sm_75/exchange.ptx", "sm_75/scale.ptx"]);
    assert_eq!(made.modules[0].entries, ["exchange"]);
    assert_eq!(made.modules[0].ptx_version, (7, 0));
    assert_eq!(made.kernels[0].barriers, 1, "rustc's JumpThreading must be off");
    assert!(made.modules[1].text.contains("trap;"), "a failed bounds check traps inline");

    assert_eq!(builder.checked_in().unwrap().1, Fit::Missing);
    builder.check_in(&made).unwrap();
    assert_eq!(builder.checked_in().unwrap().1, Fit::Fits);
    assert_eq!(builder.compare(&build(&builder).unwrap()).unwrap(), Comparison::Same);

    let before = std::fs::read_to_string(krate.join("src/lib.rs")).unwrap();
    append(&krate, "// A comment is a change.\n");
    assert_eq!(builder.checked_in().unwrap().1, Fit::Stale);
    append(&krate, "fn wrong() -> u32 { \"text\" }\n");
    let message = builder.build().unwrap_err().to_string();
    assert!(message.contains("error[E0308]") && message.contains("src/lib.rs"), "{message}");

    std::fs::write(krate.join("src/lib.rs"), before).unwrap();
    assert_eq!(builder.checked_in().unwrap().1, Fit::Fits);
    let lines = build(&builder.line_tables(true)).unwrap();
    assert!(lines.modules.iter().all(|m| m.text.contains(".loc\t") && m.text.contains(".file\t1 \"")));
}

#[test]
fn a_build_script_gets_ptx_or_a_reason() {
    // Without a compiler and with a copy that is missing, the processor is all there is, whatever machine
    // this test runs on.
    let krate = fixture("scripted");
    let run = |mode: &str| {
        let out = krate.join("out");
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "as_a_build_script", "--nocapture", "--ignored"]);
        command.env("OUT_DIR", &out).env("CUDA_BUILDER", mode).env("FIXTURE", &krate);
        let output = command.env("CUDA_BUILDER_RUSTC", "/nowhere/rustc").output().unwrap();
        let rust = std::fs::read_to_string(out.join("ptx.rs")).unwrap_or_default();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.success(), said, rust)
    };
    let (ok, said, rust) = run("auto");
    assert!(ok && said.contains("cargo:warning=there is no checked-in PTX"), "{said}");
    assert!(said.contains("cargo:rerun-if-env-changed=CUDA_BUILDER_RUSTC"), "{said}");
    assert!(said.contains(&format!("cargo:rerun-if-changed={}", krate.join("src").display())), "{said}");
    assert!(rust.contains("PTX_ORIGIN: &str = \"none: there is no checked-in PTX"), "{rust}");
    let (ok, said, rust) = run("none");
    assert!(ok && !said.contains("cargo:warning") && rust.contains("none: CUDA_BUILDER=none"), "{said}");
    let (ok, said, _) = run("checked-in");
    assert!(!ok && said.contains("CUDA_BUILDER=checked-in, but there is no checked-in PTX"), "{said}");
    let (ok, said, _) = run("build");
    assert!(!ok && said.contains("/nowhere/rustc (CUDA_BUILDER_RUSTC) does not run"), "{said}");
    let (ok, said, _) = run("perhaps");
    assert!(!ok && said.contains("CUDA_BUILDER is `perhaps`"), "{said}");
}

/// Not a test of its own: the test above runs it in a process with a build script's environment.
#[test]
#[ignore = "runs as a child of another test"]
fn as_a_build_script() {
    let krate = std::env::var_os("FIXTURE").expect("the other test sets it");
    CudaBuilder::new(PathBuf::from(krate)).build_for_cargo().unwrap();
}

fn append(krate: &Path, text: &str) {
    let path = krate.join("src/lib.rs");
    let source = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, source + text).unwrap();
}
