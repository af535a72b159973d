//! The binned field: its kernels against plain f64, and steps and whole fits against all pairs.

use gpu::binned::{blur_1, blur_2, blur_3, climb_1, climb_2, climb_3};
use gpu::binned_many::{blur_4, blur_5, climb_4, climb_5};
use gpu::layout::STRIDE;
use gpu::many::MANY_WORDS;
use gpu::progress::{ACTIVE, HISTORY, ITERATION};
use gpu::smooth::{smooth_1_x, smooth_2_x, smooth_2_y, smooth_3_x, smooth_3_y, smooth_3_z};
use gpu::smooth_many::{BEHIND, fill_many, settle_many, smooth_4, smooth_5};
use gpu::spread::{WORDS, settle, spread_1, spread_2, spread_3};
use gpu::spread_many::{spread_4, spread_5};
use modeseek::{Buffer, Device};

use crate::check::{assert_close, random, wide};
use crate::kernels::progress;

/// A small grid of d dimensions: nodes along each axis, the spacing, and the first node in spacings.
struct Grid {
    d: usize,
    nodes: [usize; 5],
    spacing: f64,
    low: [f64; 5],
}

impl Grid {
    fn new(d: usize) -> Self {
        let nodes = [[37, 1, 1, 1, 1], [37, 11, 1, 1, 1], [9, 8, 10, 1, 1], [9, 7, 8, 6, 1], [7, 6, 6, 6, 7]][d - 1];
        Self { d, nodes, spacing: 0.25, low: [-7.0, -2.0, 3.0, -1.0, 5.0] }
    }

    /// Words of a node.
    fn words(&self) -> usize {
        if self.d > 3 { MANY_WORDS } else { WORDS }
    }

    fn count(&self) -> usize {
        self.nodes.iter().product()
    }

    fn sizes(&self) -> [u32; 5] {
        self.nodes.map(|nodes| nodes as u32)
    }

    /// Columns of n places within the nodes, in f32 as kernels have them; some on borders of cells.
    fn places(&self, n: usize) -> Vec<f32> {
        let stride = n.next_multiple_of(STRIDE);
        let mut columns = vec![0.0; stride * self.d];
        for c in 0..self.d {
            for (i, x) in random(n, 70 + c as u64).into_iter().enumerate() {
                let most = (self.nodes[c] - 4) as f64;
                let t = 1.0 + most * (0.5 + 0.3 * f64::from(x));
                let t = if i % 7 == 3 { t.floor().max(2.0) } else { t };
                columns[c * stride + i] = ((t + self.low[c]) * self.spacing) as f32;
            }
        }
        columns
    }

    /// The nodes about a place, each with its spline weight and how far it is from the place.
    fn about(&self, columns: &[f32], i: usize) -> Vec<(usize, f64, [f64; 5])> {
        let stride = columns.len() / self.d;
        let mut all = vec![(0, 1.0, [0.0; 5])];
        let mut step = 1;
        for c in 0..self.d {
            let t = f64::from(columns[c * stride + i]) / self.spacing - self.low[c];
            all = all
                .into_iter()
                .flat_map(|(node, weight, from)| {
                    (0..self.nodes[c]).filter_map(move |g| {
                        let b = spline(t - g as f64);
                        let mut from = from;
                        from[c] = g as f64 - t;
                        (b > 0.0).then_some((node + g * step, weight * b, from))
                    })
                })
                .collect();
            step *= self.nodes[c];
        }
        all
    }
}

/// The cubic B-spline.
fn spline(x: f64) -> f64 {
    let x = x.abs();
    if x < 1.0 { (4.0 - 6.0 * x * x + 3.0 * x.powi(3)) / 6.0 } else { (2.0 - x).max(0.0).powi(3) / 6.0 }
}

