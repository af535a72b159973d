//! The nodes that the passes make of sums, against plain f64.

use gpu::many::MANY_WORDS;
use gpu::progress::HISTORY;
use gpu::smooth::{smooth_1_x, smooth_2_x, smooth_2_y, smooth_3_x, smooth_3_y, smooth_3_z};
use gpu::smooth_many::{BEHIND, TARGET, fill_many, settle_many, smooth_4, smooth_5};
use gpu::spread::{WORDS, settle};
use modeseek::{Buffer, Device};

use crate::binned::Grid;
use crate::check::{assert_close, random, wide};

/// A pass for each axis, of taps that are not even, over sums that are not zero at the borders.
pub fn smoothed_nodes(device: &Device) {
    const REACH: usize = 4;
    for grid in Grid::all() {
        let (d, name, stored, words_of) = (grid.d, grid.name(), grid.stored(), grid.words());
        let words: Vec<i64> = random(stored.len() * words_of, 75).iter().map(|x| (x * 1e6) as i64).collect();
        let sums: Vec<u64> = words.iter().map(|&word| word as u64).collect();
        let mut sums = device.upload(&sums).unwrap();
        let k: Vec<f32> = random(2 * (2 * REACH + 1), 76);
        let nodes = if d > 3 {
            smoothed_of_many(device, &grid, &mut sums, &k, REACH as u32)
        } else {
            smoothed_of_few(device, &grid, &mut sums, &k, REACH as u32)
        };
        let left = device.download(&sums).unwrap();
        assert!(left.chunks(grid.words()).all(|words| words[..=d].iter().all(|&sum| sum == 0)), "{name}");
        let mut field = vec![0.0; grid.count() * words_of];
        for (node, words) in stored.iter().zip(words.chunks(words_of)) {
            let of_node = field[node * words_of..].iter_mut().zip(words);
            of_node.for_each(|(value, &word)| *value += word as f64 * f64::from(UNIT));
        }
        let k = wide(&k);
        for axis in 0..d {
            field = smoothed(&field, &grid, axis, &k, REACH);
        }
        let found = device.download(&nodes).unwrap();
        for (node, found) in stored.iter().zip(found.chunks(words_of)) {
            let expected = &field[node * words_of..][..words_of];
            // 9 terms of at most 1 in each pass.
            let tolerance = 9_f64.powi(d as i32) * 1e-5;
            assert_close(&found[..=d], &expected[..=d], |_| tolerance, &format!("{name}, node {node}"));
        }
    }
}

/// What a unit of the sums is.
const UNIT: f32 = 1.0 / 1_048_576.0;

