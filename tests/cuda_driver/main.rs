//! The program on GPUs of every kind, on machines without one: it loads the CUDA driver of
//! `tests/stand_in_driver`, which works or fails as each test wishes. Where it works it runs the
//! program's real PTX on `ptx_interpreter`.

#![cfg(target_os = "linux")] // where a folder can be put before the one of the real driver

mod choice;
mod graphs;
mod memory;
mod ranges;
mod shared_memory;
mod staging;
mod tuning;
mod whole_run;

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

/// What became of a run of the program.
struct Outcome {
    code: Option<i32>,
    output: String,
    errors: String,
    /// What the program asked of the driver.
    log: String,
}

/// The stand-in: cargo builds it beside the test, which names its package as a dependency.
fn stand_in() -> PathBuf {
    let test = std::env::current_exe().expect("the test is a file");
    let library = test.with_file_name("libstand_in_driver.so");
    assert!(library.is_file(), "{} is not there", library.display());
    library
}

/// Runs the program with `driver` in the place of the CUDA driver.
fn run_with(driver: &std::path::Path, behaviour: &str, args: &[&str]) -> Outcome {
    run_in(driver, behaviour, args, &[])
}

/// The same with some variables of the environment.
fn run_in(driver: &std::path::Path, behaviour: &str, args: &[&str], variables: &[(&str, &str)]) -> Outcome {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["libcuda.so", "libcuda.so.1", "libnvToolsExt.so.1"] {
        symlink(driver, folder.path().join(name)).expect("a link");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_modeseek"))
        .args(args)
        .env("LD_LIBRARY_PATH", folder.path())
        .env("STAND_IN_DRIVER", behaviour)
        .env("STAND_IN_LOG", folder.path().join("log"))
        .env("RUST_BACKTRACE", "1")
        // Nothing of whoever runs the tests.
        .env("XDG_CACHE_HOME", folder.path())
        .env_remove("NVTX_INJECTION64_PATH")
        .envs(variables.iter().copied())
        .output()
        .expect("the program starts");
    let [text, errors] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("UTF-8"));
    for sign in ["panicked", "backtrace", "stand-in driver:"] {
        assert!(!errors.contains(sign), "{behaviour} {args:?}:\n{errors}");
    }
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
    Outcome { code: output.status.code(), output: text, errors, log }
}

fn run(behaviour: &str, device: &str, args: &[&str]) -> Outcome {
    run_with(&stand_in(), behaviour, &[&["--device", device, "--points", "200", "--json"], args].concat())
}

/// Checks that the program failed with one sentence, which has these parts.
fn assert_fails(outcome: &Outcome, parts: &[&str]) {
    let Outcome { code, output, errors, .. } = outcome;
    assert_eq!((*code, output.as_str()), (Some(1), ""), "{errors}");
    assert!(errors.starts_with("modeseek: "), "{errors}");
    for part in parts {
        assert!(errors.contains(part), "{part:?} is not in:\n{errors}");
    }
}

fn assert_fails_in_one_line(outcome: &Outcome, parts: &[&str]) {
    assert_fails(outcome, parts);
    assert_eq!(outcome.errors.lines().count(), 1, "{}", outcome.errors);
}

/// The report of a run that went well and without a word.
fn report(outcome: &Outcome) -> Value {
    assert_eq!((outcome.code, outcome.errors.as_str()), (Some(0), ""));
    serde_json::from_str(&outcome.output).expect("the report is JSON")
}

/// A GPU cannot be used for the reason: asked for, that is an error; else the processor is used, and
/// the report says why.
fn assert_no_gpu(behaviour: &str, reason: &str) {
    assert_fails_in_one_line(&run(behaviour, "cuda", &[]), &[reason, "--device cpu"]);
    assert_processor_instead(behaviour, reason);
}

fn assert_processor_instead(behaviour: &str, reason: &str) {
    let report = report(&run(behaviour, "auto", &[]));
    assert!(report["device"].as_str().is_some_and(|device| device.starts_with("processor")), "{report}");
    assert!(report["device_why"].as_str().is_some_and(|why| why.contains(reason)), "{report}");
}

/// Whether the program has PTX; says so if not.
fn has_ptx() -> bool {
    let has = !modeseek::executor::ptx::PTX.is_empty();
    if !has {
        eprintln!("skipped: the program has no PTX ({})", modeseek::executor::ptx::PTX_ORIGIN);
    }
    has
}