/// What spreading gives, in units of 2^-30, summed over the copies.
fn spread(device: &Device, grid: &Grid, columns: &[f32], factors: &[f32], (n, copies): (usize, u32)) -> Vec<i64> {
    let (stride, [x, y, z, u, v]) = ((columns.len() / grid.d) as u32, grid.sizes());
    let columns = device.upload(columns).unwrap();
    let factors = device.upload(factors).unwrap();
    let mut sums = device.zeros::<u64>(copies as usize * grid.count() * grid.words()).unwrap();
    let mut state = device.zeros(HISTORY).unwrap();
    let (slots, keys) = (device.zeros(0).unwrap(), device.zeros(0).unwrap());
    let lows = device.upload(&grid.low).unwrap();
    let (inverse, low, scale) = (1.0 / grid.spacing, grid.low, 2_f32.powi(30));
    let (sums_of, state, n) = (&mut sums, &mut state, n as u32);
    macro_rules! spread {
        ($kernel:ident) => {
            $kernel::launch(
                &columns, &factors, &slots, &keys, sums_of, state, 0, n, stride, copies, x, y, z, inverse, low[0],
                low[1], low[2], scale,
            )
        };
    }
    macro_rules! spread_many {
        ($kernel:ident) => {
            $kernel::launch(
                &columns, &factors, &lows, sums_of, state, 0, n, stride, copies, x, y, z, u, v, inverse, scale,
            )
        };
    }
    let launch = match grid.d {
        1 => spread!(spread_1),
        2 => spread!(spread_2),
        3 => spread!(spread_3),
        4 => spread_many!(spread_4),
        _ => spread_many!(spread_5),
    };
    device.launch(launch).unwrap();
    let sums = device.download(&sums).unwrap();
    let words = grid.count() * grid.words();
    (0..words)
        .map(|at| sums.iter().skip(at).step_by(words).fold(0, |sum: u64, &x| sum.wrapping_add(x)) as i64)
        .collect()
}

pub fn spread_onto_nodes(device: &Device) {
    for d in 1..=5 {
        let grid = Grid::new(d);
        // Places of their own, and those of which most are on a few spots, as after some steps.
        for (n, spots) in [(1, 1), (100, 100), (131, 3)] {
            let columns = met(grid.places(n), n, spots);
            let factors: Vec<f32> = (0..n).map(|i| 0.25 + (i % 5) as f32).collect();
            for weights in [&[][..], &factors] {
                let sums = spread(device, &grid, &columns, weights, (n, 3));
                let words = grid.words();
                let mut expected = vec![0.0; grid.count() * words];
                for i in 0..n {
                    let factor = weights.get(i).copied().map_or(1.0, f64::from);
                    for (node, weight, from) in grid.about(&columns, i) {
                        expected[node * words] += factor * weight;
                        for c in 0..d {
                            expected[node * words + 1 + c] -= factor * weight * from[c];
                        }
                    }
                }
                let found: Vec<f32> = sums.iter().map(|&sum| sum as f32 * 2_f32.powi(-30)).collect();
                // A coordinate is off by 2^-24 of up to 40 spacings.
                assert_close(&found, &expected, |_| n as f64 * 2e-5, &format!("d = {d}, n = {n}"));
                // The order of points, and how they are divided, change no bit.
                let again = spread(device, &grid, &columns, weights, (n, 1));
                assert_eq!(sums, again, "d = {d}, n = {n}: copies");
                let reversed = reversed(&columns, n, d);
                let weights: Vec<f32> = weights.iter().rev().copied().collect();
                assert_eq!(sums, spread(device, &grid, &reversed, &weights, (n, 2)), "d = {d}, n = {n}: order");
            }
        }
    }
}

/// The places, of which those that are not on one of the first `spots` spots have come to one of them, but for a few.
fn met(mut columns: Vec<f32>, n: usize, spots: usize) -> Vec<f32> {
    let stride = n.next_multiple_of(STRIDE);
    for column in columns.chunks_mut(stride) {
        (spots..n).filter(|i| i % 29 != 5).for_each(|i| column[i] = column[i * 7 % spots]);
    }
    columns
}

fn reversed(columns: &[f32], n: usize, d: usize) -> Vec<f32> {
    let stride = columns.len() / d;
    let mut reversed = columns.to_vec();
    for c in 0..d {
        reversed[c * stride..][..n].reverse();
    }
    reversed
}

/// A pass for each axis, of taps that are not even, over sums that are not zero at the borders.
pub fn smoothed_nodes(device: &Device) {
    const REACH: usize = 4;
    for d in 1..=5 {
        let grid = Grid::new(d);
        let count = grid.count();
        let words: Vec<i64> = random(count * grid.words(), 75).iter().map(|x| (x * 1e6) as i64).collect();
        let sums: Vec<u64> = words.iter().map(|&word| word as u64).collect();
        let mut sums = device.upload(&sums).unwrap();
        let k: Vec<f32> = random(2 * (2 * REACH + 1), 76);
        let nodes = if d > 3 {
            smoothed_of_many(device, &grid, &mut sums, &k, REACH as u32)
        } else {
            smoothed_of_few(device, &grid, &mut sums, &k, REACH as u32)
        };
        let left = device.download(&sums).unwrap();
        assert!(left.chunks(grid.words()).all(|words| words[..=d].iter().all(|&sum| sum == 0)), "d = {d}");
        let mut field: Vec<f64> = words.iter().map(|&word| word as f64 * f64::from(UNIT)).collect();
        let k = wide(&k);
        for axis in 0..d {
            field = smoothed(&field, &grid, axis, &k, REACH);
        }
        let found = device.download(&nodes).unwrap();
        for (node, (found, expected)) in found.chunks(grid.words()).zip(field.chunks(grid.words())).enumerate() {
            // 9 terms of at most 1 in each pass.
            let tolerance = 9_f64.powi(d as i32) * 1e-5;
            assert_close(&found[..=d], &expected[..=d], |_| tolerance, &format!("d = {d}, node {node}"));
        }
    }
}

