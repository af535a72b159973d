//! Every kernel against its oracle, at sizes that are multiples of no tile.
//!
//! Tolerances follow from the arithmetic: a sum of n products in f32 is off by at most n roundings of
//! the sum of their magnitudes, whatever the order.

use cuda_std::machine::MachineKind;
use gpu::layout::{STRIDE, gather_columns, to_columns, to_rows};
use gpu::matmul::{self, matmul_naive, matmul_tiled};
use gpu::matmul_blocked::{matmul_blocked_64, matmul_blocked_128};
use gpu::matmul_skinny::matmul_skinny;
use gpu::pairwise::{pairwise_l1, pairwise_l2, pairwise_lp, pairwise_squared_l2};
use gpu::progress::{ACTIVE, HISTORY, ITERATION};
use gpu::reduce::{
    reduce_weighted_1, reduce_weighted_2, reduce_weighted_3, reduce_weighted_4, reduce_weighted_many, slices,
};
use gpu::sphere::to_sphere;
use gpu::weight::{weight_biweight, weight_epanechnikov, weight_flat, weight_gaussian, weight_triangular};
use modeseek::reduction::Reduction;
use modeseek::reference::{self, Metric};
use modeseek::{Buffer, Device, Error, WeightFunction};

use crate::check::{ROUNDING, assert_close, is_interpreted, random, wide};

/// What an output holds before a kernel writes it: a cell that it misses fails every comparison.
const POISON: f32 = f32::NAN;

pub fn poisoned(device: &Device, len: usize) -> Buffer<f32> {
    device.upload(&vec![POISON; len]).unwrap()
}

pub fn axpy(device: &Device) {
    for n in [1, 31, 32, 33, 1000, 4097] {
        let (x, y) = (random(n, 1), random(n, 2));
        let expected: Vec<f64> = x.iter().zip(&y).map(|(x, y)| 2.5 * f64::from(*x) + f64::from(*y)).collect();
        let (x, mut y) = (device.upload(&x).unwrap(), device.upload(&y).unwrap());
        device.launch(gpu::vector::axpy::launch(2.5, &x, &mut y)).unwrap();
        assert_close(&device.download(&y).unwrap(), &expected, |_| 8.0 * ROUNDING, "axpy");
    }
}

pub fn layout(device: &Device) {
    for (n, d) in [(1, 1), (1, 5), (31, 2), (33, 3), (1000, 7)] {
        let rows = random(n * d, 3);
        let stride = n.next_multiple_of(STRIDE);
        // Powers of two, so that what is scaled comes back to the bit.
        let factors: Vec<f32> = (0..d).map(|c| 2.0_f32.powi(c as i32 - 1)).collect();
        let back: Vec<f32> = factors.iter().map(|factor| 1.0 / factor).collect();
        let (input, scales) = (device.upload(&rows).unwrap(), device.upload(&factors).unwrap());
        let mut columns = poisoned(device, stride * d);
        let sizes = (n as u32, d as u32, stride as u32);
        device.launch(to_columns::launch(&input, &scales, &mut columns, sizes.0, sizes.1, sizes.2)).unwrap();
        let found = device.download(&columns).unwrap();
        for c in 0..d {
            for i in 0..stride {
                let expected = if i < n { factors[c] * rows[i * d + c] } else { 0.0 };
                assert_eq!(found[c * stride + i], expected, "column {c}, point {i} of {n}");
            }
        }
        let (back, mut again) = (device.upload(&back).unwrap(), poisoned(device, n * d));
        device.launch(to_rows::launch(&columns, &back, &mut again, sizes.0, sizes.1, sizes.2)).unwrap();
        assert_eq!(device.download(&again).unwrap(), rows);

        // Every third point, backwards, and the last of them twice.
        let mut chosen: Vec<u32> = (0..n as u32).rev().step_by(3).collect();
        chosen.push(*chosen.last().unwrap());
        let to_stride = chosen.len().next_multiple_of(STRIDE);
        let (drawn, mut some) = (device.upload(&chosen).unwrap(), poisoned(device, to_stride * d));
        let (m, to) = (chosen.len() as u32, to_stride as u32);
        device.launch(gather_columns::launch(&columns, &drawn, &mut some, m, sizes.1, sizes.2, to)).unwrap();
        let some = device.download(&some).unwrap();
        for (i, &point) in chosen.iter().enumerate() {
            for c in 0..d {
                assert_eq!(some[c * to_stride + i], found[c * stride + point as usize], "point {point}, column {c}");
            }
        }
    }
}

