//! Looks on while points move, and stops the fit when they hardly do.
//!
//! `cargo run --example 05-watch-and-cancel`

use std::ops::ControlFlow;

use modeseek::data::{Blobs, Shape};
use modeseek::{Bandwidth, Form, MeanShift, Points};

fn main() -> Result<(), modeseek::Error> {
    let sizes = Blobs { points: 2000, clusters: 4, dimensions: 2, seed: 7 };
    let set = Shape::Stretched.generate(&sizes)?;
    let points = Points::from_rows(&set.rows, sizes.dimensions)?;
    let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(3.0)).form(Form::Standard).tolerance(1e-6);

    // The function is told how far each iteration moved, in bandwidths. No point is read back for it.
    let clustering = estimator.fit_watched(&points, |iteration| {
        println!("iteration {}: {:.5} bandwidths at most", iteration.number, iteration.largest_shift);
        if iteration.largest_shift < 0.01 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;

    // What had been reached is the result, and says that it was stopped.
    assert!(clustering.cancelled && !clustering.converged);
    println!("{} modes after {} iterations", clustering.modes.len(), clustering.iterations);
    Ok(())
}
