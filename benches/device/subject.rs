//! What is measured: one implementation of one case, prepared on a device.

use modeseek::product::{Instruction, Precision};
use modeseek::{Device, WeightFunction};

use super::cases::Shape;
use super::results::{Check, Work};
use super::{Outcome, matrix, points, step, tensor};

/// One implementation of one case, with its data.
pub trait Measured {
    /// Runs it on poisoned outputs and compares these with the f64 oracle.
    fn check(&mut self) -> Outcome<Check>;

    /// Seconds that so many repeats take.
    fn time(&mut self, repeats: u32) -> Outcome<f64>;

    /// The fewest seconds that a sample should have, so that the timer's own cost does not count.
    fn least_sample(&self) -> f64 {
        1e-3
    }
}

/// Which kernel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Task {
    Step(WeightFunction),
    /// The Gaussian step of points in order, in two or three dimensions.
    InOrder,
    /// The Gaussian step with a warp for each query, in up to three dimensions.
    Few,
    /// The number of a kernel in `families::matmul::PRODUCTS`.
    Product(usize),
    /// The number of a metric in `families::distances::METRICS`.
    Pairwise(usize),
    /// Distances by products on tensor cores.
    ByProducts,
    Reduce,
    /// A product of inputs that are rounded for tensor cores.
    Rounded(Precision, Instruction),
    /// A Gaussian step on tensor cores, of f16 alone if it is rough.
    Tensor {
        rough: bool,
        instruction: Instruction,
    },
}

impl Task {
    /// What is multiplied.
    pub fn precision(self) -> &'static str {
        match self {
            Self::Rounded(Precision::Tf32, _) => "tf32",
            Self::Rounded(Precision::Bf16, _) => "bf16",
            Self::Tensor { rough: true, .. } => "f16",
            _ => "f32",
        }
    }
}

/// Makes the data of a case, and uploads it: `most_sets` times at most where it would stay in a cache.
pub fn prepare(task: Task, shape: Shape, device: &Device, most_sets: usize) -> Outcome<Box<dyn Measured>> {
    Ok(match (task, shape) {
        (Task::Step(function), Shape::Step { n, d }) => Box::new(step::Step::new(device, function, n, d)?),
        (Task::InOrder, Shape::Step { n, d }) => Box::new(step::Step::in_order(device, n, d)?),
        (Task::Few, Shape::Step { n, d }) => Box::new(step::Step::of_few(device, n, d)?),
        (Task::Product(kernel), Shape::Product { m, k, n }) => {
            Box::new(matrix::Product::new(device, kernel, [m, k, n], most_sets)?)
        }
        (Task::Pairwise(metric), Shape::Pairwise { m, n, d }) => {
            Box::new(points::Pairwise::new(device, metric, [m, n, d], most_sets)?)
        }
        (Task::ByProducts, Shape::Pairwise { m, n, d }) => {
            Box::new(points::Pairwise::by_products(device, [m, n, d], most_sets)?)
        }
        (Task::Reduce, Shape::Reduce { m, n, d }) => Box::new(points::Reduce::new(device, [m, n, d], most_sets)?),
        (Task::Rounded(precision, instruction), Shape::Product { m, k, n }) => {
            Box::new(tensor::Product::new(device, (precision, instruction), [m, k, n])?)
        }
        (Task::Tensor { rough, instruction }, Shape::Step { n, d }) => {
            Box::new(tensor::Step::new(device, (rough, instruction), n, d)?)
        }
        _ => return Err(format!("{task:?} does not work on {shape:?}").into()),
    })
}

/// What one repeat does. A fused multiply-add is two flops; exponentials and roots are none.
pub fn work(shape: Shape) -> Work {
    let of = |numbers: &[usize]| numbers.iter().map(|number| *number as f64).product::<f64>();
    match shape {
        // Differences, their squares added up, the sum of weights, weighted sums.
        Shape::Step { n, d } => {
            Work { pairs: Some(of(&[n, n])), flops: Some(of(&[n, n]) * (5 * d) as f64), ..Work::default() }
        }
        Shape::Product { m, k, n } => Work {
            flops: Some(2.0 * of(&[m, k, n])),
            bytes: Some(4.0 * (of(&[m, k]) + of(&[k, n]) + of(&[m, n]))),
            ..Work::default()
        },
        Shape::Pairwise { m, n, d } => Work {
            pairs: Some(of(&[m, n])),
            bytes: Some(4.0 * (of(&[m, d]) + of(&[n, d]) + of(&[m, n]))),
            ..Work::default()
        },
        Shape::Reduce { m, n, d } => Work {
            pairs: Some(of(&[m, n])),
            flops: Some(of(&[m, n]) * (2 * d + 1) as f64),
            bytes: Some(4.0 * (of(&[m, n]) + of(&[n, d]) + of(&[m, d]))),
            ..Work::default()
        },
    }
}

/// Bytes of device memory of one set of a case.
pub fn bytes(shape: Shape) -> u128 {
    let of = |numbers: &[usize]| numbers.iter().map(|number| *number as u128).product::<u128>();
    4 * match shape {
        // Points before and after; sums of weights and squared shifts.
        Shape::Step { n, d } => 2 * of(&[n.next_multiple_of(gpu::layout::STRIDE), d + 1]),
        Shape::Product { m, k, n } => of(&[m, k]) + of(&[k, n]) + of(&[m, n]),
        Shape::Pairwise { m, n, d } | Shape::Reduce { m, n, d } => of(&[m, n]) + of(&[n, d]) + of(&[m, d]),
    }
}
