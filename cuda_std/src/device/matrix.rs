//! Tensor cores: their products, the loads that spread a matrix over a warp, roundings to their numbers, and copies that
//! run on their own.
//!
//! What compute 7.5 lacks is not there for it: a kernel that uses it does not compile for 7.5, unless its family is
//! left out there (docs/writing-kernels.md).

use core::arch::asm;

/// `mma.sync` of one shape: D = A B + C on the registers of a warp.
///
/// No `pure`: LLVM may then neither drop nor hoist it, nor move it past other such statements.
macro_rules! mma {
    ($shape:literal, $numbers:literal, $a:literal, $b:literal; $($a_word:expr),*; $($b_word:expr),*; $c:expr) => {{
        let [mut d0, mut d1, mut d2, mut d3] = $c;
        asm!(
            concat!(
                "mma.sync.aligned.", $shape, ".row.col.f32.", $numbers, ".", $numbers, ".f32 {{{0}, {1}, {2}, {3}}}, ",
                $a, ", ", $b, ", {{{0}, {1}, {2}, {3}}};"
            ),
            inout(reg32) d0,
            inout(reg32) d1,
            inout(reg32) d2,
            inout(reg32) d3,
            $(in(reg32) $a_word,)*
            $(in(reg32) $b_word,)*
            options(nomem, nostack, preserves_flags)
        );
        [d0, d1, d2, d3]
    }};
}

/// The products that are one instruction, of four words and two.
#[cfg(target_feature = "sm_80")]
macro_rules! products {
    ($($name:ident = $shape:literal, $numbers:literal;)*) => { $(
        #[inline(always)]
        pub(crate) unsafe fn $name(a: [u32; 4], b: [u32; 2], c: [f32; 4]) -> [f32; 4] {
            // SAFETY: it works on registers alone, and the caller promises that the warp comes here together.
            unsafe {
                mma!($shape, $numbers, "{{{4}, {5}, {6}, {7}}}", "{{{8}, {9}}}"; a[0], a[1], a[2], a[3]; b[0], b[1]; c)
            }
        }
    )* };
}

#[cfg(target_feature = "sm_80")]
products! {
    mma_m16n8k16_f16 = "m16n8k16", "f16";
    mma_m16n8k16_bf16 = "m16n8k16", "bf16";
    mma_m16n8k8_tf32 = "m16n8k8", "tf32";
}

/// Compute 7.5 has half the depth: columns 0 to 7 of A are its first two words, rows 0 to 7 of B its first.
#[cfg(not(target_feature = "sm_80"))]
#[inline(always)]
pub(crate) unsafe fn mma_m16n8k16_f16(a: [u32; 4], b: [u32; 2], c: [f32; 4]) -> [f32; 4] {
    // SAFETY: they work on registers alone, and the caller promises that the warp comes here together.
    unsafe {
        let c = mma!("m16n8k8", "f16", "{{{4}, {5}}}", "{{{6}}}"; a[0], a[1]; b[0]; c);
        mma!("m16n8k8", "f16", "{{{4}, {5}}}", "{{{6}}}"; a[2], a[3]; b[1]; c)
    }
}

/// `ldmatrix`, plain or transposed. It reads memory, so that LLVM moves it past no store and no barrier.
macro_rules! load_matrix {
    ($($name:ident = $way:literal;)*) => { $(
        #[inline(always)]
        pub(crate) unsafe fn $name(row: SharedAddress) -> [u32; 4] {
            let (w0, w1, w2, w3): (u32, u32, u32, u32);
            // SAFETY: the caller promises 16 bytes of shared memory, and that the warp comes here together.
            unsafe {
                asm!(
                    concat!("ldmatrix.sync.aligned.m8n8.x4", $way, ".shared.b16 {{{0}, {1}, {2}, {3}}}, [{4}];"),
                    out(reg32) w0,
                    out(reg32) w1,
                    out(reg32) w2,
                    out(reg32) w3,
                    in(reg32) row,
                    options(readonly, nostack, preserves_flags)
                );
            }
            [w0, w1, w2, w3]
        }
    )* };
}

load_matrix! {
    ldmatrix_x4 = "";
    ldmatrix_x4_trans = ".trans";
}

/// An address within shared memory, of 32 bits.
pub(crate) type SharedAddress = u32;

#[inline(always)]
pub(crate) fn shared_address(pointer: *const u8) -> SharedAddress {
    let address: u64;
    // SAFETY: arithmetic on an address.
    unsafe {
        asm!("cvta.to.shared.u64 {0}, {1};", out(reg64) address, in(reg64) pointer, options(pure, nomem, nostack, preserves_flags));
    }
    address as u32
}

#[inline(always)]
pub(crate) unsafe fn shared_add(address: SharedAddress, bytes: u32) -> SharedAddress {
    address.wrapping_add(bytes)
}

#[inline(always)]
pub(crate) unsafe fn shared_aligned(address: SharedAddress, bytes: u32) -> SharedAddress {
    address.next_multiple_of(bytes)
}

