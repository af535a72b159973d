//! The lecture's first kernel: a thread for each cell of a product of matrices; the same in tiles, which share what
//! they fetch, and so pay where both matrices are wide; and the one that the library chooses for the sizes.
//!
//! `cargo run --example 07-multiply-matrices`

use std::time::{Duration, Instant};

use gpu::matmul::{matmul_naive, matmul_tiled, product};
use modeseek::Device;

fn main() -> Result<(), modeseek::Error> {
    let device = Device::auto()?;
    println!("on {}", device.describe());
    // The lecture's images, pixels and digits; and a square.
    for (m, k, n) in [(50_000, 784, 10), (512, 512, 512)] {
        for version in ["a thread a cell", "tiled", "chosen"] {
            let time = multiply(&device, (m, k, n), version)?;
            println!("{m} x {k} times {k} x {n}, {version}: {time:.1?}");
        }
    }
    Ok(())
}

/// Multiplies an m x k matrix and a k x n one twice, checks some cells, and gives the time of the second.
fn multiply(device: &Device, (m, k, n): (usize, usize, usize), version: &str) -> Result<Duration, modeseek::Error> {
    let a: Vec<f32> = (0..m * k).map(|i| (i % 251) as f32 / 251.0).collect();
    let b: Vec<f32> = (0..k * n).map(|i| (i % 13) as f32 - 6.0).collect();
    let (a_there, b_there) = (device.upload(&a)?, device.upload(&b)?);
    let mut c = device.zeros::<f32>(m * n)?;
    let (rows, columns, depth) = (m as u32, n as u32, k as u32);
    let mut time = Duration::ZERO;
    // The first launch also loads the kernel. A download waits for what was launched.
    for _ in 0..2 {
        let start = Instant::now();
        device.launch(match version {
            "a thread a cell" => matmul_naive::launch(&a_there, &b_there, &mut c, rows, columns, depth),
            "tiled" => matmul_tiled::launch(&a_there, &b_there, &mut c, rows, columns, depth),
            _ => product(device.machine(), &a_there, &b_there, &mut c, rows, columns, depth),
        })?;
        device.download_first(&c, 1)?;
        time = start.elapsed();
    }
    let found = device.download(&c)?;
    for (i, j) in [(0, 0), (m / 2, n / 3), (m - 1, n - 1)] {
        let exact: f64 = (0..k).map(|l| f64::from(a[i * k + l]) * f64::from(b[l * n + j])).sum();
        assert!((f64::from(found[i * n + j]) - exact).abs() <= 1e-2, "cell {i}, {j}");
    }
    Ok(time)
}
