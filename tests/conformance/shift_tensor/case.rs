//! A step on tensor cores, by either instruction: its launch, its comparison with the oracle, and what else holds for any.

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

use crate::check::{ROUNDING, random, wide};
use crate::kernels::{poisoned, progress};
use crate::steps::set::columns_of;
use crate::tensor::no_rows;

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

/// A step in slices, in both forms.
pub fn in_slices(device: &Device, case: Case, relaxation: f32) {
    case.check(device, relaxation);
    let (found, again) = (case.step(device, relaxation), case.step(device, relaxation));
    assert_eq!(found, again, "d = {}: not the same bits", case.d);
    let points = case.points[..140 * case.d].to_vec();
    Case { queries: points.clone(), points, blurring: true, ..case }.check(device, 1.0);
}

/// The step of a case leaves the same where the state says that more are active.
pub fn no_more_queries(device: &Device, case: Case) {
    let (moved, sums, state) = case.step(device, 1.0);
    assert_eq!((moved, sums, state), Case { active: Some(1_000_000), ..case }.step(device, 1.0));
}

/// The step of a case is not launched with a state that does not begin at a multiple of 8 bytes.
pub fn refuses_an_odd_state(device: &Device, case: Case) {
    let error = Case { state_from: 1, ..case }.try_step(device, 1.0).unwrap_err();
    assert!(error.to_string().contains("state.is_aligned(8)"), "{error}");
}
