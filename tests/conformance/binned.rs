//! The binned field: its kernels against plain f64, and steps and whole fits against all pairs.

use gpu::binned::{climb_1, climb_2, climb_3};
use gpu::layout::STRIDE;
use gpu::progress::{ACTIVE, HISTORY, ITERATION};
use gpu::smooth::{smooth_1_x, smooth_2_x, smooth_2_y, smooth_3_x, smooth_3_y, smooth_3_z};
use gpu::spread::{WORDS, settle, spread_1, spread_2, spread_3};
use modeseek::Device;

use crate::check::{assert_close, random, wide};
use crate::kernels::progress;

/// A small grid of d dimensions: nodes along each axis, the spacing, and the first node in spacings.
struct Grid {
    d: usize,
    nodes: [usize; 3],
    spacing: f64,
    low: [f64; 3],
}

impl Grid {
    fn new(d: usize) -> Self {
        let nodes = [[37, 1, 1], [37, 11, 1], [9, 8, 10]][d - 1];
        Self { d, nodes, spacing: 0.25, low: [-7.0, -2.0, 3.0] }
    }

    fn count(&self) -> usize {
        self.nodes.iter().product()
    }

    fn sizes(&self) -> [u32; 3] {
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
                let t = if i % 7 == 3 { t.floor() } else { t };
                columns[c * stride + i] = ((t + self.low[c]) * self.spacing) as f32;
            }
        }
        columns
    }

    /// The nodes about a place, each with its spline weight and how far it is from the place.
    fn about(&self, columns: &[f32], i: usize) -> Vec<(usize, f64, [f64; 3])> {
        let stride = columns.len() / self.d;
        let mut all = vec![(0, 1.0, [0.0; 3])];
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
    let (stride, [x, y, z]) = ((columns.len() / grid.d) as u32, grid.sizes());
    let columns = device.upload(columns).unwrap();
    let factors = device.upload(factors).unwrap();
    let mut sums = device.zeros::<u64>(copies as usize * grid.count() * WORDS).unwrap();
    let mut state = device.zeros(HISTORY).unwrap();
    let (slots, keys) = (device.zeros(0).unwrap(), device.zeros(0).unwrap());
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
    let launch = match grid.d {
        1 => spread!(spread_1),
        2 => spread!(spread_2),
        _ => spread!(spread_3),
    };
    device.launch(launch).unwrap();
    let sums = device.download(&sums).unwrap();
    let words = grid.count() * WORDS;
    (0..words)
        .map(|at| sums.iter().skip(at).step_by(words).fold(0, |sum: u64, &x| sum.wrapping_add(x)) as i64)
        .collect()
}

