//! Matrix product, the third version of matmul.rs: C = A B by blocks of C whose sums never leave registers.
//!
//! **On a GPU** a block of 128 threads computes TILE x TILE cells (128, or 64 where larger ones would leave
//! multiprocessors idle), a thread S x 2 S of them (8 x 16, or 4 x 8) in 4 x 4 pieces:
//!
//! ```text
//! fetch slice 0 of A and B into registers, store it into stage 0 of shared memory; barrier; A[0], B[0] into registers
//! for each slice of 8 columns of A and rows of B:
//!     fetch the next slice into registers                       (16 bytes a load; it is under way meanwhile)
//!     for l in the slice:
//!         behind the last l: store the next slice into the other stage; barrier
//!         A[l + 1][my S rows], B[l + 1][my 2 S columns] into registers          (3 S / 4 loads of 16 bytes)
//!         C[S][2 S] += A[l] * B[l]                                              (2 S S fma)
//! ```
//!
//! 1. *More columns than rows a thread*: a load of 16 bytes takes the way from shared memory to registers for 4 cycles,
//!    512 bytes of a warp's at 128 a cycle, whoever reads the same. With 8 x 8 sums that is as long as the fma take.
//! 2. *One barrier a slice*: a stage is written while the other one is read.
//! 3. *Operands one l ahead*: a warp has but one neighbour at its scheduler, so that it hides what its loads take by itself.
//! 4. *Banks*: rows of A lie along a stage as those of B do, so A is transposed when it is stored. A warp stores 16 rows
//!    of two quads; with PAD cells behind each row of the stage these are 32 different banks. A warp reads 8 x 4 pieces, in
//!    an order of lanes in which neighbours read the same 16 bytes of B and every other lane the same of A, so that half a
//!    warp at a time reads no more than all banks have.
//! 5. *Edges* cost one branch a slice: behind the last row and column the last ones are read again, for sums that are not
//!    written; the last slice is filled up with zeros. Rows that are no multiple of 16 bytes apart are read in single numbers.
//!
//! **On a processor** a block is one thread, which needs no barrier: see matmul_panels.rs.
//!
//! Sums run over l in order, so that both give what `matmul_naive` gives, to the bit.

use cuda_std::prelude::*;

use crate::lanes::{self, Whole, unrolled};
use crate::matmul_panels;
use crate::tile::read_group;

/// Threads of a GPU's block.
const THREADS: usize = 128;

/// Columns of A and rows of B in a slice on a GPU.
const SLICE: usize = 8;

/// Cells behind each row of A's stage.
const PAD: usize = 4;

/// Threads of a block.
const fn threads(lanes: usize) -> usize {
    if lanes > 4 { 1 } else { THREADS }
}

/// Rows of C that a block computes; `s` is the side of a GPU's thread.
pub(crate) const fn rows(lanes: usize, s: usize) -> usize {
    if lanes > 4 { matmul_panels::rows(lanes, s) } else { 16 * s }
}

/// Columns of C that a block computes.
pub(crate) const fn columns(lanes: usize, s: usize) -> usize {
    if lanes > 4 { matmul_panels::columns(lanes) } else { 16 * s }
}

/// From a row of a GPU's stage to the next: A's cells, and then B's.
const fn apart(s: usize) -> usize {
    2 * 16 * s + PAD
}

/// Rows of C that a GPU's block writes at a time.
const WRITTEN: usize = 32;

/// Cells of a block's shared memory: two stages of both tiles or, afterwards, rows of C; or the panels.
const fn shared(lanes: usize, s: usize) -> usize {
    if lanes > 4 {
        matmul_panels::shared(lanes, s)
    } else {
        assert!(2 * SLICE * apart(s) <= WRITTEN * (16 * s + PAD));
        WRITTEN * (16 * s + PAD)
    }
}

