//! Memory: how much there is, and how often it is asked for.

use cuda_std::machine::MachineKind;
use gpu::shift_any::Norm;
use modeseek::{Bandwidth, Device, MeanShift, Method};
use serde_json::Value;

use crate::{assert_fails_in_one_line, clusters, has_ptx, report, run, run_in, stand_in};

/// Buffers of the widest fit at a time, and some.
const MOST_ALLOCATIONS: usize = 30;

#[test]
fn memory_that_does_not_suffice() {
    if has_ptx() {
        let whose = "Stand-in GPU 0 (compute capability 9.0) has";
        for (behaviour, parts) in [
            // Found before anything is allocated, for everything together; or by an allocation.
            (
                "memory-4096",
                [whose, "4.0 KiB of memory free", "needed for 200 points of 2 dimensions; use fewer points"],
            ),
            ("out-of-memory", [whose, "0 B of memory free", "needed for a buffer; use fewer points"]),
        ] {
            for device in ["cuda", "auto"] {
                assert_fails_in_one_line(&run(behaviour, device, &[]), &parts);
            }
        }
    }
}

/// Memory that is given back goes to whoever asks for as much next.
#[test]
fn memory_is_taken_from_the_driver_once() {
    if has_ptx() {
        let allocations = |args: &[&str]| {
            let outcome = run("works", "cuda", args);
            report(&outcome);
            outcome.log.lines().filter(|line| line.starts_with("allocation ")).count()
        };
        for args in [&["--form", "standard"][..], &["--bandwidth", "scott"], &["--method", "composed"]] {
            let few = allocations(&[args, &["--iterations", "2"]].concat());
            assert!((5..=MOST_ALLOCATIONS).contains(&few), "{args:?}: {few}");
        }
    }
}

/// For those who look for accesses outside of memory: each buffer is the driver's own, and its end is its end.
#[test]
fn memory_is_kept_by_nobody_who_says_so() {
    if has_ptx() {
        let args = ["--device", "cuda", "--points", "200", "--json", "--form", "standard"];
        let [kept, not] = ["on", "off"].map(|value| {
            let outcome = run_in(&stand_in(), "works", &args, &[("MODESEEK_POOL", value)]);
            (clusters(&report(&outcome)).to_vec(), outcome.log.matches("allocation ").count())
        });
        assert_eq!(kept.0, not.0);
        assert!(not.1 > kept.1, "{} allocations, {} where they are kept", not.1, kept.1);
    }
}

/// A copy without an event is waited for before its memory goes to somebody else.
#[test]
fn copies_whose_end_nothing_tells_are_waited_for() {
    if has_ptx() {
        let outcome = run("events-fail", "cuda", &[]);
        assert_fails_in_one_line(&outcome, &["refused to copy from the GPU: CUDA_ERROR_OUT_OF_MEMORY"]);
        // Kernels are compiled by other threads meanwhile.
        let others = |line: &&str| line.starts_with("linked ") || line.starts_with("module ");
        let mut last =
            outcome.log.lines().skip_while(|line| *line != "refusal of an event").filter(|line| !others(line));
        assert_eq!(
            (last.next(), last.next()),
            (Some("refusal of an event"), Some("wait for a stream")),
            "{}",
            outcome.log
        );
    }
}

#[test]
fn batches_shrink_to_the_memory() {
    if has_ptx() {
        // What the fits of 200 points are predicted to take: fused, and in batches of one point.
        let predicted = |method| {
            let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(2.5)).method(method);
            estimator.on(&Device::processor().expect("a processor")).fit(&[[0.0, 0.0]; 200]).expect("a fit").memory.0
        };
        let slices = modeseek::mean_shift::slices::bytes(MachineKind::Gpu, (200, 200, 2), Norm::L2, &[false]);
        let (fused, least) = (predicted(Method::Fused) + slices, predicted(Method::Composed { batch: 1 }));
        let in_batches = ["--method", "composed", "--batch", "200"];
        let run_with_memory = |bytes: u128, args: &[&str]| run(&format!("memory-{bytes}"), "cuda", args);
        // Seven eighths of this hold the distances of 48 points to 200, of 800 bytes each, and not those of all.
        let some = (least + 47 * 800) * 8 / 7 + 8;
        let [small, large] = [some, 1 << 20].map(|bytes| report(&run_with_memory(bytes, &in_batches)));
        assert_eq!((&small["batch"], &large["batch"]), (&48.into(), &200.into()));
        assert_eq!(clusters(&small), clusters(&large));
        // Not even one point at a time, where the fused method has all that it needs.
        let needed = "needed for 200 points of 2 dimensions; use fewer points";
        assert_fails_in_one_line(&run_with_memory(least - 1, &in_batches), &[needed, "or the fused method"]);
        assert_eq!(report(&run_with_memory(fused, &[]))["batch"], Value::Null);
        assert_fails_in_one_line(&run_with_memory(fused - 1, &[]), &[needed]);
    }
}
