//! Every kind of parameter, and names that the macro uses itself.

use cuda_std::prelude::*;

#[path = "../../memory/mod.rs"]
mod memory;

use memory::Memory;

#[kernel(grid = args, require(a.len() == out.len(), cells.len() > a_len))]
#[allow(clippy::too_many_arguments)]
pub unsafe fn every(
    a: &[f32],
    a_len: u32,
    thread: f32,
    entry: i64,
    b: *const u64,
    mut out: DisjointMut<[f32; 2]>,
    cells: *mut i32,
    args: u8,
) {
    let _ = (a, a_len, thread, entry, b, out.own(), cells, args);
}

fn main() {
    let (a, b) = (Memory::<f32>::new(8), Memory::<u64>::new(1));
    let (mut out, mut cells) = (Memory::<[f32; 2]>::new(8), Memory::<i32>::new(3));
    let launch = every::launch(&a, 1, 2.5, -3, &b, &mut out, &mut cells, 9);
    assert_eq!(launch.args().len(), 8);
    assert_eq!(launch.kernel().parameters.len(), 8);
}
