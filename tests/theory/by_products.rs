//! What steps on some processors take by products instead of differences (gpu/turn_products.rs), in the code that every processor has: kernels take
//! it where AVX-512 subtracts in the units that multiply alone.

use cuda_std::machine::{Baseline, Machine};

use gpu::near::BOX;
use gpu::shift_any::CHUNK;
use gpu::turn_products::{COLUMNS, MANY, ORIGINS, double, enter, products, pull_about};

const LANES: usize = Baseline::LANES;

/// Numbers between -1 and 1 that have no pattern.
fn noise(i: usize) -> f32 {
    ((i * 2_654_435_761) % 65_536) as f32 / 32_768.0 - 1.0
}

/// A tile of d coordinates about a far place, and as many of queries.
fn tile(d: usize, spread: f32) -> (Vec<f32>, Vec<[f32; LANES]>) {
    let mut chunk = vec![f32::NAN; COLUMNS * BOX];
    for (i, x) in chunk.iter_mut().take(d * BOX).enumerate() {
        *x = 100.0 + spread * noise(i);
    }
    let queries =
        (0..d).map(|c| core::array::from_fn(|lane| 100.0 + spread * noise(7 * c + 1009 * lane + 3))).collect();
    (chunk, queries)
}

#[test]
fn exponents_and_sums_are_those_of_differences() {
    for d in [1, 5, 8, 31, CHUNK] {
        let (mut chunk, queries) = tile(d, 0.9);
        let before = chunk.clone();
        let (mut origin, mut doubled) = ([0.0; ORIGINS], vec![[0.0; LANES]; COLUMNS]);
        let mut rows = vec![[0.0; LANES]; BOX];
        // SAFETY: all have as many cells as are asked for.
        unsafe {
            assert!(enter::<Baseline>(chunk.as_mut_ptr(), d, &mut origin));
            double::<Baseline, LANES>((queries.as_ptr().cast(), LANES), d, &origin, doubled.as_mut_ptr());
            for g in (0..BOX).step_by(MANY) {
                let from = (chunk.as_ptr().add(g), doubled.as_ptr());
                let exponents = products::<Baseline, LANES, MANY>(from.0, from.1, d + 2, [[0.0; LANES]; MANY]);
                rows[g..g + MANY].copy_from_slice(&exponents);
            }
        }
        for j in 0..BOX {
            for lane in 0..LANES {
                let squared: f64 =
                    (0..d).map(|c| (f64::from(before[c * BOX + j]) - f64::from(queries[c][lane])).powi(2)).sum();
                assert!((f64::from(rows[j][lane]) - squared).abs() < 2e-5, "{d} coordinates, point {j}");
            }
        }
        // Weights of which all are different.
        let rows: Vec<[f32; LANES]> =
            (0..BOX).map(|j| core::array::from_fn(|lane| 1.5 + noise(31 * j + lane))).collect();
        let totals = core::array::from_fn(|lane| rows.iter().map(|row| row[lane]).sum());
        for c in (0..d).step_by(MANY) {
            // SAFETY: as above.
            let sums = unsafe {
                let of_chunk = (chunk.as_ptr().add(c * BOX), origin.as_ptr().add(c));
                pull_about::<Baseline, LANES>(of_chunk.0, rows.as_ptr(), (of_chunk.1, totals))
            };
            for k in 0..MANY.min(d - c) {
                for lane in 0..LANES {
                    let sum: f64 =
                        (0..BOX).map(|j| f64::from(rows[j][lane]) * f64::from(before[(c + k) * BOX + j])).sum();
                    assert!((f64::from(sums[k][lane]) / sum - 1.0).abs() < 1e-6, "{d} coordinates, {c} + {k}");
                }
            }
        }
    }
}

#[test]
fn a_tile_that_is_spread_is_left_as_it_is() {
    for far in [1e3, 1e30, f32::INFINITY, f32::NAN] {
        let (mut chunk, _) = tile(3, 0.1);
        chunk[BOX + 17] = far;
        let before = chunk.clone();
        // SAFETY: there are as many cells as are asked for.
        assert!(!unsafe { enter::<Baseline>(chunk.as_mut_ptr(), 3, &mut [0.0; ORIGINS]) });
        assert!(chunk.iter().zip(&before).all(|(now, before)| now.to_bits() == before.to_bits()));
    }
}

#[test]
fn a_query_beyond_all_numbers_weighs_nothing() {
    let (mut chunk, _) = tile(8, 0.5);
    for far in [1e19, -1e30, f32::MAX] {
        let queries = [[far; LANES]; 8];
        let (mut origin, mut doubled) = ([0.0; ORIGINS], [[0.0; LANES]; COLUMNS]);
        // SAFETY: as above.
        unsafe {
            assert!(enter::<Baseline>(chunk.as_mut_ptr(), 8, &mut origin));
            double::<Baseline, LANES>((queries.as_ptr().cast(), LANES), 8, &origin, doubled.as_mut_ptr());
            let none = [[0.0; LANES]; MANY];
            for row in products::<Baseline, LANES, MANY>(chunk.as_ptr(), doubled.as_ptr(), 10, none) {
                // No number, too, is as far as can be.
                assert!(Baseline::exp2_minus_lanes(row).iter().all(|weight| *weight < 1e-30));
            }
        }
    }
}
