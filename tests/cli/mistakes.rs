//! What is wrong with a command, or what this machine has not got for it: the words, which say what to do, and the exit code.

#[cfg(target_os = "linux")]
use std::process::Command;

use crate::{modeseek, refuses, text};

/// What others call an option is explained, and not taken for one that is spelt about as it is.
#[test]
fn options_of_others_are_explained() {
    for (typed, meant, not) in [
        ("--bin-seeding", "--seeding bins", "'--seed"),
        ("--metric l1", "--distance", "--merging"),
        ("--normalize", "--standardize", "--norm'"),
        ("--n-clusters 3", "not told how many", "'--clusters'"),
        ("--n_clusters=3", "not told how many", "'--clusters'"),
        ("sweep --n-jobs 2", "--threads", "tip: a similar"),
    ] {
        refuses(typed, 2, &["unexpected argument", meant]);
        let message = modeseek(typed).stderr;
        assert!(!text(&message).contains(not), "{}", text(&message));
    }
    // A command is no other's, and what is nearly an option is.
    for typed in ["segment", "sweep --plt", "tune --foo"] {
        assert!(!text(&modeseek(typed).stderr).contains("did you mean"), "{typed}");
    }
    refuses("--bandwith 2", 2, &["a similar argument exists: '--bandwidth'"]);
}

/// A file of this name is hardly meant.
#[test]
fn a_report_on_standard_output_is_asked_for_otherwise() {
    refuses("--points 300 --device cpu --report -", 2, &["--report is -", "--json"]);
    for picture in ["--plot", "--animate", "--trace"] {
        refuses(&format!("--points 300 --device cpu {picture} -"), 2, &["- is not the name of a picture"]);
    }
    assert!(!std::path::Path::new("-").exists());
}

#[test]
fn options_that_exclude_each_other_are_wrong_usage() {
    for (arguments, words) in [
        ("--seeding random", ["--seeding without --form standard is not possible", "points themselves move"]),
        ("--relaxation 1.5", ["--relaxation without --form standard and --distance l2", "proven safe"]),
        (
            "--form standard --distance l1 --relaxation 1.5",
            ["--relaxation without --form standard and --distance l2", "proven safe"],
        ),
        ("--reach 2", ["--reach without --assign nearest is not possible", "nearest mode"]),
        ("--method composed --form standard", ["--method composed here is not possible", "use --method fused"]),
        ("--method composed --distance l1", ["--method composed here is not possible", "use --method fused"]),
        (
            "--method composed --bandwidth each-neighbour:5",
            ["--method composed here is not possible", "use --method fused"],
        ),
        ("--method tiles --accuracy exact", ["--method tiles with --accuracy exact is not possible", "--method fused"]),
        ("--method field --accuracy exact", ["--method field with --accuracy exact is not possible", "--method fused"]),
        ("--method field --dim 6", ["--method field in so many dimensions is not possible", "at most 5"]),
        ("--method field --kernel flat", ["--method field without --kernel gaussian is not possible", "smooth"]),
        ("--method field --distance l1", ["--method field without --distance l2 is not possible", "that distance"]),
        (
            "--method field --bandwidth each-neighbour:5",
            ["--method field with a --bandwidth for each point is not possible", "one for all"],
        ),
        (
            "--method field --form standard --relaxation 1.5",
            ["--method field with --relaxation is not possible", "leave the field's grid"],
        ),
        (
            "--distance cosine --bandwidth 1,2",
            ["--distance cosine with more than one --bandwidth is not possible", "a single one"],
        ),
        (
            "--form standard --seeding bins --bandwidth 1,2",
            ["--seeding bins with --distance cosine or a --bandwidth for each dimension", "units of the data"],
        ),
    ] {
        refuses(arguments, 2, &words);
    }
}

