//! The order in which neighbours are together, and the boxes of points in it.

use gpu::near::{BOX, WIDE};
use modeseek::Device;
use modeseek::mean_shift::near::{Wanted, arrange, order, sort_by_key};

use crate::check::{is_interpreted, random};
use crate::labels::Set as Points;

pub fn sorted_keys(device: &Device) {
    let sizes: &[usize] = if is_interpreted(device) { &[0, 1, 65, 700] } else { &[0, 1, 2, 63, 64, 65, 1000, 70_001] };
    for &n in sizes {
        for (bits, spread) in [(0, 1), (3, 8), (16, 1 << 16), (64, u64::MAX)] {
            let keys: Vec<u64> = (0..n as u64).map(|i| (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) % spread).collect();
            let mut expected: Vec<u32> = (0..n as u32).collect();
            expected.sort_by_key(|&i| keys[i as usize]);
            let found = sort_by_key(device, device.upload(&keys).unwrap(), bits).unwrap();
            assert_eq!(device.download(&found).unwrap(), expected, "{n} keys of {bits} bits");
        }
    }
}

/// An order of neighbours, so that equal points are together if they are to be.
fn ordered(device: &Device, set: &Points, (side, others, equal): (f64, usize, bool)) -> Vec<u32> {
    let found = order(device, set.columns(), Wanted { side, others, equal }).unwrap();
    device.download(&found).unwrap()
}

/// On the line the curve goes through one cell after the other, and cells are larger where 64 bits are not enough.
pub fn points_along_a_line(device: &Device) {
    let n = if is_interpreted(device) { 200 } else { 3000 };
    let set = Points::new(device, random(n, 71).iter().map(|x| x * 3.9).collect(), 1);
    let low = set.rows.iter().copied().fold(f32::INFINITY, f32::min);
    for side in [0.5, 1e-3, 100.0] {
        let cell = |i: u32| ((set.row(i as usize)[0] - low) * (1.0 / side) as f32) as u32;
        let mut expected: Vec<u32> = (0..n as u32).collect();
        expected.sort_by_key(|&i| cell(i));
        assert_eq!(ordered(device, &set, (side, n, false)), expected, "{side}");
    }
}

/// In more than four dimensions: some of the points, evenly spread, each followed by the nearest of those that are left; and with each
/// of them the points that it is nearest to, in their order.
pub fn points_along_a_tour(device: &Device) {
    let sizes: &[_] = match is_interpreted(device) {
        true => &[(1, 1), (700, 700)],
        false => &[(1, 1), (700, 63), (700, 128), (3000, 3000), (70_000, 70_000)],
    };
    for &(n, others) in sizes {
        for d in [5, 8, 33] {
            // Whole numbers, so that distances are exact.
            let set = Points::new(device, random(n * d, 75).iter().map(|x| (x * 30.0).round()).collect(), d);
            let pivots = (n.min(others) / 64).clamp(1, 1024);
            let square =
                |i: usize, j: usize| -> f32 { set.row(i).iter().zip(set.row(j)).map(|(a, b)| (a - b) * (a - b)).sum() };
            let nearest = |i: usize, among: &[usize]| {
                let first = |best: usize, k: usize| if square(i, among[k]) < square(i, among[best]) { k } else { best };
                (0..among.len()).reduce(first).unwrap()
            };
            let mut left: Vec<usize> = (0..pivots).map(|k| k * n / pivots).collect();
            let mut tour = vec![left.remove(0)];
            while !left.is_empty() {
                let next = nearest(tour[tour.len() - 1], &left);
                tour.push(left.remove(next));
            }
            let looked_at = (0..n).step_by(if n > 10_000 { 97 } else { 1 });
            let places: Vec<(u32, usize)> = looked_at.map(|i| (i as u32, nearest(i, &tour))).collect();
            let found = ordered(device, &set, (1.0, others, false));
            let mut once = found.clone();
            once.sort_unstable();
            assert_eq!(once, (0..n as u32).collect::<Vec<_>>(), "n = {n} d = {d}");
            let mut expected = places.clone();
            expected.sort_by_key(|(_, place)| *place);
            let of_those = |i: &&u32| places.binary_search_by_key(*i, |(i, _)| *i).is_ok();
            let found: Vec<u32> = found.iter().filter(of_those).copied().collect();
            assert_eq!(found, expected.iter().map(|(i, _)| *i).collect::<Vec<_>>(), "n = {n} of {others}, d = {d}");
        }
    }
    // Points that f32 tells no distance of are last, and in no panic.
    let set = Points::new(device, (0..200 * 5).map(|k| if k / 5 == 70 { 3e38 } else { (k % 7) as f32 }).collect(), 5);
    assert_eq!(ordered(device, &set, (1.0, 200, true)).last(), Some(&70));
}