#[inline(always)]
pub(crate) unsafe fn shared_read_16(from: SharedAddress) -> [u32; 4] {
    let (a, b, c, d);
    // SAFETY: the caller promises 16 bytes there.
    unsafe {
        asm!("ld.shared.v4.b32 {{{0}, {1}, {2}, {3}}}, [{4}];", out(reg32) a, out(reg32) b, out(reg32) c, out(reg32) d,
            in(reg32) from, options(readonly, nostack, preserves_flags));
    }
    [a, b, c, d]
}

#[inline(always)]
pub(crate) unsafe fn shared_write_16(to: SharedAddress, [a, b, c, d]: [u32; 4]) {
    // SAFETY: the caller promises 16 bytes there.
    unsafe {
        asm!("st.shared.v4.b32 [{0}], {{{1}, {2}, {3}, {4}}};", in(reg32) to, in(reg32) a, in(reg32) b, in(reg32) c,
            in(reg32) d, options(nostack, preserves_flags));
    }
}

#[cfg(target_feature = "sm_80")]
#[inline(always)]
pub(crate) unsafe fn copy_async_16(to: SharedAddress, from: *const u8) {
    // SAFETY: the caller promises both places. A generic address of global memory is its global address.
    unsafe {
        asm!("cp.async.cg.shared.global [{0}], [{1}], 16;", in(reg32) to, in(reg64) from, options(nostack, preserves_flags))
    }
}

#[cfg(all(target_feature = "sm_80", not(target_feature = "sm_90")))]
#[inline(always)]
pub(crate) unsafe fn copy_async_16_of_row(to: SharedAddress, from: *const u8) {
    // SAFETY: the caller's promise.
    unsafe { copy_async_16(to, from) }
}

/// The word is of PTX 7.4: for compute 8.0 the PTX is older, so that older drivers take it.
#[cfg(target_feature = "sm_90")]
#[inline(always)]
pub(crate) unsafe fn copy_async_16_of_row(to: SharedAddress, from: *const u8) {
    // SAFETY: as above.
    unsafe {
        asm!("cp.async.cg.shared.global.L2::256B [{0}], [{1}], 16;", in(reg32) to, in(reg64) from,
            options(nostack, preserves_flags))
    }
}

#[cfg(target_feature = "sm_80")]
#[inline(always)]
pub(crate) unsafe fn copy_async_8(to: SharedAddress, from: *const u8) {
    // SAFETY: as above.
    unsafe {
        asm!("cp.async.ca.shared.global [{0}], [{1}], 8;", in(reg32) to, in(reg64) from, options(nostack, preserves_flags))
    }
}

#[cfg(target_feature = "sm_80")]
#[inline(always)]
pub(crate) unsafe fn copy_async_4(to: SharedAddress, from: *const u8) {
    // SAFETY: as above.
    unsafe {
        asm!("cp.async.ca.shared.global [{0}], [{1}], 4;", in(reg32) to, in(reg64) from, options(nostack, preserves_flags))
    }
}

#[cfg(target_feature = "sm_80")]
#[inline(always)]
pub(crate) fn copy_commit() {
    // SAFETY: it only ends a group.
    unsafe { asm!("cp.async.commit_group;", options(nostack, preserves_flags)) }
}

#[cfg(target_feature = "sm_80")]
#[inline(always)]
pub(crate) fn copy_wait<const PENDING: usize>() {
    // SAFETY: it only waits.
    unsafe { asm!("cp.async.wait_group {};", const PENDING, options(nostack, preserves_flags)) }
}

/// Roundings to pairs: PTX takes the upper half first.
#[cfg(target_feature = "sm_80")]
macro_rules! pairs {
    ($($name:ident = $instruction:literal;)*) => { $(
        #[inline(always)]
        pub(crate) fn $name(low: f32, high: f32) -> u32 {
            let word: u32;
            // SAFETY: arithmetic.
            unsafe {
                asm!(
                    concat!($instruction, " {0}, {1}, {2};"),
                    out(reg32) word,
                    in(reg32) high,
                    in(reg32) low,
                    options(pure, nomem, nostack, preserves_flags)
                );
            }
            word
        }
    )* };
}

#[cfg(target_feature = "sm_80")]
pairs! {
    f16_pair = "cvt.rn.f16x2.f32";
    bf16_pair = "cvt.rn.bf16x2.f32";
}

#[cfg(target_feature = "sm_80")]
#[inline(always)]
pub(crate) fn tf32(x: f32) -> u32 {
    let word: u32;
    // SAFETY: arithmetic.
    unsafe {
        asm!("cvt.rna.tf32.f32 {0}, {1};", out(reg32) word, in(reg32) x, options(pure, nomem, nostack, preserves_flags))
    }
    word
}

#[inline(always)]
pub(crate) fn f16_values(word: u32) -> [f32; 2] {
    let (low, high): (f32, f32);
    // SAFETY: arithmetic.
    unsafe {
        asm!(
            "{{ .reg .b16 low, high; mov.b32 {{low, high}}, {2}; cvt.f32.f16 {0}, low; cvt.f32.f16 {1}, high; }}",
            out(reg32) low,
            out(reg32) high,
            in(reg32) word,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    [low, high]
}
