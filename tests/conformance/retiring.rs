//! Between two iterations of the standard form: who leaves, who goes on, and what is known of each.

use gpu::layout::STRIDE;
use gpu::progress::{ACTIVE, HISTORY, ITERATION};
use gpu::retire::{begin, flag_moving, retire};
use modeseek::mean_shift::labels::scan;
use modeseek::{Buffer, Device};

use crate::check::random;
use crate::kernels::progress;

const LIMIT: usize = 4;

/// A tolerance that about half of the steps of [`Run`] are within.
const TOLERANCE: f32 = 0.5;

/// Queries of d coordinates on a device, as many iterations into a run as the state says.
struct Run {
    d: usize,
    stride: usize,
    ids: Vec<u32>,
    /// Of those that go on, or none: then any will do.
    slots: Vec<u32>,
    next: Vec<f32>,
    sums: Vec<f32>,
    state: Vec<u32>,
}

impl Run {
    /// m queries, of which the first `active` are left, under identities in no order.
    fn new(m: usize, active: usize, d: usize, iteration: usize) -> Self {
        let stride = m.next_multiple_of(STRIDE);
        let sums = random(2 * stride, 62).iter().map(|x| x.abs()).collect();
        let ids = (0..m).map(|i| ((i * 37 + 11) % m) as u32).collect();
        let state = progress(active, iteration, LIMIT);
        Self { d, stride, ids, slots: Vec::new(), next: random(stride * d, 61), sums, state }
    }

    fn launch(&self, device: &Device) -> Left {
        let Self { d, stride, .. } = *self;
        let m = self.ids.len();
        let upload = |values: &[f32]| device.upload(values).unwrap();
        let (next, sums, ids) = (upload(&self.next), upload(&self.sums), device.upload(&self.ids).unwrap());
        let slots = device.upload(&self.slots).unwrap();
        let mut kept_ids = device.upload(&vec![u32::MAX; m]).unwrap();
        let mut state = device.upload(&self.state).unwrap();
        let [mut queries, mut ends, mut details] =
            [d, d, 3].map(|columns| device.upload(&vec![Left::UNTOUCHED; columns * stride]).unwrap());
        let (d, stride, most) = (d as u32, stride as u32, m as u32);
        let (out, known, kept) = (&mut ends, &mut details, &mut kept_ids);
        let launch = retire::launch(
            &next,
            &sums,
            &ids,
            &slots,
            &mut queries,
            kept,
            out,
            known,
            &mut state,
            d,
            stride,
            stride,
            most,
            LIMIT as u32,
            TOLERANCE,
        );
        // Small, so that there are several blocks.
        device.launch(launch.threads_per_block(32)).unwrap();
        let floats = |buffer: &Buffer<f32>| device.download(buffer).unwrap();
        Left {
            queries: floats(&queries),
            ends: floats(&ends),
            details: floats(&details),
            kept_ids: device.download(&kept_ids).unwrap(),
            state: device.download(&state).unwrap(),
        }
    }
}

/// What the kernel leaves.
struct Left {
    queries: Vec<f32>,
    ends: Vec<f32>,
    details: Vec<f32>,
    kept_ids: Vec<u32>,
    state: Vec<u32>,
}

impl Left {
    const UNTOUCHED: f32 = -77.0;
}

fn check(device: &Device, run: &Run, active: usize, iteration: usize) {
    let Run { d, stride, ref ids, ref next, ref sums, .. } = *run;
    let left = run.launch(device);
    let what = format!("{active} of {} in {d}", ids.len());
    let goes_on = |i: usize| sums[stride + i].is_nan() || sums[stride + i] > TOLERANCE;
    // Every identity that was active has its place and its details; the others' are not touched.
    for (i, &id) in ids.iter().enumerate() {
        let id = id as usize;
        for c in 0..d {
            let expected = if i < active { next[c * stride + i] } else { Left::UNTOUCHED };
            assert_eq!(left.ends[c * stride + id], expected, "{what}: {id}, {c}");
        }
        let made = f32::from_bits(iteration as u32 + 1);
        let known = if i < active { [sums[i], sums[stride + i], made] } else { [Left::UNTOUCHED; 3] };
        let found = [0, 1, 2].map(|k| left.details[k * stride + id].to_bits());
        assert_eq!(found, known.map(f32::to_bits), "{what}: {id}");
    }
    // Those that go on fill the first slots, in any order, each with its own identity and place.
    let kept: Vec<usize> = (0..active).filter(|&i| goes_on(i)).collect();
    let mut found = left.kept_ids[..kept.len()].to_vec();
    for (slot, id) in found.iter().enumerate() {
        let i = ids.iter().position(|known| known == id).unwrap();
        for c in 0..d {
            assert_eq!(left.queries[c * stride + slot], next[c * stride + i], "{what}: slot {slot}");
        }
    }
    let mut expected: Vec<u32> = kept.iter().map(|&i| ids[i]).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected, "{what}");
    assert!(left.kept_ids[kept.len()..].iter().all(|&id| id == u32::MAX), "{what}");

    let mut state = progress(kept.len(), iteration + 1, LIMIT);
    let farthest = sums[stride..][..active].iter().map(|x| x.to_bits()).max().unwrap();
    state[HISTORY + iteration] = farthest;
    assert_eq!(left.state, state, "{what}");
}

