//! The program's usage, its exit codes and what it says.
#![cfg(feature = "program")]

use std::path::Path;
use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cuda_builder"));
    command.args(arguments).env("CUDA_BUILDER_RUSTC", "/nowhere/rustc").output().unwrap()
}

fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}

fn fixture() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixture_kernels");
    path.to_str().unwrap().to_owned()
}

#[test]
fn wrong_usage_exits_with_2() {
    for arguments in
        [&[][..], &["compile"], &["build", "--line-tables"], &["build", "--arch", "75"], &["show", "--out", "x"]]
    {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", said(&output));
    }
}

#[test]
fn help_names_the_commands() {
    let output = run(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    for word in ["build", "check", "show", "CUDA_BUILDER_RUSTC"] {
        assert!(said(&output).contains(word), "{word} is missing");
    }
}

#[test]
fn show_says_what_is_missing_and_how_to_make_it() {
    let output = run(&["show", &fixture()]);
    assert_eq!(output.status.code(), Some(0));
    let expected =
        format!("there is no checked-in PTX; renew it with `cargo run -p cuda_builder -- build {}`", fixture());
    assert_eq!(said(&output).trim(), expected);
}

#[test]
fn without_a_compiler_it_says_what_was_tried() {
    for command in ["build", "check"] {
        let output = run(&[command, &fixture()]);
        assert_eq!(output.status.code(), Some(1));
        let said = said(&output);
        assert!(said.contains("/nowhere/rustc (CUDA_BUILDER_RUSTC) does not run"), "{said}");
        assert!(said.contains("rustup component add rust-src"), "{said}");
    }
}

#[test]
fn a_folder_that_is_no_crate_is_named() {
    let output = run(&["show", "/nowhere"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("cannot read /nowhere/Cargo.toml"), "{}", said(&output));
}

#[test]
fn a_folder_that_cannot_be_made_is_told_before_anything_is_built() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let output = run(&["build", &fixture(), "--out", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    // There is no compiler either, which was not looked for yet.
    assert!(said(&output).starts_with(&format!("error: cannot create {}", file.display())), "{}", said(&output));
}
