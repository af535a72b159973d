//! Exchange within warps, against its definition.

mod memory;

use cpu_executor::Fault;
use cuda_std::prelude::*;
use cuda_std::warp::{self, ALL};
use memory::{Memory, executor, run};

/// out[i] = what thread i gets in a shuffle: up, down, xor or idx for `which` of 0, 1, 2, 3.
#[kernel(
    instances(shuffle_u32<u32>, shuffle_i32<i32>, shuffle_f32<f32>, shuffle_u64<u64>),
    block = 64,
    require(x.len() == out.len(), x.len().is_multiple_of(64)),
)]
pub unsafe fn shuffle<T>(x: &[T], mut out: DisjointMut<T>, which: u32, by: u32, width: u32) {
    let value = x[thread::index_1d()];
    // SAFETY: whole warps come here together.
    let got = unsafe {
        match which {
            0 => warp::warp_shuffle_up(ALL, value, by, width),
            1 => warp::warp_shuffle_down(ALL, value, by, width),
            2 => warp::warp_shuffle_xor(ALL, value, by, width),
            _ => warp::warp_shuffle_idx(ALL, value, by, width),
        }
    };
    if let Some(cell) = out.own() {
        *cell = got;
    }
}

/// The lane that a lane reads, as PTX defines it, told in terms of the segment's first lane and end.
fn source(which: u32, lane: u32, by: u32, width: u32) -> u32 {
    let (start, end) = (lane - lane % width, lane - lane % width + width);
    let own_where = |outside, source| if outside { lane } else { source };
    match which {
        0 => own_where(lane < start + by, lane.wrapping_sub(by)),
        1 => own_where(lane + by >= end, lane + by),
        2 => own_where(lane ^ by >= end, lane ^ by),
        _ => start + by % width,
    }
}

macro_rules! check_shuffles {
    ($test:ident: $kernel:ident, $value:expr) => {
        #[test]
        fn $test() {
            let x: Vec<_> = (0..128).map($value).collect();
            let (executor, input) = (executor(), Memory::new(x.clone()));
            for which in 0..4 {
                for width in [32, 16, 8, 4, 2, 1] {
                    for by in [0, 1, 2, 3, 5, 7, 8, 15, 16, 17, 31] {
                        let mut out = Memory::filled(x[0], 128);
                        run(&executor, $kernel::launch(&input, &mut out, which, by, width)).unwrap();
                        let expected = (0..128u32).map(|i| x[(i - i % 32 + source(which, i % 32, by, width)) as usize]);
                        assert_eq!(out.to_vec(), expected.collect::<Vec<_>>(), "{which}: by {by}, width {width}");
                    }
                }
            }
        }
    };
}

check_shuffles!(shuffles_carry_u32: shuffle_u32, |i: u32| i * 77 + 1);
check_shuffles!(shuffles_carry_i32: shuffle_i32, |i: i32| -i * 77 - 1);
check_shuffles!(shuffles_carry_f32: shuffle_f32, |i: u16| f32::from(i) * -0.3 - 0.1);
check_shuffles!(shuffles_carry_both_words_of_u64: shuffle_u64, |i: u64| (i * 77 + 1) << 32 | (i + 5));

/// votes[i] = whether all, whether any, and which lanes of thread i's mask have their bit set in `bits`.
#[kernel(block = 64, grid = 1)]
pub unsafe fn votes(mut out: DisjointMut<[u32; 3]>, split: u32, bits: u32) {
    let lane = warp::lane_id();
    let mask = if lane < split { !(ALL.unbounded_shl(split)) } else { ALL.unbounded_shl(split) };
    let holds = bits >> lane & 1 == 1;
    // SAFETY: the lanes of each of the two masks come here together.
    let found = unsafe {
        [
            warp::warp_vote_all(mask, holds).into(),
            warp::warp_vote_any(mask, holds).into(),
            warp::warp_vote_ballot(mask, holds),
        ]
    };
    if let Some(cell) = out.own() {
        *cell = found;
    }
}