/// Directions, from points that are held about a centre far away.
pub fn sphere(device: &Device) {
    for (n, d, radius) in [(1, 1, 1.0), (33, 2, 1.0), (1000, 3, 0.7), (31, 70, 2.5)] {
        let rows = random(n * d, 14);
        let centre: Vec<f64> = (0..d).map(|c| 3.0 - c as f64 / 4.0).collect();
        let stride = n.next_multiple_of(STRIDE);
        let (input, middle) = (device.upload(&rows).unwrap(), device.upload(&centre).unwrap());
        let (mut columns, mut zero) = (poisoned(device, stride * d), device.upload(&[u32::MAX]).unwrap());
        let sizes = (n as u32, d as u32, stride as u32);
        let launch =
            |columns, zero| to_sphere::launch(&input, &middle, columns, zero, sizes.0, sizes.1, sizes.2, radius);
        device.launch(launch(&mut columns, &mut zero)).unwrap();
        assert_eq!(device.download(&zero).unwrap(), [u32::MAX]);
        let found = device.download(&columns).unwrap();
        for i in 0..stride {
            let at = |c: usize| if i < n { f64::from(rows[i * d + c]) + centre[c] } else { 0.0 };
            let length = (0..d).map(|c| at(c).powi(2)).sum::<f64>().sqrt();
            for c in 0..d {
                let expected = if i < n { radius * at(c) / length } else { 0.0 };
                // Computed in f64, and rounded once.
                let error = (f64::from(found[c * stride + i]) - expected).abs();
                assert!(error <= 2.0 * ROUNDING * expected.abs(), "point {i} of {n}, column {c}: off by {error:e}");
            }
        }
    }
    // The first of the points that have no direction, wherever their threads are.
    let mut rows = vec![1.0_f32; 2 * 3000];
    for i in [2999, 1700, 900] {
        rows[2 * i..][..2].fill(-0.5);
    }
    let (input, centre) = (device.upload(&rows).unwrap(), device.upload(&[0.5, 0.5]).unwrap());
    let (mut columns, mut zero) = (poisoned(device, 2 * 3008), device.upload(&[u32::MAX]).unwrap());
    device.launch(to_sphere::launch(&input, &centre, &mut columns, &mut zero, 3000, 2, 3008, 1.0)).unwrap();
    assert_eq!(device.download(&zero).unwrap(), [900]);
    assert_eq!(device.download(&columns).unwrap()[900], 0.0);
    // The origin but for the rounding of a row, and what is just far enough from it to have a direction.
    for (centre, least) in [(0.1, 1.5e-7), (0.3, 5e-7), (0.7, 1e-6), (1e6, 1.5)] {
        for (x, directed) in [(0.0, false), (least, false), (4.0 * least, true), (-4.0 * least, true)] {
            let (row, middle) = (device.upload(&[(x - centre) as f32]).unwrap(), device.upload(&[centre]).unwrap());
            let (mut column, mut zero) = (poisoned(device, 32), device.upload(&[u32::MAX]).unwrap());
            device.launch(to_sphere::launch(&row, &middle, &mut column, &mut zero, 1, 1, 32, 1.0)).unwrap();
            assert_eq!(device.download(&zero).unwrap() == [u32::MAX], directed, "{x} about {centre}");
        }
    }
}