/// C = A B. Blocks of the grid run along rows of blocks of C.
#[kernel(
    instances(matmul_blocked_128<8>, matmul_blocked_64<4>),
    block = threads(Machine::LANES) as u32,
    grid = n.div_ceil(columns(Machine::LANES, S)) * m.div_ceil(rows(Machine::LANES, S)),
    require(a.len() >= m * k, b.len() >= k * n, c.len() >= m * n),
)]
pub unsafe fn matmul_blocked<const S: usize>(a: &[f32], b: &[f32], mut c: DisjointMut<f32>, m: u32, n: u32, k: u32) {
    const LANES: usize = Machine::LANES;
    const HELD: usize = matmul_panels::held(LANES);
    let memory = shared_array![f32; shared(LANES, S)];
    let (across, place) = (n.div_ceil(columns(LANES, S) as u32), thread::block_idx_x());
    let row0 = (place / across) as usize * rows(LANES, S);
    let column0 = (place % across) as usize * columns(LANES, S);
    let sizes = (m as usize, n as usize, k as usize);
    // SAFETY: the launch has checked the lengths; the memory is as long as `shared` says, and blocks' cells differ.
    unsafe {
        if LANES > 4 {
            matmul_panels::processor_block::<Machine, S, HELD, LANES>(a, b, &mut c, memory, (row0, column0), sizes);
        } else {
            gpu_block::<Machine, S>(a, b, &mut c, memory, (row0, column0), sizes);
        }
    }
}

/// Whether rows of `apart` numbers from `start` on begin at multiples of 16 bytes.
#[inline(always)]
pub(crate) fn in_quads(start: *const f32, apart: usize) -> bool {
    (start as usize).is_multiple_of(16) && apart.is_multiple_of(4)
}

/// Where the q-th quad of A that thread t moves is: its row of the tile, and its place in the slice's row.
#[inline(always)]
fn place_of_a<const S: usize>(t: usize, q: usize) -> (usize, usize) {
    let e = t + q * THREADS;
    (e / 2 % (16 * S), e / (32 * S) * 2 + e % 2)
}

/// The same of B: its row of the slice, and its place in the tile's row.
#[inline(always)]
fn place_of_b<const S: usize>(t: usize, q: usize) -> (usize, usize) {
    let e = t + q * THREADS;
    (e / (4 * S), e % (4 * S))
}

/// The quads of A and of B that a thread moves of a slice; where S is 4, the first of each.
type Moved = [[[f32; 4]; 2]; 2];

/// Where a thread's quads of the next slice are, as far as they are inside; a quad behind the last row or column is moved to it.
#[derive(Clone, Copy)]
struct Source {
    a: [*const f32; 2],
    b: [*const f32; 2],
    /// Numbers of B from the start of a quad to the end of its row.
    columns: [u32; 2],
    /// Columns of A from here on.
    left: u32,
    /// From a slice of B to the next.
    apart: usize,
    /// Whether all quads are aligned to 16 bytes, and inside but for the last slice.
    whole: bool,
}

impl Source {
    /// The thread's quads of the first slice.
    #[inline(always)]
    fn new<const S: usize>(
        (a, b): (&[f32], &[f32]),
        (row0, column0): (usize, usize),
        (m, n, k): (usize, usize, usize),
        t: usize,
    ) -> Self {
        let whole = in_quads(a.as_ptr(), k) && in_quads(b.as_ptr(), n);
        let mut source =
            Self { a: [a.as_ptr(); 2], b: [b.as_ptr(); 2], columns: [0; 2], left: k as u32, apart: SLICE * n, whole };
        for q in 0..S / 4 {
            let (row, place) = place_of_a::<S>(t, q);
            // The sums of rows and columns behind the last ones are not written.
            source.a[q] = a.as_ptr().wrapping_add((row0 + row).min(m - 1) * k + 4 * place);
            let (l, place) = place_of_b::<S>(t, q);
            let column = column0 + 4 * place;
            let inside = if whole { column.min(n - 4) } else { column };
            source.b[q] = b.as_ptr().wrapping_add(l * n + inside);
            source.columns[q] = n.saturating_sub(column) as u32;
        }
        source
    }

