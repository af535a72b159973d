//! Gaussian steps on tensor cores against the oracle. Fits that take them: tensor_fits.rs.

use gpu::progress::{ACTIVE, HISTORY, ITERATION};
use gpu::shift_tensor::{
    exponent_error, halves_of_columns, shift_tensor_16, shift_tensor_32, shift_tensor_64, shift_tensor_128,
    shift_tensor_rough_64, shift_tensor_rough_128,
};
use gpu::shift_tensor_split::shift_tensor_wide_512;
use gpu::shift_tensor_wide::shift_tensor_wide_256;
use gpu::shift_wgmma::{shift_wgmma_64, shift_wgmma_rough_64, shift_wgmma_rough_128};
use gpu::shift_wgmma_deep::shift_wgmma_128;
use gpu::weight::{Gaussian, Weight};
use modeseek::product::Instruction;
use modeseek::reference::{Metric, Pull};
use modeseek::{Device, Error, WeightFunction};

use crate::check::{ROUNDING, is_interpreted, random, wide};
use crate::kernels::{poisoned, progress};
use crate::steps::set::columns_of;
use crate::tensor::{is_too_old, no_rows};

/// What [`Case::try_step`] gives.
type Stepped = (Vec<f32>, Vec<f32>, Vec<u32>);

/// Points by rows, and everything about a step.
pub struct Case {
    pub points: Vec<f32>,
    /// As many as the points in the blurring form.
    pub queries: Vec<f32>,
    pub d: usize,
    pub rough: bool,
    pub blurring: bool,
    pub by: Instruction,
    /// Points of a slice, of steps that take slices; all of them if not given.
    pub slice: Option<u32>,
    /// How many queries the state says are active; all of them if not given.
    pub active: Option<usize>,
    /// The cell of its buffer from which the state is.
    pub state_from: usize,
}

impl Case {
    /// A step of queries over points, all of them at once, by `mma.sync`, with low halves.
    pub fn standard(points: Vec<f32>, queries: Vec<f32>, d: usize) -> Self {
        let (by, slice, active) = (Instruction::Warp, None, None);
        Self { points, queries, d, rough: false, blurring: false, by, slice, active, state_from: 0 }
    }

    /// The same of points over themselves.
    pub fn blurring(points: Vec<f32>, d: usize) -> Self {
        Self { blurring: true, ..Self::standard(points.clone(), points, d) }
    }

    fn wide(&self) -> usize {
        gpu::shift_tensor::wide(self.d).unwrap()
    }

    pub fn step(&self, device: &Device, relaxation: f32) -> Stepped {
        self.try_step(device, relaxation).unwrap()
    }

    /// Where the queries move; the sums of weights and the squared steps; the state behind the step.
    ///
    /// # Errors
    /// If the step's launch finds something wrong.
    pub fn try_step(&self, device: &Device, relaxation: f32) -> Result<Stepped, Error> {
        let (n, m, d, wide) = (self.points.len() / self.d, self.queries.len() / self.d, self.d, self.wide());
        let halves = |rows: &[f32], count: usize| {
            let (columns, stride) = columns_of(device, rows, d);
            let mut halves = no_rows(device, count.next_multiple_of(128) * wide);
            let mut norms = poisoned(device, count.next_multiple_of(128));
            let sizes = [count, d, stride, wide].map(|size| size as u32);
            let launch =
                halves_of_columns::launch(&columns, &mut halves, &mut norms, sizes[0], sizes[1], sizes[2], sizes[3]);
            device.launch(launch).unwrap();
            (columns, stride, halves, norms)
        };
        let (_, _, rows, norms) = halves(&self.points, n);
        let (columns, stride, query_rows, query_norms) = halves(&self.queries, m);
        let (mut next, mut sums) = (poisoned(device, stride * d), poisoned(device, 2 * stride));
        let mut state =
            device.upload(&[vec![0; self.state_from], progress(self.active.unwrap_or(m), 1, 3)].concat()).unwrap();
        let mut cells = state.slice_mut(self.state_from..self.state_from + HISTORY + 3);
        let slice = self.slice.unwrap_or(n as u32);
        let mut partial = poisoned(device, n.div_ceil(slice as usize) * (d + 1) * stride);
        let mut arrived = device.upload(&vec![0_u32; m.div_ceil(64)]).unwrap();
        macro_rules! step {
            ($kernel:ident $(, $slices:expr)*) => {
                $kernel::launch(
                    &columns,
                    &query_rows,
                    &query_norms,
                    &rows,
                    &norms,
                    &mut next,
                    &mut sums,
                    &mut cells,
                    n as u32,
                    d as u32,
                    stride as u32,
                    m as u32,
                    3,
                    if self.blurring { 0.25 } else { -1.0 },
                    relaxation
                    $(, $slices)*
                )
            };
        }
        macro_rules! in_slices {
            ($kernel:ident) => {
                step!($kernel, &mut partial, &mut arrived, slice)
            };
        }
        let launch = match (wide, self.rough) {
            (64, false) if self.by == Instruction::Warpgroup => in_slices!(shift_wgmma_64),
            (64, true) if self.by == Instruction::Warpgroup => in_slices!(shift_wgmma_rough_64),
            (128, false) if self.by == Instruction::Warpgroup => in_slices!(shift_wgmma_128),
            (128, true) if self.by == Instruction::Warpgroup => in_slices!(shift_wgmma_rough_128),
            (16, _) => in_slices!(shift_tensor_16),
            (32, _) => in_slices!(shift_tensor_32),
            (64, false) => in_slices!(shift_tensor_64),
            (256, _) => step!(shift_tensor_wide_256),
            (512, _) => step!(shift_tensor_wide_512),
            (_, false) => in_slices!(shift_tensor_128),
            (64, true) => in_slices!(shift_tensor_rough_64),
            (_, true) => in_slices!(shift_tensor_rough_128),
        };
        device.launch(launch)?;
        assert!(device.download(&arrived).unwrap().iter().all(|blocks| *blocks == 0), "blocks are counted anew");
        let (next, sums) = (device.download(&next).unwrap(), device.download(&sums).unwrap());
        let moved = (0..m).flat_map(|i| (0..d).map(move |c| c * stride + i)).map(|at| next[at]).collect();
        Ok((
            moved,
            [&sums[..m], &sums[stride..][..m]].concat(),
            device.download(&state).unwrap().split_off(self.state_from),
        ))
    }

