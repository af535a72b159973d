//! The binned field: its kernels against plain f64, here how points are spread onto nodes, and which of them are stored.

use cuda_std::machine::MachineKind;
use gpu::layout::STRIDE;
use gpu::many::{MANY_WORDS, patch_words};
use gpu::patches::{cell_bits, note_patches_4, note_patches_5};
use gpu::progress::HISTORY;
use gpu::spread::{WORDS, spread_1, spread_2, spread_3};
use gpu::spread_many::{spread_4, spread_5};
use modeseek::{Buffer, Device};

use crate::check::{assert_close, is_interpreted, random};

/// A small grid of d dimensions: nodes along each axis, the spacing, and the first node in spacings; and what of it is stored.
pub struct Grid {
    pub d: usize,
    pub nodes: [usize; 5],
    pub spacing: f64,
    pub low: [f64; 5],
    /// The first node of each patch, and how many it has, along each axis.
    pub patches: Vec<([usize; 5], [usize; 5])>,
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
    pub fn all() -> Vec<Self> {
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
    pub fn stored(&self) -> Vec<usize> {
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
    pub fn upload(&self, device: &Device, nodes: &[f32]) -> (Buffer<f32>, Buffer<u32>, u32) {
        let (stored, words) = (self.stored(), self.words());
        let of_patches: Vec<f32> = stored.iter().flat_map(|node| nodes[node * words..][..words].to_vec()).collect();
        (device.upload(&of_patches).unwrap(), device.upload(&self.table()).unwrap(), stored.len() as u32)
    }

    pub fn name(&self) -> String {
        format!("d = {}, {} patches", self.d, self.patches.len())
    }

    /// Words of a node.
    pub fn words(&self) -> usize {
        if self.d > 3 { MANY_WORDS } else { WORDS }
    }

    pub fn count(&self) -> usize {
        self.nodes.iter().product()
    }

    pub fn sizes(&self) -> [u32; 5] {
        self.nodes.map(|nodes| nodes as u32)
    }

    /// Columns of n places within the nodes, in f32 as kernels have them; some on borders of cells.
    pub fn places(&self, n: usize) -> Vec<f32> {
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
    pub fn about(&self, columns: &[f32], i: usize) -> Vec<(usize, f64, [f64; 5])> {
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

/// What a table of patches says is looked at as a kernel runs: no place is in a patch that is too short, and one of more nodes than there
/// are, whose number no u32 holds, ends it.
pub fn patches_without_nodes(device: &Device) {
    // A check that fails would take a GPU's context with it.
    if device.machine() == MachineKind::Gpu && !is_interpreted(device) {
        return;
    }
    let spread = |sizes: u32| {
        let columns = device.zeros::<f32>(4 * STRIDE)?;
        let (factors, lows) = (device.zeros(0)?, device.upload(&[-1.0; 4])?);
        // Its number of the first node, its first node on each axis, and how many it has there.
        let patch: Vec<u32> = [[0; 5].as_slice(), &[sizes; 4]].concat();
        assert_eq!(patch.len(), patch_words(4));
        let patches = device.upload(&patch)?;
        let (mut sums, mut state) = (device.zeros::<u64>(16 * MANY_WORDS)?, device.zeros(HISTORY)?);
        device.launch(spread_4::launch(
            &columns,
            &factors,
            &lows,
            &patches,
            &mut sums,
            &mut state,
            0,
            1,
            STRIDE as u32,
            1,
            16,
            8,
            8,
            8,
            8,
            8,
            1.0,
            1.0,
        ))?;
        device.download(&sums)
    };
    for sizes in 0..4 {
        assert!(spread(sizes).unwrap().iter().all(|&sum| sum == 0), "{sizes}");
    }
    // 256, and 2^32, 2^64 and 2^124 nodes.
    for sizes in [4, 1 << 8, 1 << 16, 1 << 31] {
        let error = spread(sizes).unwrap_err().to_string();
        assert!(error.contains("spread_4"), "{error}");
    }
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
