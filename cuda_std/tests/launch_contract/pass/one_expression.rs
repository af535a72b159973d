//! A body of one expression on one line: its braces are the function's, and no lint calls them too many.

#![deny(unused)]

use cuda_std::prelude::*;

#[kernel]
#[rustfmt::skip]
pub unsafe fn ones(mut out: DisjointMut<u32>) { if let Some(out) = out.own() { *out = 1 } }

fn main() {
    assert_eq!(ones::KERNEL.name, "ones");
}
