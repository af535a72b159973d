//! What the program says of a run that succeeds.

use std::process::{Command, Stdio};

use crate::{json, modeseek, text};

#[test]
fn the_lecture_case_as_text() {
    let output = modeseek("--points 1500 --iterations 5 --device cpu");
    assert!(output.status.success());
    let report = text(&output.stdout);
    for line in [
        "device      processor",
        "data        1500 points, 2 dimensions, 6 Gaussian clusters, seed 14",
        "mean shift  bandwidth 2.5, 5 iterations",
        "clusters    6 found, adjusted Rand index 1.0000",
        "nearest true centroid",
    ] {
        assert!(report.contains(line), "{line:?} is not in\n{report}");
    }
    assert_eq!(text(&output.stderr), "");
}

/// One of a thing is not several.
#[test]
fn one_is_not_several() {
    let run = "--points 1 --clusters 1 --dim 1 --iterations 1 --device cpu";
    let output = modeseek(run);
    let report = text(&output.stdout);
    for line in ["1 point, 1 dimension, 1 Gaussian cluster, seed 14", "bandwidth 2.5, 1 iteration, the last moved"] {
        assert!(report.contains(line), "{line:?} is not in\n{report}");
    }
    let few = "--points 20 --clusters 1 --method composed --batch 1 --min-size 2 --bandwidth 1 --seed 2 --device cpu";
    let output = modeseek(few);
    let report = text(&output.stdout);
    for line in ["batches     1 point at a time", "1 point is noise"] {
        assert!(report.contains(line), "{line:?} is not in\n{report}");
    }
}

#[test]
fn the_report_as_json() {
    let report = json("--points 600 --clusters 3 --seed 5 --device cpu --threads 1");
    assert_eq!(report["points"], 600);
    assert_eq!(report["seed"], 5);
    assert_eq!(report["converged"], true);
    assert_eq!((&report["bandwidth"], &report["bandwidth_from"]), (&2.5.into(), &"given".into()));
    assert_eq!(
        (&report["queries"], &report["noise"], &report["notes"]),
        (&600.into(), &0.into(), &serde_json::json!([]))
    );
    assert!(report["uploads"].as_u64().unwrap() > 0 && report["launches"].as_u64().unwrap() > 0);
    let sizes: u64 = report["clusters"].as_array().unwrap().iter().map(|c| c["size"].as_u64().unwrap()).sum();
    assert_eq!(sizes, 600);
    let weights: f64 = report["clusters"].as_array().unwrap().iter().map(|c| c["weight"].as_f64().unwrap()).sum();
    assert_eq!(weights, 600.0);
    assert!(report["seconds"]["iterate"].as_f64().unwrap() > 0.0);
    assert!(report["pairs_per_second"].as_f64().unwrap() > 0.0);
    let index = report["adjusted_rand_index"].as_f64().unwrap();
    assert!((-1.0..=1.0).contains(&index));
}

/// Where far tiles are left out the report says how many pairs that left, and how many there had to be: of few points
/// exactly.
#[test]
fn the_report_of_pairs() {
    let of_tiles = "--points 200 --method tiles --kernel flat --device cpu";
    let report = json(of_tiles);
    let [kept, all, first, ideal] =
        ["pairs_kept", "pairs_all", "pairs_first", "pairs_ideal"].map(|name| report[name].as_u64().unwrap());
    assert!(200 <= ideal && ideal <= first && first <= 200 * 200, "{report}");
    assert!(first < kept && kept <= all, "{report}");
    let (output, times) = (modeseek(of_tiles), format!("{:.2} times the {ideal}", first as f64 / ideal as f64));
    assert!(text(&output.stdout).contains(&times), "{times} is not in\n{}", text(&output.stdout));
    assert!(json("--points 200 --device cpu")["pairs_ideal"].is_null());
}

#[test]
fn results_do_not_depend_on_processor_threads() {
    let clusters = |threads| json(&format!("--points 3000 --device cpu --threads {threads}"))["clusters"].clone();
    let one = clusters(1);
    for threads in [2, 3, 8] {
        assert_eq!(one, clusters(threads));
    }
}

#[test]
fn methods_and_kernels_can_be_chosen() {
    for arguments in [
        "--method composed --batch 100",
        "--kernel triangular --bandwidth 8",
        "--kernel flat --bandwidth 8",
        "--kernel epanechnikov --bandwidth 8",
        "--kernel biweight --bandwidth 9",
        "--distance l1 --bandwidth 3.5",
        "--distance lp --norm 4 --bandwidth 2.5",
        "--bandwidth 2.5,2.6",
        "--form standard",
        "--form standard --relaxation 1.5",
        "--form standard --seeding random --seeds 50",
        "--form standard --seeding share --share 0.1",
        "--form standard --seeding share --confidence 0.5",
        "--form standard --seeding bins --min-bin-frequency 2",
        "--form standard --seeding bins --kernel flat --merging densest --bandwidth 6",
        "--assign nearest --reach 5",
    ] {
        let report = json(&format!("--points 600 --device cpu {arguments}"));
        assert_eq!(report["clusters"].as_array().unwrap().len(), 6, "{arguments}");
    }
    assert_eq!(json("--points 500 --dim 7 --bandwidth 6 --device cpu")["dimensions"], 7);
    assert_eq!(json("--points 500 --threads-per-block 64 --device cpu")["points"], 500);
}

