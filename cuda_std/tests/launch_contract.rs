//! A launch that does not fit its kernel does not compile, and says why.

use std::process::Command;

/// The compiler whose words the expected messages are; other versions word them differently.
const COMPILER: &str = "rustc 1.95.0 ";

#[test]
fn launches_that_do_not_fit_do_not_compile() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().expect("rustc runs");
    let version = String::from_utf8_lossy(&output.stdout);
    let cases = trybuild::TestCases::new();
    cases.pass("tests/launch_contract/pass/*.rs");
    if version.starts_with(COMPILER) {
        cases.compile_fail("tests/launch_contract/fail/*.rs");
    } else {
        println!("skipped what must not compile: its messages are those of {COMPILER}, and this is {version}");
    }
}
