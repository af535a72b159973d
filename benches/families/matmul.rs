//! The matrix products. Work is counted in fused multiply-adds, m n k.

use criterion::{Criterion, Throughput};
use cuda_std::launch::Launch;
use cuda_std::machine::MachineKind;
use gpu::matmul::{self, matmul_naive, matmul_tiled};
use modeseek::Buffer;
use modeseek::reference;

use crate::measure::{ROUNDING, Target, assert_close, poisoned, random, sample, time, tried, upload, wide};

pub type Product =
    for<'a> fn(MachineKind, &'a Buffer<f32>, &'a Buffer<f32>, &'a mut Buffer<f32>, [u32; 3]) -> Launch<'a>;

/// The last one is that which the library launches.
pub const PRODUCTS: [(&str, Product); 3] = [
    ("matmul_naive", |_, a, b, c, [m, n, k]| matmul_naive::launch(a, b, c, m, n, k)),
    ("matmul_tiled", |_, a, b, c, [m, n, k]| matmul_tiled::launch(a, b, c, m, n, k)),
    ("matmul", |machine, a, b, c, [m, n, k]| matmul::product(machine, a, b, c, m, n, k)),
];

/// Rows, columns, and what is summed: the lecture's shapes for checking and for timing, and squares.
fn shapes() -> Vec<[usize; 3]> {
    let mut shapes = vec![[5, 10, 784]];
    if !tried() {
        shapes.extend([[512, 512, 512], [50_000, 10, 784], [1024, 1024, 1024], [2048, 2048, 2048]]);
    }
    shapes
}

/// More multiply-adds than these are left to the kernel that the library launches.
const MOST_SLOW: usize = 500_000_000;

/// The products of every shape.
pub fn all(criterion: &mut Criterion, target: &Target) {
    for shape @ [m, n, k] in shapes() {
        let (a, b) = (random(m * k, 4), random(k * n, 5));
        for (kernel, product) in PRODUCTS {
            if kernel != "matmul" && m * n * k > MOST_SLOW {
                continue;
            }
            let device = &target.device;
            let (on_a, on_b, mut on_c) = (upload(device, &a), upload(device, &b), poisoned(device, m * n));
            let sizes = shape.map(|size| size as u32);
            device.launch(product(device.machine(), &on_a, &on_b, &mut on_c, sizes)).expect("the launch succeeds");
            check(&device.download(&on_c).expect("the launch succeeds"), &a, &b, shape, kernel);

            let multiplications = Throughput::Elements((m * n * k) as u64);
            time(criterion, target, kernel, &format!("{m}x{k}x{n}"), multiplications, |device| {
                device.launch(product(device.machine(), &on_a, &on_b, &mut on_c, sizes)).expect("the launch succeeds");
            });
        }
    }
}

/// Some rows of the product against the oracle: a sum of k numbers below 1, in f32, any order.
fn check(c: &[f32], a: &[f32], b: &[f32], [m, n, k]: [usize; 3], what: &str) {
    let rows = sample(m);
    let chosen: Vec<f32> = rows.iter().flat_map(|i| &a[i * k..][..k]).copied().collect();
    let found: Vec<f32> = rows.iter().flat_map(|i| &c[i * n..][..n]).copied().collect();
    let expected = reference::matmul(&wide(&chosen), &wide(b), rows.len(), n, k);
    assert_close(&found, &expected, (k as f64 + 1.0) * ROUNDING * k as f64, what);
}
