//! Every kernel family, through the executor: `cargo bench --bench kernels`.
//!
//! Ids are `device/kernel/size`. `cpu` is the processor as the library opens it, `cuda` the first GPU
//! where there is one; the main case also runs for each kind of processor, on one worker and on all,
//! beside the same step in C. Results are compared with the f64 oracle before anything is timed.
//! Without `--bench`, as `cargo test --benches` runs it, everything is tried once at small sizes.

// `device` needs more of them.
#[allow(dead_code)]
mod families;
mod measure;
#[allow(dead_code)]
mod peers;

use families::{distances, matmul, shift, small};

fn main() {
    let mut criterion = measure::criterion();
    shift::beside_peers(&mut criterion);
    for target in measure::targets() {
        shift::all(&mut criterion, &target);
        matmul::all(&mut criterion, &target);
        distances::pairwise(&mut criterion, &target);
        distances::weights(&mut criterion, &target);
        distances::reduce(&mut criterion, &target);
        small::vector(&mut criterion, &target);
        small::layout(&mut criterion, &target);
    }
    criterion.final_summary();
}