pub fn matmul(device: &Device) {
    // The lecture's shape for checking, single cells, and sizes around every tile.
    for (m, n, k) in [(5, 10, 784), (1, 1, 1), (1, 7, 3), (17, 1, 5), (64, 64, 64), (65, 130, 67), (33, 257, 1)] {
        let (a, b) = (random(m * k, 4), random(k * n, 5));
        let expected = reference::matmul(&wide(&a), &wide(&b), m, n, k);
        let (a, b) = (device.upload(&a).unwrap(), device.upload(&b).unwrap());
        let tolerance = |_| (k as f64 + 1.0) * ROUNDING * k as f64;
        let mut c = poisoned(device, m * n);
        device.launch(matmul_naive::launch(&a, &b, &mut c, m as u32, n as u32, k as u32)).unwrap();
        assert_close(&device.download(&c).unwrap(), &expected, tolerance, "matmul_naive");
        let mut c = poisoned(device, m * n);
        device.launch(matmul_tiled::launch(&a, &b, &mut c, m as u32, n as u32, k as u32)).unwrap();
        assert_close(&device.download(&c).unwrap(), &expected, tolerance, "matmul_tiled");
    }
}

/// The fast products, around the edges of their blocks, slices and vectors. In blocks sums are those of `matmul_naive`, to the bit.
pub fn matmul_fast(device: &Device) {
    let mut sizes = vec![(1, 1, 1), (1, 40, 3), (3, 33, 1), (5, 70, 16), (66, 131, 20), (130, 36, 33), (4, 260, 52)];
    if !is_interpreted(device) {
        sizes.extend([
            (129, 132, 260),
            (200, 520, 300),
            (1, 1000, 129),
            (333, 64, 128),
            (128, 256, 512),
            (270, 290, 600),
        ]);
    }
    for (m, n, k) in sizes {
        let (a, b) = (random(m * k, 4), random(k * n, 5));
        let expected = reference::matmul(&wide(&a), &wide(&b), m, n, k);
        let (a, b) = (device.upload(&a).unwrap(), device.upload(&b).unwrap());
        let (m32, n32, k32) = (m as u32, n as u32, k as u32);
        let mut naive = poisoned(device, m * n);
        device.launch(matmul_naive::launch(&a, &b, &mut naive, m32, n32, k32)).unwrap();
        let naive = device.download(&naive).unwrap();
        for blocked in [64, 128] {
            let mut c = poisoned(device, m * n);
            let launch = match blocked {
                64 => matmul_blocked_64::launch(&a, &b, &mut c, m32, n32, k32),
                _ => matmul_blocked_128::launch(&a, &b, &mut c, m32, n32, k32),
            };
            device.launch(launch).unwrap();
            let found = device.download(&c).unwrap();
            let tolerance = |_| (k as f64 + 1.0) * ROUNDING * k as f64;
            assert_close(&found, &expected, tolerance, &format!("{m} x {k} x {n} in blocks of {blocked}"));
            assert_eq!(found, naive, "{m} x {k} x {n} in blocks of {blocked}");
        }
    }
}

/// The product for few columns: all their numbers, slices of k, rows that are no whole quads; and NaN is not spread.
pub fn matmul_few_columns(device: &Device) {
    let mut sizes =
        vec![(5, 10, 784), (1, 1, 1), (17, 1, 5), (9, 2, 130), (4, 15, 128), (67, 16, 129), (3, 17, 260), (2, 32, 600)];
    if !is_interpreted(device) {
        sizes.extend([(1000, 10, 784), (300, 31, 1001), (513, 4, 33), (1, 10, 5000)]);
    }
    for (m, n, k) in sizes {
        let (mut a, b) = (random(m * k, 4), random(k * n, 5));
        let expected = reference::matmul(&wide(&a), &wide(&b), m, n, k);
        let tolerance = |_| (k as f64 + 1.0) * ROUNDING * k as f64;
        let there = device.upload(&b).unwrap();
        let product = |a: &[f32]| {
            let (a, mut c) = (device.upload(a).unwrap(), poisoned(device, m * n));
            device.launch(matmul_skinny::launch(&a, &there, &mut c, m as u32, n as u32, k as u32)).unwrap();
            device.download(&c).unwrap()
        };
        let found = product(&a);
        assert_close(&found, &expected, tolerance, &format!("{m} x {k} x {n}"));
        // The last row's number is all of a row that becomes NaN; the others keep their bits.
        a[m * k - 1] = f32::NAN;
        let spoilt = product(&a);
        assert_eq!(spoilt[..(m - 1) * n], found[..(m - 1) * n], "{m} x {k} x {n}");
        assert!(spoilt[(m - 1) * n..].iter().all(|cell| cell.is_nan()), "{m} x {k} x {n}");
    }
}

