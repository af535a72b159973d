//! What kernels for tensor cores have in common: rows of words, tiles of them in shared memory, and loops that are
//! written out.
//!
//! A matrix comes as *rows of words*: a word is one tf32 or two numbers of 16 bits, neighbours along the sum. A tile of
//! rows lies in shared memory in pieces of four words, 16 bytes, which is what a copy moves and what a lane of `ldmatrix`
//! points to. Eight rows' pieces of one column are read at a time; they must lie in different banks, so the pieces of a
//! row trade places: piece c of row r stands at place c ^ [`swap`] of r.

use cuda_std::copy;
use cuda_std::prelude::*;
use cuda_std::shared::SharedAddress;
use cuda_std::warp;

/// Bytes of a piece.
pub const PIECE: u32 = 16;

/// Words of a piece.
pub const WORDS: usize = 4;

/// Rows of words are padded to a multiple of this many with zeros, so that no tile crosses their end.
pub const ROWS: usize = 128;

/// The body for each value below a bound, on a GPU written out: sums and operands stay in registers only where every index
/// is known, and LLVM leaves large loops as they are. At most as many as the number in front says.
#[cfg(not(target_arch = "nvptx64"))]
macro_rules! unrolled {
    ($most:literal, $i:ident < $end:expr => $body:block) => {
        for $i in 0..$end {
            debug_assert!($i < $most);
            $body
        }
    };
}
#[cfg(target_arch = "nvptx64")]
macro_rules! unrolled {
    (2, $i:ident < $end:expr => $body:block) => { unrolled!(@ $i, $end, $body; 0 1) };
    (4, $i:ident < $end:expr => $body:block) => { unrolled!(@ $i, $end, $body; 0 1 2 3) };
    (8, $i:ident < $end:expr => $body:block) => { unrolled!(@ $i, $end, $body; 0 1 2 3 4 5 6 7) };
    (16, $i:ident < $end:expr => $body:block) => { unrolled!(@ $i, $end, $body; 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15) };
    (@ $i:ident, $end:expr, $body:block; $($n:literal)*) => { $(
        let $i: usize = $n;
        if $i < $end $body
    )* };
}
pub(crate) use unrolled;

/// How the pieces of a row trade places, of rows of so many pieces: all banks are 128 bytes, eight pieces. A row of eight and
/// more is told by its lowest bits; two rows of four share the banks already, so that each pair of rows is.
#[inline(always)]
pub(crate) const fn swap(row: usize, pieces: usize) -> usize {
    if pieces == 4 { row / 2 % 4 } else { row % 8 }
}

/// This lane's place among the eight rows that it points to, and which of four matrices they are.
#[inline(always)]
pub(crate) fn row_and_matrix() -> (u32, u32) {
    let lane = warp::lane_id();
    (lane % 8, lane / 8)
}

/// Begins this thread's copies of a tile of `PIECES` pieces a row, of which THREADS threads copy EACH pieces; `from` points
/// to the tile's first row, whose next is `width` words on. Piece c of row r goes to place `c ^ swap(r)`, where
/// `swap` of two rows' exclusive or is that of both's.
///
/// # Safety
/// The tile is there in both places; nobody touches it until the copies have ended.
#[inline(always)]
pub(crate) unsafe fn copy_tile<const PIECES: usize, const THREADS: usize, const EACH: usize>(
    to: SharedAddress,
    from: *const u32,
    width: usize,
    swap: impl Fn(usize) -> usize,
) {
    let t = thread::thread_idx_x() as usize;
    let (row, piece) = (t / PIECES, t % PIECES);
    let place = row * PIECES + (piece ^ swap(row));
    // SAFETY: the caller's promise.
    let from = unsafe { from.add(row * width + piece * WORDS) };
    for i in 0..EACH {
        // A power of two, and above this thread's first row: no bit carries, and all that follows are constants.
        let further = i * THREADS / PIECES;
        let place = (place ^ swap(further)) + i * THREADS;
        // SAFETY: the caller's promise.
        unsafe { copy::async_16(to.add(place as u32 * PIECE), from.add(further * width)) };
    }
}