    /// Reads the quads of a slice, zeros behind the end of A's rows, and goes on to the next slice.
    ///
    /// # Safety
    /// A and B have so many columns and rows left.
    #[inline(always)]
    unsafe fn fetch<const S: usize>(&mut self, t: usize) -> Moved {
        let mut moved = [[[0.0; 4]; 2]; 2];
        // SAFETY: what is read is in front of the end of A's row, and in B's rows and columns.
        unsafe {
            if self.whole && self.left >= SLICE as u32 {
                for q in 0..S / 4 {
                    moved[0][q] = read_group(self.a[q]);
                    moved[1][q] = read_group(self.b[q]);
                }
                // Last, and not as below: of loads at the end of both ways LLVM makes one behind them, which then waits for
                // those before it.
                self.left -= SLICE as u32;
            } else {
                for q in 0..S / 4 {
                    let place = 4 * place_of_a::<S>(t, q).1 as u32;
                    let inside = (place_of_b::<S>(t, q).0 as u32) < self.left;
                    let columns = if inside { self.columns[q] } else { 0 };
                    for lane in 0..4 {
                        if place + (lane as u32) < self.left {
                            moved[0][q][lane] = *self.a[q].add(lane);
                        }
                        if (lane as u32) < columns {
                            moved[1][q][lane] = *self.b[q].add(lane);
                        }
                    }
                }
                self.left = self.left.saturating_sub(SLICE as u32);
            }
        }
        for q in 0..S / 4 {
            self.a[q] = self.a[q].wrapping_add(SLICE);
            self.b[q] = self.b[q].wrapping_add(self.apart);
        }
        moved
    }
}

/// Writes the thread's quads into a stage.
///
/// # Safety
/// Nobody reads the stage.
#[inline(always)]
unsafe fn store<const S: usize>(stage: *mut f32, t: usize, moved: Moved) {
    for q in 0..S / 4 {
        let (row, place) = place_of_a::<S>(t, q);
        let (l, column) = place_of_b::<S>(t, q);
        // SAFETY: the places are in the tiles, and different for each thread.
        unsafe {
            for lane in 0..4 {
                stage.add((4 * place + lane) * apart(S) + row).write(moved[0][q][lane]);
            }
            stage.add(l * apart(S) + 16 * S + PAD + 4 * column).cast::<Whole<4>>().write(Whole(moved[1][q]));
        }
    }
}

/// A row of a stage as a thread needs it: its numbers of A, and of B in groups of four.
#[derive(Clone, Copy)]
struct Operands<const S: usize> {
    a: [f32; S],
    b: [[f32; S]; 2],
}

impl<const S: usize> Operands<S> {
    /// From where the thread's first numbers of A and B are in a row of the stage.
    ///
    /// # Safety
    /// The stage is written.
    #[inline(always)]
    unsafe fn load((a_row, b_row): (*const f32, *const f32)) -> Self {
        let (mut a, mut b) = ([0.0; S], [[0.0; S]; 2]);
        for half in 0..S / 4 {
            // SAFETY: the places are in the row, and multiples of 16 bytes from its start.
            unsafe {
                let quad: [f32; 4] = read_group(a_row.add(32 * half));
                for lane in 0..4 {
                    a[4 * half + lane] = quad[lane];
                }
                for side in 0..2 {
                    let quad: [f32; 4] = read_group(b_row.add(4 * S * side + 16 * half));
                    for lane in 0..4 {
                        b[side][4 * half + lane] = quad[lane];
                    }
                }
            }
        }
        Self { a, b }
    }

    /// Adds their products to the sums.
    #[inline(always)]
    fn multiply<M: Machine>(&self, mut sums: [[[f32; S]; 2]; S]) -> [[[f32; S]; 2]; S] {
        unrolled!(r in 0..S, {
            for side in 0..2 {
                unrolled!(column in 0..S, {
                    sums[r][side][column] = M::mul_add(self.a[r], self.b[side][column], sums[r][side][column]);
                });
            }
        });
        sums
    }
}

