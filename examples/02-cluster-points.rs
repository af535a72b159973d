//! Clusters points from a nalgebra matrix, whose columns are points.
//!
//! `cargo run -p host --example 02-cluster-points`

use modeseek::{Bandwidth, MeanShift, WeightFunction};
use nalgebra::DMatrix;

fn main() -> Result<(), modeseek::Error> {
    // Two groups of three points in the plane.
    let matrix = DMatrix::from_column_slice(2, 6, &[0.0, 0.1, 0.2, -0.1, 0.1, 0.0, 5.0, 5.2, 5.1, 4.9, 4.8, 5.0]);
    let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).weight(WeightFunction::Gaussian);
    let clustering = estimator.fit(&matrix)?;
    for (number, mode) in clustering.modes.iter().enumerate() {
        println!("cluster {number}: {} points at {:.3?}", mode.size, mode.position);
    }
    println!("labels {:?}, after {} iterations", clustering.labels, clustering.iterations);
    Ok(())
}
