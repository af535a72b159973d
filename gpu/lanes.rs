//! Arithmetic on the lanes of a thread: arrays of `LANES` neighbours, taken and given by value, so
//! that they stay in registers and a processor's compiler makes vectors of them.

use cuda_std::machine::MachineKind;
use cuda_std::prelude::*;

/// A loop over 0 to 15 at most that is written out, so that all indices of arrays are constants: LLVM leaves loops of
/// many operations as they are, and on a GPU what they index would then be in local memory.
macro_rules! unrolled {
    ($i:ident in 0..$end:expr, $body:block) => {
        unrolled!(@ $i, $end, $body, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
    };
    (@ $i:ident, $end:expr, $body:block, $($value:literal)*) => {
        const { assert!($end <= 16) };
        $(
            if $value < $end {
                let $i: usize = $value;
                $body
            }
        )*
    };
}
pub(crate) use unrolled;

/// a * b + c in each lane.
#[inline(always)]
pub fn mul_add<M: Machine, const N: usize>(a: f32, b: [f32; N], mut c: [f32; N]) -> [f32; N] {
    for lane in 0..N {
        c[lane] = M::mul_add(a, b[lane], c[lane]);
    }
    c
}

/// a * b + c in each lane, of two numbers that each has of its own.
#[inline(always)]
pub fn mul_add_each<M: Machine, const N: usize>(a: [f32; N], b: [f32; N], mut c: [f32; N]) -> [f32; N] {
    for lane in 0..N {
        c[lane] = M::mul_add(a[lane], b[lane], c[lane]);
    }
    c
}

/// a + b in each lane.
#[inline(always)]
pub fn add<const N: usize>(mut a: [f32; N], b: [f32; N]) -> [f32; N] {
    for lane in 0..N {
        a[lane] += b[lane];
    }
    a
}

/// a * b in each lane.
#[inline(always)]
pub fn scale<const N: usize>(a: f32, mut b: [f32; N]) -> [f32; N] {
    for lane in 0..N {
        b[lane] *= a;
    }
    b
}

/// The sum of the lanes, in order.
#[inline(always)]
pub fn sum<const N: usize>(lanes: [f32; N]) -> f32 {
    let mut sum = 0.0;
    for lane in 0..N {
        sum += lanes[lane];
    }
    sum
}

/// The lanes from `first` on.
///
/// # Safety
/// `first + N <= values.len()`.
#[inline(always)]
pub unsafe fn load<const N: usize>(values: &[f32], first: usize) -> [f32; N] {
    // SAFETY: the caller's promise.
    unsafe { values.as_ptr().add(first).cast::<[f32; N]>().read() }
}

/// The first `count` lanes from `first` on, or all if there are no more; zeros behind them.
///
/// # Safety
/// `values` has that many elements from `first` on.
#[inline(always)]
pub unsafe fn load_some<const N: usize>(values: &[f32], first: usize, count: usize) -> [f32; N] {
    let mut lanes = [0.0; N];
    // SAFETY: the caller's promise.
    unsafe {
        if count >= N {
            return load(values, first);
        }
        for lane in 0..N {
            if lane < count {
                lanes[lane] = *values.get_unchecked(first + lane);
            }
        }
    }
    lanes
}

/// The cells of an output from `first` on.
///
/// # Panics
/// If it is not that long.
///
/// # Safety
/// As for [`DisjointMut::read`], for each of the cells.
#[inline(always)]
pub unsafe fn read<const N: usize>(out: &DisjointMut<f32>, first: usize) -> [f32; N] {
    assert!(first < out.len() && out.len() - first >= N, "lanes behind the end of the output");
    let mut lanes = [0.0; N];
    for lane in 0..N {
        // SAFETY: the bound was checked once for all lanes; the rest is the caller's promise.
        unsafe {
            core::hint::assert_unchecked(first + lane < out.len());
            lanes[lane] = out.read(first + lane);
        }
    }
    lanes
}

/// Writes the cells of an output from `first` on.
///
/// # Panics
/// If it is not that long.
///
/// # Safety
/// As for [`DisjointMut::write`], for each of the cells.
#[inline(always)]
pub unsafe fn write<const N: usize>(out: &mut DisjointMut<f32>, first: usize, values: [f32; N]) {
    assert!(first < out.len() && out.len() - first >= N, "lanes behind the end of the output");
    for lane in 0..N {
        // SAFETY: the bound was checked once for all lanes; the rest is the caller's promise.
        unsafe {
            core::hint::assert_unchecked(first + lane < out.len());
            out.write(first + lane, values[lane]);
        }
    }
}

/// [`write`] of the first `count` lanes, or of all if there are no more.
///
/// # Panics
/// As [`write`].
///
/// # Safety
/// As for [`write`], for the cells that are written.
#[inline(always)]
pub unsafe fn write_some<const N: usize>(out: &mut DisjointMut<f32>, first: usize, values: [f32; N], count: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        if count >= N {
            return write(out, first, values);
        }
        for lane in 0..N {
            if lane < count {
                out.write(first + lane, values[lane]);
            }
        }
    }
}

