//! What the program does beside clustering, and how much it says.

use std::process::{Command, Output};

fn modeseek(arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_modeseek"));
    // Nothing of what was measured for whoever runs the tests.
    command.args(arguments.split_whitespace()).env("MODESEEK_TUNING", "off").output().unwrap()
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

/// What is more to say of a command than a line stands in its help.
#[test]
fn commands_are_explained() {
    for (command, words) in
        [("segment", "Comaniciu and Meer"), ("tune", "MODESEEK_TUNING=off"), ("completions", "completions bash >")]
    {
        let help = written(&format!("{command} --help")).0.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(help.contains(words), "{help}");
        let first = help.split_once(". ").expect("a sentence").0;
        assert!(written("--help").0.contains(first), "{first}");
    }
}

#[test]
fn a_sweep_offers_no_bandwidth() {
    let (help, _) = written("sweep --help");
    assert!(help.contains("--from <H>") && help.contains("--kernel"), "{help}");
    assert!(!help.contains("--bandwidth ") && !help.contains("--seeds-file"), "{help}");
    // What a shell takes for a comment is quoted.
    assert!(help.contains("'#2,#3'"), "{help}");
    let outcome = modeseek("sweep --bandwidth 2");
    assert_eq!(outcome.status.code(), Some(2));
    assert!(String::from_utf8(outcome.stderr).unwrap().contains("give --from and --to"));
    assert!(written("--help").0.contains("--bandwidth "));
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

#[test]
fn tuning_measures_a_processor_and_keeps_nothing_if_asked() {
    let few = "tune --device cpu --dry-run --kernel flat --dim 2 --points 300 --samples 3";
    let (table, _) = written(few);
    for word in
        ["device processor", "Flat, d = 2, few queries", "Flat, d = 2, marked, few queries", "nothing was written"]
    {
        assert!(table.contains(word), "{word:?} is not in\n{table}");
    }
    let (lines, _) = written(&format!("{few} --json --dim 1"));
    let rows: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 4);
    for row in rows {
        assert_eq!(row["weight"], "Flat");
        // The fastest is at least as fast as the table's.
        assert!(row["best"][1].as_f64().unwrap() <= row["default"][1].as_f64().unwrap(), "{row}");
    }
    for (senseless, word) in [
        ("tune --device interpreter", "interpreter's times"),
        ("tune --device cpu --dry-run --samples 2", "from 3 to 1000"),
        ("tune --device cpu --dry-run --points 0", "from 1 to 16777216"),
        ("tune --dim 5", "give a number from 1 to 4"),
    ] {
        let outcome = modeseek(senseless);
        assert_eq!(outcome.status.code(), Some(2), "{senseless}");
        let told = String::from_utf8(outcome.stderr).unwrap();
        assert!(told.contains(word), "{told}");
        // No table is begun.
        assert!(outcome.stdout.is_empty(), "{senseless}");
    }
}

#[cfg(unix)]
#[test]
fn tuning_says_where_it_cannot_write() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let arguments = "tune --device cpu --kernel flat --dim 1 --points 100 --samples 3";
    let mut command = Command::new(env!("CARGO_BIN_EXE_modeseek"));
    let outcome = command.args(arguments.split(' ')).env("XDG_CACHE_HOME", &file).env("HOME", &file).output().unwrap();
    let told = String::from_utf8(outcome.stderr).unwrap();
    assert_eq!(outcome.status.code(), Some(1), "{told}");
    assert!(told.contains("cannot be written") && told.lines().count() == 1, "{told}");
}