pub fn spread_onto_nodes(device: &Device) {
    for d in 1..=3 {
        let grid = Grid::new(d);
        // Places of their own, and those of which most are on a few spots, as after some steps.
        for (n, spots) in [(1, 1), (100, 100), (131, 3)] {
            let columns = met(grid.places(n), n, spots);
            let factors: Vec<f32> = (0..n).map(|i| 0.25 + (i % 5) as f32).collect();
            for weights in [&[][..], &factors] {
                let sums = spread(device, &grid, &columns, weights, (n, 3));
                let mut expected = vec![0.0; grid.count() * WORDS];
                for i in 0..n {
                    let factor = weights.get(i).copied().map_or(1.0, f64::from);
                    for (node, weight, from) in grid.about(&columns, i) {
                        expected[node * WORDS] += factor * weight;
                        for c in 0..d {
                            expected[node * WORDS + 1 + c] -= factor * weight * from[c];
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

/// Three passes, or fewer, of taps that are not even, over sums that are not zero at the borders.
pub fn smoothed_nodes(device: &Device) {
    const REACH: usize = 4;
    for d in 1..=3 {
        let grid = Grid::new(d);
        let [x, y, z] = grid.sizes();
        let (rows, row, lead) = (y * z, (x + REACH as u32).next_multiple_of(32), 64);
        let plane = 2 * lead + row * rows;
        let words: Vec<i64> = random(grid.count() * WORDS, 75).iter().map(|x| (x * 1e6) as i64).collect();
        let unit = 2_f32.powi(-20);
        let sums: Vec<u64> = words.iter().map(|&word| word as u64).collect();
        let (mut sums, mut state) = (device.upload(&sums).unwrap(), device.zeros(HISTORY).unwrap());
        let mut planes = [0; 2].map(|_| device.zeros::<f32>((d + 1) * plane as usize).unwrap());
        let d32 = d as u32;
        let launch =
            settle::launch(&mut sums, &mut planes[0], &mut state, 0, 1, 0, d32, x, rows, row, lead, plane, unit);
        device.launch(launch).unwrap();
        let left = device.download(&sums).unwrap();
        assert!(left.chunks(WORDS).all(|words| words[..=d].iter().all(|&sum| sum == 0)), "d = {d}");
        let k: Vec<f32> = random(2 * (2 * REACH + 1), 76);
        let taps = device.upload(&k).unwrap();
        let mut nodes = device.zeros::<f32>(grid.count() * WORDS).unwrap();
        let [even, odd] = &mut planes;
        macro_rules! smooth {
            ($kernel:ident, $from:expr, $to:expr) => {
                device
                    .launch($kernel::launch(
                        &*$from,
                        &taps,
                        &mut *$to,
                        &mut nodes,
                        &mut state,
                        0,
                        REACH as u32,
                        x,
                        y,
                        z,
                        row,
                        lead,
                        plane,
                    ))
                    .unwrap()
            };
        }
        match d {
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
        let mut field: Vec<f64> = words.iter().map(|&word| word as f64 * f64::from(unit)).collect();
        let k = wide(&k);
        for axis in 0..d {
            field = smoothed(&field, &grid, axis, &k, REACH);
        }
        let found = device.download(&nodes).unwrap();
        for (node, (found, expected)) in found.chunks(WORDS).zip(field.chunks(WORDS)).enumerate() {
            // 9 terms of at most 1 in each pass.
            let tolerance = 9_f64.powi(d as i32) * 1e-5;
            assert_close(&found[..=d], &expected[..=d], |_| tolerance, &format!("d = {d}, node {node}"));
        }
    }
}

/// One pass, as smooth.rs defines it.
fn smoothed(field: &[f64], grid: &Grid, axis: usize, taps: &[f64], reach: usize) -> Vec<f64> {
    let step: usize = grid.nodes[..axis].iter().product();
    let mut out = vec![0.0; field.len()];
    for node in 0..grid.count() {
        let at = node / step % grid.nodes[axis];
        for (tap, u) in (0..2 * reach + 1).zip(-(reach as isize)..) {
            let Some(there) = at.checked_add_signed(u).filter(|&there| there < grid.nodes[axis]) else { continue };
            let from = &field[(node + there * step - at * step) * WORDS..][..WORDS];
            for (word, value) in from.iter().enumerate() {
                out[node * WORDS + word] += taps[tap] * value;
            }
            out[node * WORDS + 1 + axis] += taps[2 * reach + 1 + tap] * from[0];
        }
    }
    out
}

/// Queries over nodes of any masses and moments that keep them within the grid: steps as the formula has them, until
/// they are short.
pub fn climbed_fields(device: &Device) {
    const LIMIT: usize = 5;
    for d in 1..=3 {
        let grid = Grid::new(d);
        let [x, y, z] = grid.sizes();
        let m = 77;
        let places = grid.places(m);
        let stride = places.len() / d;
        let mut nodes = vec![0.0_f32; grid.count() * WORDS];
        for (node, noise) in nodes.chunks_mut(WORDS).zip(random(grid.count(), 79)) {
            node[0] = 1.5 + noise;
            for (moment, noise) in node[1..].iter_mut().zip(random(3, (noise.to_bits() >> 4).into())) {
                *moment = 0.1 * noise;
            }
        }
        let tolerance = 1e-4_f32;
        // What f64 says, of the places as f32 has them.
        let mut expected = wide(&places);
        let mut known = vec![(0.0, 0.0, 0_u32); m];
        let mut history = [0.0_f64; LIMIT];
        for i in 0..m {
            while known[i].2 < LIMIT as u32 && (known[i].2 == 0 || known[i].1 > f64::from(tolerance)) {
                let here: Vec<f32> = expected.iter().map(|&x| x as f32).collect();
                let (mut total, mut step) = (0.0, [0.0; 3]);
                for (node, weight, from) in grid.about(&here, i) {
                    let node = &nodes[node * WORDS..][..WORDS];
                    total += weight * f64::from(node[0]);
                    for c in 0..d {
                        step[c] += weight * (f64::from(node[1 + c]) + from[c] * f64::from(node[0]));
                    }
                }
                let step = step.map(|step| step / total * grid.spacing);
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
            let launch = match d {
                1 => climb!(climb_1),
                2 => climb!(climb_2),
                _ => climb!(climb_3),
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
