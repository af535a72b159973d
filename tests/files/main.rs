//! Files as the program's user meets them: every format in and out, what is wrong with them, and reading in parts.

mod binary;
mod columns;
mod formats;
mod interrupts;
mod lists;
mod mistakes;
mod models;
mod outputs;
mod parts;
mod system;
mod text;
mod types;

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A folder of its own, in which the program runs.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), contents).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// What is in it, in order.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_modeseek"));
        command.current_dir(self.0.path()).args(arguments.split_whitespace()).args(["--device", "cpu"]);
        // Nothing of what was measured for whoever runs the tests.
        command.env("MODESEEK_TUNING", "off");
        command
    }

    /// Runs the program, which succeeds.
    #[track_caller]
    fn run(&self, arguments: &str) -> String {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert!(status.success(), "{arguments}: {stderr}");
        String::from_utf8(stdout).unwrap()
    }

    #[track_caller]
    fn json(&self, arguments: &str) -> serde_json::Value {
        serde_json::from_str(&self.run(&format!("{arguments} --json"))).unwrap()
    }

    /// Runs the program, which fails with one line of these words, without a panic, and leaves the folder as it was.
    #[track_caller]
    fn refuses(&self, arguments: &str, code: i32, words: &[&str]) {
        let before = self.names();
        let output = self.command(arguments).stdin(Stdio::null()).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments}: {message}");
        for word in words {
            assert!(message.contains(word), "{arguments}: {word:?} is not in {message:?}");
        }
        assert!(!message.contains("panicked") && message.lines().count() == 1, "{arguments}: {message}");
        assert!(output.stdout.is_empty(), "{arguments}");
        assert_eq!(self.names(), before, "{arguments}");
    }
}

/// Three clusters of four points, with names, weights and bandwidths, by rows: name, x, y, w, h.
const ROWS: [(&str, f64, f64, f64, f64); 12] = [
    ("a", 0.0, 0.0, 1.0, 1.0),
    ("b", 0.25, 0.0, 1.0, 1.0),
    ("c", 0.0, 0.25, 2.0, 1.0),
    ("d", 0.25, 0.25, 1.0, 1.0),
    ("e", 10.0, 0.0, 1.0, 1.5),
    ("f", 10.25, 0.0, 1.0, 1.5),
    ("g", 10.0, 0.25, 1.0, 1.5),
    ("h", 10.25, 0.25, 1.0, 1.5),
    ("i", 0.0, 10.0, 1.0, 1.0),
    ("j", 0.25, 10.0, 1.0, 1.0),
    ("k", 0.0, 10.25, 1.0, 1.0),
    ("l", 0.25, 10.25, 0.5, 1.0),
];

fn csv() -> String {
    let mut text = "name,x,y,w,h\n".to_owned();
    for (name, x, y, w, h) in ROWS {
        text += &format!("{name},{x},{y},{w},{h}\n");
    }
    text
}

/// The last column, of labels, of a file of text with names.
fn last_column(text: &str) -> Vec<i32> {
    text.lines().skip(1).map(|line| line.rsplit(',').next().unwrap().parse().unwrap()).collect()
}