/// A GPU's block: the cells from (row0, column0) on.
///
/// # Safety
/// A, B and C are m x k, k x n and m x n; `memory` is the block's, and the cells are its own.
#[inline(always)]
unsafe fn gpu_block<M: Machine, const S: usize>(
    a: &[f32],
    b: &[f32],
    c: &mut DisjointMut<f32>,
    memory: *mut f32,
    (row0, column0): (usize, usize),
    (m, n, k): (usize, usize, usize),
) {
    let t = thread::thread_idx_x() as usize;
    // Four warps, two by two, each with 8 x 4 lanes: bits 0, 2 and 3 of a lane say which rows, 1 and 4 which columns.
    let (warp, lane) = (t / 32, t % 32);
    let (x, y) = (lane / 2 % 2 + lane / 16 * 2, lane % 2 + lane / 4 % 4 * 2);
    // Row 4 h + r of the sums is 32 h + r rows further on, and column 4 q + c is 16 q + c columns.
    let own = (warp / 2 * 8 * S + 4 * y, warp % 2 * 8 * S + 4 * x);
    let mut sums = [[[0.0; S]; 2]; S];
    let mut source = Source::new::<S>((a, b), (row0, column0), (m, n, k), t);
    // SAFETY: a stage is written while nobody reads it: its last row was loaded before the barrier, behind which the other one
    // is read; and read behind the barrier, before which it was written.
    unsafe {
        let row = |stage: *mut f32| (stage.add(own.0).cast_const(), stage.add(16 * S + PAD + own.1).cast_const());
        let down = |(a, b): (*const f32, *const f32), rows: usize| (a.add(rows * apart(S)), b.add(rows * apart(S)));
        let (mut now, mut next) = (memory, memory.add(SLICE * apart(S)));
        store::<S>(now, t, source.fetch::<S>(t));
        thread::sync_threads();
        let mut at = row(now);
        let mut even = Operands::<S>::load(at);
        for _ in 0..(k as u32).div_ceil(SLICE as u32) {
            let moved = source.fetch::<S>(t);
            // Two rows at a time, which trade places.
            unrolled!(pair in 0..SLICE / 2, {
                let odd = Operands::load(down(at, 2 * pair + 1));
                sums = even.multiply::<M>(sums);
                if pair == SLICE / 2 - 1 {
                    store::<S>(next, t, moved);
                    thread::sync_threads();
                    (now, next) = (next, now);
                    at = row(now);
                    even = Operands::load(at);
                } else {
                    even = Operands::load(down(at, 2 * pair + 2));
                }
                sums = odd.multiply::<M>(sums);
            });
        }
        let quads = in_quads(c.as_mut_ptr(), n);
        // Two rows of each thread at a time: 16 a warp's side, WRITTEN of the tile.
        unrolled!(pass in 0..S / 2, {
            thread::sync_threads();
            for r in 0..2 {
                let row = memory.add((2 * (warp / 2 * 8 + y) + r) * (16 * S + PAD) + own.1);
                for side in 0..2 {
                    for half in 0..S / 4 {
                        let four = core::array::from_fn(|lane| sums[2 * pass + r][side][4 * half + lane]);
                        row.add(4 * S * side + 16 * half).cast::<Whole<4>>().write(Whole(four));
                    }
                }
            }
            thread::sync_threads();
            let mut e = t;
            while e < WRITTEN * 4 * S {
                let (row, column) = (e / (4 * S), e % (4 * S) * 4);
                let four: [f32; 4] = read_group(memory.add(row * (16 * S + PAD) + column));
                let i = row0 + row / 16 * 8 * S + row / 2 % 8 * 4 + row % 2 + pass / 2 * 32 + pass % 2 * 2;
                let column = column0 + column;
                if i < m && column < n {
                    lanes::write_quad(c, i * n + column, four, n - column, quads);
                }
                e += THREADS;
            }
        });
    }
}