/// What a unit of the sums is.
const UNIT: f32 = 1.0 / 1_048_576.0;

/// The nodes of sums in up to three dimensions.
fn smoothed_of_few(device: &Device, grid: &Grid, sums: &mut Buffer<u64>, k: &[f32], reach: u32) -> Buffer<f32> {
    let (d, [x, y, z, ..]) = (grid.d as u32, grid.sizes());
    let (rows, row, lead) = (y * z, (x + reach).next_multiple_of(32), 64);
    let plane = 2 * lead + row * rows;
    let mut state = device.zeros(HISTORY).unwrap();
    let mut planes = [0; 2].map(|_| device.zeros::<f32>((grid.d + 1) * plane as usize).unwrap());
    let launch = settle::launch(sums, &mut planes[0], &mut state, 0, 1, 0, d, x, rows, row, lead, plane, UNIT);
    device.launch(launch).unwrap();
    let taps = device.upload(k).unwrap();
    let mut nodes = device.zeros::<f32>(grid.count() * WORDS).unwrap();
    let [even, odd] = &mut planes;
    macro_rules! smooth {
        ($kernel:ident, $from:expr, $to:expr) => {
            device
                .launch($kernel::launch(
                    &*$from, &taps, &mut *$to, &mut nodes, &mut state, 0, reach, x, y, z, row, lead, plane,
                ))
                .unwrap()
        };
    }
    match grid.d {
        1 => smooth!(smooth_1_x, even, odd),
        2 => {
            smooth!(smooth_2_x, even, odd);
            smooth!(smooth_2_y, odd, even);
        }
        _ => {
            smooth!(smooth_3_x, even, odd);
            smooth!(smooth_3_y, odd, even);
            smooth!(smooth_3_z, even, odd);
        }
    }
    nodes
}

/// The nodes of sums in more.
fn smoothed_of_many(device: &Device, grid: &Grid, sums: &mut Buffer<u64>, k: &[f32], reach: u32) -> Buffer<f32> {
    let (d, count, span) = (grid.d as u32, grid.count() as u32, 48);
    let plane = count + BEHIND as u32;
    let mut state = device.zeros(HISTORY).unwrap();
    let mut planes = [0; 2].map(|_| device.zeros::<f32>((grid.d + 1) * plane as usize).unwrap());
    device.launch(settle_many::launch(sums, &mut planes[0], &mut state, 0, 1, 0, d, count, plane, UNIT)).unwrap();
    // From the last tap to the first, with zeros about them.
    let mut taps = Vec::new();
    for k in k.chunks(2 * reach as usize + 1) {
        let zeros = vec![0.0; (span - reach) as usize];
        taps.extend(zeros.iter().chain(k.iter().rev()).chain(&zeros));
    }
    let taps = device.upload(&taps).unwrap();
    let ([mut from, mut to], mut below) = (planes, 1);
    for (axis, len) in (0..d).zip(grid.sizes()) {
        macro_rules! smooth {
            ($kernel:ident) => {
                $kernel::launch(&from, &taps, &mut to, &mut state, 0, reach, span, axis, below, len, count, plane)
            };
        }
        device.launch(if d == 4 { smooth!(smooth_4) } else { smooth!(smooth_5) }).unwrap();
        std::mem::swap(&mut from, &mut to);
        below *= len;
    }
    let mut nodes = device.zeros::<f32>(grid.count() * MANY_WORDS).unwrap();
    device.launch(fill_many::launch(&from, &mut nodes, &mut state, 0, d, count, plane)).unwrap();
    nodes
}

