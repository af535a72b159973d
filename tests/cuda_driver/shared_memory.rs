//! A kernel with more shared memory than any may have without asking for it.

use std::os::unix::fs::symlink;
use std::process::Command;

use modeseek::Device;
use modeseek::product::{Instruction, Precision, matmul_by};

use crate::{has_ptx, stand_in};

/// What the child runs under the stand-in.
const CHILD: &str = "MODESEEK_TEST_OF_SHARED_MEMORY";

/// The program has no command that takes such a kernel, so this test runs itself once more, with the stand-in as the driver.
#[test]
fn shared_memory_is_asked_for() {
    if std::env::var_os(CHILD).is_some() {
        return multiply();
    }
    if !has_ptx() {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["libcuda.so", "libcuda.so.1"] {
        symlink(stand_in(), folder.path().join(name)).expect("a link");
    }
    let log = folder.path().join("log");
    let output = Command::new(std::env::current_exe().expect("the test is a file"))
        .args(["--exact", "shared_memory::shared_memory_is_asked_for", "--nocapture"])
        .envs([(CHILD, "1"), ("STAND_IN_DRIVER", "works")])
        .envs([("LD_LIBRARY_PATH", folder.path()), ("STAND_IN_LOG", &log)])
        .output()
        .expect("the test starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("stand-in driver:"), "{said}");
    let log = std::fs::read_to_string(log).expect("the child wrote it");
    let asked: Vec<_> = log.lines().filter(|line| line.contains("bytes of shared memory for")).collect();
    // Once, though it is launched twice; and never for others.
    assert_eq!(asked, ["197632 bytes of shared memory for matmul_wgmma_bf16"], "{log}");
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
