//! Boxes of points: the smallest and the largest coordinate of some points in a row, in each dimension.
//!
//! `boxes[(b * d + c) * 2]` and the number behind it are the smallest and the largest x_c of box b. Where a
//! coordinate is not a number both are not. What they are for: near.rs.

use cuda_std::prelude::*;

use crate::near::{BOX, middle_of};
use crate::whole;

/// A box's sides, and what a further coordinate, or box, makes of them.
#[inline(always)]
fn widen((low, high): (f32, f32), (other_low, other_high): (f32, f32)) -> (f32, f32) {
    (
        if other_low < low || other_low.is_nan() { other_low } else { low },
        if other_high > high || other_high.is_nan() { other_high } else { high },
    )
}

/// Box b of `size` points, from point b size on.   One thread a box and dimension.
#[kernel(
    threads = 32..=1024,
    grid = (n.div_ceil(size) * d).div_ceil(block.x),
    require(size > 0, stride >= n, columns.len() >= stride * d, boxes.len() >= n.div_ceil(size) * d * 2),
)]
pub unsafe fn boxes_of_points(columns: &[f32], mut boxes: DisjointMut<f32>, n: u32, d: u32, stride: u32, size: u32) {
    let (n, d, stride, size) = (n as usize, d as usize, stride as usize, size as usize);
    let i = thread::index_1d();
    let (b, c) = (i / d, i % d);
    if b * size >= n {
        return;
    }
    let points = &columns[c * stride..][b * size..n.min((b + 1) * size)];
    let mut sides = (points[0], points[0]);
    for &x in points {
        sides = widen(sides, (x, x));
    }
    // SAFETY: the two cells are this thread's.
    unsafe {
        boxes.write(i * 2, sides.0);
        boxes.write(i * 2 + 1, sides.1);
    }
}

/// Behind the first `count` boxes those of `size` of them each, from box b size on.   One thread a box and
/// dimension.
#[kernel(
    threads = 32..=1024,
    grid = (count.div_ceil(size) * d).div_ceil(block.x),
    require(size > 0, boxes.len() >= (count + count.div_ceil(size)) * d * 2),
)]
pub unsafe fn boxes_of_boxes(mut boxes: DisjointMut<f32>, count: u32, d: u32, size: u32) {
    let (count, d, size) = (count as usize, d as usize, size as usize);
    let i = thread::index_1d();
    let (b, c) = (i / d, i % d);
    if b * size >= count {
        return;
    }
    // SAFETY: the first `count` boxes were written before the launch, and are not written by it.
    let side = |b: usize| unsafe { (boxes.read((b * d + c) * 2), boxes.read((b * d + c) * 2 + 1)) };
    let mut sides = side(b * size);
    for narrow in b * size..count.min((b + 1) * size) {
        sides = widen(sides, side(narrow));
    }
    // SAFETY: the two cells, behind those boxes, are this thread's.
    unsafe {
        boxes.write((count * d + i) * 2, sides.0);
        boxes.write((count * d + i) * 2 + 1, sides.1);
    }
}

/// Behind the boxes of points the sums of each: of the factors times what coordinates are beyond the box's middle, then of the factors,
/// which are 1 where there are no marks (whole.rs).   One thread a box.
#[kernel(
    threads = 32..=1024,
    grid = n.div_ceil(BOX).div_ceil(block.x),
    require(
        d > 0,
        stride >= n,
        columns.len() >= stride * d,
        marks.len() == 0 || marks.len() >= n,
        boxes.len() >= whole::begin(n, d, marks.len() > 0) + whole::len(n, d),
    ),
)]
pub unsafe fn sums_of_boxes(columns: &[f32], marks: &[f32], mut boxes: DisjointMut<f32>, n: u32, d: u32, stride: u32) {
    let (n, d, stride, b) = (n as usize, d as usize, stride as usize, thread::index_1d());
    if b * BOX >= n {
        return;
    }
    let points = b * BOX..n.min((b + 1) * BOX);
    let at = whole::begin(n, d, !marks.is_empty()) + b * (d + 1);
    for c in 0..d {
        // SAFETY: the boxes were written before the launch, and are not written by it.
        let middle = middle_of(unsafe { (boxes.read((b * d + c) * 2), boxes.read((b * d + c) * 2 + 1)) });
        let mut sum = 0.0;
        for j in points.clone() {
            let beyond = columns[c * stride + j] - middle;
            sum += if marks.is_empty() { beyond } else { marks[j] * beyond };
        }
        // SAFETY: the cells of a box's sums are its thread's, behind those of the boxes.
        unsafe { boxes.write(at + c, sum) };
    }
    let mut mass = 0.0;
    for j in points {
        mass += if marks.is_empty() { 1.0 } else { marks[j] };
    }
    // SAFETY: as above.
    unsafe { boxes.write(at + d, mass) };
}
