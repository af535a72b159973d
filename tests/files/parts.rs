//! Files that are read twice in parts.

use std::time::Duration;

use modeseek::agreement::adjusted_rand_index;
use modeseek::data::Blobs;

use crate::{Folder, last_column};

const STREAM: &str = "--stream --bandwidth 2.5";

/// Blobs far from the origin, as text.
fn blobs(n: usize) -> (String, Vec<u32>) {
    let set = Blobs { points: n, clusters: 6, dimensions: 2, seed: 14 }.generate().unwrap();
    let mut text = "x,y,n\n".to_owned();
    for (i, row) in set.rows.chunks(2).enumerate() {
        text += &format!("{},{},n{i}\n", f64::from(row[0]) + 1e6, f64::from(row[1]) - 1e6);
    }
    (text, set.labels)
}

#[test]
fn labels_are_those_of_all_points_at_once() {
    let folder = Folder::new();
    // More than one part.
    let (text, truth) = blobs(100_000);
    folder.write("in.csv", text);
    let report = folder.json(&format!("in.csv {STREAM} -o parts.csv"));
    let labels = last_column(&folder.read("parts.csv"));
    assert_eq!(adjusted_rand_index(&labels, &truth), 1.0);
    let whole = folder.json("in.csv --columns x,y --bandwidth 2.5 --form standard -o whole.csv");
    assert_eq!(adjusted_rand_index(&labels, &last_column(&folder.read("whole.csv"))), 1.0);
    assert_eq!((&report["points"], &report["path"]["name"]), (&100_000.into(), &"field".into()));
    let sizes: u64 = report["clusters"].as_array().unwrap().iter().map(|c| c["size"].as_u64().unwrap()).sum();
    assert_eq!(sizes, 100_000);
    // Modes are at the same places, as far from the origin as they are.
    for found in report["clusters"].as_array().unwrap() {
        let near = whole["clusters"].as_array().unwrap().iter().any(|mode| {
            (0..2).all(|c| (found["mode"][c].as_f64().unwrap() - mode["mode"][c].as_f64().unwrap()).abs() < 0.02)
        });
        assert!(near, "{found}");
    }
    // Columns and rows are as they were.
    let parts = folder.read("parts.csv");
    assert!(parts.starts_with("x,y,n,label\n") && parts.lines().nth(99_000).unwrap().contains(",n98999,"));
}

#[test]
fn every_format_that_can_be_read_in_parts_gives_the_same() {
    let folder = Folder::new();
    folder.write("in.csv", blobs(2000).0);
    folder.run(&format!("in.csv {STREAM} -o a.csv.gz"));
    folder.run(&format!("a.csv.gz --columns x,y {STREAM} -o a.parquet"));
    folder.run(&format!("a.parquet --columns x,y {STREAM} -o a.arrow"));
    folder.run(&format!("a.arrow --columns x,y {STREAM} -o a.csv"));
    let text = folder.read("a.csv");
    assert!(text.starts_with("x,y,n,label,other-label,other-other-label,other-other-other-label\n"));
    for line in text.lines().skip(1) {
        let labels: Vec<&str> = line.split(',').skip(3).collect();
        assert!(labels.iter().all(|label| *label == labels[0]), "{line}");
    }
}

/// Clusters are counted as points are labelled, whatever the field's nodes say of them.
#[test]
fn clusters_are_counted_point_by_point() {
    let folder = Folder::new();
    folder.run("--points 1500 --shape uniform -q -o in.csv");
    let found = folder.json("in.csv --columns x0,x1 --stream --bandwidth 3 -o out.csv");
    let labels = last_column(&folder.read("out.csv"));
    let clusters = found["clusters"].as_array().unwrap();
    assert!(clusters.len() > 10 && clusters.last().unwrap()["size"].as_u64().unwrap() > 0);
    for (label, cluster) in clusters.iter().enumerate() {
        let size = labels.iter().filter(|&&found| found == label as i32).count();
        assert_eq!((cluster["size"].as_u64(), cluster["weight"].as_f64()), (Some(size as u64), Some(size as f64)));
    }
}

/// Only ratios of weights matter, as in a fit, though a field keeps weights to a part of 1.
#[test]
fn weights_of_any_size_give_the_same() {
    let folder = Folder::new();
    let (text, _) = blobs(3000);
    let weighted = |size: &dyn Fn(usize) -> f64| {
        let line = |(i, line): (usize, &str)| match i {
            0 => format!("{line},w\n"),
            i => format!("{line},{:e}\n", size(i)),
        };
        folder.write("in.csv", text.lines().enumerate().map(line).collect::<String>());
        folder.json(&format!("in.csv --columns x,y --weights w {STREAM} -o out.csv"))
    };
    let ratio = |i: usize| (1 + i % 3) as f64;
    let plain = weighted(&ratio);
    for power in [-1000, -40, -20, 12, 1000] {
        let size = 2_f64.powi(power);
        let found = weighted(&|i| ratio(i) * size);
        for (found, plain) in found["clusters"].as_array().unwrap().iter().zip(plain["clusters"].as_array().unwrap()) {
            assert_eq!((&found["mode"], &found["size"]), (&plain["mode"], &plain["size"]), "2^{power}");
            let ratio = found["weight"].as_f64().unwrap() / size / plain["weight"].as_f64().unwrap();
            assert!((ratio - 1.0).abs() < 1e-12, "2^{power}: {ratio}");
        }
    }
    let run = format!("in.csv --columns x,y --weights w {STREAM} -o out.csv");
    std::fs::remove_file(folder.path("out.csv")).unwrap();
    folder.write("in.csv", "x,y,w\n1,2,0\n3,4,0\n");
    folder.refuses(&run, 1, &["all sample weights are 0"]);
    let mut far = "x,y,w\n".to_owned() + &"1,2,1\n".repeat(1 << 16);
    far += "1,2,3\n1,2,1e6\n";
    folder.write("in.csv", far);
    folder.refuses(&run, 1, &["in.csv, point 65537 (from 0), column w: 1000000", "524288 times"]);
    assert_eq!(folder.names(), ["in.csv"]);
}

