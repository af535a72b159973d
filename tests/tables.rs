//! What buffers say is not what a launch checks: a kernel that would go where they send it beyond its memory ends with an error.

use cuda_std::launch::Launch;
use cuda_std::machine::MachineKind;
use gpu::binned_many::blur_4;
use gpu::cells::claim_cells;
use gpu::components::component_roots;
use gpu::many::MANY_WORDS;
use gpu::progress::{ACTIVE, HISTORY};
use gpu::smooth_many::{BEHIND, smooth_4};
use modeseek::executor::CpuOptions;
use modeseek::{Buffer, Device};

/// Processors of every kind that there is: on a GPU such an error would end all that follows.
fn devices() -> impl Iterator<Item = Device> {
    let kinds = [MachineKind::Baseline, MachineKind::Avx2, MachineKind::Avx512].into_iter();
    kinds
        .filter(|kind| kind.runs_here())
        .map(|kind| Device::processor_with(CpuOptions { machine: Some(kind), ..CpuOptions::default() }).unwrap())
}

#[track_caller]
fn refuses(device: &Device, launch: Launch<'_>, said: &str) {
    let error = device.launch(launch).unwrap_err().to_string();
    assert!(error.contains(said), "{error}");
}

#[test]
fn forests_have_no_items_beyond_them() {
    for device in devices() {
        let mut flags = device.zeros::<u32>(3).unwrap();
        let mut roots = device.zeros::<u32>(3).unwrap();
        for (leaders, parents, said) in [
            ([0, 5_000_000, 2], [0, 1, 2], "an item beyond the forest"),
            ([0, 1, 2], [0, 9, 2], "a parent larger than its child"),
            // Two that are above each other would be followed for ever.
            ([0, 1, 2], [0, 2, 1], "a parent larger than its child"),
        ] {
            let leaders = device.upload::<u32>(&leaders).unwrap();
            let mut parents = device.upload::<u32>(&parents).unwrap();
            refuses(&device, component_roots::launch(&leaders, &mut parents, &mut roots, &mut flags, 3), said);
        }
    }
}

#[test]
fn full_slots_are_not_looked_through_for_ever() {
    for device in devices() {
        let columns = device.upload(&[0.0_f32, 5.0, 9.0]).unwrap();
        let support = device.zeros(0).unwrap();
        // Each slot is that of the first end, which the others are far from.
        let mut slots = device.upload(&[1_u32; 4]).unwrap();
        let (mut firsts, mut of) = (device.zeros(4).unwrap(), device.zeros(3).unwrap());
        let launch = claim_cells::launch(&columns, &support, &mut slots, &mut firsts, &mut of, 3, 1, 3, 4, 1.0);
        refuses(&device, launch, "slots that were not empty before");
    }
}

#[test]
fn patches_have_nodes() {
    for device in devices() {
        let nodes = device.zeros::<f32>(256 * MANY_WORDS).unwrap();
        let low = device.zeros::<f64>(4).unwrap();
        let mut columns = device.zeros::<f32>(4).unwrap();
        // One point is active, in the first iteration.
        let mut run = [0; HISTORY + 1];
        run[ACTIVE] = 1;
        let (mut sums, mut state) = (device.zeros(2).unwrap(), device.upload(&run).unwrap());
        let mut refused = |patches: &Buffer<u32>, why: &str| {
            let (columns, sums, state) = (&mut columns, &mut sums, &mut state);
            let launch =
                blur_4::launch(&nodes, &low, patches, columns, sums, state, 1, 1, 1, 0.0, 256, 4, 4, 4, 4, 1, 1.0);
            refuses(&device, launch, why);
        };
        // 4 x 4 x 4 x 4 nodes, of which the first is at the end, or of more than there are.
        for (first, side) in [(1, 4), (256, 4), (u32::MAX, 4), (0, 5)] {
            let table: Vec<u32> = [first, 0, 0, 0, 0].into_iter().chain([side; 4]).collect();
            refused(&device.upload(&table).unwrap(), "a patch without nodes");
        }
        // A point that is in no patch has none to read its step from.
        refused(&device.zeros(0).unwrap(), "every point has a block");
    }
}

#[test]
fn passes_stay_within_their_planes() {
    const NODES: u32 = 16;
    for device in devices() {
        let plane = NODES + BEHIND as u32;
        let from = device.zeros::<f32>(5 * plane as usize).unwrap();
        let mut to = device.zeros::<f32>(5 * plane as usize).unwrap();
        let (taps, mut state) = (device.zeros(2 * 97).unwrap(), device.zeros(HISTORY).unwrap());
        // 2 x 2 x 2 x 2 nodes along x, of as many.
        for (target, source, said) in [
            ([1, 1, 2, 8, 0, 1], [0, 2, 0], "a target without planes"),
            ([0, 1, 3, 8, 0, 1], [0, 2, 0], "a target without planes"),
            ([0, 2, 2, 4, 0, 1], [0, 2, 0], "a target without planes"),
            ([0, 1, 2, 8, 0, 1], [1, 2, 0], "a source without planes"),
            ([0, 1, 2, 8, 0, 1], [0, 3, 0], "a source without planes"),
        ] {
            let targets = device.upload::<u32>(&target).unwrap();
            let sources = device.upload::<u32>(&source).unwrap();
            let launch = smooth_4::launch(
                &from, &taps, &targets, &sources, &mut to, &mut state, 0, 4, 48, 0, 0, 1, 2, 8, plane, plane,
            );
            refuses(&device, launch, said);
        }
    }
}