#[test]
fn another_library_is_no_driver() {
    // The C library, whose file the test has itself.
    let maps = std::fs::read_to_string("/proc/self/maps").expect("Linux");
    let file = maps.lines().filter_map(|line| line.split_whitespace().nth(5)).find(|file| file.contains("/libc."));
    let outcome = run_with(file.expect("the C library").as_ref(), "works", &["--device", "cuda"]);
    let words = "the library that was found in the place of the NVIDIA driver lacks cuInit";
    assert_fails_in_one_line(&outcome, &[words, "--device cpu"]);
}

/// Positions of names of functions of the driver in its library, each between zero bytes.
fn exported_names(library: &[u8]) -> BTreeMap<String, Vec<usize>> {
    let mut names = BTreeMap::<_, Vec<_>>::new();
    let mut start = 0;
    for text in library.split(|&byte| byte == 0) {
        if let [b'c', b'u', b'A'..=b'Z', ..] = text
            && text.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        {
            names.entry(String::from_utf8_lossy(text).into_owned()).or_default().push(start);
        }
        start += text.len() + 1;
    }
    names
}

/// A run that takes a moment, and enough iterations that launches are replayed.
const FEW: &[&str] = &["--device", "cuda", "--points", "50", "--json"];

#[test]
fn a_driver_that_lacks_a_function() {
    if !has_ptx() {
        return;
    }
    let library = std::fs::read(stand_in()).expect("a file");
    let names = exported_names(&library);
    assert!(names.len() >= 30 && names.contains_key("cuLaunchKernel"), "{names:?}");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("renamed");
    for (name, places) in names {
        let mut renamed = library.clone();
        for place in places {
            renamed[place] = b'C';
        }
        std::fs::write(&file, renamed).expect("a file");
        let outcome = run_with(&file, "works", FEW);
        match name.as_str() {
            // Never called for what the program does.
            "cuDeviceTotalMem_v2" | "cuFuncGetParamInfo" => assert_eq!(outcome.code, Some(0), "{name}"),
            // Without a linker kernels are compiled when they are wanted.
            _ if name.starts_with("cuLink") => {
                let [with, without] = [&run_with(&stand_in(), "works", FEW), &outcome].map(report);
                assert_eq!(clusters(&with), clusters(&without), "{name}");
                assert!(!outcome.log.contains("linked "), "{name}");
            }
            // Drivers before CUDA 11.4 lack one or another of these: then launches go one by one.
            _ if name.starts_with("cuGraph") || name.contains("Capture") => {
                let [with, without] = [&run_with(&stand_in(), "works", FEW), &outcome].map(report);
                assert_eq!(clusters(&with), clusters(&without), "{name}");
                let launches = |report: &Value| report["launches"].as_u64().expect("a number");
                assert!(launches(&with) < launches(&without), "{name}: {with} {without}");
            }
            _ => assert_fails_in_one_line(&outcome, &[&format!("lacks {name}: "), "--device cpu"]),
        }
    }
}

#[test]
fn a_broken_library_is_no_driver() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let empty = folder.path().join("empty");
    std::fs::write(&empty, "").expect("a file");
    let words = ["no NVIDIA driver is installed", "--device cpu"];
    assert_fails_in_one_line(&run_with(&empty, "works", FEW), &words);
}

#[test]
fn machines_without_a_gpu() {
    assert_no_gpu("no-devices", "the NVIDIA driver finds no GPU");
    let reason = "does not start: CUDA_ERROR_NO_DEVICE (no CUDA-capable device is detected)";
    assert_no_gpu("no-hardware", reason);
}

#[test]
fn drivers_that_do_not_start() {
    let reason = "does not start: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (system has unsupported display driver";
    assert_no_gpu("fails-to-start", reason);
}

#[test]
fn gpus_are_numbered() {
    for number in ["2", "7", "4294967296", "18446744073709551615"] {
        let outcome = run("two-devices", &format!("cuda:{number}"), &[]);
        let words = format!("no GPU number {number}, they count from 0 to 1");
        assert_fails_in_one_line(&outcome, &[&words, "--device cpu"]);
    }
    if has_ptx() {
        let report = report(&run("two-devices", "cuda:1", &[]));
        assert_eq!(report["device"], "Stand-in GPU 1 (compute capability 7.5)");
        assert_eq!(report["device_why"], "asked for");
    }
}

