//! Kernels with more shared memory than any may have without asking for it, and GPUs that have less to give.

use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::Barrier;

use cuda_std::prelude::*;
use modeseek::distances::{Distances, Formula};
use modeseek::executor::CudaOptions;
use modeseek::product::{Instruction, Precision, matmul_by};
use modeseek::{Bandwidth, Device, Error, Form, MeanShift, Points};

use crate::{has_ptx, stand_in};

/// What the child runs under the stand-in.
pub(crate) const CHILD: &str = "MODESEEK_TEST_OF_SHARED_MEMORY";

/// The program has no command that takes such kernels alone, so a test runs itself once more, with a stand-in that behaves like
/// this as the driver. Gives what the stand-in wrote.
fn again(test: &str, behaviour: &str) -> String {
    again_whole(&format!("shared_memory::{test}"), behaviour)
}

/// The same of a test of any file.
pub(crate) fn again_whole(test: &str, behaviour: &str) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["libcuda.so", "libcuda.so.1"] {
        symlink(stand_in(), folder.path().join(name)).expect("a link");
    }
    let log = folder.path().join("log");
    let output = Command::new(std::env::current_exe().expect("the test is a file"))
        .args(["--exact", test, "--nocapture"])
        .envs([(CHILD, behaviour), ("STAND_IN_DRIVER", behaviour)])
        .envs([("LD_LIBRARY_PATH", folder.path()), ("STAND_IN_LOG", &log)])
        .output()
        .expect("the test starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("stand-in driver:"), "{said}");
    std::fs::read_to_string(log).expect("the child wrote it")
}

/// What kernels were given more of it, in the order of asking.
fn asked(log: &str) -> Vec<&str> {
    log.lines().filter(|line| line.contains("bytes of shared memory for")).collect()
}

#[test]
fn shared_memory_is_asked_for() {
    if std::env::var_os(CHILD).is_some() {
        return multiply();
    }
    if !has_ptx() {
        return;
    }
    let log = again("shared_memory_is_asked_for", "works");
    // Once, though it is launched twice; and never for others.
    assert_eq!(asked(&log), ["197632 bytes of shared memory for matmul_wgmma_bf16"], "{log}");
    let launches = log.lines().filter(|line| line.starts_with("plain launch of matmul_wgmma_bf16")).count();
    assert_eq!(launches, 2, "{log}");
}

fn multiply() {
    let device = Device::cuda(0).expect("the stand-in works");
    let (a, b) = (device.upload(&[1.0, 2.0]).unwrap(), device.upload(&[3.0, 4.0]).unwrap());
    for _ in 0..2 {
        let c = matmul_by(&device, &a, &b, [1, 1, 2], Precision::Bf16, Instruction::Warpgroup).unwrap();
        assert_eq!(device.download(&c).unwrap(), [11.0]);
    }
}

/// A GPU whose blocks cannot have what a kernel takes: it is not launched, and the error says what there is.
#[test]
fn what_a_block_cannot_have_is_refused() {
    if std::env::var_os(CHILD).is_some() {
        let device = Device::cuda(0).expect("the stand-in works");
        let (a, b) = (device.upload(&[1.0, 2.0]).unwrap(), device.upload(&[3.0, 4.0]).unwrap());
        let refused = matmul_by(&device, &a, &b, [1, 1, 2], Precision::Bf16, Instruction::Warpgroup).unwrap_err();
        assert!(matches!(refused, Error::Launch(_)), "{refused:?}");
        let text = refused.to_string();
        assert!(text.contains("matmul_wgmma_bf16") && text.contains("197632") && text.contains("65536"), "{text}");
        return;
    }
    if !has_ptx() {
        return;
    }
    let log = again("what_a_block_cannot_have_is_refused", "shared-65536");
    assert!(asked(&log).is_empty() && !log.contains("launch of matmul_wgmma"), "{log}");
}

/// Beyond 256 dimensions steps are on tensor cores where a block may have the shared memory that they take, else by differences.
#[test]
fn steps_of_many_dimensions_take_what_there_is() {
    if let Ok(behaviour) = std::env::var(CHILD) {
        return climb(behaviour == "works");
    }
    if !has_ptx() {
        return;
    }
    let log = again("steps_of_many_dimensions_take_what_there_is", "works");
    let wanted = format!("{} bytes of shared memory for shift_tensor_wide_512", gpu::shift_tensor_split::SHARED);
    assert_eq!(asked(&log), [wanted], "{log}");
    let log = again("steps_of_many_dimensions_take_what_there_is", "shared-65536");
    assert!(asked(&log).is_empty() && log.contains("launch of shift_gaussian_any"), "{log}");
}

fn climb(on_tensor_cores: bool) {
    let device = Device::cuda(0).expect("the stand-in works");
    let (n, d) = (20, 260);
    let rows: Vec<f32> = (0..n * d).map(|at| if at / d % 2 == 0 { 0.0 } else { 0.4 }).collect();
    let points = Points::from_rows(&rows, d).expect("finite points");
    let estimator = MeanShift::new().on(&device).bandwidth(Bandwidth::Fixed(1.0)).form(Form::Standard);
    let found = estimator.fit(&points).expect("a fit");
    assert_eq!(found.path.reason.contains("on tensor cores"), on_tensor_cores, "{}", found.path.reason);
    assert_eq!(found.modes.len(), 2);
}

