//! `wgmma`: see [`warpgroup`](crate::warpgroup).
//!
//! The sums are operands of every statement that they must not move past: what waits for products takes them too, since LLVM
//! knows nothing of instructions that end later.

use core::arch::asm;

use super::SharedAddress;
use crate::warpgroup::{Fragment, Sums, Sums64, Sums128};

/// A matrix as the instruction is told of it. Bits 0 to 13: its address; 16 to 29: not used with a swizzle; 32 to 45: bytes from
/// eight rows to the next eight; 49 to 51: 0, for the pattern of the swizzle begins with the matrix; 62 and 63: which
/// swizzle. Addresses and bytes without their four lowest bits.
pub(crate) type Matrix = u64;

/// A swizzle of 128 bytes, eight rows of which are 1024 bytes.
const ROWS_OF_128_BYTES: u64 = 1 << 62 | (1024 >> 4) << 32 | 1 << 16;

/// One of 64 bytes.
const ROWS_OF_64_BYTES: u64 = 2 << 62 | (512 >> 4) << 32 | 1 << 16;

#[inline(always)]
pub(crate) fn matrix_at(start: SharedAddress) -> Matrix {
    ROWS_OF_128_BYTES | ((start & 0x3FFFF) >> 4) as u64
}

#[inline(always)]
pub(crate) fn short_matrix_at(start: SharedAddress) -> Matrix {
    ROWS_OF_64_BYTES | ((start & 0x3FFFF) >> 4) as u64
}

#[inline(always)]
pub(crate) fn publish() {
    // SAFETY: a fence only orders memory operations.
    unsafe { asm!("fence.proxy.async.shared::cta;", options(nostack, preserves_flags)) }
}

#[inline(always)]
pub(crate) unsafe fn wait_for_products<const PENDING: usize>() {
    // SAFETY: it only waits, and the caller promises that the warpgroup comes here together.
    unsafe { asm!("wgmma.wait_group.sync.aligned {};", const PENDING, options(nostack, preserves_flags)) }
}

/// The registers of the sums, as a vector in PTX.
macro_rules! registers {
    () => {
        "{{{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}, {9}, {10}, {11}, {12}, {13}, {14}, {15}, \
             {16}, {17}, {18}, {19}, {20}, {21}, {22}, {23}, {24}, {25}, {26}, {27}, {28}, {29}, {30}, {31}, \
             {32}, {33}, {34}, {35}, {36}, {37}, {38}, {39}, {40}, {41}, {42}, {43}, {44}, {45}, {46}, {47}, \
             {48}, {49}, {50}, {51}, {52}, {53}, {54}, {55}, {56}, {57}, {58}, {59}, {60}, {61}, {62}, {63}, \
             {64}, {65}, {66}, {67}, {68}, {69}, {70}, {71}, {72}, {73}, {74}, {75}, {76}, {77}, {78}, {79}, \
             {80}, {81}, {82}, {83}, {84}, {85}, {86}, {87}, {88}, {89}, {90}, {91}, {92}, {93}, {94}, {95}, \
             {96}, {97}, {98}, {99}, {100}, {101}, {102}, {103}, {104}, {105}, {106}, {107}, {108}, {109}, {110}, {111}, \
             {112}, {113}, {114}, {115}, {116}, {117}, {118}, {119}, {120}, {121}, {122}, {123}, {124}, {125}, {126}, {127}}}"
    };
}

/// Calls a macro with a name for each of the sums.
macro_rules! with_names {
    ($macro:ident; $($arguments:tt)*) => { $macro! { $($arguments)*;
        d0 d1 d2 d3 d4 d5 d6 d7 d8 d9 d10 d11 d12 d13 d14 d15
        d16 d17 d18 d19 d20 d21 d22 d23 d24 d25 d26 d27 d28 d29 d30 d31
        d32 d33 d34 d35 d36 d37 d38 d39 d40 d41 d42 d43 d44 d45 d46 d47
        d48 d49 d50 d51 d52 d53 d54 d55 d56 d57 d58 d59 d60 d61 d62 d63
        d64 d65 d66 d67 d68 d69 d70 d71 d72 d73 d74 d75 d76 d77 d78 d79
        d80 d81 d82 d83 d84 d85 d86 d87 d88 d89 d90 d91 d92 d93 d94 d95
        d96 d97 d98 d99 d100 d101 d102 d103 d104 d105 d106 d107 d108 d109 d110 d111
        d112 d113 d114 d115 d116 d117 d118 d119 d120 d121 d122 d123 d124 d125 d126 d127
    } };
}

