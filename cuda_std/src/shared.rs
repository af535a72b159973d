//! Memory that the threads of a block share.
//!
//! Static arrays are made by [`shared_array!`](crate::shared_array), of a size known when the kernel
//! is compiled; dynamic memory by [`dynamic_shared_mem`], of the size that the launch asks for
//! (`#[kernel(shared = bytes)]`). Both start uninitialised, and both are seen by every thread of the
//! block and by no other block. Between a write by one thread and a read by another belongs a
//! [`sync_threads`](crate::thread::sync_threads). A write behind the end is undefined on a GPU; the processor reports one that is near
//! the end when the block has ended.

/// The block's dynamic shared memory, aligned to 16 bytes; every call gives the same address.
///
/// The kernel declares how much it needs: `#[kernel(shared = block.x * 4)]`. Without that
/// declaration the PTX does not assemble, and the processor reports zero bytes as an error.
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::shared::dynamic_shared_mem;
/// use cuda_std::prelude::*;
///
/// /// Reverses a block's numbers, in memory of the size that the block needs.
/// #[kernel(block = 4, grid = 1, shared = block.x * 4, require(out.len() == 4))]
/// pub unsafe fn reverse(mut out: DisjointMut<u32>) {
///     let cells: *mut u32 = dynamic_shared_mem();
///     let t = thread::thread_idx_x() as usize;
///     // SAFETY: every thread writes its own cell, and reads another only behind the barrier.
///     unsafe {
///         cells.add(t).write(t as u32);
///         thread::sync_threads();
///         out.write(t, cells.add(3 - t).read());
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let executor = CpuExecutor::of_this_processor()?;
/// let mut out = Cells::filled(0, 4);
/// executor.run(reverse::launch(&mut out))?;
/// assert_eq!(out.to_vec(), [3, 2, 1, 0]);
/// # Ok(())
/// # }
/// ```
#[inline(always)]
pub fn dynamic_shared_mem<T>() -> *mut T {
    const { assert!(align_of::<T>() <= 16, "shared memory is aligned to 16 bytes") };
    crate::words::dynamic_shared()
}

/// Where something lies in shared memory, for words that take no pointer: 32 bits on a GPU.
///
/// ```
/// use cuda_std::prelude::*;
/// use cuda_std::shared::SharedAddress;
///
/// /// The address of the second of two cells.
/// #[kernel(block = 32, grid = 1)]
/// pub unsafe fn second(mut out: DisjointMut<f32>) {
///     let cells = shared_array![[f32; 4]; 2];
///     // SAFETY: 16 bytes further is the second cell.
///     let _second = unsafe { SharedAddress::of(cells).add(16) };
/// }
/// # fn main() {}
/// ```
#[derive(Clone, Copy)]
pub struct SharedAddress(pub(crate) crate::words::SharedAddress);

impl SharedAddress {
    /// The address of what a pointer into shared memory points to.
    ///
    /// ```
    /// use cuda_std::prelude::*;
    /// use cuda_std::shared::SharedAddress;
    ///
    /// /// The address of the second of two cells.
    /// #[kernel(block = 32, grid = 1)]
    /// pub unsafe fn second(mut out: DisjointMut<f32>) {
    ///     let cells = shared_array![[f32; 4]; 2];
    ///     // SAFETY: 16 bytes further is the second cell.
    ///     let _second = unsafe { SharedAddress::of(cells).add(16) };
    /// }
    /// # fn main() {}
    /// ```
    #[inline(always)]
    pub fn of<T>(pointer: *const T) -> Self {
        Self(crate::words::shared_address(pointer.cast()))
    }

