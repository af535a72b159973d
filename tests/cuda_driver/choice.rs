//! Which of several GPUs is taken, and what the doctor says of each.

use crate::{assert_fails_in_one_line, has_ptx, report, run, run_with, stand_in};

/// Of several GPUs one that can be used is taken, and the report says why it is not the first.
#[test]
fn a_gpu_that_works_is_taken_behind_one_that_does_not() {
    if has_ptx() {
        let report = report(&run("old-gpu-first", "auto", &[]));
        assert_eq!(report["device"], "Stand-in GPU 1 (compute capability 9.0)");
        let why = report["device_why"].as_str().unwrap();
        assert!(why.starts_with("GPU 1, as GPU 0 cannot be used: Stand-in GPU 0 has compute capability 6.1"), "{why}");
        assert_fails_in_one_line(&run("old-gpu-first", "cuda", &[]), &["compute capability 6.1"]);
    }
}

/// A GPU may be there and run nothing.
#[test]
fn the_doctor_runs_a_kernel_on_each_gpu() {
    let doctor = |behaviour| run_with(&stand_in(), behaviour, &["doctor"]).output;
    if !has_ptx() {
        return;
    }
    let said = doctor("two-devices");
    for line in ["ok  GPU         Stand-in GPU 0; ", "ok  GPU 1       Stand-in GPU 1; ", "ok  choice "] {
        assert!(said.contains(line), "{line}: {said}");
    }
    let said = doctor("old-gpu-first");
    assert!(said.contains("--  GPU         Stand-in GPU 0 has compute capability 6.1"), "{said}");
    assert!(said.contains("ok  choice      --device auto takes the Stand-in GPU 1 "), "{said}");
    let processor = "--device auto takes the processor";
    for (behaviour, words, choice) in [
        ("refuses-ptx", "refused the kernels of family vector: CUDA_ERROR_INVALID_PTX", processor),
        ("no-compiler", "a part of the driver is missing, libnvidia-ptxjitcompiler", processor),
        ("launch-fails", "refused to launch kernel axpy", "; it runs no kernels"),
        ("kernel-fails", "a kernel failed on the GPU (axpy was launched last)", "; it runs no kernels"),
    ] {
        let said = doctor(behaviour);
        let gpu = said.lines().find(|line| line.starts_with("--  GPU         Stand-in GPU 0; ")).expect(&said);
        assert!(gpu.contains(words), "{behaviour}: {said}");
        let start = if choice == processor { "ok  choice " } else { "--  choice " };
        let chosen = said.lines().find(|line| line.starts_with(start)).expect(&said);
        assert!(chosen.contains(choice), "{behaviour}: {said}");
        assert!(said.contains("until then say --device cpu"), "{behaviour}: {said}");
    }
    let said = doctor("no-devices");
    assert!(said.contains("--  GPU         the NVIDIA driver finds no GPU"), "{said}");
}