/// One pass, as smooth.rs defines it.
fn smoothed(field: &[f64], grid: &Grid, axis: usize, taps: &[f64], reach: usize) -> Vec<f64> {
    let words = grid.words();
    let step: usize = grid.nodes[..axis].iter().product();
    let mut out = vec![0.0; field.len()];
    for node in 0..grid.count() {
        let at = node / step % grid.nodes[axis];
        for (tap, u) in (0..2 * reach + 1).zip(-(reach as isize)..) {
            let Some(there) = at.checked_add_signed(u).filter(|&there| there < grid.nodes[axis]) else { continue };
            let from = &field[(node + there * step - at * step) * words..][..words];
            for (word, value) in from.iter().enumerate() {
                out[node * words + word] += taps[tap] * value;
            }
            out[node * words + 1 + axis] += taps[2 * reach + 1 + tap] * from[0];
        }
    }
    out
}

/// Nodes of any masses, with small moments.
fn noisy_nodes(grid: &Grid) -> Vec<f32> {
    let mut nodes = vec![0.0_f32; grid.count() * grid.words()];
    for (node, noise) in nodes.chunks_mut(grid.words()).zip(random(grid.count(), 79)) {
        node[0] = 1.5 + noise;
        for (moment, noise) in node[1..=grid.d].iter_mut().zip(random(grid.d, (noise.to_bits() >> 4).into())) {
            *moment = 0.1 * noise;
        }
    }
    nodes
}

impl Grid {
    /// The sum of weights at place i, and its step, in scaled coordinates.
    fn step(&self, nodes: &[f32], places: &[f32], i: usize) -> (f64, [f64; 5]) {
        let (mut total, mut step) = (0.0, [0.0; 5]);
        for (node, weight, from) in self.about(places, i) {
            let node = &nodes[node * self.words()..][..self.words()];
            total += weight * f64::from(node[0]);
            for c in 0..self.d {
                step[c] += weight * (f64::from(node[1 + c]) + from[c] * f64::from(node[0]));
            }
        }
        (total, step.map(|step| step / total * self.spacing))
    }
}

/// One iteration of the blurring form over such nodes: every point's step, and the largest.
pub fn blurred_fields(device: &Device) {
    for d in 1..=5 {
        let grid = Grid::new(d);
        let ([x, y, z, u, v], n) = (grid.sizes(), 77);
        let (places, nodes) = (grid.places(n), noisy_nodes(&grid));
        let stride = places.len() / d;
        let known: Vec<(f64, [f64; 5])> = (0..n).map(|i| grid.step(&nodes, &places, i)).collect();
        let nodes = device.upload(&nodes).unwrap();
        let mut points = device.upload(&places).unwrap();
        let mut sums = device.zeros::<f32>(2 * stride).unwrap();
        let mut state = device.upload(&progress(n, 0, 1)).unwrap();
        let (slots, keys) = (device.zeros(0).unwrap(), device.zeros(0).unwrap());
        let lows = device.upload(&grid.low).unwrap();
        let (inverse, low) = (1.0 / grid.spacing, grid.low);
        {
            let (points, sums, state) = (&mut points, &mut sums, &mut state);
            let (n, stride) = (n as u32, stride as u32);
            macro_rules! blur {
                ($kernel:ident) => {
                    $kernel::launch(
                        &nodes, &slots, &keys, points, sums, state, n, stride, 1, 0.0, x, y, z, inverse, low[0],
                        low[1], low[2],
                    )
                };
            }
            macro_rules! blur_many {
                ($kernel:ident) => {
                    $kernel::launch(&nodes, &lows, points, sums, state, n, stride, 1, 0.0, x, y, z, u, v, inverse)
                };
            }
            let launch = match d {
                1 => blur!(blur_1),
                2 => blur!(blur_2),
                3 => blur!(blur_3),
                4 => blur_many!(blur_4),
                _ => blur_many!(blur_5),
            };
            device.launch(launch).unwrap();
        }
        let (found, sums) = (device.download(&points).unwrap(), device.download(&sums).unwrap());
        let mut largest = 0.0_f64;
        for (i, (total, step)) in known.iter().enumerate() {
            let squared: f64 = step.iter().map(|step| step * step).sum();
            largest = largest.max(squared);
            for c in 0..d {
                let apart = f64::from(found[c * stride + i]) - f64::from(places[c * stride + i]) - step[c];
                assert!(apart.abs() <= 1e-5, "d = {d}: {i} is {apart} off");
            }
            assert!((f64::from(sums[i]) / total - 1.0).abs() <= 1e-4, "d = {d}: the sum of {i}");
            assert!((f64::from(sums[stride + i]) - squared).abs() <= 1e-4 * squared + 1e-10, "d = {d}: step of {i}");
        }
        let state = device.download(&state).unwrap();
        assert_eq!(state[ITERATION], 1, "d = {d}");
        assert!((f64::from(f32::from_bits(state[HISTORY])) / largest - 1.0).abs() <= 1e-3, "d = {d}: largest step");
    }
}

