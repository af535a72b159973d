//! Any bytes as a saved density field.
#![no_main]

use std::sync::LazyLock;

use modeseek::{Bandwidth, Device, MeanShift};

static ESTIMATOR: LazyLock<MeanShift> = LazyLock::new(|| {
    let device = Device::processor().expect("there is a processor");
    MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).on(&device)
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = ESTIMATOR.load_field(bytes);
});