/// The kernel that is chosen, and what is beyond it: refused by name, without any memory of that size.
pub fn matmul_is_chosen(device: &Device) {
    let (a, b) = (device.zeros::<f32>(64 * 64).unwrap(), device.zeros::<f32>(64 * 64).unwrap());
    let mut c = device.zeros::<f32>(64 * 64).unwrap();
    let mut name = |m, n, k| matmul::product(device.machine(), &a, &b, &mut c, m, n, k).kernel().name;
    assert_eq!(name(50_000, 10, 784), "matmul_skinny");
    assert_eq!(name(64, 4, 64), "matmul_skinny");
    // A processor has panels as wide as its vectors.
    let of_32 = if device.machine() == MachineKind::Gpu { "matmul_skinny" } else { "matmul_blocked_64" };
    assert_eq!(name(64, 32, 64), of_32);
    assert_eq!(name(64, 33, 64), "matmul_blocked_64");
    assert_eq!(name(1024, 1024, 1024), "matmul_blocked_64");
    assert_eq!(name(2048, 2048, 2048), "matmul_blocked_128");
    for (m, n, k) in [(u32::MAX, u32::MAX, 1), (65_536, 65_536, 1), (u32::MAX, 32, 64), (65, 64, 64)] {
        let text = device.launch(matmul::product(device.machine(), &a, &b, &mut c, m, n, k)).unwrap_err().to_string();
        assert!(text.contains("a.len() >= m * k") || text.contains("c.len() >= m * n"), "{text}");
    }
    let text = device.launch(matmul_skinny::launch(&a, &b, &mut c, 64, 33, 64)).unwrap_err().to_string();
    assert!(text.contains("n <= MOST"), "{text}");
    // Nothing to compute; and sums of nothing, which are zeros.
    device.launch(matmul::product(device.machine(), &a, &b, &mut c, 0, 40, 64)).unwrap();
    device.launch(matmul::product(device.machine(), &a, &b, &mut c, 64, 0, 64)).unwrap();
    for n in [3, 40] {
        let mut c = poisoned(device, 5 * n);
        device.launch(matmul::product(device.machine(), &a, &b, &mut c, 5, n as u32, 0)).unwrap();
        assert_eq!(device.download(&c).unwrap(), vec![0.0; 5 * n]);
    }
}

