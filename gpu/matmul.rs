//! Matrix product: C = A B, C[i, j] = sum_l A[i, l] B[l, j], with A m x k, B k x n, C m x n by rows.
//!
//! Versions, slowest first:
//! 1. `matmul_naive`: one cell a thread, as one learns it.
//! 2. `matmul_tiled`: tiles of A and B in shared memory, a small block of C in each thread's registers.
//!
//! Sums run over l in order, in f32, one rounding an addition where the machine fuses.

use cuda_std::prelude::*;

use crate::lanes;

/// One cell of C a thread, in blocks of 16 x 16: x is the column, y the row.
#[kernel(
    block = (16, 16),
    grid = (n.div_ceil(16), m.div_ceil(16)),
    require(a.len() >= m * k, b.len() >= k * n, c.len() >= m * n),
)]
pub unsafe fn matmul_naive(a: &[f32], b: &[f32], mut c: DisjointMut<f32>, m: u32, n: u32, k: u32) {
    let (m, n, k) = (m as usize, n as usize, k as usize);
    let (j, i) = thread::index_2d();
    if i < m && j < n {
        let mut sum = 0.0;
        for l in 0..k {
            sum = Machine::mul_add(a[i * k + l], b[l * n + j], sum);
        }
        if let Some(cell) = c.own_2d(n) {
            *cell = sum;
        }
    }
}

/// Threads along each side of a tile's block.
const SIDE: usize = 16;

/// Rows of C that a thread holds.
const ROWS: usize = 4;

/// Rows of C that a block computes.
const TILE_M: usize = SIDE * ROWS;

/// Columns of A and rows of B in a tile. Processors take more, since their threads pay for a barrier
/// with a switch of stacks.
const fn tile_k(lanes: usize) -> usize {
    if lanes > 4 { 64 } else { 16 }
}

/// Adds the product of two tiles to the thread's small block of C, whose first cell is `first`.
#[inline(always)]
fn multiply<M: Machine, const TILE_N: usize, const TILE_K: usize, const LANES: usize>(
    a_tile: &[[f32; TILE_M]; TILE_K],
    b_tile: &[[f32; TILE_N]; TILE_K],
    first: (usize, usize),
    mut sums: [[f32; LANES]; ROWS],
) -> [[f32; LANES]; ROWS] {
    for l in 0..TILE_K {
        // SAFETY: the small block lies within the tile, so its rows and lanes end within theirs.
        let (a, b) = unsafe { (lanes::load::<ROWS>(&a_tile[l], first.0), lanes::load::<LANES>(&b_tile[l], first.1)) };
        for r in 0..ROWS {
            sums[r] = lanes::mul_add::<M, LANES>(a[r], b, sums[r]);
        }
    }
    sums
}

/// Tiles in shared memory, 4 x `LANES` cells of C in the registers of each thread of a 16 x 16 block.
///
/// ```text
/// for each slice of k:
///     A's tile, transposed, and B's tile -> shared memory; what is outside is zero
///     barrier
///     for l in the slice: C[4][LANES] += A[l][my 4 rows] * B[l][my LANES columns]
///     barrier
/// ```
#[kernel(
    block = (16, 16),
    grid = (n.div_ceil(SIDE * Machine::LANES), m.div_ceil(TILE_M)),
    require(a.len() >= m * k, b.len() >= k * n, c.len() >= m * n),
)]
pub unsafe fn matmul_tiled(a: &[f32], b: &[f32], mut c: DisjointMut<f32>, m: u32, n: u32, k: u32) {
    const LANES: usize = Machine::LANES;
    const TILE_N: usize = SIDE * LANES;
    const TILE_K: usize = tile_k(LANES);
    let a_tile = shared_array![[f32; TILE_M]; TILE_K];
    let b_tile = shared_array![[f32; TILE_N]; TILE_K];
    let (m, n, k) = (m as usize, n as usize, k as usize);
    let (x, y) = (thread::thread_idx_x() as usize, thread::thread_idx_y() as usize);
    let rank = y * SIDE + x;
    let (row0, column0) = (thread::block_idx_y() as usize * TILE_M, thread::block_idx_x() as usize * TILE_N);
    let mut sums = [[0.0; LANES]; ROWS];

    let mut l0 = 0;
    while l0 < k {
        let mut at = rank;
        while at < TILE_M * TILE_K {
            let (row, l) = (at / TILE_K, at % TILE_K);
            let inside = row0 + row < m && l0 + l < k;
            let value = if inside { a[(row0 + row) * k + l0 + l] } else { 0.0 };
            // SAFETY: the cell is in the tile, and this thread alone writes it before the barrier.
            unsafe { (*a_tile.add(l))[row] = value };
            at += SIDE * SIDE;
        }
        let mut at = rank;
        while at < TILE_K * TILE_N {
            let (l, column) = (at / TILE_N, at % TILE_N);
            let inside = l0 + l < k && column0 + column < n;
            let value = if inside { b[(l0 + l) * n + column0 + column] } else { 0.0 };
            // SAFETY: as for A's tile.
            unsafe { (*b_tile.add(l))[column] = value };
            at += SIDE * SIDE;
        }
        thread::sync_threads();
        // SAFETY: both tiles were written before the barrier, and are not until the next.
        let (a_tile, b_tile) = unsafe { (&*a_tile.cast(), &*b_tile.cast()) };
        sums = multiply::<Machine, TILE_N, TILE_K, LANES>(a_tile, b_tile, (y * ROWS, x * LANES), sums);
        thread::sync_threads();
        l0 += TILE_K;
    }
    for (r, sums) in sums.iter().enumerate() {
        for (lane, sum) in sums.iter().enumerate() {
            let (i, j) = (row0 + y * ROWS + r, column0 + x * LANES + lane);
            if i < m && j < n {
                // SAFETY: the cells of different threads' small blocks differ.
                unsafe { c.write(i * n + j, *sum) };
            }
        }
    }
}