/// One group of four products, each 32 bytes further in both matrices' rows. The fence orders what this thread did with the
/// registers before.
macro_rules! multiply {
    ($name:ident, $product:literal, $ways:literal; $($sum:ident)*) => {
        #[inline(always)]
        pub(crate) unsafe fn $name(sums: Sums, a: Matrix, b: Matrix) -> Sums {
            let [$(mut $sum),*] = sums;
            // SAFETY: the caller promises the matrices, and that the warpgroup comes here together.
            unsafe {
                asm!(
                    "{{ .reg .pred add; .reg .b64 a1, a2, a3, b1, b2, b3;",
                    "setp.eq.u32 add, 0, 0;",
                    "add.s64 a1, {a}, 2; add.s64 a2, {a}, 4; add.s64 a3, {a}, 6;",
                    "add.s64 b1, {b}, 2; add.s64 b2, {b}, 4; add.s64 b3, {b}, 6;",
                    "wgmma.fence.sync.aligned;",
                    concat!("wgmma.mma_async.sync.aligned.", $product, " ", registers!(), ", {a}, {b}, add, ", $ways, ";"),
                    concat!("wgmma.mma_async.sync.aligned.", $product, " ", registers!(), ", a1, b1, add, ", $ways, ";"),
                    concat!("wgmma.mma_async.sync.aligned.", $product, " ", registers!(), ", a2, b2, add, ", $ways, ";"),
                    concat!("wgmma.mma_async.sync.aligned.", $product, " ", registers!(), ", a3, b3, add, ", $ways, ";"),
                    "wgmma.commit_group.sync.aligned; }}",
                    $(inout(reg32) $sum,)*
                    a = in(reg64) a,
                    b = in(reg64) b,
                    options(nostack, preserves_flags)
                );
            }
            [$($sum),*]
        }
    };
}

// Neither matrix is negated; of bf16, whose rows might also lie along the columns, neither does.
with_names! { multiply; multiply_bf16, "m64n256k16.f32.bf16.bf16", "1, 1, 0, 0" }
with_names! { multiply; multiply_tf32, "m64n256k8.f32.tf32.tf32", "1, 1" }

/// Written out in PTX: rustc makes a loop over local memory of an array whose elements are equal, however it is written.
macro_rules! zeros {
    ($name:ident -> $sums:ty; $($sum:ident)*) => {
        #[inline(always)]
        pub(crate) fn $name() -> $sums {
            $(let $sum: f32;)*
            // SAFETY: it only sets registers.
            unsafe {
                asm!(
                    $(concat!("mov.b32 {", stringify!($sum), "}, 0;"),)*
                    $($sum = out(reg32) $sum,)*
                    options(pure, nomem, nostack, preserves_flags)
                );
            }
            [$($sum),*]
        }
    };
}

with_names! { zeros; no_sums -> Sums }

macro_rules! finish {
    ($name:ident; $($sum:ident)*) => {
        #[inline(always)]
        pub(crate) unsafe fn $name(sums: Sums) -> Sums {
            let [$(mut $sum),*] = sums;
            // SAFETY: it only waits, and the caller promises that the warpgroup comes here together.
            unsafe {
                asm!(
                    // Operands have to be mentioned.
                    concat!("wgmma.wait_group.sync.aligned 0; // ", registers!()),
                    $(inout(reg32) $sum,)*
                    options(nostack, preserves_flags)
                );
            }
            [$($sum),*]
        }
    };
}

with_names! { finish; finish_products }

/// The registers of 64 x 64 sums, as a vector in PTX.
macro_rules! registers_64 {
    () => {
        "{{{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}, {9}, {10}, {11}, {12}, {13}, {14}, {15}, \
             {16}, {17}, {18}, {19}, {20}, {21}, {22}, {23}, {24}, {25}, {26}, {27}, {28}, {29}, {30}, {31}}}"
    };
}

