//! The program `ptx-check`, as it is typed.

mod support;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use support::module_text;

fn check(arguments: &[&str]) -> (Output, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_ptx-check")).args(arguments).output().expect("the program starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output, text)
}

/// Runs over one text, and gives exit code and output.
fn check_text(text: &str, more: &[&str]) -> (i32, String) {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("k.ptx");
    std::fs::write(&path, text).expect("the folder is writable");
    let mut arguments = vec![path.to_str().expect("a plain path")];
    arguments.extend(more);
    let (output, shown) = check(&arguments);
    (output.status.code().unwrap_or(-1), shown)
}

fn lints(outside: &str, parameters: &str, body: &str) -> Vec<String> {
    let (code, shown) = check_text(&module_text(outside, parameters, body), &["--json", "--deny-lints"]);
    let value: serde_json::Value = serde_json::from_str(&shown).expect("it is JSON");
    let lints: Vec<String> = value[0]["lints"]
        .as_array()
        .expect("there is a list")
        .iter()
        .map(|lint| lint["lint"].as_str().expect("lints have names").to_owned())
        .collect();
    assert_eq!(code, i32::from(!lints.is_empty()), "{shown}");
    lints
}

#[test]
fn a_kernel_is_described() {
    let (code, shown) = check_text(
        &module_text(
            ".shared .align 4 .b8 tile[256];",
            ".param .u64 x, .param .align 4 .b8 shape[12]",
            "mov.u32 %r1, tile; bar.sync 0; bar.sync 0;",
        ),
        &[],
    );
    assert_eq!(code, 0, "{shown}");
    for expected in [
        "sm_90a, PTX 8.0, 1 kernel",
        "kernel k",
        "param    x: .u64, 8 bytes at 0, align 8",
        "param    shape: .b8[12], 12 bytes at 8, align 4",
        "shared   256 bytes static",
        "declared 16 .pred, 16 .b16, 64 .b32, 64 .b64",
        "barriers 2, warp operations 0, atomics 0",
        "instructions 4",
    ] {
        assert!(shown.contains(expected), "no `{expected}` in\n{shown}");
    }
}

#[test]
fn undefined_names() {
    assert_eq!(lints(".extern .func panic();", "", "call.uni panic;"), ["extern"]);
    assert_eq!(lints(".extern .shared .align 16 .b8 dynamic[];", "", "mov.u32 %r1, dynamic;"), [""; 0]);
}

#[test]
fn local_memory() {
    assert_eq!(lints("", "", ".local .align 4 .b8 stack[8]; st.local.u32 [stack], 1;"), ["local-memory"]);
}

#[test]
fn generic_accesses_to_shared_memory() {
    let address = "mov.u32 %r1, tile; cvt.u64.u32 %rd1, %r1; cvta.shared.u64 %rd2, %rd1; add.s64 %rd3, %rd2, 8;";
    let tile = ".shared .align 4 .b8 tile[256];";
    assert_eq!(lints(tile, "", &format!("{address} st.u32 [%rd3], 1;")), ["generic-shared"]);
    let back = format!("{address} cvta.to.shared.u64 %rd4, %rd3; st.shared.u32 [%rd4], 1;");
    assert_eq!(lints(tile, "", &back), [""; 0]);
}

#[test]
fn barriers_of_both_arms() {
    let kernel = |condition: &str| {
        format!("{condition}\nsetp.lt.u32 %p1, %r1, 5; @%p1 bra yes; bar.sync 0; bra done; yes: bar.sync 0; done:")
    };
    assert_eq!(lints("", "", &kernel("mov.u32 %r1, %tid.x;")), ["split-barrier"]);
    // All threads of a block take the same arm.
    assert_eq!(lints("", "", &kernel("mov.u32 %r1, %ctaid.x;")), [""; 0]);
    // Through operations of a warp.
    let shuffled = "mov.u32 %r2, %tid.x; shfl.sync.idx.b32 %r1, %r2, 0, 31, -1;";
    assert_eq!(lints("", "", &kernel(shuffled)), ["split-barrier"]);
    let voted = "mov.u32 %r2, %tid.x; setp.lt.u32 %p2, %r2, 32; vote.sync.ballot.b32 %r1, %p2, -1;";
    assert_eq!(lints("", "", &kernel(voted)), ["split-barrier"]);
    let loaded = "ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%r2, %r1}, [%rd1];";
    assert_eq!(lints("", "", &kernel(loaded)), ["split-barrier"]);
    let same = "mov.u32 %r2, %ctaid.x; redux.sync.add.u32 %r1, %r2, -1;";
    assert_eq!(lints("", "", &kernel(same)), [""; 0]);
    let joined = "mov.u32 %r1, %tid.x; setp.lt.u32 %p1, %r1, 5; @%p1 bra yes; add.u32 %r1, %r1, 1; yes: bar.sync 0;";
    assert_eq!(lints("", "", joined), [""; 0]);
}

#[test]
fn double_precision_by_mistake() {
    let product = "mul.rn.f64 %rd2, %rd1, %rd1;";
    assert_eq!(
        lints("", ".param .f32 x", &format!("ld.param.f32 %r1, [x]; cvt.f64.f32 %rd1, %r1; {product}")),
        ["f64"]
    );
    assert_eq!(lints("", ".param .f64 x", &format!("ld.param.f64 %rd1, [x]; {product}")), [""; 0]);
}

#[test]
fn what_cannot_be_checked_exits_with_2() {
    assert_eq!(check_text("no PTX", &[]).0, 2);
    assert_eq!(check(&["/no/such/file.ptx"]).0.status.code(), Some(2));
    assert_eq!(check(&[]).0.status.code(), Some(2));
    let (output, help) = check(&["--help"]);
    assert!(output.status.success() && help.contains("generic-shared") && help.contains("Exit codes"), "{help}");
}

#[test]
fn a_kernel_that_is_not_there_is_an_error() {
    let text = module_text(".entry shift_2() { ret; }", "", "");
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("k.ptx");
    std::fs::write(&path, text).expect("the folder is writable");
    let path = path.to_str().expect("a plain path");
    let (output, _) = check(&[path, "--kernel", "shfit_2", "--kernel", "k"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert_eq!(said, "ptx-check: there is no kernel `shfit_2`; there are `shift_2`\n");
}

/// More than a pipe holds, and nobody who reads it.
#[test]
fn a_closed_pipe_is_no_error() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("k.ptx");
    std::fs::write(&path, module_text("", "", "bar.sync 0;")).expect("the folder is writable");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ptx-check"));
    command.arg("--json").args(vec![&path; 400]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn the_corpus_can_be_checked() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    for name in ["scopes", "calls", "jumps"] {
        let path = folder.join(format!("{name}.ptx"));
        let (output, shown) = check(&[path.to_str().expect("a plain path"), "--kernel", name]);
        assert!(output.status.success() && shown.contains(&format!("kernel {name}")), "{shown}");
    }
}
