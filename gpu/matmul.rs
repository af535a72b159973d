//! Matrix product: C = A B, `C[i, j] = sum_l A[i, l] B[l, j]`, with A m x k, B k x n, C m x n by rows.
//!
//! Versions, slowest first:
//! 1. `matmul_naive`: one cell a thread, as one learns it.
//! 2. `matmul_tiled`: tiles of A and B in shared memory, a small block of C in each thread's registers.
//! 3. `matmul_blocked_128` and `matmul_blocked_64` (matmul_blocked.rs): larger blocks of C, and tiles that are fetched while
//!    others are multiplied. What a processor does instead is in matmul_panels.rs.
//! 4. `matmul_skinny` (matmul_skinny.rs, a GPU's warps in matmul_warp.rs), for at most 32 columns: reads A once.
//!
//! [`product`] launches the best of them for its sizes and machine.
//!
//! Sums run over l in order, in f32, one rounding an addition where the machine fuses.

#[cfg(not(target_arch = "nvptx64"))]
use cuda_std::launch::{DeviceSlice, DeviceSliceMut, Launch};
#[cfg(not(target_arch = "nvptx64"))]
use cuda_std::machine::{Gpu, MachineKind};
use cuda_std::prelude::*;

use crate::lanes;
#[cfg(not(target_arch = "nvptx64"))]
use crate::matmul_blocked::{self, matmul_blocked_64, matmul_blocked_128};
#[cfg(not(target_arch = "nvptx64"))]
use crate::matmul_skinny::{MOST, matmul_skinny};

/// Blocks of 128 x 128 cells that fill a large GPU: with fewer of them blocks of 64 x 64 are launched.
#[cfg(not(target_arch = "nvptx64"))]
const ENOUGH: usize = 200;

/// Whether the sums of few columns run along rows of A, in vectors, or of more columns at a time, which may not be there.
///
/// The first takes a pass for each four columns, at whose end the vectors' lanes are added; the second is a product with panels of
/// `lanes` columns. The constants are by measurement, on a processor with all of its kinds of vectors: docs/performance/products.md.
#[cfg(not(target_arch = "nvptx64"))]
fn along_rows(machine: MachineKind, n: usize, k: usize) -> bool {
    let lanes = machine.lanes();
    n <= MOST && (machine == MachineKind::Gpu || n.div_ceil(4) * (k + 100) <= (lanes / 8 + 2) * k * n.div_ceil(lanes))
}

/// C = A B by the kernel that suits its sizes and the machine that will run it.
///
/// For up to 32 columns, on a processor for fewer, that is `matmul_skinny`, which is bound by reading A. Otherwise blocks of 128 x 128 cells of C, which a
/// GPU computes with the fewest loads, or of 64 x 64 where the larger ones are fewer than 200: a large GPU
/// has 132 multiprocessors and more, which take two of them each. On a processor the latter two are blocks of 512 and of 64 rows.
///
/// The first kernel sums in another order than the others, which all give the same bits.
///
/// ```
/// use cpu_executor::{Cells, CpuExecutor};
///
/// let executor = CpuExecutor::of_this_processor()?;
/// let (a, b) = (Cells::new(vec![1.0, 2.0, 3.0, 4.0]), Cells::new(vec![5.0, 6.0]));
/// let mut c = Cells::filled(0.0, 2);
/// executor.run(gpu::matmul::product(executor.machine(), &a, &b, &mut c, 2, 1, 2))?;
/// assert_eq!(c.to_vec(), [17.0, 39.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(not(target_arch = "nvptx64"))]
pub fn product<'launch>(
    machine: MachineKind,
    a: &'launch (impl DeviceSlice<f32> + ?Sized),
    b: &'launch (impl DeviceSlice<f32> + ?Sized),
    c: &'launch mut (impl DeviceSliceMut<f32> + ?Sized),
    m: u32,
    n: u32,
    k: u32,
) -> Launch<'launch> {
    let side = matmul_blocked::rows(Gpu::LANES, 8);
    if along_rows(machine, n as usize, k as usize) {
        matmul_skinny::launch(a, b, c, m, n, k)
    } else if (m as usize).div_ceil(side) * (n as usize).div_ceil(side) < ENOUGH {
        matmul_blocked_64::launch(a, b, c, m, n, k)
    } else {
        matmul_blocked_128::launch(a, b, c, m, n, k)
    }
}

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
        // SAFETY: all threads have the same `n`.
        if let Some(cell) = unsafe { c.own_2d(n) } {
            *cell = sum;
        }
    }
}

/// Threads along each side of a tile's block.
const SIDE: usize = 16;

/// Rows of C that a thread holds: as many as leave its sums in registers.
const fn rows(lanes: usize) -> usize {
    if lanes > 16 { 8 } else { 4 }
}

