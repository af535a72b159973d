//! What a device does, measured: the program `device`, and `cargo bench --bench device`.
//!
//! ```text
//! device describe --device DEV --out FILE      what it is, and how long its code takes to load
//! device ceilings --device DEV --out FILE      what it can do at most: copies, fma, exponentials, matrix products
//! device kernels  --device DEV --out FILE      every case of cases.json, each kernel checked and then timed
//! device runs     --device DEV --out FILE      whole clusterings
//! device export   --out FOLDER                 the cases' data, for peers in other languages
//! device blobs    --points N --out FOLDER      the points that the program generates, for other programs
//! ```
//!
//! A result file is one JSON object, `{"machine": {…}, "rows": […]}`; `device/results.rs` says what a row has.
//! Without a command, as cargo calls it, everything runs on the processor, and on a GPU where there is
//! one, and a table is printed; without `--bench`, or with `--test`, everything is tried once at small sizes.

// Other benchmarks need more of them.
#[allow(dead_code)]
mod families;
#[allow(dead_code)]
mod measure;
#[allow(dead_code)]
mod peers;

// The root of a target has its modules beside it, where `device.rs` is this file.
#[path = "device/mod.rs"]
mod device;

fn main() -> std::process::ExitCode {
    device::main()
}
