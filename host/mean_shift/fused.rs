//! Iterations of the fused kernel.

use std::time::Instant;

use cuda_std::launch::Launch;
use gpu::layout::{STRIDE, to_columns, to_rows};
use gpu::{shift, shift_any};

use super::Moved;
use super::options::{MeanShift, WeightFunction};
use super::progress::{Last, Progress};
use crate::error::Result;
use crate::executor::{Buffer, Device};
use crate::points::Points;

/// Iterations that are queued before the host looks how far they moved. Those behind the last one
/// that counts return at once.
const QUEUE: usize = 8;

/// Sizes as kernels take them.
#[derive(Clone, Copy)]
struct Sizes {
    n: u32,
    d: u32,
    stride: u32,
}

pub(super) fn run(options: &MeanShift, device: &Device, points: &Points) -> Result<Moved> {
    let (n, d) = (points.len(), points.dimensions());
    let stride = n.next_multiple_of(STRIDE);
    let scale = options.weight.scale() / options.bandwidth;
    let sizes = Sizes { n: n as u32, d: d as u32, stride: stride as u32 };
    // The rows, and the columns before and after a step.
    let bytes = (n as u128 + 2 * stride as u128) * d as u128 * 4 + options.max_iterations as u128 * 4;
    device.reserve(bytes, &format!("{n} points of {d} dimensions"), "use fewer points")?;

    let start = Instant::now();
    let mut rows = device.upload(points.centred_rows())?;
    let upload = start.elapsed();

    let start = Instant::now();
    let mut columns = [device.zeros(stride * d)?, device.zeros(stride * d)?];
    let mut progress = Progress::new(device, options.max_iterations, options.tolerance * options.weight.scale())?;
    device.launch(to_columns::launch(&rows, &mut columns[0], sizes.n, sizes.d, sizes.stride, scale as f32))?;
    let last = iterate(options, device, sizes, &mut columns, &mut progress)?;
    let end = &columns[last.iterations % 2];
    device.launch(to_rows::launch(end, &mut rows, sizes.n, sizes.d, sizes.stride, (1.0 / scale) as f32))?;
    device.synchronize()?;
    let iterate = start.elapsed();

    let start = Instant::now();
    let rows = device.download(&rows)?;
    let download = start.elapsed();
    let last_shift = f64::from(last.squared).sqrt() / scale;
    Ok(Moved { rows, iterations: last.iterations, last_shift, batch: None, upload, iterate, download })
}

fn iterate(
    options: &MeanShift,
    device: &Device,
    sizes: Sizes,
    columns: &mut [Buffer<f32>; 2],
    progress: &mut Progress,
) -> Result<Last> {
    let mut queued = 0;
    loop {
        for _ in 0..QUEUE.min(options.max_iterations - queued) {
            let [even, odd] = &mut *columns;
            let (from, to) = if queued % 2 == 0 { (even, odd) } else { (odd, even) };
            device.launch(step(options, sizes, from, to, progress, queued as u32))?;
            queued += 1;
        }
        let last = progress.last(device, queued)?;
        if last.converged || queued == options.max_iterations {
            return Ok(last);
        }
    }
}

/// One iteration: the kernel for this weight function and dimension.
fn step<'a>(
    options: &MeanShift,
    Sizes { n, d, stride }: Sizes,
    from: &'a Buffer<f32>,
    to: &'a mut Buffer<f32>,
    Progress { cells, tolerance }: &'a mut Progress,
    iteration: u32,
) -> Launch<'a> {
    macro_rules! choose {
        ($($weight:ident: $one:ident, $two:ident, $three:ident, $four:ident, $any:ident;)*) => {
            match (options.weight, d) {
                $(
                    (WeightFunction::$weight, 1) => shift::$one::launch(from, to, cells, n, stride, iteration, *tolerance),
                    (WeightFunction::$weight, 2) => shift::$two::launch(from, to, cells, n, stride, iteration, *tolerance),
                    (WeightFunction::$weight, 3) => shift::$three::launch(from, to, cells, n, stride, iteration, *tolerance),
                    (WeightFunction::$weight, 4) => shift::$four::launch(from, to, cells, n, stride, iteration, *tolerance),
                    (WeightFunction::$weight, _) => {
                        // Written for one size of block, which the user's choice does not concern.
                        return shift_any::$any::launch(from, to, cells, n, d, stride, iteration, *tolerance);
                    }
                )*
            }
        };
    }
    let launch = choose! {
        Gaussian: shift_gaussian_1, shift_gaussian_2, shift_gaussian_3, shift_gaussian_4, shift_gaussian_any;
        Triangular: shift_triangular_1, shift_triangular_2, shift_triangular_3, shift_triangular_4, shift_triangular_any;
        Flat: shift_flat_1, shift_flat_2, shift_flat_3, shift_flat_4, shift_flat_any;
    };
    options.in_blocks(launch)
}
