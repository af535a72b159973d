//! What a device runs: launches, what is known of a kernel before, and how long it takes.

use std::cell::Cell;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use cuda_std::launch::{Kernel, Launch};

use super::Device;
use crate::error::Result;
use crate::executor::Recording;

thread_local! {
    /// Whether what this thread launches is recorded, and does not count.
    static RECORDS: Cell<bool> = const { Cell::new(false) };
}

/// While it lives, what this thread launches is recorded; then, after a panic too, it is as it was before.
struct Records(bool);

impl Drop for Records {
    fn drop(&mut self) {
        RECORDS.set(self.0);
    }
}

impl Device {
    /// Checks a launch, and runs it or begins to. A grid without blocks is nothing to do.
    ///
    /// ```
    /// use modeseek::{Device, Error};
    ///
    /// let device = Device::processor()?;
    /// let x = device.upload(&[1.0_f32, 2.0])?;
    /// let mut y = device.zeros::<f32>(2)?;
    /// device.launch(gpu::vector::axpy::launch(2.0, &x, &mut y))?;
    /// // Sizes that do not fit are found before anything runs.
    /// let mut short = device.zeros::<f32>(1)?;
    /// let error = device.launch(gpu::vector::axpy::launch(2.0, &x, &mut short)).unwrap_err();
    /// assert!(matches!(error, Error::Launch(_)));
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Launch`](crate::Error::Launch) before it begins; on the processor also what went wrong in a kernel, which a
    /// GPU reports only at the next download or [`synchronize`](Self::synchronize).
    pub fn launch(&self, launch: Launch<'_>) -> Result<()> {
        let sizes = launch.prepare(self.machine(), self.number(), &self.limits())?;
        if sizes.grid.contains(&0) {
            return Ok(());
        }
        if !RECORDS.get() {
            self.0.launches.fetch_add(1, Relaxed);
        }
        // SAFETY: `launch` was made by the kernel's typed `launch` from borrowed buffers, which `prepare`
        // has found to be this device's. Their memory is freed only after what is launched has ended.
        unsafe { self.executor().launch(launch.kernel(), sizes, launch.args()) }
    }

    /// Whether there is code of a kernel that the device can run: a GPU may be too old for one.
    ///
    /// ```
    /// // A processor has all of them.
    /// assert!(modeseek::Device::processor()?.has(&gpu::matmul::matmul_tiled::KERNEL));
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn has(&self, kernel: &'static Kernel) -> bool {
        self.executor().has(kernel)
    }

    /// The most threads that a block of a kernel may have on this device: a GPU may not have registers for as many as it can
    /// launch. Its code is made ready for that.
    ///
    /// ```
    /// // A processor has no such limit.
    /// let device = modeseek::Device::processor()?;
    /// assert_eq!(device.most_threads(&gpu::vector::axpy::KERNEL)?, device.limits().threads);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the device has no such kernel, or the driver fails.
    pub fn most_threads(&self, kernel: &'static Kernel) -> Result<u32> {
        self.executor().most_threads(kernel)
    }

    /// Makes a kernel's code ready now rather than at its first launch, and tells how long that took.
    ///
    /// ```
    /// # use modeseek::Device;
    /// # let device = Device::processor()?;
    /// // Now, so that the first launch is not slower than the next.
    /// device.load(&gpu::vector::axpy::KERNEL)?;
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is no code of it that the device can run, or the driver refuses it.
    pub fn load(&self, kernel: &'static Kernel) -> Result<Duration> {
        self.executor().load(kernel)
    }

    /// Begins to make the code of kernels ready that are going to be launched, several at a time, beside what the caller does next:
    /// what a driver has to compile takes a fraction of the time that it takes kernel by kernel. Whatever cannot be made ready says so
    /// when it is launched.
    ///
    /// ```
    /// # use modeseek::Device;
    /// # let device = Device::processor()?;
    /// device.prepare(&[&gpu::vector::axpy::KERNEL, &gpu::layout::to_columns::KERNEL]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn prepare(&self, kernels: &[&'static Kernel]) {
        self.executor().prepare(kernels);
    }

    /// Does some work, and tells how long the device took for what the work launched: on a GPU between two
    /// events in its queue, elsewhere by the wall clock until all has ended. A kernel that was never
    /// launched before is loaded meanwhile, which counts; [`load`](Self::load) it first.
    ///
    /// ```
    /// # use modeseek::Device;
    /// # let device = Device::processor()?;
    /// let x = device.upload(&[1.0_f32; 1000])?;
    /// let mut y = device.zeros::<f32>(1000)?;
    /// let time = device.timed(|device| device.launch(gpu::vector::axpy::launch(2.0, &x, &mut y)))?;
    /// assert!(time > std::time::Duration::ZERO);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// The work's own, or if a launch failed.
    pub fn timed(&self, work: impl FnOnce(&Self) -> Result<()>) -> Result<Duration> {
        self.executor().timed(Box::new(|| work(self)))
    }

    /// Records what some work launches, without running it; `None`, and nothing has run, where nothing would be gained or
    /// launches cannot be recorded now. The work does nothing but launch kernels that were launched before.
    pub(crate) fn record(&self, work: impl FnOnce() -> Result<()>) -> Result<Option<Box<dyn Recording + '_>>> {
        let _records = Records(RECORDS.replace(true));
        self.executor().record(Box::new(work))
    }

    /// Runs what was recorded.
    ///
    /// # Safety
    /// The buffers of the recorded launches still exist, and nothing borrows those that they write.
    pub(crate) unsafe fn replay(&self, recording: &dyn Recording) -> Result<()> {
        self.0.launches.fetch_add(1, Relaxed);
        // SAFETY: the launches were checked when they were recorded; the rest is the caller's promise.
        unsafe { recording.replay() }
    }

    /// Waits for everything that was launched.
    ///
    /// ```
    /// # use modeseek::Device;
    /// # let device = Device::processor()?;
    /// # let x = device.upload(&[1.0_f32])?;
    /// # let mut y = device.zeros::<f32>(1)?;
    /// device.launch(gpu::vector::axpy::launch(2.0, &x, &mut y))?;
    /// // What went wrong in a launch is known then.
    /// device.synchronize()?;
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a launch failed.
    pub fn synchronize(&self) -> Result<()> {
        self.executor().synchronize()
    }
}

#[cfg(test)]
mod tests {
    use std::panic;

    use super::*;

    #[test]
    fn a_panic_ends_a_recording() {
        let panicked = panic::catch_unwind(|| {
            let _records = Records(RECORDS.replace(true));
            panic!("while it is recorded");
        });
        assert!(panicked.is_err());
        assert!(!RECORDS.get());
    }
}