/// What makes a curve Hilbert's: cells that follow one another are neighbours, and in each coarser grid, too, the
/// cells are gone through one after another.
pub fn points_along_hilberts_curve(device: &Device) {
    for (d, bits) in [(2, if is_interpreted(device) { 4 } else { 6 }), (3, 3), (4, 2)] {
        let across = 1_usize << bits;
        let all = across.pow(d as u32);
        // A point in each cell, in no order.
        let place = |i: usize, c: usize| ((i * 5 + 3) % all / across.pow(c as u32) % across) as f32 + 0.5;
        let set = Points::new(device, (0..all).flat_map(|i| (0..d).map(move |c| place(i, c))).collect(), d);
        let order = ordered(device, &set, (0.999, all, false));
        let mut once = order.clone();
        once.sort_unstable();
        assert_eq!(once, (0..all as u32).collect::<Vec<_>>());
        for pair in order.windows(2) {
            let [a, b] = [pair[0], pair[1]].map(|i| set.row(i as usize));
            assert_eq!(a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f32>(), 1.0, "d = {d}: {a:?} {b:?}");
        }
        for block in order.chunks(1 << d) {
            let coarse = |i: u32| set.row(i as usize).iter().map(|x| (x / 2.0).floor()).collect::<Vec<f32>>();
            assert!(block.iter().all(|&i| coarse(i) == coarse(block[0])), "d = {d}");
        }
    }
}

pub fn boxes_of_points(device: &Device) {
    let sizes: &[usize] = if is_interpreted(device) { &[1, 65, 300] } else { &[1, 63, 64, 65, 1023, 1025, 3000] };
    for &n in sizes {
        for d in [1, 2, 3, 8] {
            let set = Points::new(device, random(n * d, 81), d);
            let (narrow, wide) = (n.div_ceil(BOX), WIDE / BOX);
            let mut boxes = device.zeros::<f32>(gpu::near::len(n, d)).unwrap();
            let (stride, n32, d32) = (set.columns().stride as u32, n as u32, d as u32);
            let values = set.columns().values;
            let launch = gpu::boxes::boxes_of_points::launch(values, &mut boxes, n32, d32, stride, BOX as u32);
            device.launch(launch).unwrap();
            let launch = gpu::boxes::boxes_of_boxes::launch(&mut boxes, narrow as u32, d32, wide as u32);
            device.launch(launch).unwrap();
            let mut expected = Vec::new();
            for size in [BOX, WIDE] {
                for first in (0..n).step_by(size) {
                    for c in 0..d {
                        let inside = (first..n.min(first + size)).map(|i| set.row(i)[c]);
                        expected.push(inside.clone().fold(f32::INFINITY, f32::min));
                        expected.push(inside.fold(f32::NEG_INFINITY, f32::max));
                    }
                }
            }
            assert_eq!(device.download(&boxes).unwrap(), expected, "n = {n} d = {d}");
        }
    }
    // Their moments, of which each power has those of the lower ones.
    for (n, d, marked) in [(1, 1, false), (65, 2, true), (300, 3, false), (200, 4, true)] {
        let set = Points::new(device, random(n * d, 83), d);
        let (values, stride) = (set.columns().values, set.columns().stride);
        let factors: Vec<f32> = (0..2 * stride).map(|j| if j % 3 == 0 { 0.5 } else { 2.0 }).collect();
        let marks = device.upload(if marked { &factors } else { &[] }).unwrap();
        let begin = if marked { gpu::near::len_marked(n, d) } else { gpu::near::len(n, d) };
        let factor = |i: usize| if marked { f64::from(factors[i]) } else { 1.0 };
        for power in 0..=2 {
            let mut boxes = device.zeros::<f32>(begin + gpu::whole::len(n, d, power)).unwrap();
            let (n32, d32, stride) = (n as u32, d as u32, stride as u32);
            let launch = gpu::boxes::boxes_of_points::launch(values, &mut boxes, n32, d32, stride, BOX as u32);
            device.launch(launch).unwrap();
            let launch = gpu::boxes::moments_of_boxes::launch(values, &marks, &mut boxes, n32, d32, stride, power);
            device.launch(launch).unwrap();
            let found = device.download(&boxes).unwrap();
            let refused = gpu::boxes::moments_of_boxes::launch(values, &marks, &mut boxes, n32, d32, stride, 3);
            let text = device.launch(refused).unwrap_err().to_string();
            assert!(text.contains("power <= 2"), "{text}");
            let count = gpu::polynomial::moments(d, power);
            for (b, found_here) in found[begin..].chunks(count).enumerate() {
                let mut expected = vec![0.0; count];
                for i in b * BOX..n.min((b + 1) * BOX) {
                    let side = |c: usize, k: usize| f64::from(found[(b * d + c) * 2 + k]);
                    let x = (0..d).map(|c| f64::from(set.row(i)[c]) - 0.5 * (side(c, 0) + side(c, 1))).collect();
                    expected.iter_mut().zip(terms(x, power)).for_each(|(sum, term)| *sum += factor(i) * term);
                }
                for (k, (sum, expected)) in found_here.iter().zip(expected).enumerate() {
                    let apart = (f64::from(*sum) - expected).abs();
                    assert!(apart <= 2e-4, "n = {n} d = {d} power {power} box {b}: {k}: {sum}, not {expected}");
                }
            }
        }
    }
    // What is no number makes a box of none.
    let mut rows = random(200, 82);
    rows[70] = f32::NAN;
    let set = Points::new(device, rows, 1);
    let mut boxes = device.zeros::<f32>(8).unwrap();
    let launch = gpu::boxes::boxes_of_points::launch(set.columns().values, &mut boxes, 200, 1, 224, BOX as u32);
    device.launch(launch).unwrap();
    let found: Vec<bool> = device.download(&boxes).unwrap().iter().map(|x| x.is_nan()).collect();
    assert_eq!(found, [false, false, true, true, false, false, false, false]);
}