/// Calls a macro with a name for each of 64 x 64 sums, and for each word of a matrix in registers.
macro_rules! with_names_64 {
    ($macro:ident; $($arguments:tt)*) => { $macro! { $($arguments)*;
        d0 d1 d2 d3 d4 d5 d6 d7 d8 d9 d10 d11 d12 d13 d14 d15
        d16 d17 d18 d19 d20 d21 d22 d23 d24 d25 d26 d27 d28 d29 d30 d31;
        a0 a1 a2 a3 a4 a5 a6 a7 a8 a9 a10 a11 a12 a13 a14 a15
    } };
}

/// One group of four products of f16, with A in registers and B `$step` of a descriptor's 16 bytes further each time. The first
/// adds to what the sums are if `$first` is 0. Sums that begin are not read, and so no operands going in.
macro_rules! multiply_64 {
    ($name:ident ($($before:ident)?) $way:ident, $first:literal, $step:literal, $turned:literal; $($sum:ident)*; $($word:ident)*) => {
        #[inline(always)]
        pub(crate) unsafe fn $name($($before: Sums64,)? a: Fragment, b: Matrix) -> Sums64 {
            multiply_64!(@declare $($before)?; $($sum)*);
            let [$($word),*] = a;
            // SAFETY: the caller promises the matrix, and that the warpgroup comes here together.
            unsafe {
                asm!(
                    "{{ .reg .pred first, add; .reg .b64 b1, b2, b3;",
                    concat!("setp.eq.u32 first, ", $first, ", 0; setp.eq.u32 add, 0, 0;"),
                    concat!("add.s64 b1, {b}, ", $step, "; add.s64 b2, b1, ", $step, "; add.s64 b3, b2, ", $step, ";"),
                    "wgmma.fence.sync.aligned;",
                    multiply_64!(@product "{{{32}, {33}, {34}, {35}}}, {b}, first", $turned),
                    multiply_64!(@product "{{{36}, {37}, {38}, {39}}}, b1, add", $turned),
                    multiply_64!(@product "{{{40}, {41}, {42}, {43}}}, b2, add", $turned),
                    multiply_64!(@product "{{{44}, {45}, {46}, {47}}}, b3, add", $turned),
                    "wgmma.commit_group.sync.aligned; }}",
                    $($way(reg32) $sum,)*
                    $(in(reg32) $word,)*
                    b = in(reg64) b,
                    options(nostack, preserves_flags)
                );
            }
            [$($sum),*]
        }
    };
    (@product $operands:literal, $turned:literal) => {
        concat!(
            "wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 ", registers_64!(), ", ", $operands, ", 1, 1, ", $turned, ";"
        )
    };
    (@declare $before:ident; $($sum:ident)*) => { let [$(mut $sum),*] = $before; };
    (@declare ; $($sum:ident)*) => { $(let $sum: f32;)* };
}

// 32 bytes of the rows further, or 16 rows.
with_names_64! { multiply_64; begin_rows_f16 () out, "1", "2", "0" }
with_names_64! { multiply_64; multiply_rows_f16 (sums) inout, "0", "2", "0" }
with_names_64! { multiply_64; begin_columns_f16 () out, "1", "128", "1" }
with_names_64! { multiply_64; multiply_columns_f16 (sums) inout, "0", "128", "1" }

macro_rules! finish_64 {
    ($name:ident; $($sum:ident)*; $($word:ident)*) => {
        #[inline(always)]
        pub(crate) unsafe fn $name<const PENDING: usize>(sums: Sums64) -> Sums64 {
            let [$(mut $sum),*] = sums;
            // SAFETY: it only waits, and the caller promises that the warpgroup comes here together.
            unsafe {
                asm!(
                    // Operands have to be mentioned.
                    concat!("wgmma.wait_group.sync.aligned {pending}; // ", registers_64!()),
                    $(inout(reg32) $sum,)*
                    pending = const PENDING,
                    options(nostack, preserves_flags)
                );
            }
            [$($sum),*]
        }
    };
}

with_names_64! { finish_64; finish_products_64 }

macro_rules! zeros_64 {
    ($name:ident; $($sum:ident)*; $($word:ident)*) => {
        zeros! { $name -> Sums64; $($sum)* }
    };
}