#[test]
fn votes_count_the_lanes_of_their_mask() {
    for split in [32, 16, 1, 20] {
        for bits in [0, ALL, 1, 0xffff, 0xffff_0000, 0x8000_0000, 0x0f0f_1234] {
            let mut out = Memory::filled([7; 3], 64);
            run(&executor(), votes::launch(&mut out, split, bits)).unwrap();
            let low = ALL.unbounded_shl(split);
            let expected = |mask: u32| [u32::from(bits & mask == mask), u32::from(bits & mask != 0), bits & mask];
            let expected = (0..64).map(|i| expected(if i % 32 < split { !low } else { low }));
            assert_eq!(out.to_vec(), expected.collect::<Vec<_>>(), "split {split}, bits {bits:#x}");
        }
    }
}

/// out[i] = the reduction of thread i's warp: a sum, a minimum and a maximum.
#[kernel(block = 96, grid = x.len() / 96)]
pub unsafe fn reductions(x: &[i32], mut out: DisjointMut<[i32; 3]>) {
    let value = x[thread::index_1d()];
    // SAFETY: whole warps come here together.
    let found = unsafe {
        [
            warp::warp_reduce(value, i32::wrapping_add),
            warp::warp_reduce(value, Ord::min),
            warp::warp_reduce(value, Ord::max),
        ]
    };
    if let Some(cell) = out.own() {
        *cell = found;
    }
}

#[test]
fn every_lane_gets_its_warps_reduction() {
    let x = (0..960).map(|i: i32| (i * 7919) % 1009 - 500).collect::<Vec<_>>();
    let mut out = Memory::filled([0; 3], x.len());
    run(&executor(), reductions::launch(&Memory::new(x.clone()), &mut out)).unwrap();
    for (i, found) in out.to_vec().into_iter().enumerate() {
        let warp = &x[i / 32 * 32..][..32];
        assert_eq!(found, [warp.iter().sum(), *warp.iter().min().unwrap(), *warp.iter().max().unwrap()]);
    }
}

/// Groups of 8 lanes go their own ways, each at its own pace, and meet at the end.
#[kernel(block = 64)]
pub unsafe fn groups(mut out: DisjointMut<u32>) {
    let cells = shared_array![u32; 64];
    let (t, lane) = (thread::thread_idx_x() as usize, warp::lane_id());
    let group = lane / 8;
    let mask = 0xff << (8 * group);
    let mut value = lane;
    // SAFETY: the lanes of a group's mask take the same number of rounds, and a barrier of the group
    // stands between every write and read of its cells.
    unsafe {
        for _ in 0..group {
            cells.add(t).write(value);
            warp::sync_warp(mask);
            value = cells.add(t - t % 8 + (t + 1) % 8).read();
            warp::sync_warp(mask);
        }
        value += 100 * warp::warp_vote_ballot(ALL, lane % 8 == 0);
    }
    if let Some(cell) = out.own() {
        *cell = value;
    }
}

#[test]
fn lanes_of_different_masks_do_not_wait_for_each_other() {
    let mut out = Memory::filled(0, 128);
    run(&executor(), groups::launch(&mut out)).unwrap();
    let expected = |i: u32| (i % 32 / 8 * 8 + (i + i % 32 / 8) % 8).wrapping_add(0x0101_0101u32.wrapping_mul(100));
    assert_eq!(out.to_vec(), (0..128).map(expected).collect::<Vec<_>>());
}