    /// The step is the oracle's, within what the kernel says of itself.
    pub fn check(&self, device: &Device, relaxation: f32) {
        let (points, queries, d) = (wide(&self.points), wide(&self.queries), self.d);
        let (n, m) = (points.len() / d, queries.len() / d);
        let what =
            format!("n = {n}, m = {m}, d = {d}, rough: {}, blurring: {}, {:?}", self.rough, self.blurring, self.by);
        let (found, sums, state) = self.step(device, relaxation);
        let ones = vec![1.0; n];
        let bandwidths = vec![<Gaussian as Weight>::SCALE; n];
        let function = WeightFunction::Gaussian;
        let pull = Pull { points: &points, d, metric: Metric::L2, function, factors: &ones, bandwidths: &bandwidths };
        let length = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
        let radius = points.chunks(d).chain(queries.chunks(d)).map(length).fold(0.0, f64::max);
        let exponent = exponent_error(radius, self.wide(), self.rough);
        // Roundings of different coordinates have different signs, which the bound does not know: of that of exact numbers an
        // eighth is enough, and what lacks a low half somewhere is off by more.
        let (part, rounding) = if self.rough { (1.0, 2.0_f64.powi(-11)) } else { (0.125, 2.0_f64.powi(-20)) };
        let weight = part * exponent * std::f64::consts::LN_2 + rounding;
        let sum = if self.rough { 2.0_f64.powi(-10) } else { 2.0_f64.powi(-18) };
        let mut farthest = 0.0_f32;
        for (i, q) in queries.chunks(d).enumerate() {
            let (weights, mean) = (pull.weights(q), pull.mean(q));
            let total: f64 = weights.iter().sum();
            let error = (f64::from(sums[i]) - total).abs();
            assert!(error <= 2.0 * weight * total, "{what}: the weights of {i} are {}, not {total}", sums[i]);
            for c in 0..d {
                let spread: f64 = weights.iter().zip(points.chunks(d)).map(|(w, x)| w * (x[c] - mean[c]).abs()).sum();
                let magnitude: f64 = weights.iter().zip(points.chunks(d)).map(|(w, x)| w * x[c].abs()).sum();
                let tolerance = 2.0 * weight * spread / total + sum * magnitude / total + 4.0 * ROUNDING * q[c].abs();
                let far = f64::from(relaxation);
                let (x, expected) = (f64::from(found[i * d + c]), q[c] + far * (mean[c] - q[c]));
                let error = (x - expected).abs();
                assert!(
                    error <= far * tolerance,
                    "{what}: [{i}, {c}] is {x}, not {expected}: {error:e} > {tolerance:e}"
                );
            }
            let moved = Metric::L2.distance(q, &mean);
            let error = (f64::from(sums[m + i]).sqrt() - moved).abs();
            let tolerance = (weight + sum) * 4.0 * radius;
            assert!(
                error <= tolerance,
                "{what}: {i} moved {}, not {moved}: {error:e} > {tolerance:e}",
                sums[m + i].sqrt()
            );
            farthest = farthest.max(sums[m + i]);
        }
        let mut expected = progress(m, 1, 3);
        if self.blurring {
            (expected[HISTORY + 1], expected[ITERATION]) = (farthest.to_bits(), 2);
            expected[ACTIVE] = if farthest <= 0.25 { 0 } else { m as u32 };
        }
        assert_eq!(state, expected, "{what}");
    }
}

/// Two clusters, whose points are a few bandwidths apart, and which are not.
pub fn clusters(count: usize, d: usize, seed: u64) -> Vec<f32> {
    let mut rows = random(count * d, seed);
    for (i, row) in rows.chunks_mut(d).enumerate() {
        let centre = if i % 3 == 0 { -0.4 } else { 0.3 };
        row.iter_mut().for_each(|x| *x = *x * 3.0 / (d as f32).sqrt() + centre);
    }
    rows
}

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

/// A step in slices, in both forms.
pub fn in_slices(device: &Device, case: Case, relaxation: f32) {
    case.check(device, relaxation);
    let (found, again) = (case.step(device, relaxation), case.step(device, relaxation));
    assert_eq!(found, again, "d = {}: not the same bits", case.d);
    let points = case.points[..140 * case.d].to_vec();
    Case { queries: points.clone(), points, blurring: true, ..case }.check(device, 1.0);
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

/// The step of a case leaves the same where the state says that more are active.
pub fn no_more_queries(device: &Device, case: Case) {
    let (moved, sums, state) = case.step(device, 1.0);
    assert_eq!((moved, sums, state), Case { active: Some(1_000_000), ..case }.step(device, 1.0));
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

/// The step of a case is not launched with a state that does not begin at a multiple of 8 bytes.
pub fn refuses_an_odd_state(device: &Device, case: Case) {
    let error = Case { state_from: 1, ..case }.try_step(device, 1.0).unwrap_err();
    assert!(error.to_string().contains("state.is_aligned(8)"), "{error}");
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
