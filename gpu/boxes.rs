//! Boxes of points: the smallest and the largest coordinate of some points in a row, in each dimension.
//!
//! `boxes[(b * d + c) * 2]` and the number behind it are the smallest and the largest x_c of box b. Where a
//! coordinate is not a number both are not. What they are for: near.rs.

use cuda_std::prelude::*;

use crate::near::{BOX, middle_of};
use crate::polynomial::moments;
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

/// Behind the boxes of points the moments of each, for a weight of this power: polynomial.rs. Factors are 1 where there are no marks.
/// One thread a box.
#[kernel(
    threads = 32..=1024,
    grid = n.div_ceil(BOX).div_ceil(block.x),
    require(
        d > 0,
        power <= 2,
        stride >= n,
        columns.len() >= stride * d,
        marks.len() == 0 || marks.len() >= n,
        boxes.len() >= whole::begin(n, d, marks.len() > 0) + whole::len(n, d, power as u32),
    ),
)]
pub unsafe fn moments_of_boxes(
    columns: &[f32],
    marks: &[f32],
    mut boxes: DisjointMut<f32>,
    n: u32,
    d: u32,
    stride: u32,
    power: u32,
) {
    let (n, d, stride, b) = (n as usize, d as usize, stride as usize, thread::index_1d());
    if b * BOX >= n {
        return;
    }
    let points = b * BOX..n.min((b + 1) * BOX);
    let mut at = whole::begin(n, d, !marks.is_empty()) + b * moments(d, power);
    let cells = boxes.as_mut_ptr();
    // SAFETY: the boxes were written before the launch, and are not written by it.
    let side = |c: usize| unsafe { (cells.add((b * d + c) * 2).read(), cells.add((b * d + c) * 2 + 1).read()) };
    // A coordinate from the box's middle; the one behind the last is 1.
    let beyond = |c: usize, j: usize| if c < d { columns[c * stride + j] - middle_of(side(c)) } else { 1.0 };
    // The sum of the factors by up to three coordinates, and by squared lengths.
    let sum = |[a, b, c]: [usize; 3], lengths: u32| {
        let mut sum = 0.0;
        for j in points.clone() {
            let mut term = if marks.is_empty() { 1.0 } else { marks[j] } * beyond(a, j) * beyond(b, j) * beyond(c, j);
            for _ in 0..lengths {
                let mut squared = 0.0;
                for c in 0..d {
                    squared += beyond(c, j) * beyond(c, j);
                }
                term *= squared;
            }
            sum += term;
        }
        sum
    };
    macro_rules! next {
        ($coordinates:expr, $lengths:expr) => {
            // SAFETY: the cells of a box's moments are its thread's, behind those of the boxes.
            unsafe { cells.add(at).write(sum($coordinates, $lengths)) };
            at += 1;
        };
    }
    for a in 0..d {
        next!([a, d, d], 0);
    }
    next!([d; 3], 0);
    if power > 0 {
        for a in 0..d {
            for b in a..d {
                next!([a, b, d], 0);
            }
        }
        for a in 0..d {
            next!([a, d, d], 1);
        }
    }
    if power > 1 {
        for a in 0..d {
            for b in a..d {
                for c in b..d {
                    next!([a, b, c], 0);
                }
            }
        }
        for a in 0..d {
            for b in a..d {
                next!([a, b, d], 1);
            }
        }
        for a in 0..d {
            next!([a, d, d], 2);
        }
    }
}
