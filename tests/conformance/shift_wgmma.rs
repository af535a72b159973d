//! Gaussian steps by the instruction of compute capability 9.0 against the oracle. Fits that take them: tensor_fits.rs.

use gpu::progress::HISTORY;
use modeseek::Device;
use modeseek::product::Instruction;

use crate::check::is_interpreted;
use crate::shift_tensor::case::{Case, clusters, in_slices, no_more_queries, refuses_an_odd_state};
use crate::wgmma::is_missing;

const BY: Instruction = Instruction::Warpgroup;

/// Both forms and both accuracies, at sizes around tiles of points and blocks of queries.
pub fn steps_of_warpgroups(device: &Device) {
    if is_missing(device) {
        return;
    }
    let sizes: &[(usize, usize)] =
        if is_interpreted(device) { &[(1, 1), (150, 70)] } else { &[(1, 1), (150, 70), (70, 200), (257, 130)] };
    for &(n, m) in sizes {
        for d in [33, 50, 64, 65, 128] {
            let (points, queries) = (clusters(n, d, (n + d) as u64), clusters(m, d, (m + d + 1) as u64));
            let rough = Case { rough: true, by: BY, ..Case::standard(points.clone(), queries, d) };
            rough.check(device, 1.5);
            Case { rough: false, ..rough }.check(device, 1.5);
            Case { by: BY, ..Case::blurring(points, d) }.check(device, 1.0);
        }
    }
}

/// More tiles of points than shared memory holds, of which the last is not full.
pub fn many_tiles_of_warpgroups(device: &Device) {
    if is_missing(device) {
        return;
    }
    for (n, d) in [(5 * 128 + 9, 40), (4 * 64 + 9, 100)] {
        let (points, queries) = (clusters(n, d, 5), clusters(9, d, 6));
        let case = Case { by: BY, ..Case::standard(points, queries, d) };
        case.check(device, 1.0);
        Case { rough: true, ..case }.check(device, 1.0);
    }
}

/// What slices of the points leave is the whole.
pub fn slices_of_warpgroups(device: &Device) {
    if is_missing(device) {
        return;
    }
    for (n, d) in [(700, 40), (300, 100)] {
        let (points, queries) = (clusters(n, d, 9), clusters(133, d, 10));
        in_slices(device, Case { by: BY, slice: Some(128), ..Case::standard(points, queries, d) }, 1.5);
    }
}

/// The same bits again, and in any other place, of another warpgroup and of another block; and for points on one spot.
pub fn places_do_not_matter_of_warpgroups(device: &Device) {
    if is_missing(device) {
        return;
    }
    for d in [64, 128] {
        places_do_not_matter(device, 100, 133, d);
    }
}

fn places_do_not_matter(device: &Device, n: usize, m: usize, d: usize) {
    let points = clusters(n, d, 7);
    let mut queries = clusters(m, d, 8);
    let first = queries[..d].to_vec();
    let others = [40, 101, 131];
    others.iter().for_each(|other| queries[other * d..][..d].copy_from_slice(&first));
    let case = Case { by: BY, ..Case::standard(points, queries, d) };
    let (found, sums, _) = case.step(device, 1.0);
    assert_eq!((&found, &sums), (&case.step(device, 1.0).0, &case.step(device, 1.0).1), "not the same bits");
    for other in others {
        assert_eq!(found[..d], found[other * d..][..d], "{other} is where the first is");
        assert_eq!(sums[0], sums[other]);
    }
    let spot: Vec<f32> = (0..d).map(|c| 0.02 * c as f32 - 1.0).collect();
    let points = spot.repeat(67);
    let case = Case { by: BY, ..Case::blurring(points, d) };
    case.check(device, 1.0);
    let (found, _, _) = case.step(device, 1.0);
    assert!(found.chunks(d).all(|row| row == &found[..d]), "points that have met part");
}

/// A step moves no more queries than its launch was checked for, whatever the state says.
pub fn no_more_queries_of_warpgroups(device: &Device) {
    if is_missing(device) {
        return;
    }
    for (d, rough) in [(50, false), (50, true), (100, false), (100, true)] {
        no_more_queries(device, Case { rough, by: BY, ..Case::blurring(clusters(40, d, 3), d) });
    }
}

/// A state between multiples of 8 bytes is refused.
pub fn states_between_multiples_of_warpgroups(device: &Device) {
    if is_missing(device) {
        return;
    }
    for (d, rough) in [(50, false), (50, true), (100, false), (100, true)] {
        refuses_an_odd_state(device, Case { rough, by: BY, ..Case::blurring(clusters(40, d, 3), d) });
    }
}

/// A point that is no number is not lost.
pub fn what_is_no_number_of_warpgroups(device: &Device) {
    if is_missing(device) {
        return;
    }
    let d = 50;
    let mut points = clusters(40, d, 3);
    points[17 * d + 5] = f32::NAN;
    let case = Case { by: BY, ..Case::blurring(points, d) };
    let (moved, _, state) = case.step(device, 1.0);
    assert!(moved[5].is_nan(), "a point that is no number pulls every query");
    assert!(f32::from_bits(state[HISTORY + 1]).is_nan());
}
