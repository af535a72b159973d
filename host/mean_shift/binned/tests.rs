//! A field in blocks has the bits of one whose whole grid is stored, on every executor, and one in patches its steps.

use std::ops::ControlFlow;

use cuda_std::machine::MachineKind;

use super::blocks::{Table, missing};
use super::field::{Field, exponent, no_run};
use super::grid::Grid;
use super::patches::about;
use super::pieces::Pieces;
use super::plan::Plan;
use super::storage::Wanted;
use crate::executor::{Buffer, CpuOptions, Device, InterpreterOptions};
use crate::mean_shift::iterate::{Ends, Queries};
use crate::mean_shift::{Bandwidth, MeanShift};

/// A bandwidth, in scaled coordinates.
const SCALE: f64 = 0.85;

/// Places of d dimensions, in bandwidths, over boxes of which most is empty: of n points each.
fn sets(n: usize, d: usize, side: f64) -> Vec<(&'static str, Vec<f64>)> {
    let along = |i: usize| i as f64 / n as f64;
    let turned = |i: usize| std::f64::consts::TAU * along(i);
    let each = |place: &dyn Fn(usize, usize) -> f64| (0..n * d).map(|at| place(at / d, at % d)).collect::<Vec<_>>();
    let noise = |i: usize, c: usize| ((i * (7 + 4 * c)) as f64 * 0.618).sin();
    vec![
        ("two clusters", each(&|i, c| (i % 2) as f64 * side + noise(i, c))),
        ("a diagonal", each(&|i, c| side * along(i) * (1.0 + 0.1 * c as f64))),
        ("a ring", each(&|i, c| side / 2.0 * [turned(i).cos(), turned(i).sin(), 0.1 * turned(i).sin()][c])),
        // Blocks of 8 and of 32 nodes, 2 nodes a bandwidth.
        ("borders of blocks", each(&|i, c| (i * (c + 1) % 5) as f64 * 4.0 + (i % 3) as f64 * 16.0)),
        ("one place", each(&|_, c| c as f64)),
    ]
}

struct Case<'a> {
    device: &'a Device,
    grid: Grid,
    columns: Vec<f32>,
    n: usize,
}

impl Case<'_> {
    fn queries(&self) -> Queries {
        let columns = self.device.upload(&self.columns).unwrap();
        Queries::new(columns, self.n, self.columns.len() / self.grid.d)
    }

    /// The field of all nodes, and that of blocks for these queries.
    fn fields(&self, queries: &Queries) -> [Field; 2] {
        let Self { device, grid, n, .. } = *self;
        let exponent = exponent(n as f64, 1.0);
        let none = Table::new(device, &[]).unwrap();
        let keys = |of: &Queries| missing(device, &grid, &none, of.as_columns(grid.d as u32)).unwrap().unwrap();
        let plan = Plan::new(grid.d, grid.reach, keys(&self.queries()), keys(queries));
        let mut fields = [
            Field::new(device, grid, exponent, n, Wanted::All).unwrap(),
            Field::new(device, grid, exponent, n, Wanted::Blocks(plan)).unwrap(),
        ];
        let mut state = no_run(device).unwrap();
        for field in &mut fields {
            let points = self.queries();
            field.add(device, points.as_columns(grid.d as u32), &self.no_factors(), (&mut state, 0)).unwrap();
        }
        fields
    }

    fn no_factors(&self) -> Buffer<f32> {
        self.device.zeros(0).unwrap()
    }

    /// Where queries ended, and what is known of them.
    fn words(&self, ends: &Ends) -> (Vec<u32>, Vec<u32>, Vec<f64>) {
        let bits = |of: &Buffer<f32>| self.device.download(of).unwrap().into_iter().map(f32::to_bits).collect();
        (bits(&ends.queries.columns), bits(&ends.details), ends.history.clone())
    }
}

fn devices() -> Vec<(Device, bool)> {
    let kinds = [MachineKind::Baseline, MachineKind::Avx2, MachineKind::Avx512].into_iter();
    let processors = kinds.filter(|kind| kind.runs_here()).map(|machine| {
        let options = CpuOptions { machine: Some(machine), ..CpuOptions::default() };
        (Device::processor_with(options).unwrap(), false)
    });
    let interpreter = Device::interpreter(InterpreterOptions::default()).map(|device| (device, true));
    processors.chain(interpreter).collect()
}

#[test]
fn blocks_have_the_bits_of_the_whole_grid() {
    for (device, interpreted) in devices() {
        for d in 2..=if interpreted { 2 } else { 3 } {
            let n = if interpreted { 8 } else { 60 };
            // An interpreter has time for a few blocks.
            let most = if interpreted { 1 } else { usize::MAX };
            for (name, places) in sets(n, d, if interpreted { 40.0 } else { 70.0 }).into_iter().take(most) {
                let stride = Queries::stride_of(n);
                let mut columns = vec![0.0; stride * d];
                (0..n * d).for_each(|at| columns[at % d * stride + at / d] = (places[at] * SCALE) as f32);
                let extents: Vec<(f64, f64)> = (0..d)
                    .map(|c| {
                        let own = columns[c * stride..][..n].iter().map(|&x| f64::from(x));
                        (own.clone().fold(f64::INFINITY, f64::min), own.fold(f64::NEG_INFINITY, f64::max))
                    })
                    .collect();
                let grid = Grid::over(&extents, SCALE, 2.0, (n as f64, 1e-2)).unwrap();
                compare(
                    &Case { device: &device, grid, columns, n },
                    &format!("{}, {name}, d = {d}", device.describe()),
                );
            }
        }
    }
}

