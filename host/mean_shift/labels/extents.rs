//! How far coordinates extend.

use gpu::axes::{column_extents, extent};

use super::{Columns, Sizes};
use crate::error::Result;
use crate::executor::Device;

/// The smallest and the largest value of each column.
///
/// # Errors
/// Whatever the device reports.
pub fn extents(device: &Device, columns: Columns<'_>) -> Result<Vec<(f64, f64)>> {
    let Sizes { n, d, stride } = columns.sizes()?;
    let mut bits = device.zeros(2 * columns.d)?;
    device.launch(column_extents::launch(columns.values, &mut bits, n, d, stride))?;
    let bits = device.download(&bits)?;
    Ok(bits.chunks(2).map(|bits| extent([bits[0], bits[1]])).map(|(low, high)| (low.into(), high.into())).collect())
}
