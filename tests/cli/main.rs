//! The program as its user meets it: output, errors, exit codes.

mod mistakes;
mod reports;

use std::process::{Command, Output};

fn modeseek(arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_modeseek"));
    // Nothing of what was measured for whoever runs the tests.
    command.args(arguments.split_whitespace()).env("MODESEEK_TUNING", "off").output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// The command fails with this code and says these words, without a panic or half an answer.
#[track_caller]
fn refuses(arguments: &str, code: i32, words: &[&str]) {
    let output = modeseek(arguments);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments}: {message}");
    for word in words {
        assert!(message.contains(word), "{arguments}: {word:?} is not in {message:?}");
    }
    assert!(!message.contains("panicked"), "{arguments}: {message}");
    assert_eq!(text(&output.stdout), "", "{arguments}");
}

fn json(arguments: &str) -> serde_json::Value {
    let output = modeseek(&format!("{arguments} --json"));
    assert!(output.status.success(), "{arguments}: {}", text(&output.stderr));
    assert_eq!(text(&output.stdout).lines().count(), 1);
    serde_json::from_slice(&output.stdout).unwrap()
}