#[test]
fn gpus_and_drivers_that_are_too_old() {
    if has_ptx() {
        assert_no_gpu("old-gpu", "Stand-in GPU 0 has compute capability 6.1, and 7.5 (Turing) is needed");
        assert_no_gpu("old-driver", "the NVIDIA driver is for CUDA 10.2, and 11.2 is needed");
    }
}

#[test]
fn a_gpu_that_another_process_keeps() {
    if has_ptx() {
        let reason = "refused to open the GPU: CUDA_ERROR_DEVICE_UNAVAILABLE (CUDA-capable device(s) is/are busy";
        assert_fails_in_one_line(&run("busy", "cuda", &[]), &[reason, "--device cpu"]);
        assert_processor_instead("busy", reason);
    }
}

#[test]
fn a_driver_that_refuses_the_kernels() {
    if has_ptx() {
        let words = [
            "refused the kernels of family layout: CUDA_ERROR_INVALID_PTX (a PTX JIT compilation failed)",
            "--device cpu",
            "\nptxas application ptx input, line 42; fatal   : Parsing error near 'shfl': syntax error\n",
        ];
        assert_fails(&run("refuses-ptx", "cuda", &[]), &words);
        // Who did not ask for the GPU has the processor.
        for (behaviour, why) in [
            ("refuses-ptx", "its driver compiles no kernels: CUDA_ERROR_INVALID_PTX"),
            ("no-compiler", "a part of the driver is missing, libnvidia-ptxjitcompiler"),
        ] {
            assert_processor_instead(behaviour, why);
        }
    }
}

#[test]
fn launches_that_are_refused() {
    if has_ptx() {
        let words = "refused to launch kernel to_columns: CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES (too many resources";
        assert_fails_in_one_line(&run("launch-fails", "cuda", &[]), &[words, "--device cpu"]);
    }
}

/// The stand-in has registers for 640 threads of any kernel, and refuses larger blocks as a driver does.
#[test]
fn blocks_for_which_there_are_no_registers() {
    if has_ptx() {
        let words = "kernel shift_gaussian_few_2 cannot run with 672 threads per block: this GPU has registers for 640";
        let outcome = run("works", "cuda", &["--threads-per-block", "672"]);
        assert_eq!((outcome.code, outcome.output.as_str()), (Some(2), ""), "{}", outcome.errors);
        assert!(outcome.errors.contains(words), "{}", outcome.errors);
        report(&run("works", "cuda", &["--threads-per-block", "640"]));
    }
}

#[test]
fn kernels_that_fail() {
    if has_ptx() {
        // The host may launch more before it is told, until it next waits. The kernel that is named is then the
        // last of those that ran, never one that the driver did not take.
        // The points and their copy take two launches; then come a run's begin, eight steps, a look, which is the first to wait,
        // and rounds of eight, which are replayed.
        let [first, step] = ["to_columns", "shift_gaussian_few_2"];
        for (which, kernel) in [("", step), ("-soon", first), ("-4", step), ("-19", step)] {
            let what = format!("a kernel failed on the GPU ({kernel} was launched last)");
            let words = "CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory access was encountered)";
            let outcome = run(&format!("kernel-fails{which}"), "cuda", &["--tolerance", "0"]);
            assert_fails_in_one_line(&outcome, &[&what, words, "--device cpu"]);
        }
    }
}

#[test]
fn gpus_that_are_lost_in_mid_run() {
    if !has_ptx() {
        return;
    }
    let mut call = 1;
    loop {
        // Every call that a run makes, in turn.
        let behaviour = format!("lost-ECC_UNCORRECTABLE-{call}");
        let outcome = run_with(&stand_in(), &behaviour, &[FEW, &["--iterations", "10"]].concat());
        if outcome.code == Some(0) {
            break;
        }
        let words = "CUDA_ERROR_ECC_UNCORRECTABLE (uncorrectable ECC error encountered)";
        assert_fails_in_one_line(&outcome, &[words, "--device cpu"]);
        // While it is opened, the driver's error is told; afterwards, that the GPU is lost.
        assert!(call <= 3 || outcome.errors.contains("the GPU was lost when it was to "), "{}", outcome.errors);
        call += 1;
    }
    // Opening, uploads, launches and their recording, downloads; then it does not matter any more.
    assert!(call > 100, "{call}");
}

