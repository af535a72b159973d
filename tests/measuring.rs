//! What measurements ask of a device: its details, how long its work takes, and the kernels of others in the
//! place of ours. On the processor, on the interpreter, and on a GPU that `tests/stand_in_driver` plays.

#[cfg(target_os = "linux")]
use std::process::Command;
use std::time::Duration;

use cuda_std::prelude::*;
#[cfg(target_os = "linux")]
use modeseek::executor::CudaOptions;
use modeseek::executor::{InterpreterOptions, ptx};
use modeseek::{Device, Error};

/// `axpy`, which writes 42 to its first element and leaves the rest.
const FORTY_TWO: &str = "
.version 7.0
.target sm_75
.address_size 64
.visible .entry axpy(.param .f32 a, .param .u64 x, .param .u64 x_len, .param .u64 y, .param .u64 y_len)
{
    .reg .pred %p;
    .reg .u32 %r;
    .reg .f32 %f;
    .reg .u64 %rd;
    mov.u32 %r, %tid.x;
    setp.ne.u32 %p, %r, 0;
    @%p bra done;
    ld.param.u64 %rd, [y];
    cvta.to.global.u64 %rd, %rd;
    mov.f32 %f, 0f42280000;
    st.global.f32 [%rd], %f;
done:
    ret;
}
";

/// A kernel that is none of the program's.
#[kernel(block = 32, grid = 1)]
pub unsafe fn own(a: f32, x: &[f32], mut y: DisjointMut<f32>) {
    let _ = (a, x);
    if thread::index_1d() == 0 {
        // SAFETY: one thread writes.
        unsafe { y.write(0, 42.0) };
    }
}

/// Calls the body in a process that loads the stand-in driver: the test itself, started again.
#[cfg(target_os = "linux")]
fn on_stand_in(test: &str, body: fn()) {
    const MARK: &str = "MODESEEK_TEST_ON_STAND_IN";
    if std::env::var_os(MARK).is_some() {
        return body();
    }
    let program = std::env::current_exe().expect("the test is a file");
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["libcuda.so", "libcuda.so.1"] {
        let library = program.with_file_name("libstand_in_driver.so");
        std::os::unix::fs::symlink(library, folder.path().join(name)).expect("a link");
    }
    let mut command = Command::new(program);
    command.args([test, "--exact", "--nocapture"]).env("LD_LIBRARY_PATH", folder.path());
    let output = command.env("STAND_IN_DRIVER", "works").env(MARK, "1").output().expect("the test starts");
    let [text, errors] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success() && text.contains("1 passed"), "{text}{errors}");
    assert!(!errors.contains("stand-in driver:"), "{errors}");
}

/// Whether the program has PTX; says so if not.
fn has_ptx() -> bool {
    let has = !ptx::PTX.is_empty();
    if !has {
        eprintln!("skipped: the program has no PTX ({})", ptx::PTX_ORIGIN);
    }
    has
}

fn interpreter(modules: &[&str]) -> Result<Device, Error> {
    let modules = modules.iter().map(ToString::to_string).collect();
    Device::interpreter(InterpreterOptions { modules, ..InterpreterOptions::default() })
}

#[cfg(target_os = "linux")]
fn cuda(modules: &[&str]) -> Result<Device, Error> {
    let modules = modules.iter().map(|text| text.as_bytes().to_vec()).collect();
    Device::cuda_with(CudaOptions { number: 0, modules })
}

/// 2 x + y on a device, for x = 1, 2, 3 and y = 0.
fn axpy(device: &Device) -> Result<Vec<f32>, Error> {
    let x = device.upload(&[1.0_f32, 2.0, 3.0])?;
    let mut y = device.zeros::<f32>(3)?;
    device.launch(gpu::vector::axpy::launch(2.0, &x, &mut y))?;
    device.download(&y)
}

/// The time of work is at least that of what it waits for, and the work's error is what comes out.
fn assert_times(device: &Device) {
    let nap = Duration::from_millis(20);
    let work = |device: &Device| {
        axpy(device)?;
        std::thread::sleep(nap);
        axpy(device).map(drop)
    };
    let took = device.timed(work).expect("it works");
    // The events of a stand-in tell single precision.
    assert!(took >= nap.mul_f64(0.999) && took < Duration::from_secs(60), "{took:?}");
    let failed = device.timed(|_| Err(Error::NoPoints));
    assert!(matches!(failed, Err(Error::NoPoints)), "{failed:?}");
    device.synchronize().expect("the device goes on");
}

#[test]
fn the_processor() {
    let device = Device::processor().expect("a processor");
    assert_times(&device);
    let details = device.details().expect("details");
    assert_eq!(details.name, device.describe());
    assert_eq!((details.compute_capability, details.driver, details.multiprocessors), (None, None, None));
    assert!(details.free_bytes > 0);
    assert_eq!(device.load(&gpu::vector::axpy::KERNEL).expect("nothing to do"), Duration::ZERO);
}

