//! Gaussian steps on tensor cores against the oracle. Fits that take them: tensor_fits.rs.

pub mod case;

use gpu::progress::HISTORY;
use gpu::shift_tensor::{shift_tensor_16, shift_tensor_64};
use gpu::shift_tensor_split::shift_tensor_wide_512;
use gpu::shift_tensor_wide::shift_tensor_wide_256;
use modeseek::Device;

use self::case::{Case, clusters, in_slices, no_more_queries, refuses_an_odd_state};
use crate::check::{is_interpreted, random};
use crate::kernels::{poisoned, progress};
use crate::steps::set::columns_of;
use crate::tensor::{is_too_old, no_rows};

/// Both forms and both accuracies, at sizes around tiles of points and blocks of queries.
pub fn steps_on_tensor_cores(device: &Device) {
    if is_too_old(device) {
        return;
    }
    let sizes: &[(usize, usize)] = if is_interpreted(device) { &[(150, 70)] } else { &[(1, 1), (150, 70), (70, 200)] };
    for &(n, m) in sizes {
        for d in [1, 5, 16, 17, 32, 50, 64, 65, 128, 129, 256, 257, 300, 512] {
            // Blocks there have half as many queries: fewer points are as many of them.
            let (n, m) = if d > 256 && is_interpreted(device) { (75, 40) } else { (n, m) };
            let points = clusters(n, d, (n + d) as u64);
            for rough in if (33..=128).contains(&d) { &[false, true][..] } else { &[false] } {
                let queries = clusters(m, d, (m + d + 1) as u64);
                let case = Case::standard(points.clone(), queries, d);
                Case { rough: *rough, ..case }.check(device, 1.5);
            }
            Case::blurring(points, d).check(device, 1.0);
        }
    }
}

/// More tiles of points than shared memory holds, of which the last is not full.
pub fn many_tiles_on_tensor_cores(device: &Device) {
    if is_too_old(device) {
        return;
    }
    for (n, d) in [(530, 8), (270, 24), (270, 40), (150, 100), (100, 200), (100, 400)] {
        let (points, queries) = (clusters(n, d, 5), clusters(9, d, 6));
        Case::standard(points, queries, d).check(device, 1.0);
    }
}

/// What slices of the points leave is the whole, in an order that does not change: blocks of queries with some left over, and as many
/// slices as are added at once, and more.
pub fn slices_on_tensor_cores(device: &Device) {
    if is_too_old(device) {
        return;
    }
    let case = |n, d| {
        let (points, queries) = (clusters(n, d, 9), clusters(133, d, 10));
        Case { slice: Some(128), ..Case::standard(points, queries, d) }
    };
    for (n, d) in [(300, 8), (300, 24), (300, 40), (700, 64)] {
        in_slices(device, case(n, d), 1.5);
    }
    // More dimensions have no registers for it.
    let refused = case(300, 100).try_step(device, 1.0).unwrap_err().to_string();
    assert!(refused.contains("shift_tensor_128") && refused.contains("slice >= n"), "{refused}");
}

/// The same bits again, in any other place, and for points on one spot.
pub fn places_do_not_matter_on_tensor_cores(device: &Device) {
    if is_too_old(device) {
        return;
    }
    for d in [7, 16, 30, 64, 140, 260] {
        let (n, m) = (if d > 256 { 50 } else { 140 }, 133);
        let points = clusters(n, d, 7);
        let mut queries = clusters(m, d, 8);
        // The first again, and again in another block.
        let first = queries[..d].to_vec();
        queries[40 * d..41 * d].copy_from_slice(&first);
        queries[131 * d..132 * d].copy_from_slice(&first);
        let case = Case::standard(points, queries, d);
        let (found, sums, _) = case.step(device, 1.0);
        let (again, sums_again, _) = case.step(device, 1.0);
        assert_eq!((&found, &sums), (&again, &sums_again), "d = {d}: not the same bits");
        for other in [40, 131] {
            assert_eq!(found[..d], found[other * d..][..d], "d = {d}: {other} is where the first is");
            assert_eq!(sums[0], sums[other], "d = {d}");
        }
        let reversed = |rows: &[f32]| -> Vec<f32> { rows.chunks(d).rev().flatten().copied().collect() };
        let turned = Case { queries: reversed(&case.queries), ..case };
        assert_eq!(reversed(&turned.step(device, 1.0).0), found, "d = {d}: places matter");
    }
}