#[test]
fn options_without_effect_are_wrong_usage() {
    for (arguments, words) in [
        ("--norm 3", ["--norm without --distance lp is not possible", "exponent of that distance"]),
        ("--distance l1 --norm 3", ["--norm without --distance lp is not possible", "exponent"]),
        ("--seeds 500", ["--seeds without --seeding random is not possible", "their number"]),
        ("--form standard --seeding bins --seeds 9", ["--seeds without --seeding random is not possible", "number"]),
        (
            "--form standard --min-bin-frequency 1",
            ["--min-bin-frequency without --seeding bins is not possible", "a bin"],
        ),
        ("--merging densest --merge-radius 0.5", ["--merge-radius with --merging densest is not possible", "chains"]),
        ("--share 0.1", ["--share without --seeding share is not possible", "how many"]),
        (
            "--form standard --seeding random --confidence 0.9",
            ["--confidence without --seeding share is not possible", "how many"],
        ),
        ("--batch 1024", ["--batch without --method composed is not possible", "no batches"]),
    ] {
        refuses(arguments, 2, &words);
    }
}

#[test]
fn options_of_files_are_not_of_generated_points() {
    for (option, words) in [
        ("--columns x,y", ["--columns without a file is not possible", "no columns; give a file"]),
        ("--weights w", ["--weights without a file is not possible", "no columns; give a file"]),
        ("--bandwidth column:h", ["--bandwidth column:NAME without a file is not possible", "no columns"]),
        ("--format csv", ["--format without a file is not possible", "how one is read"]),
        ("--delimiter ;", ["--delimiter without a file is not possible", "how one is read"]),
        ("--decimal ,", ["--decimal without a file is not possible", "how one is read"]),
        ("--header yes", ["--header without a file is not possible", "how one is read"]),
        ("--missing drop", ["--missing without a file is not possible", "how one is read"]),
        ("--array X", ["--array without a file is not possible", "how one is read"]),
        ("--standardize zscore", ["--standardize without a file is not possible", "one scale"]),
    ] {
        for points in ["", "--points 100"] {
            refuses(&format!("{points} {option}"), 2, &words);
        }
    }
    refuses("sweep --points 100 --standardize zscore", 2, &["--standardize without a file is not possible"]);
    for points in ["", "--points 100"] {
        refuses(&format!("--stream --bandwidth 1 {points}"), 2, &["--stream without a file is not possible"]);
    }
}

#[test]
fn senseless_options_are_wrong_usage() {
    for (arguments, words) in [
        ("--distance lp --norm 0.5", "--norm is 0.5"),
        ("--distance lp --norm NaN", "--norm is NaN"),
        ("--form standard --relaxation 2", "--relaxation is 2"),
        ("--form standard --relaxation 0", "--relaxation is 0"),
        ("--merge-radius 0", "--merge-radius is 0"),
        ("--merge-radius -1", "--merge-radius is -1"),
        ("--assign nearest --reach 0", "--reach is 0"),
        ("--min-size 0", "--min-size is 0"),
        ("--form standard --seeding random --seeds 0", "--seeds is 0"),
        ("--form standard --seeding share --share 1", "--share is 1"),
        ("--form standard --seeding share --confidence -1", "--confidence is -1"),
        ("--bandwidth quantile:0.3:0", "the bandwidth's sample is 0"),
        ("--form standard --seeding bins --min-bin-frequency 0", "--min-bin-frequency is 0"),
        ("--bandwidth quantile:0", "the bandwidth's quantile is 0"),
        ("--bandwidth neighbour:0", "neighbour 0"),
        ("--points 30 --bandwidth neighbour:31", "neighbour 31"),
        ("--bandwidth 1,2,3", "3 bandwidths were given"),
        ("--bandwidth 1,0", "the bandwidth of dimension 1 is 0"),
        // Of both what is told may be typed.
        ("--accuracy 0.1", "--accuracy is 0.1, but must be from 1e-5 to 0.01 bandwidths, or `exact`"),
        ("--accuracy 0", "from 1e-5 to 0.01, or `exact`"),
    ] {
        refuses(arguments, 2, &[words]);
    }
}

#[test]
fn senseless_sizes_are_wrong_usage() {
    refuses("--points 0", 2, &["--points is 0", "at least 1"]);
    refuses("--points 5 --clusters 6", 2, &["--clusters is 6", "no more than the points"]);
    refuses("--clusters 0", 2, &["--clusters is 0"]);
    refuses("--dim 0", 2, &["--dim is 0"]);
    refuses("--points -5", 2, &["--points", "give a whole number from 1 on"]);
    for points in ["many", "1e5", "100,000"] {
        refuses(&format!("--points {points}"), 2, &["--points", "give a whole number from 1 on, as 100000"]);
    }
    refuses("--points 18446744073709551616", 2, &["--points", "more than can be counted"]);
    refuses("--seed x", 2, &["--seed", "give a whole number from 0 on, as 14"]);
    refuses("--iterations 0", 2, &["--iterations is 0"]);
    refuses("--method composed --batch 0", 2, &["--batch is 0"]);
    refuses("--threads 0", 2, &["--threads", "give a whole number from 1 on"]);
    refuses("--threads 1000000", 2, &["--threads is 1000000"]);
}