with_names_64! { zeros_64; no_sums_64 }

/// The registers of 64 x 128 sums, as a vector in PTX.
macro_rules! registers_128 {
    () => {
        "{{{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}, {9}, {10}, {11}, {12}, {13}, {14}, {15}, \
             {16}, {17}, {18}, {19}, {20}, {21}, {22}, {23}, {24}, {25}, {26}, {27}, {28}, {29}, {30}, {31}, \
             {32}, {33}, {34}, {35}, {36}, {37}, {38}, {39}, {40}, {41}, {42}, {43}, {44}, {45}, {46}, {47}, \
             {48}, {49}, {50}, {51}, {52}, {53}, {54}, {55}, {56}, {57}, {58}, {59}, {60}, {61}, {62}, {63}}}"
    };
}

/// Calls a macro with a name for each of 64 x 128 sums.
macro_rules! with_names_128 {
    ($macro:ident; $($arguments:tt)*) => { $macro! { $($arguments)*;
        d0 d1 d2 d3 d4 d5 d6 d7 d8 d9 d10 d11 d12 d13 d14 d15
        d16 d17 d18 d19 d20 d21 d22 d23 d24 d25 d26 d27 d28 d29 d30 d31
        d32 d33 d34 d35 d36 d37 d38 d39 d40 d41 d42 d43 d44 d45 d46 d47
        d48 d49 d50 d51 d52 d53 d54 d55 d56 d57 d58 d59 d60 d61 d62 d63
    } };
}

/// One group of two products of bf16, the second 32 bytes further in both matrices' rows. The first adds to what the sums are if
/// `$first` is 0.
macro_rules! multiply_128 {
    ($name:ident ($($before:ident)?) $way:ident, $first:literal; $($sum:ident)*) => {
        #[inline(always)]
        pub(crate) unsafe fn $name($($before: Sums128,)? a: Matrix, b: Matrix) -> Sums128 {
            multiply_128!(@declare $($before)?; $($sum)*);
            // SAFETY: the caller promises the matrices, and that the warpgroup comes here together.
            unsafe {
                asm!(
                    "{{ .reg .pred first, add; .reg .b64 a1, b1;",
                    concat!("setp.eq.u32 first, ", $first, ", 0; setp.eq.u32 add, 0, 0;"),
                    "add.s64 a1, {a}, 2; add.s64 b1, {b}, 2;",
                    "wgmma.fence.sync.aligned;",
                    multiply_128!(@product "{a}, {b}, first"),
                    multiply_128!(@product "a1, b1, add"),
                    "wgmma.commit_group.sync.aligned; }}",
                    $($way(reg32) $sum,)*
                    a = in(reg64) a,
                    b = in(reg64) b,
                    options(nostack, preserves_flags)
                );
            }
            [$($sum),*]
        }
    };
    (@product $operands:literal) => {
        concat!("wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 ", registers_128!(), ", ", $operands, ", 1, 1, 0, 0;")
    };
    (@declare $before:ident; $($sum:ident)*) => { let [$(mut $sum),*] = $before; };
    (@declare ; $($sum:ident)*) => { $(let $sum: f32;)* };
}

with_names_128! { multiply_128; begin_short_bf16 () out, "1" }
with_names_128! { multiply_128; multiply_short_bf16 (sums) inout, "0" }

macro_rules! finish_128 {
    ($name:ident; $($sum:ident)*) => {
        #[inline(always)]
        pub(crate) unsafe fn $name<const PENDING: usize>(sums: Sums128) -> Sums128 {
            let [$(mut $sum),*] = sums;
            // SAFETY: it only waits, and the caller promises that the warpgroup comes here together.
            unsafe {
                asm!(
                    // Operands have to be mentioned.
                    concat!("wgmma.wait_group.sync.aligned {pending}; // ", registers_128!()),
                    $(inout(reg32) $sum,)*
                    pending = const PENDING,
                    options(nostack, preserves_flags)
                );
            }
            [$($sum),*]
        }
    };
}

with_names_128! { finish_128; finish_products_128 }
with_names_128! { zeros; no_sums_128 -> Sums128 }