#[test]
fn what_is_known_only_when_all_is_there_is_refused() {
    let folder = Folder::new();
    folder.write("in.csv", blobs(100).0);
    for (arguments, word) in [
        ("--stream", "--bandwidth"),
        ("--stream --bandwidth scott", "--stream without a bandwidth is not possible"),
        ("--stream --bandwidth 1 --standardize zscore", "--standardize"),
        ("--stream --bandwidth 1 -o out.csv --density", "--density"),
        ("--stream --bandwidth 1 -o out.npy", "numpy"),
        ("--stream --bandwidth 1 --centres out.csv", "--centres"),
        ("--stream --bandwidth 1 --min-size 2", "--min-size"),
        ("--stream --bandwidth 1 --assign nearest", "--assign"),
        ("--stream --bandwidth 1 --predict in.csv --predicted out.csv", "--predict"),
        ("--stream --bandwidth 1 --form blurring", "--stream with --form blurring is not possible"),
        ("--stream --bandwidth 1 --form standard --seeds-file in.csv", "--seeds-file"),
        ("--stream --bandwidth 1 --form standard --seeding bins", "--seeding"),
        ("--stream --bandwidth 1 --merging densest", "--merging densest"),
        ("--stream --bandwidth 1 --method tiles", "--method"),
        ("--stream --bandwidth 1 --kernel flat", "--stream without --kernel gaussian is not possible"),
        ("--stream --bandwidth 1 --accuracy exact", "--stream with --accuracy exact is not possible"),
        ("--stream --bandwidth 1 --distance l1", "--stream without --distance l2 is not possible"),
        ("--stream --bandwidth 1 --form standard --relaxation 1.5", "--stream with --relaxation is not possible"),
        ("--stream --bandwidth 1 --progress", "--progress"),
    ] {
        folder.refuses(&format!("in.csv {arguments}"), 2, &[word]);
    }
    folder.write("wide.csv", "a,b,c,d\n1,2,3,4\n");
    folder.write("wider.csv", "a,b,c,d,e,f\n1,2,3,4,5,6\n");
    for wide in ["wide.csv", "wider.csv"] {
        let words = ["--stream in so many dimensions is not possible", "at most 3; choose fewer --columns"];
        folder.refuses(&format!("{wide} --stream --bandwidth 1"), 2, &words);
    }
    folder.refuses("- --stream --bandwidth 1", 2, &["read twice"]);
    folder.write("far.csv", "x\n0\n0.5\n1\n1e9\n");
    folder.refuses("far.csv --stream --bandwidth 2", 1, &["1e9 in column 1 (from 1)", "a bandwidth of 2;"]);
}

/// A file that grows, shrinks or changes between the passes gives an error, and no result.
#[test]
fn a_file_that_changes_between_the_passes() {
    let (text, _) = blobs(200_000);
    let lines: Vec<&str> = text.lines().collect();
    let shrunk = lines[..150_000].join("\n");
    let grown = format!("{text}1e6,-1e6,x\n");
    let changed = text.replacen(lines[1000], "1e6,-1e6,x", 1);
    for (now, word) in [(shrunk, "then 149999"), (grown, "more"), (changed, "other values")] {
        // When the first pass ends nobody outside knows; it is tried until the change falls between.
        let caught = (0..40).any(|round| {
            let folder = Folder::new();
            folder.write("in.csv", &text);
            let mut program = folder.command(&format!("in.csv {STREAM} --columns x,y -o out.csv"));
            let program =
                program.stderr(std::process::Stdio::piped()).stdout(std::process::Stdio::null()).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(20 + 10 * round));
            // As a whole at once: a name that stands for another file.
            folder.write("new.csv", &now);
            std::fs::rename(folder.path("new.csv"), folder.path("in.csv")).unwrap();
            let output = program.wait_with_output().unwrap();
            let message = String::from_utf8(output.stderr).unwrap();
            let failed = output.status.code() == Some(1) && message.contains("changed while it was read");
            assert!(output.status.success() || failed, "{message}");
            if failed {
                assert!(message.contains(word), "{message}");
                assert_eq!(folder.names(), ["in.csv"]);
            }
            failed
        });
        assert!(caught, "{word}");
    }
}
