//! `modeseek tune` on GPUs, and what runs make of what it found.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::{Outcome, assert_fails_in_one_line, has_ptx, report, run_in, stand_in};

const TUNE: &[&str] = &["tune", "--kernel", "gaussian", "--dim", "2", "--points", "64", "--samples", "3"];
const POINTS: &[&str] = &["--device", "cuda", "--points", "100", "--json"];
/// Of the Gaussian so few points have a step of their own, whose blocks nobody tunes.
const RUN: &[&str] = &["--device", "cuda", "--points", "100", "--json", "--kernel", "triangular"];

fn run(behaviour: &str, cache: &Path, args: &[&str]) -> Outcome {
    run_in(&stand_in(), behaviour, args, &[("XDG_CACHE_HOME", cache.to_str().expect("UTF-8"))])
}

/// Tunes, and gives the file with blocks of 64 threads for all that was tuned: what was measured, an interpreter's times decided.
fn tuned(cache: &Path, behaviour: &str) -> PathBuf {
    let outcome = run(behaviour, cache, &[TUNE, &["--device", "cuda"]].concat());
    assert_eq!((outcome.code, outcome.errors.as_str()), (Some(0), ""));
    let path = cache.join("modeseek").join("tuning").join("stand-in-gpu-0.json");
    assert!(outcome.output.contains(&format!("kept in {}", path.display())), "{}", outcome.output);
    // Larger blocks, for which there are no registers, are left out.
    assert!(
        outcome.log.contains("in blocks of 512\n") && !outcome.log.contains("in blocks of 1024\n"),
        "{}",
        outcome.log
    );
    let mut contents: Value = serde_json::from_str(&std::fs::read_to_string(&path).expect("a file")).expect("JSON");
    let key = &contents["made_for"];
    assert_eq!((&key["device"], &key["driver"]), (&json!("Stand-in GPU 0"), &json!("12.4")));
    assert_eq!((&key["compute_capability"], &key["machine"]), (&json!([9, 0]), &json!("Gpu")));
    contents["blocks"] = [("Gaussian", 1), ("Gaussian", 2), ("Triangular", 2)]
        .map(|(weight, d)| json!({"weight": weight, "dimensions": d, "marked": false, "many": false, "threads": 64}))
        .into();
    std::fs::write(&path, contents.to_string()).expect("a file");
    path
}

/// Threads of a block of the steps of a run.
fn blocks(outcome: &Outcome) -> Vec<u32> {
    let steps = outcome.log.lines().filter_map(|line| line.strip_prefix("plain launch of shift_"));
    let threads = steps.filter_map(|step| step.split_once(" in blocks of ")).map(|(_, threads)| threads);
    let mut blocks: Vec<u32> = threads.map(|threads| threads.parse().expect("a number")).collect();
    blocks.dedup();
    blocks
}

/// A report without what differs from run to run.
fn lasting(outcome: &Outcome) -> Value {
    let mut report = report(outcome);
    let keys: Vec<_> = report.as_object().expect("an object").keys().cloned().collect();
    for key in keys
        .iter()
        .filter(|key| key.contains("ms") || key.contains("seconds") || key.contains("time") || *key == "parameters")
    {
        report[key] = Value::Null;
    }
    report
}

