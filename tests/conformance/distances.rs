//! Distances by products on tensor cores against the oracle and against differences, and that they are for whoever asks for them there.

use cuda_std::machine::MachineKind;
use gpu::matmul_tensor::padded;
use gpu::pairwise_wgmma::{
    centre_rows, pairwise_flagged_l2, pairwise_flagged_squared_l2, pairwise_products_l2, pairwise_products_squared_l2,
    parts_of,
};
use gpu::split_rows::{self, split_rows_bf16};
use modeseek::distances::{Distances, Formula};
use modeseek::reference::{Metric, pairwise};
use modeseek::{Buffer, Device, Error};

use crate::check::{ROUNDING, assert_close, random, wide};
use crate::kernels::poisoned;
use crate::tensor::no_rows;
use crate::wgmma::is_missing;

/// Squares, or roots, by so many blocks; and the flags.
pub fn try_by_products(
    device: &Device,
    [a, b]: [&[f32]; 2],
    [m, n, d]: [usize; 3],
    blocks: u32,
    roots: bool,
) -> Result<(Vec<f32>, Vec<u32>), Error> {
    let (left, right) = (device.upload(a)?, device.upload(b)?);
    let width = split_rows::width_of(d) as u32;
    let made = |matrix: &Buffer<f32>, rows: usize| -> Result<_, Error> {
        let (mut centred, mut lengths) = (poisoned(device, rows * d), poisoned(device, padded(rows)));
        let mut parts = no_rows(device, split_rows::words_of(rows, d));
        let (rows, d) = (rows as u32, d as u32);
        device.launch(centre_rows::launch(matrix, &right, &mut centred, &mut lengths, rows, d))?;
        device.launch(split_rows_bf16::launch(&centred, &mut parts, rows, d, d, 1, width))?;
        Ok((parts, lengths))
    };
    let ((a_parts, a_lengths), (b_parts, b_lengths)) = (made(&left, m)?, made(&right, n)?);
    let mut out = poisoned(device, m * n);
    // Of another run.
    let mut flags = device.upload(&vec![6_u32; parts_of(m, n)])?;
    let (m, n, d, run) = (m as u32, n as u32, d as u32, 7);
    macro_rules! launch {
        ($products:ident, $flagged:ident) => {{
            let (a, b, a_norms, b_norms) = (&a_parts, &b_parts, &a_lengths, &b_lengths);
            device.launch($products::launch(a, b, a_norms, b_norms, &mut out, &mut flags, m, n, width, blocks, run))?;
            device.launch($flagged::launch(&left, &right, &flags, &mut out, m, n, d, run))?;
        }};
    }
    if roots {
        launch!(pairwise_products_l2, pairwise_flagged_l2);
    } else {
        launch!(pairwise_products_squared_l2, pairwise_flagged_squared_l2);
    }
    Ok((device.download(&out)?, device.download(&flags)?))
}

fn by_products(
    device: &Device,
    sides: [&[f32]; 2],
    sizes: [usize; 3],
    blocks: u32,
    roots: bool,
) -> (Vec<f32>, Vec<u32>) {
    try_by_products(device, sides, sizes, blocks, roots).unwrap()
}

/// What differences make of the same.
fn by_differences(device: &Device, [a, b]: [&[f32]; 2], [m, n, d]: [usize; 3], roots: bool) -> Vec<f32> {
    let (a, b) = (device.upload(a).unwrap(), device.upload(b).unwrap());
    let mut out = poisoned(device, m * n);
    let mut distances = Distances::new(device, [m, n, d].map(|size| size as u32), Formula::Differences).unwrap();
    let run = if roots { Distances::roots } else { Distances::squares };
    run(&mut distances, &a, &b, &mut out).unwrap();
    device.download(&out).unwrap()
}