/// Numbers that a GPU loads or stores by one instruction, of 16 bytes.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
pub(crate) struct Whole<const N: usize>(pub(crate) [f32; N]);

/// The same of two numbers.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(crate) struct Two(pub(crate) [f32; 2]);

/// [`load`], by a GPU as a whole.
///
/// # Safety
/// N elements from `from` on may be read; on a GPU N is a multiple of 4 and `from` of 16 bytes.
#[inline(always)]
pub unsafe fn load_whole<M: Machine, const N: usize>(from: *const f32) -> [f32; N] {
    // SAFETY: the caller's promise.
    unsafe {
        match M::KIND {
            MachineKind::Gpu => from.cast::<Whole<N>>().read().0,
            _ => from.cast::<[f32; N]>().read(),
        }
    }
}

/// Its counterpart.
///
/// # Safety
/// As for [`load_whole`], of writing; the cells are this thread's.
#[inline(always)]
pub unsafe fn store_whole<M: Machine, const N: usize>(to: *mut f32, values: [f32; N]) {
    // SAFETY: the caller's promise.
    unsafe {
        match M::KIND {
            MachineKind::Gpu => to.cast::<Whole<N>>().write(Whole(values)),
            _ => to.cast::<[f32; N]>().write(values),
        }
    }
}

/// The first `count` cells of an output from `first` on, or all if there are no more; zeros behind them.
///
/// # Panics
/// If it is not that long.
///
/// # Safety
/// As for [`DisjointMut::read`], for the cells that are read.
#[inline(always)]
pub unsafe fn read_some<const N: usize>(out: &DisjointMut<f32>, first: usize, count: usize) -> [f32; N] {
    let mut lanes = [0.0; N];
    // SAFETY: the caller's promise.
    unsafe {
        if count >= N {
            return read(out, first);
        }
        for lane in 0..N {
            if lane < count {
                lanes[lane] = out.read(first + lane);
            }
        }
    }
    lanes
}

/// [`write_some`] of four lanes, as one access of 16 bytes if `whole`.
///
/// # Panics
/// As [`write_some`].
///
/// # Safety
/// As for [`write_some`]. If `whole`, the first cell is aligned to 16 bytes, and there is none or four of them.
#[inline(always)]
pub unsafe fn write_quad(out: &mut DisjointMut<f32>, first: usize, values: [f32; 4], count: usize, whole: bool) {
    // SAFETY: the caller's promise, and the bound is checked for all four.
    unsafe {
        if whole {
            assert!(first < out.len() && out.len() - first >= 4, "lanes behind the end of the output");
            out.as_mut_ptr().add(first).cast::<Whole<4>>().write(Whole(values));
        } else {
            write_some(out, first, values, count);
        }
    }
}

/// The sum of the lanes, a power of two of them, by halves: of neighbours in the two halves first.
#[inline(always)]
pub fn sum_of_halves<const N: usize>(mut lanes: [f32; N]) -> f32 {
    let mut half = N / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
        half /= 2;
    }
    lanes[0]
}

/// Numbers of a line of a processor's caches.
pub(crate) const LINE: usize = 16;

/// The first of some cells that begins a line of a processor's cache; there are 15 more of them than are needed.
#[inline(always)]
pub fn aligned_to_line(cells: *mut f32) -> *mut f32 {
    let behind = (cells as usize).wrapping_neg() % (4 * LINE);
    cells.wrapping_byte_add(behind)
}

/// The same address, of which the compiler does not know that it is the same: what is read from it is loaded anew.
#[inline(always)]
pub fn unseen<T>(address: *const T) -> *const T {
    #[cfg(target_arch = "x86_64")]
    let address = {
        let mut address = address;
        // Said to touch no memory, and it does not.
        #[allow(clippy::pointers_in_nomem_asm_block)]
        // SAFETY: no instruction at all; the pointer stays what it is.
        unsafe {
            core::arch::asm!("/* {0} */", inout(reg) address, options(pure, nomem, nostack, preserves_flags));
        }
        address
    };
    address
}

/// What there is at an address of which the compiler does not know that it is this one: from memory.
#[inline(always)]
pub fn read_unseen<T: Copy>(value: &T) -> T {
    // SAFETY: the address is that of the value.
    unsafe { unseen(value).read() }
}

/// The same value; a processor's, which has more than four lanes, reads it from memory wherever it is used. Left in registers
/// over a long function, LLVM comes to see single lanes in it, and takes vectors to pieces in its loops.
#[inline(always)]
pub fn seen_anew<const LANES: usize, T>(value: &T) -> &T {
    if LANES > 4 {
        // SAFETY: the address is that of the value.
        unsafe { &*unseen(value) }
    } else {
        value
    }
}

/// Has a processor that can be asked fetch the line of an address, of whatever it may be, into its first cache, or its second.
#[inline(always)]
pub fn prefetch<const FIRST: bool>(address: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: it touches nothing, and every processor of the architecture has it.
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};
        if FIRST {
            _mm_prefetch::<_MM_HINT_T0>(address.cast());
        } else {
            _mm_prefetch::<_MM_HINT_T1>(address.cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
