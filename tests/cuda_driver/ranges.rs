//! Ranges for profilers: the phases of a fit, each once and in their order.

use std::collections::BTreeSet;

use crate::{assert_fails_in_one_line, has_ptx, report, run_in, run_with, stand_in};

const RUN: &[&str] = &["--points", "50", "--json"];

/// What a fit marks, from the points to the labels.
const PHASES: [&str; 7] = ["upload", "bandwidth", "scale", "iterate", "merge", "label", "download"];

/// The ranges of a run, none of which lies within another.
fn ranges(log: &str) -> Vec<String> {
    let mut lines = log.lines().filter(|line| line.starts_with("range "));
    let mut names = Vec::new();
    while let Some(line) = lines.next() {
        names.push(line.strip_prefix("range begins: ").expect("a range begins").to_owned());
        assert_eq!(lines.next(), Some("range ends"));
    }
    names
}

#[test]
fn each_phase_is_marked_once() {
    for device in ["cpu", "cuda"] {
        if device == "cuda" && !has_ptx() {
            continue;
        }
        for form in ["blurring", "standard"] {
            let args = [RUN, &["--device", device, "--form", form]].concat();
            let marked = run_with(&stand_in(), "works", &[&args[..], &["--nvtx"]].concat());
            report(&marked);
            assert_eq!(ranges(&marked.log), PHASES, "{device} {form}");
            // Nobody asks, nothing is marked; a profiler asks by a variable.
            let unmarked = run_with(&stand_in(), "works", &args);
            assert_eq!(ranges(&unmarked.log), [""; 0], "{device} {form}");
            let profiled = run_in(&stand_in(), "works", &args, &[("NVTX_INJECTION64_PATH", "/profiler.so")]);
            assert_eq!(ranges(&profiled.log), PHASES, "{device} {form}");
        }
    }
}

/// The driver's kernels lie within the phases that launch them.
#[test]
fn launches_lie_within_their_phases() {
    if !has_ptx() {
        return;
    }
    let args = [RUN, &["--device", "cuda", "--nvtx"]].concat();
    let log = run_with(&stand_in(), "works", &args).log;
    let mut phase = None;
    let mut seen = BTreeSet::new();
    for line in log.lines() {
        if let Some(name) = line.strip_prefix("range begins: ") {
            phase = Some(name);
        } else if line == "range ends" {
            phase = None;
        } else if let Some(kernel) = line.strip_prefix("plain launch of ").and_then(|rest| rest.split(' ').next()) {
            let expected = match kernel {
                "shift_gaussian_few_2" | "begin" => "iterate",
                "unite_l2" => "merge",
                "relabel" => "label",
                _ => continue,
            };
            assert_eq!(phase, Some(expected), "{kernel}");
            seen.insert(kernel);
        }
    }
    assert_eq!(Vec::from_iter(seen), ["begin", "relabel", "shift_gaussian_few_2", "unite_l2"]);
}

#[test]
fn a_library_that_is_none_is_named() {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("Linux");
    let file = maps.lines().filter_map(|line| line.split_whitespace().nth(5)).find(|file| file.contains("/libc."));
    let c = std::path::Path::new(file.expect("the C library"));
    let args = [RUN, &["--device", "cpu"]].concat();
    let outcome = run_with(c, "works", &[&args[..], &["--nvtx"]].concat());
    assert_fails_in_one_line(
        &outcome,
        &["--nvtx needs", "libnvToolsExt.so.1", "libnvtx3interop.so", "leave out --nvtx"],
    );
    // A profiler whose library is not there is no reason to stop.
    report(&run_in(c, "works", &args, &[("NVTX_INJECTION64_PATH", "/profiler.so")]));
}
