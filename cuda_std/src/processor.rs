//! The words on the processor: what they ask of the executor that simulates a GPU.
//!
//! An executor runs a block of threads by calling the kernel's [`Entry`] within as many stacks as it
//! needs. The entry takes threads from the [`Block`] one after another; a thread that has to wait for
//! others (a barrier, a shuffle) calls back into [`Wait`], where the executor suspends the
//! stack and goes on with another one. A kernel without such calls is therefore a plain loop.

mod matrix;
mod narrow;
mod warpgroup;
#[doc(hidden)]
pub mod words;

use std::cell::Cell;
use std::ptr::null;

use crate::launch::Arg;

/// A kernel's code for one machine: runs threads taken from the block until none is left.
///
/// # Safety
/// The arguments have the kernel's types, in order; the memory that they name is valid for the
/// launch, and written by nobody else. The processor has the instructions of that machine:
/// [`MachineKind::runs_here`](crate::machine::MachineKind::runs_here). Block, grid and dynamic shared
/// memory are as large as [`Launch::prepare`](crate::launch::Launch::prepare) says, whose rules the
/// kernel relies on, and each block of the grid is run once.
pub type Entry = unsafe fn(&[Arg], &Block<'_>);

/// Sizes along x, y and z.
pub type Dim3 = [u32; 3];

/// A block that is being run, as its threads see it.
///
/// ```
/// # use std::cell::Cell;
/// use cuda_std::processor::{Block, Wait};
/// #
/// #
/// # /// A block of one thread has nobody to wait for.
/// # struct Alone;
/// #
/// # // SAFETY: the one thread waits for nobody, and its kernel asks for no memory.
/// # unsafe impl Wait for Alone {
/// #     fn barrier(&self, _thread: u32, predicate: bool) -> u32 {
/// #         u32::from(predicate)
/// #     }
/// #
/// #     fn exchange(&self, _thread: u32, _mask: u32, _value: u64) -> &[Cell<u64>; 32] {
/// #         unreachable!("the kernel does not shuffle")
/// #     }
/// #
/// #     fn static_shared(&self, _thread: u32, _site: usize, _bytes: usize) -> *mut u8 {
/// #         unreachable!("the kernel shares nothing")
/// #     }
/// #
/// #     fn dynamic_shared(&self) -> *mut u8 {
/// #         unreachable!("the kernel shares nothing")
/// #     }
/// # }
///
/// // The second of three blocks of 2 x 4 threads.
/// let block = Block::new([1, 0, 0], [2, 4, 1], [3, 1, 1], &Alone);
/// assert_eq!((block.index[0], block.threads(), block.begun()), (1, 8, 0));
/// ```
pub struct Block<'a> {
    /// Its position in the grid.
    pub index: Dim3,
    /// Threads of a block.
    pub size: Dim3,
    /// Blocks of the grid.
    pub grid: Dim3,
    /// How many threads that is: each thread asks.
    threads: u32,
    next: Cell<u32>,
    panicked: Cell<Option<u32>>,
    wait: &'a dyn Wait,
}

impl<'a> Block<'a> {
    /// A block none of whose threads has begun.
    ///
    /// ```
    /// # use std::cell::Cell;
    /// # use cuda_std::processor::{Block, Wait};
    /// #
    /// #
    /// # /// A block of one thread has nobody to wait for.
    /// # struct Alone;
    /// #
    /// # // SAFETY: the one thread waits for nobody, and its kernel asks for no memory.
    /// # unsafe impl Wait for Alone {
    /// #     fn barrier(&self, _thread: u32, predicate: bool) -> u32 {
    /// #         u32::from(predicate)
    /// #     }
    /// #
    /// #     fn exchange(&self, _thread: u32, _mask: u32, _value: u64) -> &[Cell<u64>; 32] {
    /// #         unreachable!("the kernel does not shuffle")
    /// #     }
    /// #
    /// #     fn static_shared(&self, _thread: u32, _site: usize, _bytes: usize) -> *mut u8 {
    /// #         unreachable!("the kernel shares nothing")
    /// #     }
    /// #
    /// #     fn dynamic_shared(&self) -> *mut u8 {
    /// #         unreachable!("the kernel shares nothing")
    /// #     }
    /// # }
    /// let block = Block::new([0; 3], [32, 1, 1], [1; 3], &Alone);
    /// assert_eq!(block.begun(), 0);
    /// ```
    #[inline]
    pub fn new(index: Dim3, size: Dim3, grid: Dim3, wait: &'a dyn Wait) -> Self {
        let threads = size.iter().product();
        Self { index, size, grid, threads, next: Cell::new(0), panicked: Cell::new(None), wait }
    }