#[test]
fn senseless_numbers_are_wrong_usage() {
    for value in ["0", "-1", "NaN", "inf", "-inf", "1e-40"] {
        refuses(&format!("--bandwidth {value}"), 2, &["--bandwidth is"]);
    }
    for value in ["-1", "NaN", "inf"] {
        refuses(&format!("--tolerance {value}"), 2, &["--tolerance is"]);
    }
    refuses("--bandwidth wide", 2, &["--bandwidth"]);
    refuses("--distance lp --norm x", 2, &["--norm", "give a number, as 0.5 or 1e-3"]);
    refuses("sweep --from 1,5", 2, &["--from", "give a number"]);
}

#[test]
fn senseless_blocks_are_wrong_usage() {
    refuses("--threads-per-block 0", 2, &["--threads-per-block is 0", "multiple of 32"]);
    refuses("--threads-per-block 2000", 2, &["--threads-per-block is 2000"]);
    refuses("--threads-per-block 33 --device cpu", 2, &["--threads-per-block is 33", "multiple of 32"]);
    // Where a field is chosen nobody asks for blocks of so many threads.
    refuses("--threads-per-block 33 --device cpu --points 30000", 2, &["--threads-per-block is 33"]);
}

#[test]
fn unknown_words_are_wrong_usage() {
    refuses(
        "--device tpu",
        2,
        &["'tpu' for '--device", ": give auto, cpu, cuda, cuda:N (N counts from 0) or interpreter"],
    );
    refuses("a.xls --format xls", 2, &["'xls' for '--format", ": give csv, tsv, npy, npz, parquet or arrow"]);
    refuses("--kernel cosine", 2, &["gaussian, triangular, flat"]);
    refuses("--colour red", 2, &["--colour"]);
    refuses("extra", 2, &["extra", "--format"]);
    refuses("swep", 2, &["swep: its extension names no format", "; did you mean the command `sweep`?"]);
    refuses("swep points.csv --from 1", 2, &["points.csv", "did you mean the command `sweep`?"]);
    refuses("points.xlsx", 2, &["points.xlsx", "of a spreadsheet, export the points as CSV"]);
}

#[test]
fn too_much_memory_is_named_before_it_is_taken() {
    refuses("--points 1000000000000000 --device cpu", 1, &["iB", "--points"]);
    refuses("--points 18446744073709551615 --dim 1000 --device cpu", 1, &["iB", "--points"]);
}

/// What a process may not take it is not told to be free.
#[cfg(target_os = "linux")]
#[test]
fn memory_that_the_system_does_not_let_it_take_is_not_free() {
    let modeseek = env!("CARGO_BIN_EXE_modeseek");
    let limited = r#"ulimit -v 4000000; exec "$0" --points 200000000 --device cpu --threads 1"#;
    let output = Command::new("sh").args(["-c", limited, modeseek]).output().unwrap();
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("of memory free, and 4.5 GiB are needed"), "{message}");
}

/// Of sizes whose product no number holds.
#[test]
fn more_bytes_than_can_be_counted_are_too_many() {
    refuses("--points 18446744073709551615 --dim 18446744073709551615 --device cpu", 1, &["iB", "--points"]);
}

#[test]
fn bandwidths_that_f32_cannot_resolve_are_refused() {
    refuses("--points 10 --bandwidth 1e-7 --device cpu", 1, &["larger bandwidth"]);
}

#[test]
fn a_gpu_that_is_not_there_is_said_so() {
    if modeseek::Device::cuda(0).is_ok() {
        eprintln!("skipped: there is a GPU here");
        return;
    }
    refuses("--device cuda", 1, &["no GPU can be used", "--device cpu"]);
    refuses("--device cuda:3", 1, &["no GPU can be used"]);
    let output = modeseek("--points 10 --clusters 1");
    assert!(output.status.success());
    assert!(text(&output.stdout).contains("device      processor"));
}
