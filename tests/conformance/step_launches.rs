//! Launches of steps: what is refused before it runs, and what a step leaves alone.

use cuda_std::launch::DeviceSliceMut;
use gpu::progress::HISTORY;
use gpu::shift_any::Norm;
use gpu::steps::{Boxes, Call, Shared, Sizes, Step};
use modeseek::mean_shift::slices::Slices;
use modeseek::{Buffer, Device, Error, WeightFunction};

use crate::check::random;
use crate::kernels::progress;
use crate::steps::set::{LIMIT, columns_of};

/// A step of each kind, and for how many dimensions.
fn step_of_each_kind() -> [(Step, u32); 9] {
    let steps = WeightFunction::Gaussian.steps();
    [
        (steps.plain[1], 2),
        (steps.marked[1], 2),
        (steps.few[1], 2),
        (steps.wide[0], 6),
        (steps.wide[1], 10),
        (steps.wide[2], 20),
        (steps.any[0], 2),
        (steps.any[1], 2),
        (steps.any[2], 2),
    ]
}

/// A step of 100 points over themselves in the blurring form, of which two iterations are left behind the first.
fn step_of_100(
    device: &Device,
    (step, d): (Step, u32),
    (columns, stride): (&Buffer<f32>, usize),
    [next, sums]: [&mut Buffer<f32>; 2],
    state: &mut dyn DeviceSliceMut<u32>,
) -> Result<(), Error> {
    let marks = device.upload(&vec![1.0; 2 * stride]).unwrap();
    let (stride, mut slices) = (stride as u32, Slices::none(device, 100).unwrap());
    device.launch(step(Call {
        queries: columns,
        points: columns,
        marks: &marks,
        next,
        sums,
        state,
        sizes: Sizes { n: 100, d, stride, query_stride: stride, most: 100 },
        limit: LIMIT as u32,
        tolerance: 0.0,
        relaxation: 1.0,
        norm: Norm::L2,
        near: None,
        slices: slices.lend(),
    }))
}

/// A step that stores 16 bytes at a time is not launched on a part of a buffer that begins between their multiples.
pub fn parts_between_multiples_are_refused(device: &Device) {
    let (columns, stride) = columns_of(device, &random(100 * 2, 13), 2);
    let marks = device.zeros(0).unwrap();
    let mut next = device.zeros(2 * stride + 1).unwrap();
    let mut sums = device.zeros(2 * stride + 1).unwrap();
    let sizes = Sizes { n: 100, d: 2, stride: stride as u32, query_stride: stride as u32, most: 100 };
    for (from, what) in [([0, 0], None), ([1, 0], Some("next.is_aligned(16)")), ([0, 1], Some("sums.is_aligned(16)"))] {
        let mut state = device.upload(&progress(100, 1, LIMIT)).unwrap();
        let mut slices = Slices::none(device, 100).unwrap();
        let [next_from, sums_from] = from;
        let launched = device.launch(gpu::flat::STEPS.plain[1](Call {
            queries: &columns,
            points: &columns,
            marks: &marks,
            next: &mut next.slice_mut(next_from..2 * stride + next_from),
            sums: &mut sums.slice_mut(sums_from..2 * stride + sums_from),
            state: &mut state,
            sizes,
            limit: LIMIT as u32,
            tolerance: -1.0,
            relaxation: 1.0,
            norm: Norm::L2,
            near: None,
            slices: slices.lend(),
        }));
        match (launched, what) {
            (Ok(()), None) => {}
            (Err(error), Some(what)) => assert!(error.to_string().contains(what), "{error}"),
            (launched, what) => panic!("{launched:?}, where {what:?} was to be said"),
        }
    }
}

/// Pairs are counted in 64 bits at a time: a state between multiples of 8 bytes is refused.
pub fn states_between_multiples_are_refused(device: &Device) {
    let (columns, stride) = columns_of(device, &random(100 * 20, 13), 20);
    for step in step_of_each_kind() {
        let (mut next, mut sums) = (device.zeros(stride * 20).unwrap(), device.zeros(stride * 20).unwrap());
        let mut state = device.zeros(1 + HISTORY + LIMIT).unwrap();
        let mut odd = state.slice_mut(1..1 + HISTORY + LIMIT);
        let launched = step_of_100(device, step, (&columns, stride), [&mut next, &mut sums], &mut odd);
        assert!(launched.unwrap_err().to_string().contains("state.is_aligned(8)"));
    }
}

