//! Steps over nodes, against plain f64.

use gpu::binned::{blur_1, blur_2, blur_3, climb_1, climb_2, climb_3};
use gpu::binned_many::{blur_4, blur_5, climb_4, climb_5};
use gpu::progress::{ACTIVE, HISTORY, ITERATION};
use modeseek::Device;

use crate::binned::Grid;
use crate::check::{assert_close, random, wide};
use crate::kernels::progress;

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
    for grid in Grid::all() {
        let (d, name) = (grid.d, grid.name());
        let ([x, y, z, u, v], n) = (grid.sizes(), 77);
        let (places, nodes) = (grid.places(n), noisy_nodes(&grid));
        let stride = places.len() / d;
        let known: Vec<(f64, [f64; 5])> = (0..n).map(|i| grid.step(&nodes, &places, i)).collect();
        let (nodes, patches, count) = grid.upload(device, &nodes);
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
                    $kernel::launch(
                        &nodes, &lows, &patches, points, sums, state, n, stride, 1, 0.0, count, x, y, z, u, v, inverse,
                    )
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
                assert!(apart.abs() <= 1e-5, "{name}: {i} is {apart} off");
            }
            assert!((f64::from(sums[i]) / total - 1.0).abs() <= 1e-4, "{name}: the sum of {i}");
            assert!((f64::from(sums[stride + i]) - squared).abs() <= 1e-4 * squared + 1e-10, "{name}: step of {i}");
        }
        let state = device.download(&state).unwrap();
        assert_eq!(state[ITERATION], 1, "{name}");
        assert!((f64::from(f32::from_bits(state[HISTORY])) / largest - 1.0).abs() <= 1e-3, "{name}: largest step");
    }
}

/// Queries over nodes of any masses and moments that keep them within the grid: steps as the formula has them, until
/// they are short.
pub fn climbed_fields(device: &Device) {
    const LIMIT: usize = 5;
    for grid in Grid::all() {
        let (d, name) = (grid.d, grid.name());
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
        let (nodes, patches, count) = grid.upload(device, &nodes);
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
                        &nodes, &lows, &patches, queries, details, state, m, stride, 3, limit, tolerance, count, x, y,
                        z, u, v, inverse,
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
            assert_eq!(iterations, known[i].2, "{name}: iterations of {i}");
            for c in 0..d {
                let apart = (f64::from(found[c * stride + i]) - expected[c * stride + i]).abs();
                assert!(apart <= 1e-4, "{name}: {i} is {apart} off");
            }
            assert!((f64::from(details[i]) / known[i].0 - 1.0).abs() <= 1e-4, "{name}: the sum of {i}");
        }
        let most = known.iter().map(|known| known.2).max().unwrap();
        let moving = known.iter().filter(|known| known.1 > f64::from(tolerance)).count();
        assert_eq!((state[ITERATION], state[ACTIVE] as usize), (most, moving), "{name}");
        let found: Vec<f32> = state[HISTORY..].iter().map(|&bits| f32::from_bits(bits)).collect();
        assert!(history[1] > 0.0, "{name}: no query took a second step");
        assert_close(&found, &history, |k| 1e-3 * history[k], &format!("{name}: largest steps"));
    }
}
