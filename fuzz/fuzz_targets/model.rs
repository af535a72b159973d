//! Any bytes as a saved model, behind a beginning and before a checksum that fit: what can be read is asked.
#![no_main]

use std::sync::LazyLock;

use modeseek::{Assignment, Device, Model};
use sha2::{Digest, Sha256};

static DEVICE: LazyLock<Device> = LazyLock::new(|| Device::processor().expect("there is a processor"));

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut file = b"modeseek model\0\0\x01\0\0\0".to_vec();
    file.extend(bytes);
    file.extend(Sha256::digest(&file));
    if let Ok(model) = Model::load(&DEVICE, &file[..]) {
        let new = vec![vec![1.0; model.dimensions()]; 3];
        let _ = model.predict(&new, Assignment::Basin);
        let _ = model.transform(&new);
        let _ = model.density(&new);
    }
});
