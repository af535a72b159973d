//! Rows of words for tensor cores (tensor.rs), rounded, of a matrix or of its transpose.
//!
//! A block makes 32 words of 32 rows, each of its warps four rows. What is read is neighbours in memory either way: along a row,
//! or down a column, which is then turned over in shared memory. So it costs what its bytes cost.

use cuda_std::prelude::*;

use crate::lanes::unrolled;
use crate::matmul_tensor::{Bf16, DEPTH, Operand, Tf32, padded, width_of};

/// Rows of a block, and words of each of them.
pub(crate) const SIDE: usize = 32;

/// Warps of a block, and rows of each of them.
pub(crate) const WARPS: usize = 8;
pub(crate) const EACH: usize = SIDE / WARPS;

/// From a row to the next in shared memory: its words are written down a column, into different banks.
const APART: usize = SIDE + 1;

/// Words of shared memory of a block, for each part of its words.
pub(crate) const CELLS: usize = SIDE * APART;

/// `out[i * width + w]` = element w of row i (bf16: elements 2 w and 2 w + 1), which is `x[i * row_step + element * step]`;
/// zero behind the last of `rows` and `columns`.
#[kernel(
    instances(round_rows_bf16<Bf16>, round_rows_tf32<Tf32>),
    block = 32 * WARPS as u32,
    grid = padded(rows) / SIDE * width.div_ceil(SIDE),
    require(
        rows == 0 || columns == 0 || x.len() > (rows - 1) * row_step + (columns - 1) * step,
        width >= width_of(columns, <T as Operand>::NUMBERS),
        width.is_multiple_of(DEPTH),
        out.len() == padded(rows) * width,
    ),
)]
pub unsafe fn round_rows<T: Operand>(
    x: &[f32],
    mut out: DisjointMut<u32>,
    rows: u32,
    columns: u32,
    row_step: u32,
    step: u32,
    width: u32,
) {
    let cells: *mut u32 = shared_array![u32; CELLS];
    let corner = corner(width);
    let element = |i: u32, c: u32| {
        if i < rows && c < columns {
            // SAFETY: the launch has checked that the last element is x's.
            unsafe { *x.as_ptr().add(i as usize * row_step as usize + c as usize * step as usize) }
        } else {
            0.0
        }
    };
    let word = |i: u32, w: u32| {
        let first = w * T::NUMBERS as u32;
        [T::round(element(i, first), if T::NUMBERS > 1 { element(i, first + 1) } else { 0.0 })]
    };
    // SAFETY: there are so many cells, and all threads come here.
    let words = unsafe { words_of_thread(cells, corner, step == 1, word) };
    let (row0, word) = (corner.row + thread::thread_idx_x() / 32, corner.word + thread::thread_idx_x() % 32);
    if word < width {
        unrolled!(q in 0..EACH, {
            let row = row0 as usize + q * WARPS;
            // SAFETY: the rows are padded to whole blocks, and each word has one thread.
            unsafe { out.write(row * width as usize + word as usize, words[q][0]) };
        });
    }
}

/// The first row and word of a block.
#[derive(Clone, Copy)]
pub(crate) struct Corner {
    pub(crate) row: u32,
    pub(crate) word: u32,
}

/// This block's, of rows of so many words.
#[inline(always)]
pub(crate) fn corner(width: u32) -> Corner {
    let (place, across) = (thread::block_idx_x(), width.div_ceil(SIDE as u32));
    Corner { row: place / across * SIDE as u32, word: place % across * SIDE as u32 }
}

/// What this thread writes: `word(i, w)` of word `thread % 32` of every eighth row of the block, from `thread / 32` on. They are read
/// along a row, or, if that is not how neighbours lie, down a column and turned over.
///
/// # Safety
/// There are [`CELLS`] cells for each part of a word, and all threads of the block come here.
#[inline(always)]
pub(crate) unsafe fn words_of_thread<const PARTS: usize>(
    cells: *mut u32,
    corner: Corner,
    along: bool,
    word: impl Fn(u32, u32) -> [u32; PARTS],
) -> [[u32; PARTS]; EACH] {
    let t = thread::thread_idx_x();
    let (warp, lane) = (t / 32, t % 32);
    let mut words = [[0; PARTS]; EACH];
    if along {
        unrolled!(q in 0..EACH, {
            words[q] = word(corner.row + warp + (q * WARPS) as u32, corner.word + lane);
        });
        return words;
    }
    unrolled!(q in 0..EACH, {
        words[q] = word(corner.row + lane, corner.word + warp + (q * WARPS) as u32);
    });
    // SAFETY: a cell for each of the block's words, each written by one thread, and read behind the barrier.
    unsafe {
        unrolled!(q in 0..EACH, {
            for part in 0..PARTS {
                cells.add(part * CELLS + lane as usize * APART + warp as usize + q * WARPS).write(words[q][part]);
            }
        });
        thread::sync_threads();
        unrolled!(q in 0..EACH, {
            for part in 0..PARTS {
                words[q][part] = cells.add(part * CELLS + (warp as usize + q * WARPS) * APART + lane as usize).read();
            }
        });
    }
    words
}