/// Points that are equal become one, of the sum of their factors; the others change their order alone.
pub fn arranged_points(device: &Device) {
    let sizes: &[usize] = if is_interpreted(device) { &[1, 70, 300] } else { &[1, 2, 70, 3000] };
    for &n in sizes {
        for (d, different) in [(1, n), (2, n.div_ceil(3)), (3, 5.min(n)), (6, 1)] {
            let spots: Vec<f32> = (0..different * d).map(|k| k as f32 * 0.37 - 70.0).collect();
            let spot = |i: usize| i * 11 % n % different;
            let rows = (0..n).flat_map(|i| spots[spot(i) * d..][..d].to_vec()).collect();
            let set = Points::new(device, rows, d);
            let factors: Vec<f32> = (0..n).map(|i| [1.0, 0.25, 2.5][i % 3]).collect();
            let stride = set.columns().stride;
            let column = |values: &[f32]| [values, &vec![f32::NAN; stride - n]].concat();
            // Those on a spot have a scale in common, or else are two.
            let of_spots: Vec<f32> = (0..n).map(|i| if spot(i) % 2 == 0 { 4.0 } else { 0.25 }).collect();
            for scales in [None, Some(vec![1.0; n]), Some(of_spots)] {
                let marked = scales.is_some();
                let marks = scales.as_ref().map_or(Vec::new(), |scales| [column(&factors), column(scales)].concat());
                let what = format!("n = {n} d = {d}, {different} spots, marked: {marked}");
                let found = arrange(device, set.columns(), &device.upload(&marks).unwrap(), 0.01, n).unwrap();
                let columns = device.download(&found.columns).unwrap();
                let number_of = device.download(&found.number_of).unwrap();
                let mut totals = vec![0.0; found.n];
                for (i, &number) in number_of.iter().enumerate() {
                    for (c, x) in set.row(i).iter().enumerate() {
                        assert_eq!(columns[c * found.stride + number as usize], *x, "{what}: {i}");
                    }
                    totals[number as usize] += if marked { factors[i] } else { 1.0 };
                }
                // Two that have one hash may be between two that are equal; in sets this small, none are.
                assert_eq!(found.n, different, "{what}");
                let marks = device.download(&found.marks).unwrap();
                assert_eq!(marks.is_empty(), !marked && different == n, "{what}");
                if !marks.is_empty() {
                    assert_eq!(marks[..found.n], totals, "{what}");
                    for (i, &number) in number_of.iter().enumerate() {
                        let scale = scales.as_ref().map_or(1.0, |scales| scales[i]);
                        assert_eq!(marks[found.stride + number as usize], scale, "{what}: {i}");
                    }
                }
            }
        }
    }
}

/// What a point at x from the middle of its box adds to the moments, in their order.
fn terms(x: Vec<f64>, power: u32) -> Vec<f64> {
    let (d, squared) = (x.len(), x.iter().map(|x| x * x).sum::<f64>());
    let pairs = || (0..d).flat_map(move |a| (a..d).map(move |b| (a, b)));
    let mut terms = x.clone();
    terms.push(1.0);
    if power > 0 {
        terms.extend(pairs().map(|(a, b)| x[a] * x[b]));
        terms.extend(x.iter().map(|x| squared * x));
    }
    if power > 1 {
        terms.extend(pairs().flat_map(|(a, b)| (b..d).map(move |c| (a, b, c))).map(|(a, b, c)| x[a] * x[b] * x[c]));
        terms.extend(pairs().map(|(a, b)| squared * x[a] * x[b]));
        terms.extend(x.iter().map(|x| squared * squared * x));
    }
    terms
}
