//! scikit-learn's rule of merging.

use gpu::suppress::{count_keys, kept_rows, ranked, suppress_l1, suppress_l2, suppress_lp};

use super::order::{Ordered, sort};
use super::{Columns, Sizes, launch_by_norm, power};
use crate::error::Result;
use crate::executor::{Buffer, Device};

/// The centres that are kept, the one with the most points about it first.
///
/// ```
/// # use modeseek::Device;
/// # use modeseek::mean_shift::labels::{Columns, suppress};
/// # let device = Device::processor()?;
/// # let mut x = vec![0.0_f32, 0.3, 9.0];
/// # x.resize(gpu::layout::STRIDE, 0.0);
/// # let x = device.upload(&x)?;
/// # let ends = Columns { values: &x, n: 3, d: 1, stride: gpu::layout::STRIDE };
/// // Ends at 0, 0.3 and 9, with 5, 6 and 2 points about them.
/// let kept = suppress(&device, ends, &device.upload(&[5_u32, 6, 2])?, 2.0, 1.0)?;
/// assert_eq!(device.download_first(&kept.about, kept.count)?, [6, 2]);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Debug)]
pub struct Kept {
    /// How many.
    pub count: usize,
    /// Where they are, by rows.
    pub centres: Buffer<f32>,
    /// How many points are about them.
    pub about: Buffer<u32>,
}

/// Of the ends, ordered by the `counts` of points about them and then by position, both descending: the
/// first, without all within the bandwidth of it (in the p-norm), and so on. Ends that no point is about
/// count for nothing.
///
/// That is what scikit-learn's `MeanShift` does. There the counts are of points about where the last step
/// began, not where it ended; and of ends on one spot the last one's count counts, here the largest.
///
/// ```
/// use modeseek::Device;
/// use modeseek::mean_shift::labels::{Columns, suppress};
///
/// # let device = Device::processor()?;
/// # let mut x = vec![0.0_f32, 0.3, 9.0];
/// # x.resize(gpu::layout::STRIDE, 0.0);
/// # let x = device.upload(&x)?;
/// let ends = Columns { values: &x, n: 3, d: 1, stride: gpu::layout::STRIDE };
/// // The densest end, 0.3, takes 0 with it.
/// let kept = suppress(&device, ends, &device.upload(&[5_u32, 6, 2])?, 2.0, 1.0)?;
/// assert_eq!(device.download_first(&kept.centres, kept.count)?, [0.3, 9.0]);
/// # Ok::<(), modeseek::Error>(())
/// ```
///
/// # Cost
/// O(n d) for each centre that is kept, by one block.
///
/// # Errors
/// Too little memory; whatever the device reports.
pub fn suppress(device: &Device, ends: Columns<'_>, counts: &Buffer<u32>, p: f32, bandwidth: f64) -> Result<Kept> {
    let Sizes { n, d, stride } = ends.sizes()?;
    if n == 0 {
        return Ok(Kept { count: 0, centres: device.zeros(0)?, about: device.zeros(0)? });
    }
    let mut keys = device.zeros(ends.n)?;
    device.launch(count_keys::launch(counts, &mut keys, n))?;
    let by = Ordered { keys: &keys, positions: ends.values, d, steps: (1, stride), descending: true };
    let order = sort(device, n, &by)?;

    let mut sorted = device.zeros(ends.stride * ends.d)?;
    let mut dropped = device.zeros(ends.n)?;
    device.launch(ranked::launch(ends.values, &order, counts, &mut sorted, &mut dropped, n, d, stride))?;
    let mut kept = device.zeros(ends.n)?;
    let mut kept_count = device.zeros(1)?;
    launch_by_norm!(
        device,
        p,
        [suppress_l2, suppress_l1, suppress_lp],
        (&sorted, &mut dropped, &mut kept, &mut kept_count, n, d, stride, p, power(bandwidth, p))
    )?;
    let count = device.download(&kept_count)?[0] as usize;
    let mut centres = device.zeros(count * ends.d)?;
    let mut about = device.zeros(count)?;
    let k = count as u32;
    device.launch(kept_rows::launch(&sorted, &order, counts, &kept, &mut centres, &mut about, k, d, stride))?;
    Ok(Kept { count, centres, about })
}