    /// Threads of the block.
    ///
    /// ```
    /// # use std::cell::Cell;
    /// # use cuda_std::processor::{Block, Wait};
    /// #
    /// #
    /// # /// A block of one thread has nobody to wait for.
    /// # struct Alone;
    /// #
    /// # // SAFETY: the one thread waits for nobody, and its kernel asks for no memory.
    /// # unsafe impl Wait for Alone {
    /// #     fn barrier(&self, _thread: u32, predicate: bool) -> u32 {
    /// #         u32::from(predicate)
    /// #     }
    /// #
    /// #     fn exchange(&self, _thread: u32, _mask: u32, _value: u64) -> &[Cell<u64>; 32] {
    /// #         unreachable!("the kernel does not shuffle")
    /// #     }
    /// #
    /// #     fn static_shared(&self, _thread: u32, _site: usize, _bytes: usize) -> *mut u8 {
    /// #         unreachable!("the kernel shares nothing")
    /// #     }
    /// #
    /// #     fn dynamic_shared(&self) -> *mut u8 {
    /// #         unreachable!("the kernel shares nothing")
    /// #     }
    /// # }
    /// assert_eq!(Block::new([0; 3], [4, 3, 2], [1; 3], &Alone).threads(), 24);
    /// ```
    #[inline]
    pub fn threads(&self) -> u32 {
        self.threads
    }

    /// Threads that have begun.
    ///
    /// ```
    /// # use std::cell::Cell;
    /// # use cuda_std::processor::{Block, Wait};
    /// #
    /// #
    /// # /// A block of one thread has nobody to wait for.
    /// # struct Alone;
    /// #
    /// # // SAFETY: the one thread waits for nobody, and its kernel asks for no memory.
    /// # unsafe impl Wait for Alone {
    /// #     fn barrier(&self, _thread: u32, predicate: bool) -> u32 {
    /// #         u32::from(predicate)
    /// #     }
    /// #
    /// #     fn exchange(&self, _thread: u32, _mask: u32, _value: u64) -> &[Cell<u64>; 32] {
    /// #         unreachable!("the kernel does not shuffle")
    /// #     }
    /// #
    /// #     fn static_shared(&self, _thread: u32, _site: usize, _bytes: usize) -> *mut u8 {
    /// #         unreachable!("the kernel shares nothing")
    /// #     }
    /// #
    /// #     fn dynamic_shared(&self) -> *mut u8 {
    /// #         unreachable!("the kernel shares nothing")
    /// #     }
    /// # }
    /// // Nothing has been run yet.
    /// assert_eq!(Block::new([0; 3], [4, 3, 2], [1; 3], &Alone).begun(), 0);
    /// ```
    pub fn begun(&self) -> u32 {
        self.next.get()
    }

    /// The rank of the thread that panicked, if one did: of the first, since the others are given up.
    ///
    /// ```
    /// # use std::cell::Cell;
    /// # use cuda_std::processor::{Block, Wait};
    /// #
    /// #
    /// # /// A block of one thread has nobody to wait for.
    /// # struct Alone;
    /// #
    /// # // SAFETY: the one thread waits for nobody, and its kernel asks for no memory.
    /// # unsafe impl Wait for Alone {
    /// #     fn barrier(&self, _thread: u32, predicate: bool) -> u32 {
    /// #         u32::from(predicate)
    /// #     }
    /// #
    /// #     fn exchange(&self, _thread: u32, _mask: u32, _value: u64) -> &[Cell<u64>; 32] {
    /// #         unreachable!("the kernel does not shuffle")
    /// #     }
    /// #
    /// #     fn static_shared(&self, _thread: u32, _site: usize, _bytes: usize) -> *mut u8 {
    /// #         unreachable!("the kernel shares nothing")
    /// #     }
    /// #
    /// #     fn dynamic_shared(&self) -> *mut u8 {
    /// #         unreachable!("the kernel shares nothing")
    /// #     }
    /// # }
    /// assert_eq!(Block::new([0; 3], [4, 3, 2], [1; 3], &Alone).panicked(), None);
    /// ```
    pub fn panicked(&self) -> Option<u32> {
        self.panicked.get()
    }

    /// The place of thread number `rank` in the block.
    ///
    /// ```
    /// # use std::cell::Cell;
    /// # use cuda_std::processor::{Block, Wait};
    /// #
    /// #
    /// # /// A block of one thread has nobody to wait for.
    /// # struct Alone;
    /// #
    /// # // SAFETY: the one thread waits for nobody, and its kernel asks for no memory.
    /// # unsafe impl Wait for Alone {
    /// #     fn barrier(&self, _thread: u32, predicate: bool) -> u32 {
    /// #         u32::from(predicate)
    /// #     }
    /// #
    /// #     fn exchange(&self, _thread: u32, _mask: u32, _value: u64) -> &[Cell<u64>; 32] {
    /// #         unreachable!("the kernel does not shuffle")
    /// #     }
    /// #
    /// #     fn static_shared(&self, _thread: u32, _site: usize, _bytes: usize) -> *mut u8 {
    /// #         unreachable!("the kernel shares nothing")
    /// #     }
    /// #
    /// #     fn dynamic_shared(&self) -> *mut u8 {
    /// #         unreachable!("the kernel shares nothing")
    /// #     }
    /// # }
    /// // Ranks count along x first.
    /// assert_eq!(Block::new([0; 3], [4, 3, 2], [1; 3], &Alone).thread_index(17), [1, 1, 1]);
    /// ```
    pub fn thread_index(&self, rank: u32) -> Dim3 {
        let [x, y, _] = self.size;
        [rank % x, rank / x % y, rank / x / y]
    }
}