/// Centroids and modes are compared as directions where they are such.
#[test]
fn directions_are_compared_as_directions() {
    let report = json("--points 600 --dim 5 --device cpu --distance cosine --bandwidth 0.03");
    let clusters = report["clusters"].as_array().unwrap();
    let numbers = |value: &serde_json::Value| -> Vec<f64> {
        value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    assert!(!clusters.is_empty());
    for cluster in clusters {
        let [mode, centroid] = ["mode", "centroid"].map(|name| numbers(&cluster[name]));
        assert!((dot(&centroid, &centroid) - 1.0).abs() <= 1e-12, "{cluster}");
        let distance = cluster["distance"].as_f64().unwrap();
        assert!((distance - (1.0 - dot(&mode, &centroid))).abs() <= 1e-6 && distance <= 0.05, "{cluster}");
    }
}

#[test]
fn bandwidths_can_be_estimated() {
    for (rule, words) in [
        ("quantile:0.1", "0.1-quantile of 600 points"),
        ("quantile:0.1:all", "0.1-quantile of 600 points"),
        ("quantile:0.1:300", "0.1-quantile of 300 of 600 points"),
        ("third", "quantile of"),
        ("neighbour:40", "neighbour"),
        ("scott", "Scott"),
        ("silverman", "Silverman"),
        ("each-neighbour:40", "neighbour"),
    ] {
        let report = json(&format!("--points 600 --device cpu --bandwidth {rule}"));
        assert!(report["bandwidth"].as_f64().unwrap() > 0.0, "{rule}");
        assert!(report["bandwidth_from"].as_str().unwrap().contains(words), "{rule}: {report}");
        let per_dimension = report["bandwidth_per_dimension"].as_array().map(Vec::len);
        assert_eq!(per_dimension, ["scott", "silverman"].contains(&rule).then_some(2), "{rule}");
    }
    let output = modeseek("--points 600 --device cpu --bandwidth quantile:0.1");
    assert!(text(&output.stdout).contains(" (0.1-quantile of "), "{}", text(&output.stdout));
}

#[test]
fn noise_and_notes_are_told() {
    let points = "--points 300 --device cpu --bandwidth 0.3";
    let report = json(&format!("{points} --min-size 3"));
    let noise = report["noise"].as_u64().unwrap();
    assert!(noise > 0, "{report}");
    let clusters = report["clusters"].as_array().unwrap();
    let sizes: Vec<u64> = clusters.iter().map(|cluster| cluster["size"].as_u64().unwrap()).collect();
    assert!(sizes.iter().all(|&size| size >= 3) && sizes.iter().sum::<u64>() + noise == 300, "{sizes:?}");
    let output = modeseek(&format!("{points} --min-size 3"));
    assert!(text(&output.stdout).contains(&format!("{noise} points are noise")));
    let output = modeseek("--points 300 --device cpu --bandwidth 1000");
    assert!(text(&output.stdout).contains("note        all points are one cluster"), "{}", text(&output.stdout));
    // What is to blame is named: here not the bandwidth.
    let report = json("--points 300 --device cpu --merge-radius 1e9");
    let notes = report["notes"].to_string();
    assert!(notes.contains("the merge radius is large, 1e9 bandwidths") && !notes.contains("sweep"), "{notes}");
}

#[test]
fn progress_is_told_on_standard_error() {
    let output = modeseek("--points 300 --device cpu --iterations 3 --tolerance 0 --progress");
    assert!(output.status.success());
    let lines: Vec<_> = text(&output.stderr).lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    for (number, line) in lines.iter().enumerate() {
        assert!(line.starts_with(&format!("iteration {}: moved ", number + 1)), "{line}");
    }
}

#[test]
fn help_and_version() {
    let help = modeseek("--help");
    assert!(help.status.success());
    for word in ["--points", "--bandwidth", "--device", "Examples:", "Exit codes"] {
        assert!(text(&help.stdout).contains(word), "{word}");
    }
    for extension in [".txt", ".tab", ".pq", ".feather", ".ipc", ".arrows"] {
        assert!(text(&help.stdout).contains(extension), "{extension}");
    }
    let version = modeseek("--version");
    assert_eq!(text(&version.stdout).trim(), concat!("modeseek ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_modeseek"))
        .args(["--points", "500", "--device", "cpu"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(text(&output.stderr), "");
    assert!(output.status.success());
}
