//! How far coordinates extend.

use gpu::axes::{column_extents, extent};

use super::{Columns, Sizes};
use crate::error::Result;
use crate::executor::Device;

/// The smallest and the largest value of each column.
///
/// ```
/// use modeseek::Device;
/// use modeseek::mean_shift::labels::{Columns, extents};
///
/// # let device = Device::processor()?;
/// # let mut x = vec![0.5_f32, -3.0, 2.0];
/// # x.resize(gpu::layout::STRIDE, 0.0);
/// # let x = device.upload(&x)?;
/// // Three values; what stands behind them does not count.
/// let columns = Columns { values: &x, n: 3, d: 1, stride: gpu::layout::STRIDE };
/// assert_eq!(extents(&device, columns)?, [(-3.0, 2.0)]);
/// # Ok::<(), modeseek::Error>(())
/// ```
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