fn compare(case: &Case<'_>, what: &str) {
    let (device, d) = (case.device, case.grid.d as u32);
    let most = if what.contains("interpreter") { 2 } else { 20 };
    let options = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).max_iterations(most);
    let watch = &mut |_| ControlFlow::Continue(());

    // Of the blocks that queries need only the first one's is there; the others have to be added.
    let queries = case.queries();
    let [mut whole, mut blocks] =
        case.fields(&Queries::new(device.upload(&case.columns).unwrap(), 1, queries.stride as usize));
    assert_eq!(blocks.plan().unwrap().read.len(), 1);
    let mut state = no_run(device).unwrap();
    whole.smooth(device, true, (&mut state, 0)).unwrap();
    blocks.smooth(device, true, (&mut state, 0)).unwrap();
    let all = whole.climb_all(device, &options, case.queries(), watch).unwrap();
    let some = blocks.climb_anywhere(device, &options, queries, watch).unwrap();
    assert_eq!(case.words(&all), case.words(&some), "{what}: climbed");

    let [mut whole, mut blocks] = case.fields(&case.queries());
    for field in [&mut whole, &mut blocks] {
        field.smooth(device, false, (&mut state, 0)).unwrap();
    }
    let blurred = [&mut whole, &mut blocks].map(|field| {
        let (ends, _) = field.blur_all(device, &options, (case.queries(), d), &case.no_factors(), watch).unwrap();
        case.words(&ends)
    });
    assert_eq!(blurred[0], blurred[1], "{what}: blurred");
}

#[test]
fn patches_have_the_steps_of_the_whole_grid() {
    for (device, interpreted) in devices() {
        for d in 4..=if interpreted { 4 } else { 5 } {
            let n = if interpreted { 6 } else { 60 };
            for side in if interpreted { vec![5.0] } else { vec![5.0, 9.0] } {
                let stride = Queries::stride_of(n);
                let mut columns = vec![0.0; stride * d];
                for at in 0..n * d {
                    let (i, c) = (at / d, at % d);
                    // Two clusters, between which some are on their way.
                    let along = if i % 20 == 5 { 0.5 } else { (i % 2) as f64 };
                    let noise = 0.4 * ((i * (7 + 4 * c)) as f64 * 0.618).sin();
                    columns[c * stride + i] = ((side * along + noise) * SCALE) as f32;
                }
                let extents = vec![(-SCALE, (side + 1.0) * SCALE); d];
                let grid = Grid::over(&extents, SCALE, 2.0, (n as f64, 1e-2)).unwrap();
                let case = Case { device: &device, grid, columns, n };
                compare_patches(&case, &format!("{}, {side} apart, d = {d}", device.describe()));
            }
        }
    }
}

fn compare_patches(case: &Case<'_>, what: &str) {
    let Case { device, grid, n, .. } = *case;
    let options = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).max_iterations(20);
    let watch = &mut |_| ControlFlow::Continue(());
    let d = grid.d as u32;
    let about = |of: &Queries| about(device, &grid, of.as_columns(d)).unwrap().unwrap();
    let all = case.queries();
    let first = Queries::new(device.upload(&case.columns).unwrap(), 1, all.stride as usize);
    let close = |a: &Ends, b: &Ends, how: &str| {
        let [a, b] = [a, b].map(|ends| device.download(&ends.queries.columns).unwrap());
        let apart = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(apart <= 1e-4, "{what}: {how}, {apart} apart");
    };
    // Of the patches that queries need only the first one's is there; the others have to be added.
    let pieces = |read: &Queries| Pieces::new(&grid, about(&all), about(read)).unwrap();
    assert!(pieces(&all).read.len() > 1 && pieces(&first).read.len() == 1, "{what}");
    let wanted = |read: &Queries| [Wanted::all(&grid), Wanted::Patches(pieces(read))];
    let new = |wanted| Field::new(device, grid, exponent(n as f64, 1.0), n, wanted).unwrap();
    let built = |wanted| {
        let (mut field, mut state) = (new(wanted), no_run(device).unwrap());
        field.add(device, all.as_columns(d), &case.no_factors(), (&mut state, 0)).unwrap();
        (field, state)
    };
    let [climbed, by_patches] = wanted(&first).map(|wanted| {
        let (mut field, mut state) = built(wanted);
        field.smooth(device, true, (&mut state, 0)).unwrap();
        field.climb_anywhere(device, &options, case.queries(), watch).unwrap()
    });
    close(&climbed, &by_patches, "climbed");
    let [blurred, by_patches] = wanted(&all).map(|wanted| {
        let (mut field, mut state) = built(wanted);
        field.smooth(device, false, (&mut state, 0)).unwrap();
        field.blur_all(device, &options, (case.queries(), d), &case.no_factors(), watch).unwrap().0
    });
    close(&blurred, &by_patches, "blurred");
}
