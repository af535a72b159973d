//! A generic kernel and its instances, in a private module.

#[path = "../../memory/mod.rs"]
mod memory;

use memory::Memory;

mod kernels {
    use cuda_std::prelude::*;

    /// out[i] = [value; N].
    #[kernel(instances(two_floats<f32, 2>, two_doubles<f64, 2>))]
    pub(crate) unsafe fn filled<T, const N: usize>(mut out: DisjointMut<[T; N]>, value: T) {
        const TWICE: usize = 2 * N;
        let both: [T; TWICE] = [value; TWICE];
        if let Some(out) = out.own() {
            out.copy_from_slice(&both[..N]);
        }
    }
}

fn main() {
    use kernels::{two_doubles, two_floats};
    let (mut floats, mut doubles) = (Memory::<[f32; 2]>::new(8), Memory::<[f64; 2]>::new(8));
    assert_eq!(two_floats::launch(&mut floats, 0.5).kernel().name, "two_floats");
    assert_eq!(two_doubles::launch(&mut doubles, 0.5).kernel().name, "two_doubles");
    assert_eq!(two_floats::KERNEL.path, concat!(module_path!(), "::kernels::two_floats"));
}