/// What pairwise_wgmma.rs says that squares may be off by.
fn bounds([a, b]: [&[f32]; 2], squares: &[f64], [n, d]: [usize; 2]) -> Vec<f64> {
    let lengths = |rows: &[f32]| -> Vec<f64> {
        rows.chunks(d)
            .map(|row| row.iter().zip(b).map(|(x, c)| (f64::from(*x) - f64::from(*c)).powi(2)).sum())
            .collect()
    };
    let (a, b) = (lengths(a), lengths(b));
    let of_products = (d.min(32) as f64 + 12.0 + d as f64 / 13.0) * 2.0 * ROUNDING;
    let bound = |(i, square): (usize, &f64)| {
        let both = a[i / n] + b[i % n];
        // At the limit itself they may be made by either.
        if *square >= both / 257.0 { of_products * both } else { (d as f64 + 4.0) * ROUNDING * square }
    };
    squares.iter().enumerate().map(bound).collect()
}

/// Squares and roots by products are as far from the oracle as is said.
#[track_caller]
fn are_close(device: &Device, sides: [&[f32]; 2], [m, n, d]: [usize; 3], blocks: u32, what: &str) {
    let expected = pairwise(&wide(sides[0]), &wide(sides[1]), d, Metric::SquaredL2);
    let bounds = bounds(sides, &expected, [n, d]);
    let (squares, flags) = by_products(device, sides, [m, n, d], blocks, false);
    assert_close(&squares, &expected, |i| bounds[i], &format!("{what}, squares"));
    let (roots, again) = by_products(device, sides, [m, n, d], blocks, true);
    let expected: Vec<f64> = expected.iter().map(|square| square.sqrt()).collect();
    let of_root = |i: usize| (bounds[i] / expected[i]).min(bounds[i].sqrt()) + 2.0 * ROUNDING * expected[i];
    assert_close(&roots, &expected, of_root, &format!("{what}, roots"));
    assert_eq!(flags, again, "{what}");
}

pub fn distances_by_products(device: &Device) {
    if is_missing(device) {
        return;
    }
    // Sizes around every part and tile, fewer blocks than parts and more; an odd and an even number of columns; around the origin,
    // and far from it.
    for (sizes, blocks, offset) in
        [([1, 1, 1], 1, 0.0), ([5, 130, 64], 1, 0.0), ([129, 257, 7], 4, 100.0), ([130, 31, 70], 9, 0.0)]
    {
        let [m, n, d] = sizes;
        let [a, b] = [(m, 44), (n, 45)]
            .map(|(rows, seed)| random(rows * d, seed).into_iter().map(|x| x + offset).collect::<Vec<f32>>());
        are_close(device, [&a, &b], sizes, blocks, &format!("{m} x {n} x {d}, around {offset}"));
    }
}

/// Any number of blocks makes the same bits; a part with near rows has those of differences, others have not.
pub fn near_rows_by_differences(device: &Device) {
    if is_missing(device) {
        return;
    }
    let sizes @ [m, n, d] = [200, 140, 33];
    let (mut a, b) = (random(m * d, 46), random(n * d, 47));
    // A row of B again, and one next to it.
    a[150 * d..151 * d].copy_from_slice(&b[9 * d..10 * d]);
    for c in 0..d {
        a[131 * d + c] = b[50 * d + c] * 1.0001;
    }
    are_close(device, [&a, &b], sizes, 2, "near rows");
    for roots in [false, true] {
        let differences = by_differences(device, [&a, &b], sizes, roots);
        assert_eq!(differences[150 * n + 9].to_bits(), 0);
        let mut of_blocks = Vec::new();
        for blocks in [1, 3, 4] {
            let (found, flags) = by_products(device, [&a, &b], sizes, blocks, roots);
            // Two rows of parts, and two columns.
            assert_eq!(flags, [6, 6, 7, 6], "{blocks} blocks");
            let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            let (found, differences) = (bits(&found), bits(&differences));
            for i in 128..m {
                assert_eq!(found[i * n..][..128], differences[i * n..][..128], "row {i}, {blocks} blocks");
            }
            assert!((0..128).any(|i| found[i * n..][..128] != differences[i * n..][..128]), "{blocks} blocks");
            of_blocks.push(found);
        }
        assert!(of_blocks.iter().all(|found| found == &of_blocks[0]));
    }
}

