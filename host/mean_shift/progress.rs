//! How far each iteration moved, as the device notes it.
//!
//! One cell an iteration: the bits, as u32, of the largest squared shift, which order as the floats
//! do. A fused step whose predecessor's cell is within the tolerance returns at once and leaves its
//! own zero, so iterations may be queued ahead without harm.

use crate::error::{Error, Result};
use crate::executor::{Buffer, Device};

/// The cells of all iterations.
pub struct Progress {
    pub cells: Buffer<u32>,
    /// A squared shift, in the kernels' units.
    pub tolerance: f32,
}

/// The last iteration that counts.
#[derive(Debug, PartialEq)]
pub struct Last {
    /// How many iterations there were, this one included.
    pub iterations: usize,
    /// Its largest squared shift, in the kernels' units.
    pub squared: f32,
    /// Whether that was within the tolerance.
    pub converged: bool,
}

impl Progress {
    pub fn new(device: &Device, max_iterations: usize, tolerance: f64) -> Result<Self> {
        Ok(Self { cells: device.zeros(max_iterations)?, tolerance: (tolerance * tolerance) as f32 })
    }

    /// Waits for the first `queued` iterations; the one that converged, or the last of them.
    pub fn last(&self, device: &Device, queued: usize) -> Result<Last> {
        let cells = device.download_first(&self.cells, queued)?;
        find_last(&cells, self.tolerance)
    }
}

fn find_last(cells: &[u32], tolerance: f32) -> Result<Last> {
    let mut last = Last { iterations: 0, squared: 0.0, converged: false };
    for (index, &bits) in cells.iter().enumerate() {
        let squared = f32::from_bits(bits);
        if squared.is_nan() {
            return Err(Error::Diverged { iteration: index + 1 });
        }
        last = Last { iterations: index + 1, squared, converged: squared <= tolerance };
        if last.converged {
            break;
        }
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_iteration_within_the_tolerance_ends() {
        let cells = [4.0_f32, 1.0, 0.25, 0.0, 0.0].map(f32::to_bits);
        let end = |cells: &[u32], tolerance| find_last(cells, tolerance).unwrap();
        assert_eq!(end(&cells, 0.25), Last { iterations: 3, squared: 0.25, converged: true });
        assert_eq!(end(&cells[..2], 0.25), Last { iterations: 2, squared: 1.0, converged: false });
        assert_eq!(end(&cells, 0.0), Last { iterations: 4, squared: 0.0, converged: true });
    }

    #[test]
    fn what_is_not_a_number_is_an_error() {
        let cells = [1.0_f32.to_bits(), f32::NAN.to_bits(), 0];
        assert!(matches!(find_last(&cells, 0.5), Err(Error::Diverged { iteration: 2 })));
    }
}
