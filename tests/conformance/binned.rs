//! The binned field: its kernels against plain f64, and steps and whole fits against all pairs.

use gpu::binned::{blur_1, blur_2, blur_3, climb_1, climb_2, climb_3};
use gpu::binned_many::{blur_4, blur_5, climb_4, climb_5};
use gpu::layout::STRIDE;
use gpu::many::{MANY_WORDS, patch_words};
use gpu::patches::{cell_bits, note_patches_4, note_patches_5};
use gpu::progress::{ACTIVE, HISTORY, ITERATION};
use gpu::smooth::{smooth_1_x, smooth_2_x, smooth_2_y, smooth_3_x, smooth_3_y, smooth_3_z};
use gpu::smooth_many::{BEHIND, TARGET, fill_many, settle_many, smooth_4, smooth_5};
use gpu::spread::{WORDS, settle, spread_1, spread_2, spread_3};
use gpu::spread_many::{spread_4, spread_5};
use modeseek::{Buffer, Device};

use crate::check::{assert_close, random, wide};
use crate::kernels::progress;

/// A small grid of d dimensions: nodes along each axis, the spacing, and the first node in spacings; and what of it is stored.
struct Grid {
    d: usize,
    nodes: [usize; 5],
    spacing: f64,
    low: [f64; 5],
    /// The first node of each patch, and how many it has, along each axis.
    patches: Vec<([usize; 5], [usize; 5])>,
}

impl Grid {
    fn new(d: usize) -> Self {
        let nodes = [[37, 1, 1, 1, 1], [37, 11, 1, 1, 1], [9, 8, 10, 1, 1], [9, 7, 8, 6, 1], [7, 6, 6, 6, 7]][d - 1];
        Self { d, nodes, spacing: 0.25, low: [-7.0, -2.0, 3.0, -1.0, 5.0], patches: vec![([0; 5], nodes)] }
    }

    /// The same, in two patches that overlap: of places whose first node along the axis is less than 2, and of the others.
    fn cut(mut self, axis: usize) -> Self {
        let (mut before, mut behind) = (self.patches[0], self.patches[0]);
        before.1[axis] = 5;
        behind.0[axis] = 2;
        behind.1[axis] -= 2;
        self.patches = vec![before, behind];
        self
    }

    /// A grid of each number of dimensions; and where there are patches, some of more than one.
    fn all() -> Vec<Self> {
        (1..=5).map(Self::new).chain([Self::new(4).cut(0), Self::new(4).cut(3), Self::new(5).cut(1)]).collect()
    }

    /// The patches as kernels take them.
    fn table(&self) -> Vec<u32> {
        let (mut table, mut first) = (Vec::new(), 0);
        for (low, nodes) in &self.patches {
            table.push(first);
            table.extend(low[..self.d].iter().chain(&nodes[..self.d]).map(|&nodes| nodes as u32));
            first += nodes.iter().product::<usize>() as u32;
        }
        table
    }

    /// The node of the grid that each stored node is.
    fn stored(&self) -> Vec<usize> {
        let of = |(low, nodes): &([usize; 5], [usize; 5])| {
            let (low, nodes) = (*low, *nodes);
            (0..nodes.iter().product()).map(move |at: usize| {
                let (mut rest, mut node, mut step) = (at, 0, 1);
                for c in 0..5 {
                    node += step * (low[c] + rest % nodes[c]);
                    (rest, step) = (rest / nodes[c], step * self.nodes[c]);
                }
                node
            })
        };
        self.patches.iter().flat_map(of).collect()
    }

    /// The stored nodes, given all of the grid, the patches, and how many nodes these have.
    fn upload(&self, device: &Device, nodes: &[f32]) -> (Buffer<f32>, Buffer<u32>, u32) {
        let (stored, words) = (self.stored(), self.words());
        let of_patches: Vec<f32> = stored.iter().flat_map(|node| nodes[node * words..][..words].to_vec()).collect();
        (device.upload(&of_patches).unwrap(), device.upload(&self.table()).unwrap(), stored.len() as u32)
    }

    fn name(&self) -> String {
        format!("d = {}, {} patches", self.d, self.patches.len())
    }

    /// Words of a node.
    fn words(&self) -> usize {
        if self.d > 3 { MANY_WORDS } else { WORDS }
    }

    fn count(&self) -> usize {
        self.nodes.iter().product()
    }

    fn sizes(&self) -> [u32; 5] {
        self.nodes.map(|nodes| nodes as u32)
    }