#[test]
fn the_interpreter() {
    if has_ptx() {
        let device = interpreter(&[]).expect("an interpreter");
        assert_times(&device);
        assert_eq!(device.details().expect("details").compute_capability, Some((9, 0)));
        assert!(device.load(&gpu::gaussian::shift_gaussian_2::KERNEL).expect("PTX") > Duration::ZERO);
        assert_eq!(axpy(&device).expect("it works"), [2.0, 4.0, 6.0]);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_gpu() {
    if has_ptx() {
        on_stand_in("a_gpu", || {
            let device = cuda(&[]).expect("a GPU");
            assert_times(&device);
            let details = serde_json::to_value(device.details().expect("details")).expect("JSON");
            let expected = serde_json::json!({
                "name": "Stand-in GPU 0",
                "compute_capability": [9, 0],
                "driver": "12.4",
                "multiprocessors": 12,
                "clock_khz": 1_500_000,
                "memory_clock_khz": 2_500_000,
                "memory_bus_bits": 256,
                "l2_bytes": 4 << 20,
                "memory_bytes": 1 << 30,
                "free_bytes": 1 << 30,
            });
            assert_eq!(details, expected);
            assert!(device.load(&gpu::gaussian::shift_gaussian_2::KERNEL).expect("PTX") > Duration::ZERO);
            assert_eq!(axpy(&device).expect("it works"), [2.0, 4.0, 6.0]);
        });
    }
}

/// The first module that has a kernel counts, and ours where none has it. The program need have no PTX of its own.
fn assert_takes_the_place(open: fn(&[&str]) -> Result<Device, Error>) {
    let other = FORTY_TWO.replace("axpy", "other").replace("0f42280000", "0f00000000");
    let zero = FORTY_TWO.replace("0f42280000", "0f00000000");
    let value = |modules: &[&str]| axpy(&open(modules).expect("modules")).expect("it works");
    assert_eq!(value(&[FORTY_TWO]), [42.0, 0.0, 0.0]);
    assert_eq!(value(&[&other, FORTY_TWO, &zero]), [42.0, 0.0, 0.0]);
    assert_eq!(value(&[&zero, FORTY_TWO]), [0.0; 3]);
    if has_ptx() {
        assert_eq!(value(&[&other]), [2.0, 4.0, 6.0]);
    }
}

/// A kernel of one's own runs where its PTX is given, and where it is not the error says how it is.
fn assert_runs_what_is_not_ours(open: fn(&[&str]) -> Result<Device, Error>) {
    let run = |modules: &[&str]| {
        let device = open(modules).expect("modules");
        let x = device.upload(&[1.0_f32]).expect("room");
        let mut y = device.zeros::<f32>(2).expect("room");
        device.launch(own::launch(2.0, &x, &mut y))?;
        device.download(&y)
    };
    assert_eq!(run(&[&FORTY_TWO.replace("axpy", "own")]).expect("it works"), [42.0, 0.0]);
    let error = run(&[FORTY_TWO]).expect_err("no PTX");
    assert!(matches!(error, Error::NoPtx { kernel: "own", known: false, .. }), "{error}");
    let remedy = "for a kernel of your own give its PTX as `modules` of `CudaOptions` or `InterpreterOptions`";
    assert!(error.to_string().contains(remedy), "{error}");
}

#[test]
fn modules_on_the_interpreter() {
    assert_takes_the_place(interpreter);
    assert_runs_what_is_not_ours(interpreter);
    assert!(matches!(interpreter(&[FORTY_TWO, "no PTX"]), Err(Error::UnreadablePtx(_))));
    let fewer = FORTY_TWO.replace(", .param .u64 y_len", "");
    assert!(matches!(axpy(&interpreter(&[&fewer]).expect("PTX")), Err(Error::Interpreted(_))));
}

#[test]
#[cfg(target_os = "linux")]
fn modules_on_a_gpu() {
    on_stand_in("modules_on_a_gpu", || {
        assert_takes_the_place(cuda);
        assert_runs_what_is_not_ours(cuda);
        let unreadable = cuda(&[FORTY_TWO, "no PTX"]).expect_err("no PTX");
        assert!(matches!(unreadable, Error::Module { index: 1, .. }), "{unreadable}");
        assert!(unreadable.to_string().contains("CUDA_ERROR_INVALID_PTX"), "{unreadable}");
        // More parameters than are passed would be read from beyond them.
        for (from, to) in [(", .param .u64 y_len", ""), ("y_len", "y_len, .param .u32 more"), (".f32 a", ".f64 a")] {
            let device = cuda(&[&FORTY_TWO.replace(from, to)]).expect("PTX");
            let refused = axpy(&device).expect_err("other parameters");
            assert!(matches!(refused, Error::Parameters { kernel: "axpy", .. }), "{refused}");
        }
    });
}