/// Sums of products count the points of a box from its middle: a slice that begins within one is refused.
pub fn slices_within_boxes_are_refused(device: &Device) {
    let (n, d) = (192, 2);
    let (columns, stride) = columns_of(device, &random(n * d, 14), d);
    let boxes = device.zeros(gpu::near::len(n, d)).unwrap();
    let none = device.zeros(0).unwrap();
    let step = |slice: usize| {
        let (mut next, mut sums) = (device.zeros(stride * d).unwrap(), device.zeros(stride * 2).unwrap());
        let mut state = device.upload(&progress(n, 1, LIMIT)).unwrap();
        let mut partial = device.zeros(n.div_ceil(slice) * (d + 1) * stride).unwrap();
        let mut arrived = device.zeros(n).unwrap();
        let [n, d, stride] = [n, d, stride].map(|size| size as u32);
        device.launch(WeightFunction::Gaussian.steps().local[0](Call {
            queries: &columns,
            points: &columns,
            marks: &none,
            next: &mut next,
            sums: &mut sums,
            state: &mut state,
            sizes: Sizes { n, d, stride, query_stride: stride, most: n },
            limit: LIMIT as u32,
            tolerance: -1.0,
            relaxation: 1.0,
            norm: Norm::L2,
            near: Some(Boxes { points: &boxes, queries: &boxes, query_box: 1, reach2: f32::INFINITY }),
            slices: Shared { partial: &mut partial, arrived: &mut arrived, points: slice as u32 },
        }))
    };
    step(gpu::near::BOX).unwrap();
    let error = step(96).unwrap_err().to_string();
    assert!(error.contains("slice.is_multiple_of") && error.contains("near::BOX"), "{error}");
}

/// Behind the end of a run, and behind its last iteration, steps change nothing.
pub fn converged_steps_do_nothing(device: &Device) {
    let (columns, stride) = columns_of(device, &random(100 * 20, 12), 20);
    let untouched = vec![7.0; stride * 20];
    for (active, iteration) in [(0, 1), (100, 3), (100, 2)] {
        let before = progress(active, iteration, LIMIT);
        let moves = active > 0 && iteration < 3;
        for (which, step) in step_of_each_kind().into_iter().enumerate() {
            let (mut next, mut sums) = (device.upload(&untouched).unwrap(), device.upload(&untouched).unwrap());
            let mut state = device.upload(&before).unwrap();
            step_of_100(device, step, (&columns, stride), [&mut next, &mut sums], &mut state).unwrap();
            let same = [&next, &sums].map(|buffer| device.download(buffer).unwrap() == untouched);
            assert_eq!(same, [!moves; 2], "kernel {which}, {active} active, iteration {iteration}");
            assert_eq!(device.download(&state).unwrap() == before, !moves);
        }
    }
}

/// Where the state says that more queries are active than the launch was checked for, those move that it was checked for.
pub fn no_more_queries_than_checked(device: &Device) {
    let (columns, stride) = columns_of(device, &random(100 * 20, 12), 20);
    // Behind what a step may write there is room for a block's queries.
    let untouched = vec![7.0; stride * 20 + 8192];
    for (which, step) in step_of_each_kind().into_iter().enumerate() {
        let [checked, said] = [100, 1_000_000].map(|active| {
            let (mut next, mut sums) = (device.upload(&untouched).unwrap(), device.upload(&untouched).unwrap());
            let mut state = device.upload(&progress(active, 1, LIMIT)).unwrap();
            step_of_100(device, step, (&columns, stride), [&mut next, &mut sums], &mut state).unwrap();
            let written = [next, sums].map(|buffer| device.download(&buffer).unwrap());
            (
                written.map(|cells| cells.into_iter().map(f32::to_bits).collect::<Vec<_>>()),
                device.download(&state).unwrap(),
            )
        });
        assert!(checked == said, "kernel {which}");
    }
}