    /// Columns of n places within the nodes, in f32 as kernels have them; some on borders of cells.
    fn places(&self, n: usize) -> Vec<f32> {
        let stride = n.next_multiple_of(STRIDE);
        let mut columns = vec![0.0; stride * self.d];
        for c in 0..self.d {
            for (i, x) in random(n, 70 + c as u64).into_iter().enumerate() {
                let most = (self.nodes[c] - 4) as f64;
                let t = 1.0 + most * (0.5 + 0.3 * f64::from(x));
                let t = if i % 7 == 3 { t.floor().max(2.0) } else { t };
                columns[c * stride + i] = ((t + self.low[c]) * self.spacing) as f32;
            }
        }
        columns
    }

    /// The nodes about a place, each with its spline weight and how far it is from the place.
    fn about(&self, columns: &[f32], i: usize) -> Vec<(usize, f64, [f64; 5])> {
        let stride = columns.len() / self.d;
        let mut all = vec![(0, 1.0, [0.0; 5])];
        let mut step = 1;
        for c in 0..self.d {
            let t = f64::from(columns[c * stride + i]) / self.spacing - self.low[c];
            all = all
                .into_iter()
                .flat_map(|(node, weight, from)| {
                    (0..self.nodes[c]).filter_map(move |g| {
                        let b = spline(t - g as f64);
                        let mut from = from;
                        from[c] = g as f64 - t;
                        (b > 0.0).then_some((node + g * step, weight * b, from))
                    })
                })
                .collect();
            step *= self.nodes[c];
        }
        all
    }
}

/// The cubic B-spline.
fn spline(x: f64) -> f64 {
    let x = x.abs();
    if x < 1.0 { (4.0 - 6.0 * x * x + 3.0 * x.powi(3)) / 6.0 } else { (2.0 - x).max(0.0).powi(3) / 6.0 }
}

/// What spreading gives, in units of 2^-30, summed over the copies.
fn spread(device: &Device, grid: &Grid, columns: &[f32], factors: &[f32], (n, copies): (usize, u32)) -> Vec<i64> {
    let (stride, [x, y, z, u, v]) = ((columns.len() / grid.d) as u32, grid.sizes());
    let columns = device.upload(columns).unwrap();
    let factors = device.upload(factors).unwrap();
    let stored = grid.stored();
    let mut sums = device.zeros::<u64>(copies as usize * stored.len() * grid.words()).unwrap();
    let (patches, count) = (device.upload(&grid.table()).unwrap(), stored.len() as u32);
    let mut state = device.zeros(HISTORY).unwrap();
    let (slots, keys) = (device.zeros(0).unwrap(), device.zeros(0).unwrap());
    let lows = device.upload(&grid.low).unwrap();
    let (inverse, low, scale) = (1.0 / grid.spacing, grid.low, 2_f32.powi(30));
    let (sums_of, state, n) = (&mut sums, &mut state, n as u32);
    macro_rules! spread {
        ($kernel:ident) => {
            $kernel::launch(
                &columns, &factors, &slots, &keys, sums_of, state, 0, n, stride, copies, x, y, z, inverse, low[0],
                low[1], low[2], scale,
            )
        };
    }
    macro_rules! spread_many {
        ($kernel:ident) => {
            $kernel::launch(
                &columns, &factors, &lows, &patches, sums_of, state, 0, n, stride, copies, count, x, y, z, u, v,
                inverse, scale,
            )
        };
    }
    let launch = match grid.d {
        1 => spread!(spread_1),
        2 => spread!(spread_2),
        3 => spread!(spread_3),
        4 => spread_many!(spread_4),
        _ => spread_many!(spread_5),
    };
    device.launch(launch).unwrap();
    let sums = device.download(&sums).unwrap();
    let words = grid.words();
    let mut totals = vec![0; grid.count() * words];
    for copy in sums.chunks(stored.len() * words) {
        for (node, sums) in stored.iter().zip(copy.chunks(words)) {
            let of_node = totals[node * words..].iter_mut().zip(sums);
            of_node.for_each(|(total, &sum): (&mut i64, &u64)| *total = total.wrapping_add(sum as i64));
        }
    }
    totals
}