    /// So many bytes further.
    ///
    /// ```
    /// use cuda_std::prelude::*;
    /// use cuda_std::shared::SharedAddress;
    ///
    /// /// The address of the second of two cells.
    /// #[kernel(block = 32, grid = 1)]
    /// pub unsafe fn second(mut out: DisjointMut<f32>) {
    ///     let cells = shared_array![[f32; 4]; 2];
    ///     // SAFETY: 16 bytes further is the second cell.
    ///     let _second = unsafe { SharedAddress::of(cells).add(16) };
    /// }
    /// # fn main() {}
    /// ```
    ///
    /// # Safety
    /// The bytes up to there belong to the same array.
    #[inline(always)]
    #[must_use]
    pub unsafe fn add(self, bytes: u32) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { crate::words::shared_add(self.0, bytes) })
    }

    /// The next multiple of so many bytes, a power of two.
    ///
    /// ```
    /// use cuda_std::prelude::*;
    /// use cuda_std::shared::{SharedAddress, dynamic_shared_mem};
    ///
    /// /// Room of 256 bytes at a multiple of 1024.
    /// #[kernel(block = 32, grid = 1, shared = 256 + 1024)]
    /// pub unsafe fn room(mut out: DisjointMut<f32>) {
    ///     let memory: *mut f32 = dynamic_shared_mem();
    ///     // SAFETY: it is less than 1024 bytes further.
    ///     let _room = unsafe { SharedAddress::of(memory).aligned(1024) };
    /// }
    /// # fn main() {}
    /// ```
    ///
    /// # Safety
    /// The bytes up to there belong to the same array.
    #[inline(always)]
    #[must_use]
    pub unsafe fn aligned(self, bytes: u32) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { crate::words::shared_aligned(self.0, bytes) })
    }

    /// The 16 bytes there, with one load.
    ///
    /// Where a compiler does not see that a pointer is one into shared memory, it makes a slower load through it, which this is not.
    ///
    /// ```
    /// # use cpu_executor::{Cells, CpuExecutor};
    /// use cuda_std::prelude::*;
    /// use cuda_std::shared::SharedAddress;
    ///
    /// /// Four numbers a thread into shared memory, and out of it.
    /// #[kernel(block = 32, grid = 1, require(out.len() == 32))]
    /// pub unsafe fn sums(mut out: DisjointMut<u32>) {
    ///     let cells = shared_array![[u32; 4]; 32];
    ///     let t = thread::thread_idx_x();
    ///     // SAFETY: 16 bytes of the thread's own, which are written before they are read.
    ///     unsafe {
    ///         let own = SharedAddress::of(cells.add(t as usize));
    ///         own.write_16([t, 1, 2, 3]);
    ///         out.write(t as usize, own.read_16().into_iter().sum());
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut out = Cells::filled(0, 32);
    /// # let executor = CpuExecutor::of_this_processor()?;
    /// executor.run(sums::launch(&mut out))?;
    /// assert_eq!(out.to_vec(), (6..38).collect::<Vec<u32>>());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Safety
    /// The address is a multiple of 16, and nobody writes the 16 bytes there meanwhile.
    #[inline(always)]
    pub unsafe fn read_16(self) -> [u32; 4] {
        // SAFETY: the caller's promise.
        unsafe { crate::words::shared_read_16(self.0) }
    }

    /// Writes 16 bytes, with one store.
    ///
    /// ```
    /// use cuda_std::prelude::*;
    /// use cuda_std::shared::SharedAddress;
    ///
    /// /// Four zeros a thread, where `read_16` finds them.
    /// #[kernel(block = 32, grid = 1)]
    /// pub unsafe fn zeros(mut out: DisjointMut<f32>) {
    ///     let cells = shared_array![[f32; 4]; 32];
    ///     // SAFETY: 16 bytes of the thread's own.
    ///     unsafe { SharedAddress::of(cells.add(thread::thread_idx_x() as usize)).write_16([0; 4]) };
    /// }
    /// # fn main() {}
    /// ```
    ///
    /// # Safety
    /// The address is a multiple of 16, and nobody else touches the 16 bytes there meanwhile.
    #[inline(always)]
    pub unsafe fn write_16(self, words: [u32; 4]) {
        // SAFETY: the caller's promise.
        unsafe { crate::words::shared_write_16(self.0, words) }
    }
}

/// A static array in the block's shared memory: `shared_array![f32; 256]` is a `*mut f32` to 256
/// cells, aligned to 16 bytes and uninitialised.
///
/// The length may be any constant expression. Call it once for each array, at the top of the kernel
/// and outside loops and branches: each place where it stands is one array. A GPU's compiler copies what stands in a loop or is
/// called twice, and then there are two; so the processor refuses a thread that comes to one a second time.
///
/// # Example
/// ```
/// use cuda_std::prelude::*;
///
/// /// `out[i] = x[n - 1 - i]` within each block of 64.
/// #[kernel(block = 64, grid = x.len().div_ceil(64), require(out.len() >= x.len(), x.len() % 64 == 0))]
/// pub unsafe fn reverse_blocks(x: &[f32], mut out: DisjointMut<f32>) {
///     let tile = shared_array![f32; 64];
///     let t = thread::thread_idx_x() as usize;
///     // SAFETY: every thread writes its own cell, and reads another only behind the barrier.
///     unsafe {
///         tile.add(t).write(x[thread::index_1d()]);
///         thread::sync_threads();
///         if let Some(cell) = out.own() {
///             *cell = tile.add(63 - t).read();
///         }
///     }
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! shared_array {
    ($type:ty; $length:expr) => {{
        const { assert!(::core::mem::align_of::<$type>() <= 16, "shared memory is aligned to 16 bytes") };
        #[cfg(target_arch = "nvptx64")]
        // SAFETY: the asm declares an array in shared memory, aligned to 16, and takes its address.
        let array = unsafe {
            let address: u64;
            ::core::arch::asm!(
                "{{ .shared .align 16 .b8 shared_array[{bytes}]; .reg .u32 base; mov.u32 base, shared_array; cvt.u64.u32 {address}, base; cvta.shared.u64 {address}, {address}; }}",
                address = out(reg64) address,
                bytes = const $length * ::core::mem::size_of::<$type>(),
                options(nomem, nostack, preserves_flags)
            );
            $crate::expansion::shared_pointer::<$type>(address)
        };
        #[cfg(not(target_arch = "nvptx64"))]
        let array = {
            static SITE: $crate::expansion::SharedSite = $crate::expansion::SharedSite::new();
            $crate::expansion::static_shared::<$type>(&SITE, $length)
        };
        array
    }};
}