#[test]
fn every_error_of_a_lost_gpu() {
    if has_ptx() {
        for error in ["DEVICE_UNAVAILABLE", "NO_DEVICE", "CONTEXT_IS_DESTROYED", "UNKNOWN"] {
            for device in ["cuda", "auto"] {
                let outcome = run(&format!("lost-{error}-15"), device, &[]);
                let words = ["the GPU was lost when it was to ", &format!("CUDA_ERROR_{error} ("), "nvidia-smi"];
                assert_fails_in_one_line(&outcome, &words);
            }
        }
        // A kernel that failed leaves no context either, but the GPU is well.
        let words = ["a kernel failed on the GPU", "CUDA_ERROR_LAUNCH_FAILED (unspecified launch failure)"];
        assert_fails_in_one_line(&run("lost-LAUNCH_FAILED-15", "cuda", &[]), &words);
        let words =
            ["the launch timed out and was terminated", "a GPU that drives a screen", "fewer points", "--device cpu"];
        assert_fails_in_one_line(&run("lost-LAUNCH_TIMEOUT-15", "cuda", &[]), &words);
    }
}

#[test]
fn a_gpu_that_is_lost_while_it_is_opened() {
    if has_ptx() {
        for error in ["ECC_UNCORRECTABLE", "UNKNOWN"] {
            assert_no_gpu(&format!("lost-{error}-1"), &format!("CUDA_ERROR_{error} ("));
        }
    }
}

/// Clusters of a report: how large, and where.
fn clusters(report: &Value) -> Vec<(u64, Vec<f64>)> {
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let number = |value: &Value| value.as_f64().expect("a number");
    let cluster = |value: &Value| {
        let size = value["size"].as_u64().expect("a size");
        (size, list(&value["mode"]).iter().map(number).collect())
    };
    list(&report["clusters"]).iter().map(cluster).collect()
}

/// The whole program on both devices: the clusters are the same.
fn assert_same_clusters(device: &str, args: &[&str]) {
    let [gpu, cpu] = [device, "cpu"].map(|device| report(&run("two-devices", device, args)));
    assert!(gpu["device"].as_str().is_some_and(|name| name.starts_with("Stand-in GPU")), "{gpu}");
    // Looks and replays are a GPU's own, and so are the times when points are put in order again.
    let uploads = if args.contains(&"tiles") { "points" } else { "uploads" };
    for same in ["iterations", "converged", "adjusted_rand_index", "queries", "noise", uploads] {
        assert_eq!(gpu[same], cpu[same], "{same}: {device} {args:?}");
    }
    let [gpu, cpu] = [clusters(&gpu), clusters(&cpu)];
    assert_eq!(gpu.len(), cpu.len(), "{device} {args:?}");
    for ((gpu_size, gpu_mode), (cpu_size, cpu_mode)) in gpu.iter().zip(&cpu) {
        assert_eq!(gpu_size, cpu_size, "{device} {args:?}");
        for (gpu, cpu) in gpu_mode.iter().zip(cpu_mode) {
            // Both compute in f32, with exponentials that differ in the last places.
            assert!((gpu - cpu).abs() <= 1e-4, "{gpu_mode:?} or {cpu_mode:?}: {device} {args:?}");
        }
    }
}

#[test]
fn the_program_runs_its_ptx() {
    if has_ptx() {
        let cases = [
            "",
            "--kernel triangular --dim 1",
            "--kernel flat --dim 3",
            "--dim 5 --bandwidth 4",
            "--method composed --batch 48",
            "--threads-per-block 64 --dim 4",
            "--form standard --kernel biweight --bandwidth 7",
            "--form standard --seeding bins --kernel flat --merging densest",
            "--form standard --seeding random --seeds 40 --relaxation 1.5",
            "--bandwidth each-neighbour:30 --kernel epanechnikov",
            "--bandwidth third --distance l1",
            "--distance cosine --bandwidth 0.02 --dim 3",
            "--method tiles --tolerance 1e-6",
            "--method tiles --kernel flat --bandwidth 4 --tolerance 1e-6",
            "--method tiles --form standard --kernel triangular --bandwidth 7 --dim 3",
        ];
        // The second GPU gets other PTX than the first.
        for device in ["cuda", "cuda:1"] {
            for args in cases {
                assert_same_clusters(device, &args.split_whitespace().collect::<Vec<_>>());
            }
        }
        assert_eq!(report(&run("works", "auto", &[]))["device"], "Stand-in GPU 0 (compute capability 9.0)");
    }
}
