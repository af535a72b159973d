//! A matrix or its transpose as three of bf16, for products in f32's accuracy (matmul_wgmma_split.rs).   Compute 9.0 alone.
//!
//! A number of f32 has 24 bits, three of bf16 have 8 each: `high` is the number rounded, `middle` what is missing, rounded, `low` what
//! is then missing, which is a bf16. The three are the number, exactly, from 2^-103 on; of smaller ones parts may be lost, which are less
//! than 2^-126.
//!
//! What is written is what blocks of products copy to shared memory as it is: for each 128 rows and 32 numbers of them a tile of 24 KiB,
//! `high`, `middle` and `low` behind each other, 128 rows of 64 bytes each, whose pieces trade places as
//! [`ShortMatrix`](cuda_std::warpgroup::ShortMatrix) says. Reading is as round_rows.rs reads.

use cuda_std::narrow::{bf16_pair, bf16_values};
use cuda_std::prelude::*;

use crate::lanes::unrolled;
use crate::matmul_tensor::padded;
use crate::matmul_wgmma;
use crate::round_rows::{CELLS, EACH, SIDE, WARPS, corner, words_of_thread};
use crate::tensor::{ROWS, WORDS, swap};

/// Numbers that a number becomes.
pub(crate) const PARTS: usize = 3;

/// Words of a tile's row, two numbers each; and of a part of a tile.
pub(crate) const DEPTH: usize = 16;
pub(crate) const PART: usize = ROWS * DEPTH;

/// Words of a row for a sum of k numbers: two tiles' or a multiple.
///
/// ```
/// assert_eq!([0, 1, 64, 65].map(gpu::split_rows::width_of), [32, 32, 32, 64]);
/// ```
pub const fn width_of(k: usize) -> usize {
    matmul_wgmma::width_of(k, 2)
}

/// Words of so many rows of k numbers.
///
/// ```
/// // 128 rows of 64 numbers, three times, two in a word.
/// assert_eq!(gpu::split_rows::words_of(1, 1), 128 * 32 * 3);
/// ```
pub const fn words_of(rows: usize, k: usize) -> usize {
    padded(rows) * width_of(k) * PARTS
}

/// The largest bf16: what is larger would be rounded to infinity.
const LARGEST: f32 = f32::from_bits(0x7f7f_0000);

/// Two numbers in three parts.
#[inline(always)]
fn split(x: [f32; 2]) -> [u32; PARTS] {
    let rest = |x: [f32; 2], part: u32| {
        let [a, b] = bf16_values(part);
        [x[0] - a, x[1] - b]
    };
    let high = bf16_pair(x[0].clamp(-LARGEST, LARGEST), x[1].clamp(-LARGEST, LARGEST));
    let x = rest(x, high);
    let middle = bf16_pair(x[0], x[1]);
    let x = rest(x, middle);
    [high, middle, bf16_pair(x[0], x[1])]
}

/// Tiles of the matrix whose element l of row i is `x[i * row_step + l * step]`; zero behind the last of `rows` and `columns`.
#[kernel(
    only = "sm_90a",
    block = 32 * WARPS as u32,
    grid = padded(rows) / SIDE * width.div_ceil(SIDE),
    require(
        rows == 0 || columns == 0 || x.len() > (rows - 1) * row_step + (columns - 1) * step,
        width >= width_of(columns),
        width.is_multiple_of(SIDE),
        out.len() == padded(rows) * width * PARTS,
    ),
)]
pub unsafe fn split_rows_bf16(
    x: &[f32],
    mut out: DisjointMut<u32>,
    rows: u32,
    columns: u32,
    row_step: u32,
    step: u32,
    width: u32,
) {
    let cells: *mut u32 = shared_array![u32; PARTS * CELLS];
    let corner = corner(width);
    let element = |i: u32, l: u32| {
        if i < rows && l < columns {
            // SAFETY: the launch has checked that the last element is x's.
            unsafe { *x.as_ptr().add(i as usize * row_step as usize + l as usize * step as usize) }
        } else {
            0.0
        }
    };
    // SAFETY: there are so many cells, and all threads come here.
    let words =
        unsafe { words_of_thread(cells, corner, step == 1, |i, w| split([element(i, 2 * w), element(i, 2 * w + 1)])) };
    let (row0, word) = (corner.row + thread::thread_idx_x() / 32, corner.word + thread::thread_idx_x() % 32);
    let tiles = width as usize / DEPTH;
    let (tile, word) = (word as usize / DEPTH, word as usize % DEPTH);
    unrolled!(q in 0..EACH, {
        let row = row0 as usize + q * WARPS;
        let (block, row) = (row / ROWS, row % ROWS);
        let piece = (word / WORDS) ^ swap(row, DEPTH / WORDS);
        let first = (block * tiles + tile) * PARTS * PART + row * DEPTH + piece * WORDS + word % WORDS;
        for part in 0..PARTS {
            // SAFETY: the rows are padded to whole blocks, and each word has one thread.
            unsafe { out.write(first + part * PART, words[q][part]) };
        }
    });
}