/// What is infinite, or no number, or has a square that is, comes out as by differences; wherever it is.
pub fn distances_of_what_is_no_number(device: &Device) {
    if is_missing(device) {
        return;
    }
    let sizes @ [m, n, d] = [6, 5, 3];
    for at in [0, 2] {
        let (mut a, mut b) = (random(m * d, 48), random(n * d, 49));
        (a[d], a[2 * d + 1], a[3 * d], b[at * d + 1]) = (f32::INFINITY, f32::NAN, 3e19, f32::NEG_INFINITY);
        b[3 * d] = 3e19;
        let differences = by_differences(device, [&a, &b], sizes, true);
        let (found, _) = by_products(device, [&a, &b], sizes, 1, true);
        for (i, (found, expected)) in found.iter().zip(&differences).enumerate() {
            assert_eq!(found.to_bits(), expected.to_bits(), "[{i}] is {found}, not {expected}");
        }
    }
}

/// They are taken where they are asked for and there; the second run of the same has nothing of the first; sizes are checked.
pub fn distances_by_a_formula(device: &Device) {
    let [m, n, d] = [7, 9, 40];
    let (a, b) = (random(m * d, 50), random(n * d, 51));
    let (left, right) = (device.upload(&a).unwrap(), device.upload(&b).unwrap());
    let has = device.machine() == MachineKind::Gpu && device.has(&pairwise_products_l2::KERNEL);
    let wanted = if has { Formula::Products } else { Formula::Differences };
    assert_eq!(Formula::Products.on(device), wanted);
    assert_eq!(Formula::default().on(device), Formula::Differences);
    let sizes = [m, n, d].map(|size| size as u32);
    let mut asked = Distances::new(device, sizes, Formula::Products).unwrap();
    assert_eq!(asked.formula(), wanted);
    let mut download = |a: &Buffer<f32>, b: &Buffer<f32>| {
        let mut out = poisoned(device, m * n);
        asked.roots(a, b, &mut out).unwrap();
        let roots = device.download(&out).unwrap();
        asked.squares(a, b, &mut out).unwrap();
        (roots, device.download(&out).unwrap())
    };
    let (roots, squares) = download(&left, &right);
    let expected = pairwise(&wide(&a), &wide(&b), d, Metric::SquaredL2);
    let bounds = bounds([&a, &b], &expected, [n, d]);
    assert_close(&squares, &expected, |i| bounds[i].max(44.0 * ROUNDING * expected[i]), "squares");
    let expected: Vec<f64> = expected.iter().map(|square| square.sqrt()).collect();
    assert_close(&roots, &expected, |i| bounds[i] / expected[i] + 44.0 * ROUNDING * expected[i], "roots");
    // Rows that are the same have the flag set, which the next run does not see.
    let near = download(&right, &right);
    assert!((0..m).all(|i| near.0[i * n + i].to_bits() == 0));
    let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    let (roots_again, squares_again) = download(&left, &right);
    assert_eq!((bits(&roots_again), bits(&squares_again)), (bits(&roots), bits(&squares)));
    // Nothing to compute, or nothing to sum.
    for sizes in [[0, 9, 40], [7, 0, 40], [7, 9, 0]] {
        let mut distances = Distances::new(device, sizes, Formula::Products).unwrap();
        assert_eq!(distances.formula(), Formula::Differences, "{sizes:?}");
        let mut out = poisoned(device, (sizes[0] * sizes[1]) as usize);
        distances.roots(&left, &right, &mut out).unwrap();
        assert!(device.download(&out).unwrap().iter().all(|x| x.to_bits() == 0), "{sizes:?}");
    }
    // Buffers that are too short.
    let mut short = Distances::new(device, [8, 9, 40], Formula::Products).unwrap();
    let text = short.roots(&left, &right, &mut poisoned(device, 72)).unwrap_err().to_string();
    assert!(text.contains("len() >= "), "{text}");
    let mut short = Distances::new(device, sizes, Formula::Products).unwrap();
    let text = short.roots(&left, &right, &mut poisoned(device, 62)).unwrap_err().to_string();
    assert!(text.contains("out.len() >= m * n"), "{text}");
}