pub fn pairwise(device: &Device) {
    // The last three have more rows, columns and coordinates than a block takes at a time, on processors too.
    for (m, n, d) in
        [(1, 1, 1), (3, 130, 2), (9, 33, 3), (8, 32, 5), (17, 1, 64), (67, 70, 3), (2, 4100, 1), (6, 130, 300)]
    {
        let (a, b) = (random(m * d, 6), random(n * d, 7));
        let (wide_a, wide_b) = (wide(&a), wide(&b));
        let (a, b) = (device.upload(&a).unwrap(), device.upload(&b).unwrap());
        let (m32, n32, d32) = (m as u32, n as u32, d as u32);
        for metric in [Metric::SquaredL2, Metric::L2, Metric::L1, Metric::Lp(3.0), Metric::Lp(0.5)] {
            let mut out = poisoned(device, m * n);
            let launch = match metric {
                Metric::SquaredL2 => pairwise_squared_l2::launch(&a, &b, &mut out, m32, n32, d32, 1.0),
                Metric::L2 => pairwise_l2::launch(&a, &b, &mut out, m32, n32, d32, 1.0),
                Metric::L1 => pairwise_l1::launch(&a, &b, &mut out, m32, n32, d32, 1.0),
                Metric::Lp(p) => pairwise_lp::launch(&a, &b, &mut out, m32, n32, d32, p as f32),
                Metric::Cosine => unreachable!("it has no kernel: points are put on a sphere"),
            };
            device.launch(launch).unwrap();
            let expected = reference::pairwise(&wide_a, &wide_b, d, metric);
            // The general norm is built on approximate powers: 2^-21 for each term, again for the root,
            // and what the root makes of it.
            let relative = match metric {
                Metric::Lp(p) => (d as f64 * ROUNDING + 64.0 * ROUNDING) * (1.0 + 4.0 / p),
                _ => (d as f64 + 3.0) * ROUNDING,
            };
            let tolerance = |i: usize| relative * expected[i] + 1e-30;
            assert_close(&device.download(&out).unwrap(), &expected, tolerance, &format!("{metric:?}"));
        }
    }
    // Roots of what an approximation might lose: nothing, too much, what is no number, and the largest and the smallest.
    let (a, b) = ([0.0, -1e-3, f32::INFINITY, f32::NAN, 1e19, 2e-18], [0.0]);
    let mut out = poisoned(device, a.len());
    let (a, b) = (device.upload(&a).unwrap(), device.upload(&b).unwrap());
    device.launch(pairwise_l2::launch(&a, &b, &mut out, 6, 1, 1, 1.0)).unwrap();
    let found = device.download(&out).unwrap();
    assert_eq!((found[0].to_bits(), found[2]), (0, f32::INFINITY));
    assert!(found[3].is_nan(), "{found:?}");
    for (found, expected) in [(found[1], 1e-3), (found[4], 1e19), (found[5], 2e-18)] {
        let error = (f64::from(found) / expected - 1.0).abs();
        assert!(error <= 4.0 * ROUNDING, "{found} is not {expected}");
    }
}

pub fn weights(device: &Device) {
    for n in [1, 31, 130, 1000] {
        let distances: Vec<f32> = (0..n).map(|i| i as f32 * 12.0 / n as f32).collect();
        let (h, factor) = (2.5, 0.75);
        for function in WeightFunction::ALL {
            let mut values = device.upload(&distances).unwrap();
            let (scale, factor32) = ((function.steps().scale / h) as f32, factor as f32);
            let launch = match function {
                WeightFunction::Gaussian => weight_gaussian::launch(&mut values, scale, factor32),
                WeightFunction::Triangular => weight_triangular::launch(&mut values, scale, factor32),
                WeightFunction::Flat => weight_flat::launch(&mut values, scale, factor32),
                WeightFunction::Epanechnikov => weight_epanechnikov::launch(&mut values, scale, factor32),
                WeightFunction::Biweight => weight_biweight::launch(&mut values, scale, factor32),
                _ => unreachable!("it has no name"),
            };
            device.launch(launch).unwrap();
            let expected: Vec<f64> =
                distances.iter().map(|&x| factor * reference::weight(function, f64::from(x), h)).collect();
            // The exponent, at most 17 here, is off by three roundings; then the exponential's own 2^-22.
            assert_close(&device.download(&values).unwrap(), &expected, |_| 64.0 * ROUNDING, &format!("{function:?}"));
        }
    }
}