/// Some leave, all, none; some had left before.
pub fn retire_queries(device: &Device) {
    for (m, active, d) in [(1, 1, 1), (33, 33, 2), (33, 20, 3), (500, 500, 2), (500, 70, 5)] {
        for iteration in [0, LIMIT - 1] {
            check(device, &Run::new(m, active, d, iteration), active, iteration);
        }
    }
    let mut run = Run::new(100, 100, 2, 1);
    for squared in [0.0, TOLERANCE, TOLERANCE * 1.001] {
        run.sums.fill(squared);
        check(device, &run, 100, 1);
    }
    // What is no number has not arrived.
    run.sums[run.stride + 57] = f32::NAN;
    check(device, &run, 100, 1);
}

/// With slots from the sums of flags, those that go on keep their order.
pub fn retire_in_order(device: &Device) {
    for (m, active) in [(1, 1), (33, 20), (500, 500), (500, 70)] {
        let mut run = Run::new(m, active, 2, 1);
        run.sums[run.stride] = f32::NAN;
        let moves = |squared: f32| squared.is_nan() || squared > TOLERANCE;
        let goes_on: Vec<usize> = (0..active).filter(|&i| moves(run.sums[run.stride + i])).collect();
        let (sums, mut flags) = (device.upload(&run.sums).unwrap(), device.upload(&vec![7_u32; m]).unwrap());
        let mut state = device.upload(&run.state).unwrap();
        let launch =
            flag_moving::launch(&sums, &mut flags, &mut state, run.stride as u32, m as u32, LIMIT as u32, TOLERANCE);
        device.launch(launch).unwrap();
        let expected: Vec<u32> = (0..m).map(|i| u32::from(goes_on.contains(&i))).collect();
        assert_eq!(device.download(&flags).unwrap(), expected, "{active} of {m}");
        assert_eq!(device.download(&state).unwrap(), run.state);
        scan(device, &mut flags).unwrap();
        run.slots = device.download(&flags).unwrap();
        check(device, &run, active, 1);
        let expected: Vec<u32> = goes_on.iter().map(|&i| run.ids[i]).collect();
        assert_eq!(run.launch(device).kept_ids[..goes_on.len()], expected, "{active} of {m}");
    }
}

/// Behind the end of a run, and behind its last iteration, nothing changes.
pub fn retire_when_done(device: &Device) {
    for (active, iteration) in [(0, 1), (40, LIMIT)] {
        let run = Run::new(70, active, 2, iteration);
        let left = run.launch(device);
        assert_eq!(left.state, run.state);
        let all = [left.queries, left.ends, left.details].concat();
        assert!(all.iter().all(|&x| x == Left::UNTOUCHED) && left.kept_ids.iter().all(|&id| id == u32::MAX));
    }
}

/// A run begins with all queries, each under its own number.
pub fn begin_runs(device: &Device) {
    for m in [1, 31, 500] {
        let mut ids = device.upload(&vec![u32::MAX; m]).unwrap();
        let mut state = device.zeros::<u32>(HISTORY + LIMIT).unwrap();
        device.launch(begin::launch(&mut ids, &mut state, m as u32)).unwrap();
        assert_eq!(device.download(&ids).unwrap(), (0..m as u32).collect::<Vec<_>>());
        let cells = device.download(&state).unwrap();
        assert_eq!((cells[ACTIVE], cells[ITERATION]), (m as u32, 0));
        assert_eq!(cells, progress(m, 0, LIMIT));
    }
}