/// Queries over nodes of any masses and moments that keep them within the grid: steps as the formula has them, until
/// they are short.
pub fn climbed_fields(device: &Device) {
    const LIMIT: usize = 5;
    for d in 1..=5 {
        let grid = Grid::new(d);
        let [x, y, z, u, v] = grid.sizes();
        let m = 77;
        let places = grid.places(m);
        let stride = places.len() / d;
        let nodes = noisy_nodes(&grid);
        let tolerance = 1e-4_f32;
        // What f64 says, of the places as f32 has them.
        let mut expected = wide(&places);
        let mut known = vec![(0.0, 0.0, 0_u32); m];
        let mut history = [0.0_f64; LIMIT];
        for i in 0..m {
            while known[i].2 < LIMIT as u32 && (known[i].2 == 0 || known[i].1 > f64::from(tolerance)) {
                let here: Vec<f32> = expected.iter().map(|&x| x as f32).collect();
                let (total, step) = grid.step(&nodes, &here, i);
                for c in 0..d {
                    let (least, most) = (1.0 + grid.low[c], (grid.nodes[c] - 3) as f64 + grid.low[c]);
                    let moved = expected[c * stride + i] + step[c];
                    assert!(moved > least * grid.spacing && moved < most * grid.spacing, "{i} leaves the grid");
                    expected[c * stride + i] = moved;
                }
                let squared: f64 = step.iter().map(|step| step * step).sum();
                history[known[i].2 as usize] = squared.max(history[known[i].2 as usize]);
                known[i] = (total, squared, known[i].2 + 1);
            }
        }
        let nodes = device.upload(&nodes).unwrap();
        let mut queries = device.upload(&places).unwrap();
        let mut details = device.zeros::<f32>(3 * stride).unwrap();
        let mut state = device.upload(&progress(m, 0, LIMIT)).unwrap();
        let (slots, keys) = (device.zeros(0).unwrap(), device.zeros(0).unwrap());
        let lows = device.upload(&grid.low).unwrap();
        let (inverse, low) = (1.0 / grid.spacing, grid.low);
        // Two launches, of which the first leaves some on their way.
        for _ in 0..2 {
            let (queries, details, state) = (&mut queries, &mut details, &mut state);
            let (m, stride, limit) = (m as u32, stride as u32, LIMIT as u32);
            macro_rules! climb {
                ($kernel:ident) => {
                    $kernel::launch(
                        &nodes, &slots, &keys, queries, details, state, m, stride, 3, limit, tolerance, x, y, z,
                        inverse, low[0], low[1], low[2],
                    )
                };
            }
            macro_rules! climb_many {
                ($kernel:ident) => {
                    $kernel::launch(
                        &nodes, &lows, queries, details, state, m, stride, 3, limit, tolerance, x, y, z, u, v, inverse,
                    )
                };
            }
            let launch = match d {
                1 => climb!(climb_1),
                2 => climb!(climb_2),
                3 => climb!(climb_3),
                4 => climb_many!(climb_4),
                _ => climb_many!(climb_5),
            };
            device.launch(launch).unwrap();
        }
        let (found, details) = (device.download(&queries).unwrap(), device.download(&details).unwrap());
        let state = device.download(&state).unwrap();
        for i in 0..m {
            let iterations = details[2 * stride + i].to_bits();
            // A step that ends about the tolerance may count either way.
            if (known[i].1 / f64::from(tolerance) - 1.0).abs() < 1e-3 {
                continue;
            }
            assert_eq!(iterations, known[i].2, "d = {d}: iterations of {i}");
            for c in 0..d {
                let apart = (f64::from(found[c * stride + i]) - expected[c * stride + i]).abs();
                assert!(apart <= 1e-4, "d = {d}: {i} is {apart} off");
            }
            assert!((f64::from(details[i]) / known[i].0 - 1.0).abs() <= 1e-4, "d = {d}: the sum of {i}");
        }
        let most = known.iter().map(|known| known.2).max().unwrap();
        let moving = known.iter().filter(|known| known.1 > f64::from(tolerance)).count();
        assert_eq!((state[ITERATION], state[ACTIVE] as usize), (most, moving), "d = {d}");
        let found: Vec<f32> = state[HISTORY..].iter().map(|&bits| f32::from_bits(bits)).collect();
        assert!(history[1] > 0.0, "d = {d}: no query took a second step");
        assert_close(&found, &history, |k| 1e-3 * history[k], &format!("d = {d}: largest steps"));
    }
}