/// By the kernel for so many columns at a time, in slices of so many points.
fn reduced(
    device: &Device,
    (weights, points): (&Buffer<f32>, &Buffer<f32>),
    [m, n, d]: [usize; 3],
    (columns, slice, threads): (usize, usize, u32),
) -> Vec<f32> {
    let mut out = poisoned(device, m * d);
    // As much as any machine needs, which may take fewer columns and rows at a time.
    let cells = n.div_ceil(slice) * m * d.div_ceil(columns.min(4)) * (columns + 1);
    let mut partial = poisoned(device, cells);
    let mut arrived = device.zeros(m * d).unwrap();
    let [m, n, d, slice] = [m, n, d, slice].map(|size| size as u32);
    macro_rules! launch {
        ($kernel:ident) => {
            $kernel::launch(weights, points, &mut out, &mut partial, &mut arrived, m, n, d, slice)
        };
    }
    let launch = match columns {
        1 => launch!(reduce_weighted_1),
        2 => launch!(reduce_weighted_2),
        3 => launch!(reduce_weighted_3),
        4 => launch!(reduce_weighted_4),
        _ => launch!(reduce_weighted_many),
    };
    device.launch(launch.threads_per_block(threads)).unwrap();
    assert!(device.download(&arrived).unwrap().iter().all(|count| *count == 0), "the next launch finds zeros");
    device.download(&out).unwrap()
}

pub fn reduce_weighted(device: &Device) {
    // Rows in quads and not, whole turns and rests of them, more rows than a warp or a block takes.
    let sizes = [(1, 1, 1), (3, 5, 2), (2, 1000, 3), (5, 333, 4), (2, 1203, 6), (3, 129, 9), (1, 64, 8), (70, 36, 12)];
    // From 256 rows on a processor's blocks take a few of them, where columns are.
    let many = [(256, 1, 1), (259, 70, 2), (257, 33, 3), (258, 21, 4), (261, 37, 5)];
    for (m, n, d) in sizes
        .into_iter()
        .chain([(9, 260, 1), (33, 132, 2), (8, 516, 3), (17, 128, 4), (2, 200, 16), (5, 150, 35)])
        .chain(many.into_iter().filter(|_| device.machine() != MachineKind::Gpu))
    {
        let weights: Vec<f32> = random(m * n, 8).iter().map(|w| w.abs() + 0.01).collect();
        let points = random(n * d, 9);
        let expected = reference::reduce_weighted(&wide(&weights), &wide(&points), n, d);
        let (weights, points) = (device.upload(&weights).unwrap(), device.upload(&points).unwrap());
        for columns in [1, 2, 3, 4, 32] {
            // Of many columns a GPU takes half as large blocks.
            let largest = if columns > 4 && device.machine() == MachineKind::Gpu { 128 } else { 256 };
            for (slice, threads) in [(n, 128), ((n / 3).next_multiple_of(4), 64), (4, largest)] {
                // Many columns by the kernels for few, and many slices, are much work and nothing new.
                if slice == 0 || is_interpreted(device) && (columns < d.min(4) || slice == 4 && m * n > 1000) {
                    continue;
                }
                let found = reduced(device, (&weights, &points), [m, n, d], (columns, slice, threads));
                // Weighted means of numbers below 1; sums of n in f32, in pieces.
                let tolerance = |_| 2.0 * (n as f64).min(300.0) * ROUNDING;
                let case = format!("{m}x{n}x{d} by {columns}, slices of {slice}, {threads} threads");
                assert_close(&found, &expected, tolerance, &case);
            }
        }
    }
}

/// Rows without weight have no mean, others are what they are; and a GPU's bits are those of any block.
pub fn reduce_rows_without_weight(device: &Device) {
    let (m, n, d) = (11, 300, 2);
    let points = device.upload(&random(n * d, 12)).unwrap();
    let mut weights: Vec<f32> = random(m * n, 13).iter().map(|w| w.abs() + 0.01).collect();
    weights[4 * n..5 * n].fill(0.0);
    let weights = device.upload(&weights).unwrap();
    for slice in [n, 100] {
        let found = [32, 64, 256].map(|threads| reduced(device, (&weights, &points), [m, n, d], (2, slice, threads)));
        for found in &found {
            for (i, mean) in found.chunks(d).enumerate() {
                assert!(mean.iter().all(|x| if i == 4 { x.is_nan() } else { x.is_finite() }), "row {i}: {mean:?}");
            }
        }
        if device.machine() == MachineKind::Gpu {
            let bits = found.map(|found| found.iter().map(|x| x.to_bits()).collect::<Vec<_>>());
            assert_eq!(bits[0], bits[1]);
            assert_eq!(bits[0], bits[2]);
        }
    }
}