#[test]
fn what_was_tuned_is_used_and_changes_no_bit() {
    if !has_ptx() {
        return;
    }
    let cache = tempfile::tempdir().expect("a temporary folder");
    let before = run("works", cache.path(), RUN);
    assert_eq!(blocks(&before), [128]);
    tuned(cache.path(), "works");
    let after = run("works", cache.path(), RUN);
    assert_eq!(blocks(&after), [64]);
    for outcome in [&after, &run("works", cache.path(), &[RUN, &["--no-tuning"]].concat())] {
        assert_eq!(lasting(outcome)["clusters"], lasting(&before)["clusters"]);
        assert_eq!(lasting(outcome)["last_shift"], lasting(&before)["last_shift"]);
    }
    assert_eq!(blocks(&run("works", cache.path(), &[RUN, &["--no-tuning"]].concat())), [128]);
    let few = run("works", cache.path(), POINTS);
    assert_eq!(blocks(&few), [384]);
    // What a user says goes before; so does the variable that switches files off.
    assert_eq!(blocks(&run("works", cache.path(), &[RUN, &["--threads-per-block", "96"]].concat())), [96]);
    let variables = [("XDG_CACHE_HOME", cache.path().to_str().expect("UTF-8")), ("MODESEEK_TUNING", "off")];
    assert_eq!(blocks(&run_in(&stand_in(), "works", RUN, &variables)), [128]);
    // Far tiles left out need boxes of queries of the same size.
    for form in ["blurring", "standard"] {
        let tiles = |dim, more| {
            let args: [&[&str]; 3] =
                [POINTS, &["--method", "tiles", "--form", form, "--bandwidth", "4", "--dim", dim], more];
            let args = args.concat();
            ["on", "off"].map(|value| run_in(&stand_in(), "works", &args, &[variables[0], ("MODESEEK_TUNING", value)]))
        };
        let [with, without] = tiles("1", &[]);
        assert_eq!((blocks(&with), blocks(&without)), (vec![64], vec![128]));
        assert_eq!(report(&with)["clusters"], report(&without)["clusters"]);
        // In two dimensions there is another kernel for points in order, which was not tuned; the user's blocks it takes.
        let [with, without] = tiles("2", &[]);
        assert_eq!((blocks(&with), blocks(&without)), (vec![128], vec![128]));
        let [chosen, _] = tiles("2", &["--threads-per-block", "96"]);
        assert_eq!(blocks(&chosen), [96]);
        assert_eq!(report(&chosen)["clusters"], report(&with)["clusters"]);
    }
}

#[test]
fn what_is_damaged_or_foreign_is_left_alone_with_a_word() {
    if !has_ptx() {
        return;
    }
    let cache = tempfile::tempdir().expect("a temporary folder");
    let path = tuned(cache.path(), "works");
    let whole = std::fs::read_to_string(&path).expect("a file");
    for (text, words) in [
        (whole[..whole.len() / 2].to_owned(), "is damaged"),
        (whole.replace("\"threads\":64", "\"threads\":63"), "no step has 63 threads in a block"),
        (whole.replace("\"12.4\"", "\"11.8\""), "the driver was 11.8 and is 12.4"),
    ] {
        std::fs::write(&path, text).expect("a file");
        let outcome = run("works", cache.path(), RUN);
        assert_eq!(blocks(&outcome), [128], "{words}");
        let notes = report(&outcome)["notes"].to_string();
        assert!(notes.contains(words) && notes.contains("modeseek tune"), "{notes}");
        let doctor = run("works", cache.path(), &["doctor"]);
        assert!(doctor.output.contains("--  tuning") && doctor.output.contains(words), "{}", doctor.output);
    }
    // Tuning again mends it.
    tuned(cache.path(), "works");
    assert_eq!(blocks(&run("works", cache.path(), RUN)), [64]);
    assert!(run("works", cache.path(), &["doctor"]).output.contains("ok  tuning      3 kinds of steps"));
}

#[test]
fn tuning_that_fails_leaves_nothing() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let tune = |behaviour: &str, args: &[&str]| run(behaviour, cache.path(), &[TUNE, args].concat());
    assert_fails_in_one_line(&tune("no-devices", &["--device", "cuda"]), &["the NVIDIA driver finds no GPU"]);
    if has_ptx() {
        let reason = "refused to open the GPU: CUDA_ERROR_DEVICE_UNAVAILABLE (CUDA-capable device(s) is/are busy";
        assert_fails_in_one_line(&tune("busy", &["--device", "cuda"]), &[reason]);
        let outcome = tune("kernel-fails-9", &["--device", "cuda"]);
        assert_eq!(outcome.code, Some(1), "{}", outcome.output);
        assert!(outcome.errors.contains("a kernel failed on the GPU"), "{}", outcome.errors);
        let dry = tune("works", &["--device", "cuda", "--dry-run"]);
        assert!(dry.code == Some(0) && dry.output.contains("nothing was written"), "{}", dry.output);
    }
    assert!(!cache.path().join("modeseek").exists());
}