/// The nodes of sums in up to three dimensions.
fn smoothed_of_few(device: &Device, grid: &Grid, sums: &mut Buffer<u64>, k: &[f32], reach: u32) -> Buffer<f32> {
    let (d, [x, y, z, ..]) = (grid.d as u32, grid.sizes());
    let (rows, row, lead) = (y * z, (x + reach).next_multiple_of(32), 64);
    let plane = 2 * lead + row * rows;
    let mut state = device.zeros(HISTORY).unwrap();
    let mut planes = [0; 2].map(|_| device.zeros::<f32>((grid.d + 1) * plane as usize).unwrap());
    let launch = settle::launch(sums, &mut planes[0], &mut state, 0, 1, 0, d, x, rows, row, lead, plane, UNIT);
    device.launch(launch).unwrap();
    let taps = device.upload(k).unwrap();
    let mut nodes = device.zeros::<f32>(grid.count() * WORDS).unwrap();
    let [even, odd] = &mut planes;
    macro_rules! smooth {
        ($kernel:ident, $from:expr, $to:expr) => {
            device
                .launch($kernel::launch(
                    &*$from, &taps, &mut *$to, &mut nodes, &mut state, 0, reach, x, y, z, row, lead, plane,
                ))
                .unwrap()
        };
    }
    match grid.d {
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
    nodes
}

/// The nodes of sums in more.
fn smoothed_of_many(device: &Device, grid: &Grid, sums: &mut Buffer<u64>, k: &[f32], reach: u32) -> Buffer<f32> {
    let (d, count, span) = (grid.d as u32, grid.stored().len() as u32, 48);
    // What is between two passes, of each patch for each.
    let plane = 2 * count + BEHIND as u32;
    let mut state = device.zeros(HISTORY).unwrap();
    let mut planes = [0; 2].map(|_| device.zeros::<f32>((grid.d + 1) * plane as usize).unwrap());
    device.launch(settle_many::launch(sums, &mut planes[0], &mut state, 0, 1, 0, d, count, plane, UNIT)).unwrap();
    // From the last tap to the first, with zeros about them.
    let mut taps = Vec::new();
    for k in k.chunks(2 * reach as usize + 1) {
        let zeros = vec![0.0; (span - reach) as usize];
        taps.extend(zeros.iter().chain(k.iter().rev()).chain(&zeros));
    }
    let taps = device.upload(&taps).unwrap();
    let [mut from, mut to] = planes;
    for axis in 0..grid.d {
        let (targets, sources) = tables(grid, axis);
        let targets_of = device.upload(&targets).unwrap();
        let sources = device.upload(&sources).unwrap();
        // A row more than any target has.
        let most = |of: &dyn Fn(&[u32]) -> u32| targets.chunks(TARGET).map(of).max().unwrap();
        let width = most(&|row| row[if axis == 0 { 2 } else { 1 }]);
        let lines = most(&|row| row[3] * if axis == 0 { 1 } else { row[2] }) + 1;
        let those = (targets.len() / TARGET) as u32;
        macro_rules! smooth {
            ($kernel:ident) => {
                $kernel::launch(
                    &from,
                    &taps,
                    &targets_of,
                    &sources,
                    &mut to,
                    &mut state,
                    0,
                    reach,
                    span,
                    axis as u32,
                    0,
                    those,
                    width,
                    lines,
                    plane,
                    plane,
                )
            };
        }
        device.launch(if d == 4 { smooth!(smooth_4) } else { smooth!(smooth_5) }).unwrap();
        std::mem::swap(&mut from, &mut to);
    }
    let mut nodes = device.zeros::<f32>(count as usize * MANY_WORDS).unwrap();
    device.launch(fill_many::launch(&from, &mut nodes, &mut state, 0, d, 0, count, plane)).unwrap();
    // The same behind others.
    let mut behind = device.zeros::<f32>((count as usize + 5) * MANY_WORDS).unwrap();
    device.launch(fill_many::launch(&from, &mut behind, &mut state, 0, d, 5, count, plane)).unwrap();
    let (all, behind) = (device.download(&nodes).unwrap(), device.download(&behind).unwrap());
    assert!(behind[..5 * MANY_WORDS].iter().all(|&word| word == 0.0) && behind[5 * MANY_WORDS..] == all);
    nodes
}

/// The targets and the sources of a pass from every patch to every patch, as smooth_many.rs has them.
fn tables(grid: &Grid, axis: usize) -> (Vec<u32>, Vec<u32>) {
    let (d, patches) = (grid.d, &grid.patches);
    let product = |nodes: &[usize]| nodes.iter().product::<usize>();
    let sizes = |to: usize, from: usize, axis: usize| {
        let (to, from) = (patches[to].1, patches[from].1);
        [product(&to[..axis]), to[axis], product(&from[axis + 1..d])]
    };
    let pairs = || (0..patches.len()).flat_map(|to| (0..patches.len()).map(move |from| (to, from)));
    // Where a pair's nodes stand behind the pass along an axis, and a patch's before the first and behind the last.
    let place = |to: usize, from: usize, axis: usize| {
        let before = pairs().take_while(|&pair| pair != (to, from));
        before.map(|(to, from)| product(&sizes(to, from, axis))).sum::<usize>()
    };
    let first = |of: usize| patches[..of].iter().map(|patch| product(&patch.1)).sum::<usize>();
    let (mut targets, mut sources) = (Vec::new(), Vec::new());
    for (k, (to, from)) in pairs().enumerate() {
        if axis < d - 1 {
            targets.extend([place(to, from, axis)].into_iter().chain(sizes(to, from, axis)).chain([k, k + 1]));
        } else if from == 0 {
            targets.extend([first(to)].into_iter().chain(sizes(to, to, axis)).chain([k, k + patches.len()]));
        }
        let begin = if axis == 0 { first(from) } else { place(to, from, axis - 1) };
        let shift = patches[to].0[axis].wrapping_sub(patches[from].0[axis]);
        sources.extend([begin, patches[from].1[axis], shift].map(|word| word as u32));
    }
    (targets.into_iter().map(|word| word as u32).collect(), sources)
}

/// One pass, as smooth.rs defines it.
fn smoothed(field: &[f64], grid: &Grid, axis: usize, taps: &[f64], reach: usize) -> Vec<f64> {
    let words = grid.words();
    let step: usize = grid.nodes[..axis].iter().product();
    let mut out = vec![0.0; field.len()];
    for node in 0..grid.count() {
        let at = node / step % grid.nodes[axis];
        for (tap, u) in (0..2 * reach + 1).zip(-(reach as isize)..) {
            let Some(there) = at.checked_add_signed(u).filter(|&there| there < grid.nodes[axis]) else { continue };
            let from = &field[(node + there * step - at * step) * words..][..words];
            for (word, value) in from.iter().enumerate() {
                out[node * words + word] += taps[tap] * value;
            }
            out[node * words + 1 + axis] += taps[2 * reach + 1 + tap] * from[0];
        }
    }
    out
}