/// In blocks of 40 the second warp has 8 lanes.
#[kernel(block = 40)]
pub unsafe fn short(mut out: DisjointMut<[u32; 5]>, sure: u32) {
    let value = thread::thread_idx_x();
    let holds = sure == 1 || warp::lane_id() > 0;
    // SAFETY: all lanes that there are come here together, and read lanes that there are.
    let found = unsafe {
        warp::sync_warp(ALL);
        [
            warp::warp_vote_all(ALL, holds).into(),
            warp::warp_vote_any(ALL, holds).into(),
            warp::warp_vote_ballot(ALL, holds),
            warp::warp_shuffle_xor(ALL, value, 7, 8),
            warp::warp_shuffle_idx(ALL, value, 3, 32),
        ]
    };
    if let Some(cell) = out.own() {
        *cell = found;
    }
}

#[test]
fn a_short_last_warp_works_with_the_lanes_that_it_has() {
    for sure in [0, 1] {
        let mut out = Memory::filled([9; 5], 80);
        run(&executor(), short::launch(&mut out, sure)).unwrap();
        for (i, found) in out.to_vec().into_iter().enumerate() {
            let t = i as u32 % 40;
            let ballot = if t < 32 { ALL } else { 0xff };
            let ballot = if sure == 1 { ballot } else { ballot & !1 };
            assert_eq!(found, [sure, 1, ballot, t ^ 7, t / 32 * 32 + 3], "thread {t}");
        }
    }
}

/// A shuffle within blocks of 40 from the lane `by` higher, with a mask and a width.
#[kernel(block = 40)]
pub unsafe fn wrong(mut out: DisjointMut<u32>, mask: u32, by: u32, width: u32) {
    // SAFETY: none; the processor finds out what is wrong.
    let got = unsafe { warp::warp_shuffle_down(mask, 1, by, width) };
    if let Some(cell) = out.own() {
        *cell = got;
    }
}

