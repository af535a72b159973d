//! One kernel, one launch: y += 2 x, on whatever the machine has.
//!
//! `cargo run -p host --example 01-launch-a-kernel`

use modeseek::Device;

fn main() -> Result<(), modeseek::Error> {
    let device = Device::auto()?;
    println!("on {}: {}", device.describe(), device.why());

    let x = device.upload(&[1.0_f32, 2.0, 3.0])?;
    let mut y = device.upload(&[10.0_f32, 20.0, 30.0])?;
    device.launch(gpu::vector::axpy::launch(2.0, &x, &mut y))?;
    println!("{:?}", device.download(&y)?);
    Ok(())
}