/// How an executor lets the threads of a block wait for each other. `thread` is a rank in the block.
///
/// ```
/// # use cuda_std::prelude::*;
/// # use cuda_std::launch::DeviceSlice;
/// # use cuda_std::machine::MachineKind;
/// # #[kernel(block = 1, grid = 1)]
/// # pub unsafe fn numbers(mut out: DisjointMut<u32>) {
/// #     if let Some(out) = out.own() {
/// #         *out = 10 + thread::sync_threads_count(true);
/// #     }
/// # }
/// use std::cell::Cell;
///
/// use cuda_std::processor::{Block, Wait};
///
/// /// A block of one thread has nobody to wait for.
/// struct Alone;
///
/// // SAFETY: the one thread waits for nobody, and its kernel asks for no memory.
/// unsafe impl Wait for Alone {
///     fn barrier(&self, _thread: u32, predicate: bool) -> u32 {
///         u32::from(predicate)
///     }
///
///     fn exchange(&self, _thread: u32, _mask: u32, _value: u64) -> &[Cell<u64>; 32] {
///         unreachable!("the kernel does not shuffle")
///     }
///
///     fn static_shared(&self, _thread: u32, _site: usize, _bytes: usize) -> *mut u8 {
///         unreachable!("the kernel shares nothing")
///     }
///
///     fn dynamic_shared(&self) -> *mut u8 {
///         unreachable!("the kernel shares nothing")
///     }
/// }
///
/// # fn main() {
/// let mut out = cpu_executor::Cells::filled(0, 1);
/// let launch = numbers::launch(&mut out);
/// let block = Block::new([0; 3], [1, 1, 1], [1, 1, 1], &Alone);
/// // SAFETY: the arguments are the kernel's, nobody else touches their memory, and the block is all of its grid.
/// unsafe { (launch.kernel().entry)(MachineKind::Baseline)(launch.args(), &block) };
/// assert_eq!(out.to_vec(), [11]);
/// # }
/// ```
///
/// # Safety
/// Kernels rely on it: a call returns when those that it waits for have made theirs, as each method says; memory has the
/// size and alignment that it says, for as long as the block runs, and belongs to the block alone.
pub unsafe trait Wait {
    /// Returns when every thread of the block has called it; gives how many predicates held.
    fn barrier(&self, thread: u32, predicate: bool) -> u32;

    /// Returns when every lane of `mask` in the thread's warp has called it with the same mask;
    /// gives the values of all lanes (of those outside the mask, anything), until the thread waits again.
    fn exchange(&self, thread: u32, mask: u32, value: u64) -> &[Cell<u64>; 32];

    /// The block's static shared array that belongs to a place in the source; the same address for
    /// every thread of the block, aligned to 16 bytes. Null for a thread that has had it before.
    fn static_shared(&self, thread: u32, site: usize, bytes: usize) -> *mut u8;

    /// The block's dynamic shared memory, as much as its launch asks for, aligned to 16 bytes.
    fn dynamic_shared(&self) -> *mut u8;
}

/// The thread that is running on a stack: its place, and its way back to the executor. For what `#[kernel]` makes.
#[doc(hidden)]
pub struct Thread<'a> {
    rank: Cell<u32>,
    index: Cell<Dim3>,
    block: &'a Block<'a>,
}

thread_local! {
    static CURRENT: Cell<*const Thread<'static>> = const { Cell::new(null()) };
}

impl<'a> Thread<'a> {
    /// A stack's view of the block, before its first thread.
    #[inline(always)]
    pub fn new(block: &'a Block<'a>) -> Self {
        Self { rank: Cell::new(0), index: Cell::new([0; 3]), block }
    }

    /// Takes the block's next thread; false when all have begun.
    #[inline(always)]
    pub fn advance(&self) -> bool {
        let rank = self.block.next.get();
        if rank >= self.block.threads() {
            return false;
        }
        self.block.next.set(rank + 1);
        self.rank.set(rank);
        let flat = self.block.size[0] == self.block.threads();
        self.index.set(if flat { [rank, 0, 0] } else { self.block.thread_index(rank) });
        self.make_current();
        true
    }

    #[inline(always)]
    fn make_current(&self) {
        let this: *const Thread<'_> = self;
        // The lifetime is erased; `Drop` and every return from a wait keep the pointer true.
        CURRENT.set(this.cast());
    }
}

impl Drop for Thread<'_> {
    fn drop(&mut self) {
        CURRENT.set(null());
        if std::thread::panicking() && self.block.panicked.get().is_none() {
            self.block.panicked.set(Some(self.rank.get()));
        }
    }
}