/// Columns of A and rows of B in a tile. Processors take more, since their threads pay for a barrier
/// with a switch of stacks.
const fn tile_k(lanes: usize) -> usize {
    if lanes > 4 { 128 } else { 16 }
}

/// Where lanes l, x of B's tile are: on a GPU the lanes of neighbouring threads are neighbours, and so
/// in different banks; on a processor the lanes that one thread reads, and so in different cache sets.
#[inline(always)]
fn cell(lanes: usize, l: usize, x: usize) -> usize {
    if lanes > 4 { x * tile_k(lanes) + l } else { l * SIDE + x }
}

/// Adds the product of two tiles to the thread's small block of C, whose rows begin with `y` and whose
/// lanes are `x`. The tiles are filled up to `depth`.
///
/// The loop over lanes is the outer one: the compiler then makes vectors of it, where in the other
/// order it unrolled both first and made gathers of the loop over l.
///
/// # Safety
/// `depth <= TILE_K`; `a_tile` points to TILE_K columns of TILE_M rows of A, `b_tile` to B's TILE_K x SIDE lanes.
#[inline(always)]
unsafe fn multiply<M: Machine, const TILE_M: usize, const ROWS: usize, const LANES: usize>(
    a_tile: *const [f32; TILE_M],
    b_tile: *const [f32; LANES],
    (x, y): (usize, usize),
    depth: usize,
    mut sums: [[f32; LANES]; ROWS],
) -> [[f32; LANES]; ROWS] {
    // 32 bits: a GPU counts in them with half the instructions.
    for l in 0..depth as u32 {
        let l = l as usize;
        // SAFETY: the caller's promise, and ROWS rows for each y make up TILE_M.
        let (a, b) = unsafe {
            let a = a_tile.add(l).cast::<[f32; ROWS]>().add(y).read();
            (a, b_tile.add(cell(LANES, l, x)).read())
        };
        for lane in 0..LANES {
            for r in 0..ROWS {
                sums[r][lane] = M::mul_add(a[r], b[lane], sums[r][lane]);
            }
        }
    }
    sums
}

/// Tiles in shared memory, 4 or 8 rows of `LANES` cells of C in the registers of each thread of a 16 x 16 block.
///
/// ```text
/// for each slice of k:
///     A's tile, transposed, and B's tile -> shared memory; what is outside is zero
///     barrier
///     for l in the slice: C[ROWS][LANES] += A[l][my ROWS rows] * B[l][my LANES columns]
///     barrier
/// ```
#[kernel(
    block = (16, 16),
    grid = (n.div_ceil(SIDE * Machine::LANES), m.div_ceil(SIDE * rows(Machine::LANES))),
    require(a.len() >= m * k, b.len() >= k * n, c.len() >= m * n),
)]
pub unsafe fn matmul_tiled(a: &[f32], b: &[f32], mut c: DisjointMut<f32>, m: u32, n: u32, k: u32) {
    const LANES: usize = Machine::LANES;
    const ROWS: usize = rows(LANES);
    const TILE_M: usize = SIDE * ROWS;
    const TILE_K: usize = tile_k(LANES);
    let a_tile = shared_array![[f32; TILE_M]; TILE_K];
    let b_tile = shared_array![[f32; LANES]; TILE_K * SIDE];
    let (m, n, k) = (m as usize, n as usize, k as usize);
    let (x, y) = (thread::thread_idx_x() as usize, thread::thread_idx_y() as usize);
    let rank = y * SIDE + x;
    let (row0, column0) = (thread::block_idx_y() as usize * TILE_M, thread::block_idx_x() as usize * SIDE * LANES);
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
        while at < TILE_K * SIDE {
            let (l, x) = (at / SIDE, at % SIDE);
            let (row, column) = (l0 + l, column0 + x * LANES);
            let count = if row < k { n.saturating_sub(column) } else { 0 };
            // SAFETY: `count` elements of B's row are left from the column on; the rest is as for A.
            unsafe {
                let values = lanes::load_some(b, row * n + column, count);
                b_tile.add(cell(LANES, l, x)).write(values);
            }
            at += SIDE * SIDE;
        }
        thread::sync_threads();
        // A GPU's loop over a number known to the compiler is unrolled, which is worth more.
        let depth = if LANES > 4 { TILE_K.min(k - l0) } else { TILE_K };
        // SAFETY: both tiles were written before the barrier, and are not until the next.
        sums = unsafe { multiply::<Machine, TILE_M, ROWS, LANES>(a_tile, b_tile, (x, y), depth, sums) };
        thread::sync_threads();
        l0 += TILE_K;
    }
    let column = column0 + x * LANES;
    for r in 0..ROWS {
        let i = row0 + y * ROWS + r;
        if i < m && column < n {
            // SAFETY: the cells of different threads' small blocks differ.
            unsafe { lanes::write_some(&mut c, i * n + column, sums[r], n - column) };
        }
    }
}
