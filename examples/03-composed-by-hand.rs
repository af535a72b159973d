//! A mean-shift step as one writes it with matrices: distances, weights, (W X) / rowsum(W).
//!
//! `cargo run -p host --example 03-composed-by-hand`

use gpu::{pairwise::pairwise_l2, weight::weight_gaussian};
use modeseek::Device;
use modeseek::reduction::Reduction;

fn main() -> Result<(), modeseek::Error> {
    let device = Device::auto()?;
    let (n, d, h) = (4, 2, 1.0_f32);
    let points = device.upload(&[0.0_f32, 0.0, 0.5, 0.0, 3.0, 3.0, 3.0, 3.5])?;
    let mut weights = device.zeros::<f32>(n * n)?;
    let mut moved = device.zeros::<f32>(n * d)?;
    let mut reduction = Reduction::new(&device, [n, n, d])?;
    let (n, d) = (n as u32, d as u32);

    device.launch(pairwise_l2::launch(&points, &points, &mut weights, n, n, d, 2.0))?;
    // exp(-(x / h)^2 / 2) is 2^-(s x)^2 with s = sqrt(log2(e) / 2) / h.
    device.launch(weight_gaussian::launch(&mut weights, 0.849_321_8 / h, 1.0))?;
    device.launch(reduction.launch(&weights, &points, &mut moved, n))?;

    for (from, to) in device.download(&points)?.chunks(2).zip(device.download(&moved)?.chunks(2)) {
        println!("{from:?} -> {to:.3?}");
    }
    Ok(())
}