/// A GPU without room for the parts of f32's numbers: products are made without them.
#[test]
fn what_has_no_room_for_parts_is_multiplied_without() {
    if std::env::var_os(CHILD).is_some() {
        let device = Device::cuda(0).expect("the stand-in works");
        let (a, b) = (device.upload(&[1.0, 2.0]).unwrap(), device.upload(&[3.0, 4.0]).unwrap());
        let c = matmul_by(&device, &a, &b, [1, 1, 2], Precision::F32, Instruction::Warpgroup).unwrap();
        assert_eq!(device.download(&c).unwrap(), [11.0]);
        return;
    }
    if !has_ptx() {
        return;
    }
    let test = "what_has_no_room_for_parts_is_multiplied_without";
    let log = again(test, "works");
    assert!(log.contains("launch of matmul_wgmma_f32"), "{log}");
    // One matrix's parts take 48 KiB.
    let log = again(test, "memory-65536");
    assert!(!log.contains("launch of matmul_wgmma_f32") && log.contains("launch of matmul_skinny"), "{log}");
}

/// The same of distances by products: they are made by differences, and say so.
#[test]
fn distances_without_room_for_parts_are_differences() {
    if let Ok(behaviour) = std::env::var(CHILD) {
        let device = Device::cuda(0).expect("the stand-in works");
        let (a, b) = (device.upload(&[1.0, 2.0]).unwrap(), device.upload(&[1.0, 2.0, 4.0, 6.0]).unwrap());
        let mut distances = Distances::new(&device, [1, 2, 2], Formula::Products).unwrap();
        let wanted = if behaviour == "works" { Formula::Products } else { Formula::Differences };
        assert_eq!(distances.formula(), wanted);
        let mut out = device.zeros(2).unwrap();
        distances.roots(&a, &b, &mut out).unwrap();
        assert_eq!(device.download(&out).unwrap(), [0.0, 5.0]);
        return;
    }
    if !has_ptx() {
        return;
    }
    let test = "distances_without_room_for_parts_are_differences";
    let log = again(test, "works");
    let launches = ["centre_rows", "split_rows_bf16", "pairwise_products_l2", "pairwise_flagged_l2"];
    assert!(launches.iter().all(|kernel| log.contains(&format!("launch of {kernel}"))), "{log}");
    assert_eq!(asked(&log), ["199168 bytes of shared memory for pairwise_products_l2"], "{log}");
    let log = again(test, "memory-65536");
    assert!(!log.contains("launch of pairwise_products") && log.contains("launch of pairwise_l2"), "{log}");
}

/// A kernel of somebody else, with shared memory of a fixed size beside what a launch gives.
const FIXED_AND_DYNAMIC: &str = "
.version 7.0
.target sm_75
.address_size 64
.extern .shared .align 16 .b8 dynamic[];
.shared .align 16 .b8 fixed[16384];
.visible .entry fixed_and_dynamic(.param .u64 start, .param .u64 length, .param .u32 bytes)
{
    .reg .b32 %r<2>;
    mov.u32 %r1, 7;
    st.shared.u32 [fixed], %r1;
    st.shared.u32 [dynamic], %r1;
    ret;
}
";

/// What the program knows of it.
#[kernel(block = 1, grid = 1, shared = bytes)]
pub unsafe fn fixed_and_dynamic(out: DisjointMut<f32>, bytes: u32) {
    let _ = (out, bytes);
}

/// Both kinds of shared memory count: for what has to be asked for, and for what there is.
#[test]
fn shared_memory_of_a_fixed_size_counts() {
    if std::env::var_os(CHILD).is_some() {
        let modules = vec![FIXED_AND_DYNAMIC.into()];
        let device = Device::cuda_with(CudaOptions { modules, ..CudaOptions::default() }).expect("the stand-in works");
        let mut out = device.zeros::<f32>(1).unwrap();
        for kilobytes in [32, 33, 48] {
            device.launch(fixed_and_dynamic::launch(&mut out, kilobytes << 10)).unwrap();
        }
        let refused = device.launch(fixed_and_dynamic::launch(&mut out, 49 << 10)).unwrap_err();
        let text = refused.to_string();
        assert!(text.contains("fixed_and_dynamic needs 66560 bytes") && text.contains("has 65536"), "{text}");
        return device.synchronize().unwrap();
    }
    let log = again("shared_memory_of_a_fixed_size_counts", "shared-65536");
    let wanted = [33 << 10, 48 << 10].map(|bytes| format!("{bytes} bytes of shared memory for fixed_and_dynamic"));
    assert_eq!(asked(&log), wanted, "{log}");
}

/// Several threads launch one kernel with more and less of it: none lowers what another one has asked for.
#[test]
fn shared_memory_is_never_lowered() {
    const ROUNDS: usize = 200;
    const KILOBYTES: [u32; 4] = [160, 60, 120, 80];
    if std::env::var_os(CHILD).is_some() {
        for _ in 0..ROUNDS {
            let modules = vec![FIXED_AND_DYNAMIC.into()];
            let device = Device::cuda_with(CudaOptions { modules, ..CudaOptions::default() }).expect("it works");
            let together = Barrier::new(KILOBYTES.len());
            let launch = |kilobytes: u32| {
                let mut out = device.zeros::<f32>(1).unwrap();
                together.wait();
                device.launch(fixed_and_dynamic::launch(&mut out, kilobytes << 10)).unwrap();
            };
            let launch = &launch;
            std::thread::scope(|scope| {
                for kilobytes in KILOBYTES {
                    scope.spawn(move || launch(kilobytes));
                }
            });
        }
        return;
    }
    let log = again("shared_memory_is_never_lowered", "works");
    let mut rounds = 0;
    for round in log.split("module of ").skip(1) {
        let bytes = asked(round).into_iter().map(|line| line.split(' ').next().unwrap().parse().unwrap());
        let bytes: Vec<u32> = bytes.collect();
        assert!(!bytes.is_empty() && bytes.is_sorted(), "{bytes:?}");
        rounds += 1;
    }
    assert_eq!(rounds, ROUNDS);
}