#[test]
fn a_shuffle_that_cannot_be_is_an_error() {
    let cases = [
        (ALL, 1, 32, [39, 0, 0], "lane 7 shuffles from lane 8, which the block's last warp does not have"),
        (0xffff, 0, 32, [16, 0, 0], "lane 16 shuffles from lane 16, which is not in the mask 0x0000ffff"),
        (0xffff, 1, 32, [15, 0, 0], "lane 15 shuffles from lane 16, which is not in the mask 0x0000ffff"),
        (ALL, 1, 12, [0, 0, 0], "a shuffle's width is a power of two up to 32, not 12"),
        (ALL, 1, 64, [0, 0, 0], "a shuffle's width is a power of two up to 32, not 64"),
        (ALL, 1, 0, [0, 0, 0], "a shuffle's width is a power of two up to 32, not 0"),
    ];
    for (mask, by, width, expected, text) in cases {
        let mut out = Memory::filled(0, 40);
        match run(&executor(), wrong::launch(&mut out, mask, by, width)) {
            Err(Fault::Panic { kernel: "wrong", block: [0, 0, 0], thread, message }) => {
                assert!(message.starts_with(text), "{message}");
                assert_eq!(thread, expected, "{message}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}

/// A warp barrier with a mask.
#[kernel(block = 40, grid = 1)]
pub unsafe fn meet(mask: u32) {
    // SAFETY: none; the processor finds out what is wrong.
    unsafe { warp::sync_warp(mask) };
}

#[test]
fn a_mask_that_cannot_be_is_an_error() {
    let cases = [
        (0xfffe, [0, 0, 0], "lane 0 is not in its own mask 0x0000fffe"),
        (0, [0, 0, 0], "lane 0 is not in its own mask 0x00000000"),
        (0x7fff_ffff, [31, 0, 0], "lane 31 is not in its own mask 0x7fffffff"),
    ];
    for (mask, expected, text) in cases {
        match run(&executor(), meet::launch(mask)) {
            Err(Fault::Panic { thread, message, .. }) => {
                assert!(message.starts_with(text), "{message}");
                assert_eq!(thread, expected);
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}

/// One product for each warp: lane l of it brings the words `a[l]` and `b[l]` and the numbers `c[l]`.
#[kernel(threads = 32..=96, grid = out.len() / 32, require(a.len() == 32, b.len() == 32, c.len() == 32))]
pub unsafe fn product(a: &[[u32; 4]], b: &[[u32; 2]], c: &[[f32; 4]], mut out: DisjointMut<[f32; 4]>) {
    let lane = warp::lane_id() as usize;
    // SAFETY: whole warps come here together.
    let d = unsafe { warp::mma_m16n8k16_f16(a[lane], b[lane], c[lane]) };
    if let Some(cell) = out.own() {
        *cell = d;
    }
}

/// f16 of multiples of 1/64 below 2: sign, exponent and ten bits of fraction, from those of an f32.
fn half(x: f64) -> u32 {
    let bits = (x as f32).to_bits();
    if x == 0.0 { 0 } else { bits >> 31 << 15 | ((bits >> 23 & 255) - 112) << 10 | bits >> 13 & 1023 }
}

#[test]
fn a_product_of_a_warp_is_that_of_the_matrices() {
    let number = |i: usize, of: usize| (i * of % 255) as f64 / 64.0 - 127.0 / 64.0;
    let (a, b) =
        (|row: usize, k: usize| number(row * 16 + k, 89), |k: usize, column: usize| number(k * 8 + column, 101));
    let c = |row: usize, column: usize| number(row * 8 + column, 37) * 100.0;
    let pair = |first: f64, second: f64| half(second) << 16 | half(first);
    // The table of PTX's ISA, with g and t as it names them.
    let lanes = |lane: usize| (lane / 4, lane % 4 * 2);
    let a_words: Vec<[u32; 4]> = (0..32)
        .map(|lane| {
            let (g, t) = lanes(lane);
            [(g, t), (g + 8, t), (g, t + 8), (g + 8, t + 8)].map(|(row, k)| pair(a(row, k), a(row, k + 1)))
        })
        .collect();
    let b_words: Vec<[u32; 2]> = (0..32)
        .map(|lane| {
            let (g, t) = lanes(lane);
            [t, t + 8].map(|k| pair(b(k, g), b(k + 1, g)))
        })
        .collect();
    let places = |lane: usize| {
        let (g, t) = lanes(lane);
        [(g, t), (g, t + 1), (g + 8, t), (g + 8, t + 1)]
    };
    let c_words: Vec<[f32; 4]> = (0..32).map(|lane| places(lane).map(|(row, column)| c(row, column) as f32)).collect();
    let (a_words, b_words, c_words) = (Memory::new(a_words), Memory::new(b_words), Memory::new(c_words));
    let mut out = Memory::filled([f32::NAN; 4], 96);
    run(&executor(), product::launch(&a_words, &b_words, &c_words, &mut out).threads_per_block(96)).unwrap();
    for (i, found) in out.to_vec().into_iter().enumerate() {
        let expected = places(i % 32).map(|(row, column)| {
            let products = (0..16).map(|k| a(row, k) * b(k, column));
            // Multiples of 2^-12 below 2^9: exact in f32.
            (c(row, column) + products.sum::<f64>()) as f32
        });
        assert_eq!(found, expected, "thread {i}");
    }
}

/// In blocks of 40 the second warp has too few lanes.
#[kernel(block = 40)]
pub unsafe fn short_product(mut out: DisjointMut<f32>) {
    // SAFETY: none; the processor finds out what is wrong.
    let [d, ..] = unsafe { warp::mma_m16n8k16_f16([0; 4], [0; 2], [1.0; 4]) };
    if let Some(cell) = out.own() {
        *cell = d;
    }
}

#[test]
fn a_product_needs_a_whole_warp() {
    match run(&executor(), short_product::launch(&mut Memory::filled(0.0, 40))) {
        Err(Fault::Panic { thread: [32, 0, 0], message, .. }) => {
            assert!(message.contains("32 lanes"), "{message}");
        }
        other => panic!("{other:?}"),
    }
}
