//! A lifetime parameter.

use cuda_std::prelude::*;

#[kernel]
pub unsafe fn lifetime<'a>(x: &'a [f32], mut out: DisjointMut<f32>) {
    let _ = (x, out.own());
}

fn main() {}