pub fn spread_onto_nodes(device: &Device) {
    for grid in Grid::all() {
        let (d, name) = (grid.d, grid.name());
        // Places of their own, and those of which most are on a few spots, as after some steps.
        for (n, spots) in [(1, 1), (100, 100), (131, 3)] {
            let columns = met(grid.places(n), n, spots);
            let factors: Vec<f32> = (0..n).map(|i| 0.25 + (i % 5) as f32).collect();
            for weights in [&[][..], &factors] {
                let sums = spread(device, &grid, &columns, weights, (n, 3));
                let words = grid.words();
                let mut expected = vec![0.0; grid.count() * words];
                for i in 0..n {
                    let factor = weights.get(i).copied().map_or(1.0, f64::from);
                    for (node, weight, from) in grid.about(&columns, i) {
                        expected[node * words] += factor * weight;
                        for c in 0..d {
                            expected[node * words + 1 + c] -= factor * weight * from[c];
                        }
                    }
                }
                let found: Vec<f32> = sums.iter().map(|&sum| sum as f32 * 2_f32.powi(-30)).collect();
                // A coordinate is off by 2^-24 of up to 40 spacings.
                assert_close(&found, &expected, |_| n as f64 * 2e-5, &format!("{name}, n = {n}"));
                // The order of points, and how they are divided, change no bit.
                let again = spread(device, &grid, &columns, weights, (n, 1));
                assert_eq!(sums, again, "{name}, n = {n}: copies");
                let reversed = reversed(&columns, n, d);
                let weights: Vec<f32> = weights.iter().rev().copied().collect();
                assert_eq!(sums, spread(device, &grid, &reversed, &weights, (n, 2)), "{name}, n = {n}: order");
            }
        }
    }
}

/// The cells of places that are in none of the known patches, each once.
pub fn noted_patches(device: &Device) {
    for grid in [Grid::new(4), Grid::new(5)] {
        let (d, n) = (grid.d, 150);
        let columns = grid.places(n);
        let stride = columns.len() / d;
        let first = |i: usize, c: usize| {
            let t = f64::from(columns[c * stride + i]) / grid.spacing - grid.low[c];
            (t.floor() as usize).clamp(1, grid.nodes[c] - 3) - 1
        };
        let key = |i: usize| (0..d).map(|c| (first(i, c) as u64 / 2) << (cell_bits(d) as usize * c)).sum::<u64>();
        // Known are none, those of a patch, and all.
        let part = Grid::new(d).cut(1).table()[..patch_words(d)].to_vec();
        for (known, least) in [(vec![], 0), (part, 2), (grid.table(), grid.nodes[1])] {
            // Who has a first node before this along y is in the known one.
            let is_held = |i: usize| first(i, 1) < least;
            let mut expected: Vec<u64> = (0..n).filter(|&i| !is_held(i)).map(key).collect();
            expected.sort_unstable();
            expected.dedup();
            // All of them, and fewer than there are.
            for room in [n, expected.len() / 2] {
                let (found, list) = note(device, &grid, &columns, n, &known, room);
                if found <= room {
                    assert_eq!((found, list), (expected.len(), expected.clone()), "d = {d}");
                } else {
                    assert!(room < expected.len() && list.iter().all(|key| expected.contains(key)), "d = {d}");
                }
            }
        }
    }
}

/// How many cells there are, and those that are listed, in order.
fn note(device: &Device, grid: &Grid, columns: &[f32], n: usize, known: &[u32], room: usize) -> (usize, Vec<u64>) {
    let (d, [x, y, z, u, v], capacity) = (grid.d, grid.sizes(), 512);
    let low = device.upload(&grid.low).unwrap();
    let (known, columns_of) = (device.upload(known).unwrap(), device.upload(columns).unwrap());
    let (mut table, mut list) = (device.zeros(capacity).unwrap(), device.zeros::<u64>(room).unwrap());
    let mut count = device.zeros::<u32>(1).unwrap();
    let (stride, inverse) = ((columns.len() / d) as u32, 1.0 / grid.spacing);
    macro_rules! note {
        ($kernel:ident) => {
            $kernel::launch(
                &columns_of,
                &low,
                &known,
                &mut table,
                &mut list,
                &mut count,
                n as u32,
                stride,
                capacity as u32,
                room as u32,
                x,
                y,
                z,
                u,
                v,
                inverse,
            )
        };
    }
    device.launch(if d == 4 { note!(note_patches_4) } else { note!(note_patches_5) }).unwrap();
    let found = device.download(&count).unwrap()[0] as usize;
    let mut list = device.download(&list).unwrap();
    list.truncate(found);
    list.sort_unstable();
    (found, list)
}

/// The places, of which those that are not on one of the first `spots` spots have come to one of them, but for a few.
fn met(mut columns: Vec<f32>, n: usize, spots: usize) -> Vec<f32> {
    let stride = n.next_multiple_of(STRIDE);
    for column in columns.chunks_mut(stride) {
        (spots..n).filter(|i| i % 29 != 5).for_each(|i| column[i] = column[i * 7 % spots]);
    }
    columns
}

fn reversed(columns: &[f32], n: usize, d: usize) -> Vec<f32> {
    let stride = columns.len() / d;
    let mut reversed = columns.to_vec();
    for c in 0..d {
        reversed[c * stride..][..n].reverse();
    }
    reversed
}

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