/// Points that are all on one spot stay there: their weights are as many as they are.
pub fn one_spot_on_tensor_cores(device: &Device) {
    if is_too_old(device) {
        return;
    }
    for (n, d) in [(1, 5), (130, 5), (67, 32), (1, 150), (67, 150), (1, 290), (35, 290)] {
        let spot: Vec<f32> = (0..d).map(|c| 0.25 * c as f32 - 0.8).collect();
        let points: Vec<f32> = (0..n).flat_map(|_| spot.clone()).collect();
        let case = Case::blurring(points, d);
        case.check(device, 1.0);
        let (found, _, _) = case.step(device, 1.0);
        assert!(found.chunks(d).all(|row| row == &found[..d]), "d = {d}: points that have met part");
    }
}

/// A step after the last does nothing, nor does one for queries that have left.
pub fn idle_steps_on_tensor_cores(device: &Device) {
    if is_too_old(device) {
        return;
    }
    let n = 40;
    for d in [16, 64, 256, 512] {
        let (rows, norms) = (no_rows(device, 128 * d), poisoned(device, 128));
        let (columns, stride) = columns_of(device, &random(n * d, 3), d);
        let [n, d, stride] = [n, d, stride].map(|size| size as u32);
        for cells in [progress(n as usize, 3, 3), progress(0, 1, 3)] {
            let mut next = poisoned(device, columns.len());
            let (mut sums, mut state) = (poisoned(device, 2 * stride as usize), device.upload(&cells).unwrap());
            let (mut partial, mut arrived) = (poisoned(device, 0), device.zeros::<u32>(0).unwrap());
            macro_rules! step {
                ($kernel:ident $(, $slices:expr)*) => {
                    $kernel::launch(
                        &columns, &rows, &norms, &rows, &norms, &mut next, &mut sums, &mut state, n, d, stride, n, 3,
                        0.25, 1.0 $(, $slices)*
                    )
                };
            }
            let launch = match d {
                16 => step!(shift_tensor_16, &mut partial, &mut arrived, n),
                64 => step!(shift_tensor_64, &mut partial, &mut arrived, n),
                256 => step!(shift_tensor_wide_256),
                _ => step!(shift_tensor_wide_512),
            };
            device.launch(launch).unwrap();
            assert!(device.download(&next).unwrap().iter().all(|x| x.is_nan()));
            assert_eq!(device.download(&state).unwrap(), cells);
        }
    }
}

/// A step moves no more queries than its launch was checked for, whatever the state says.
pub fn no_more_queries_on_tensor_cores(device: &Device) {
    if is_too_old(device) {
        return;
    }
    for d in [16, 30, 64, 100, 200, 300] {
        no_more_queries(device, Case::blurring(random(40 * d, 3), d));
    }
}

/// A state between multiples of 8 bytes is refused.
pub fn states_between_multiples_on_tensor_cores(device: &Device) {
    if is_too_old(device) {
        return;
    }
    for d in [16, 30, 64, 100, 200, 300] {
        refuses_an_odd_state(device, Case::blurring(random(40 * d, 3), d));
    }
}

/// Points that are no numbers are not lost, and those behind the last do not count.
pub fn what_is_no_number_on_tensor_cores(device: &Device) {
    if is_too_old(device) {
        return;
    }
    for d in [10, 64, 150, 280] {
        let mut points = random(40 * d, 3);
        points[17 * d + 5] = f32::NAN;
        let case = Case::blurring(points, d);
        let (moved, _, state) = case.step(device, 1.0);
        assert!(moved[5].is_nan(), "d = {d}: a point that is no number pulls every query");
        assert!(f32::from_bits(state[HISTORY + 1]).is_nan(), "d = {d}");
    }
}
