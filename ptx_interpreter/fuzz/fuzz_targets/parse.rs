//! Any text is parsed or refused: no panic, no hang. What parses is inspected too.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ptx_interpreter::Module;

fuzz_target!(|text: &str| {
    if let Ok(module) = Module::parse(text) {
        let _ = module.lints();
        for kernel in module.kernels() {
            let _ = kernel.summary();
        }
    }
});
