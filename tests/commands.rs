//! What the program does beside clustering, and how much it says.

use std::process::{Command, Output};

fn modeseek(arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_modeseek")).args(arguments.split_whitespace()).output().unwrap()
}

/// What it writes, if it succeeds.
#[track_caller]
fn written(arguments: &str) -> (String, String) {
    let Output { status, stdout, stderr } = modeseek(arguments);
    let [stdout, stderr] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(status.success(), "{arguments}: {stderr}");
    (stdout, stderr)
}

#[test]
fn the_doctor_looks_at_everything() {
    let (text, errors) = written("doctor");
    assert_eq!(errors, "");
    for word in [
        "ok  processor",
        "GPU",
        "kernels",
        "compute 7.5",
        "compiler",
        "ok  choice",
        "--device auto takes",
        "ok  tuning",
    ] {
        assert!(text.contains(word), "{word:?} is not in\n{text}");
    }
    let findings: serde_json::Value = serde_json::from_str(&written("doctor --json").0).unwrap();
    let findings = findings.as_array().unwrap();
    assert_eq!(findings.len(), 6);
    for finding in findings {
        // What is missing has an advice, and what works needs none.
        assert_eq!(finding["works"].as_bool().unwrap(), finding["advice"].is_null(), "{finding}");
    }
}

#[test]
fn completions_and_manual_are_of_all_options() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (text, _) = written(&format!("completions {shell}"));
        assert!(text.contains("bandwidth") && text.contains("segment"), "{shell}");
    }
    assert_eq!(modeseek("completions basic").status.code(), Some(2));
    let (page, _) = written("man");
    assert!(page.contains(".TH modeseek 1") && page.contains("bandwidth") && page.contains("segment"));
}

#[test]
fn the_program_says_as_much_as_it_is_asked_to() {
    assert_eq!(written("--points 300 --device cpu --quiet"), (String::new(), String::new()));
    let (report, told) = written("--points 300 --device cpu --verbose");
    assert!(report.starts_with("device "));
    for word in ["opened the device", "have the points", "points=300", "clustered"] {
        assert!(told.contains(word), "{word:?} is not in\n{told}");
    }
    // No terminal, no colours.
    assert!(!told.contains('\u{1b}'));
    for contradiction in ["--quiet --json", "--quiet --verbose", "--quiet --progress"] {
        assert_eq!(modeseek(contradiction).status.code(), Some(2), "{contradiction}");
    }
}

#[test]
fn shapes_can_be_generated() {
    for (arguments, data) in [
        ("--shape moons", "500 points, 2 dimensions, 2 moons, seed 14"),
        ("--shape rings", "500 points, 2 dimensions, 3 rings, seed 14"),
        ("--shape stretched --dim 3 --clusters 2", "500 points, 3 dimensions, 2 stretched Gaussian clusters, seed 14"),
        ("--shape uniform", "500 points, 2 dimensions, 1 set of uniform noise, seed 14"),
    ] {
        let (text, _) = written(&format!("--points 500 --device cpu {arguments}"));
        assert!(text.contains(data), "{text}");
    }
    for senseless in ["--shape moons --dim 3", "--shape uniform --clusters 2", "--shape star"] {
        assert_eq!(modeseek(senseless).status.code(), Some(2), "{senseless}");
    }
}