/// What the host shares out and makes room for is what launches ask for.
pub fn reduce_in_slices_of_the_host(device: &Device) {
    // On a GPU in slices.
    for [m, n, d] in [[3, 700, 2], [2, 1100, 5]] {
        let weights: Vec<f32> = random(m * n, 14).iter().map(|w| w.abs() + 0.01).collect();
        let points = random(n * d, 15);
        let expected = reference::reduce_weighted(&wide(&weights), &wide(&points), n, d);
        let (weights, points) = (device.upload(&weights).unwrap(), device.upload(&points).unwrap());
        let mut reduction = Reduction::new(device, [m, n, d]).unwrap();
        let several = slices(device.machine(), [m, n, d]).0 < n;
        assert_eq!(several, device.machine() == MachineKind::Gpu, "{m}x{n}x{d}");
        // Twice: the first launch leaves everything as it was.
        for threads in [32, 128] {
            let mut out = poisoned(device, m * d);
            let any_block = !reduction.is_on_tensor_cores();
            let launch = reduction.launch(&weights, &points, &mut out, m as u32);
            device.launch(if any_block { launch.threads_per_block(threads) } else { launch }).unwrap();
            assert_close(&device.download(&out).unwrap(), &expected, |_| 600.0 * ROUNDING, &format!("{m}x{n}x{d}"));
        }
    }
}

/// What an iteration of the composed method ends with; see progress.rs for the cells.
pub fn step_largest(device: &Device) {
    for (n, d) in [(1, 1), (33, 3), (1000, 2)] {
        let (before, after) = (random(n * d, 10), random(n * d, 11));
        let (wide_before, wide_after) = (wide(&before), wide(&after));
        let rows = wide_before.chunks(d).zip(wide_after.chunks(d));
        let expected = rows.map(|(a, b)| Metric::SquaredL2.distance(a, b)).fold(0.0, f64::max);
        let (before, after) = (device.upload(&before).unwrap(), device.upload(&after).unwrap());
        // The second of three iterations; the points rest where the tolerance is what they moved.
        for (tolerance, active) in [(0.0, n as u32), (expected as f32 * 1.001, 0)] {
            let mut state = device.upload(&progress(n, 1, 3)).unwrap();
            let (n32, d32) = (n as u32, d as u32);
            device
                .launch(gpu::step::step_largest::launch(&before, &after, &mut state, n32, d32, 3, tolerance))
                .unwrap();
            let mut cells = device.download(&state).unwrap();
            let found = f32::from_bits(std::mem::take(&mut cells[HISTORY + 1]));
            assert_close(&[found], &[expected], |_| 4.0 * ROUNDING * (1.0 + expected), "step_largest");
            let mut left = progress(n, 2, 3);
            left[ACTIVE] = active;
            assert_eq!(cells, left);
        }
    }
}

/// The cells of progress.rs before an iteration: so many queries that move, iterations made, and the most of them.
pub fn progress(active: usize, iteration: usize, limit: usize) -> Vec<u32> {
    let mut cells = vec![0; HISTORY + limit];
    (cells[ACTIVE], cells[ITERATION]) = (active as u32, iteration as u32);
    cells
}

pub fn relations_are_checked(device: &Device) {
    let a = device.zeros::<f32>(6).unwrap();
    let mut c = device.zeros::<f32>(3).unwrap();
    let error = device.launch(matmul_naive::launch(&a, &a, &mut c, 2, 2, 3)).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::Launch(_)));
    assert!(
        text.contains("matmul_naive") && text.contains("c.len() >= m * n") && text.contains("c.len() = 3"),
        "{text}"
    );
}
