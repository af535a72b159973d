//! The functions behind [`thread`](crate::thread), [`warp`](crate::warp) and [`shared`](crate::shared).

use std::cell::Cell;
use std::panic::Location;
use std::sync::atomic::{Ordering, fence};

pub(crate) use super::matrix::*;
pub(crate) use super::narrow::*;
pub(crate) use super::warpgroup::*;
use super::{CURRENT, Thread, Wait};

#[inline(always)]
pub(super) fn with<T>(f: impl FnOnce(&Thread<'_>) -> T) -> T {
    let thread = CURRENT.get();
    assert!(!thread.is_null(), "a kernel's words work only in a kernel that an executor runs");
    // SAFETY: the pointer is set while a `Thread` lives on the running stack, and only then.
    f(unsafe { &*thread })
}

/// Lets the executor run other threads of the block on this system thread until it returns.
#[inline(never)]
fn wait<T>(f: impl FnOnce(&dyn Wait, u32) -> T) -> T {
    with(|thread| {
        let result = f(thread.block.wait, thread.rank.get());
        thread.make_current();
        result
    })
}

macro_rules! index_words {
    ($($name:ident = |$thread:ident| $value:expr;)*) => { $(
        #[inline(always)]
        pub(crate) fn $name() -> u32 {
            with(|$thread| $value)
        }
    )* };
}

index_words! {
    thread_idx_x = |thread| thread.index.get()[0];
    thread_idx_y = |thread| thread.index.get()[1];
    thread_idx_z = |thread| thread.index.get()[2];
    block_idx_x = |thread| thread.block.index[0];
    block_idx_y = |thread| thread.block.index[1];
    block_idx_z = |thread| thread.block.index[2];
    block_dim_x = |thread| thread.block.size[0];
    block_dim_y = |thread| thread.block.size[1];
    block_dim_z = |thread| thread.block.size[2];
    grid_dim_x = |thread| thread.block.grid[0];
    grid_dim_y = |thread| thread.block.grid[1];
    grid_dim_z = |thread| thread.block.grid[2];
    lane_id = |thread| thread.rank.get() % 32;
}

#[inline]
pub(crate) fn sync_threads() {
    wait(|executor, rank| executor.barrier(rank, false));
}

#[inline]
pub(crate) fn sync_threads_count(predicate: bool) -> u32 {
    wait(|executor, rank| executor.barrier(rank, predicate))
}

#[inline]
pub(crate) fn sync_threads_and(predicate: bool) -> bool {
    sync_threads_count(!predicate) == 0
}

#[inline]
pub(crate) fn sync_threads_or(predicate: bool) -> bool {
    sync_threads_count(predicate) != 0
}

#[inline(always)]
pub(crate) fn device_fence() {
    fence(Ordering::SeqCst);
}

#[inline(always)]
pub(crate) fn block_fence() {
    fence(Ordering::SeqCst);
}

pub(super) fn exchange<T>(mask: u32, value: u64, read: impl FnOnce(&[Cell<u64>; 32]) -> T) -> T {
    wait(|executor, rank| read(executor.exchange(rank, mask, value)))
}

pub(crate) unsafe fn sync_warp(mask: u32) {
    exchange(mask, 0, |_| ());
}

/// A shuffle: every lane reads the lane that `source` computes from its own number.
fn shuffle(mask: u32, value: u32, source: impl FnOnce(u32) -> u32) -> u32 {
    let (rank, threads) = with(|thread| (thread.rank.get(), thread.block.threads()));
    let lane = rank % 32;
    let source = source(lane);
    assert!(mask >> source & 1 == 1, "lane {lane} shuffles from lane {source}, which is not in the mask {mask:#010x}");
    assert!(
        rank - lane + source < threads,
        "lane {lane} shuffles from lane {source}, which the block's last warp does not have"
    );
    exchange(mask, u64::from(value), |values| values[source as usize].get() as u32)
}

fn check_width(width: u32) {
    assert!(width.is_power_of_two() && width <= 32, "a shuffle's width is a power of two up to 32, not {width}");
}

pub(crate) unsafe fn shuffle_up(mask: u32, value: u32, delta: u32, width: u32) -> u32 {
    check_width(width);
    // As `shfl.sync`, which takes the distance modulo 32.
    let delta = delta & 31;
    shuffle(mask, value, |lane| if lane % width >= delta { lane - delta } else { lane })
}

pub(crate) unsafe fn shuffle_down(mask: u32, value: u32, delta: u32, width: u32) -> u32 {
    check_width(width);
    let delta = delta & 31;
    shuffle(mask, value, |lane| if lane % width + delta < width { lane + delta } else { lane })
}

pub(crate) unsafe fn shuffle_xor(mask: u32, value: u32, lanes: u32, width: u32) -> u32 {
    check_width(width);
    // As `shfl.sync.bfly`: a source beyond the segment's end means the lane's own value.
    shuffle(mask, value, |lane| {
        let source = lane ^ (lanes & 31);
        if source > lane | (width - 1) { lane } else { source }
    })
}

pub(crate) unsafe fn shuffle_idx(mask: u32, value: u32, by: u32, width: u32) -> u32 {
    check_width(width);
    shuffle(mask, value, |lane| lane & !(width - 1) | by & (width - 1))
}

pub(crate) unsafe fn vote_ballot(mask: u32, predicate: bool) -> u32 {
    exchange(mask, u64::from(predicate), |votes| {
        let lanes = votes.iter().enumerate().filter(|(lane, vote)| mask >> lane & 1 == 1 && vote.get() == 1);
        lanes.fold(0, |bits, (lane, _)| bits | 1 << lane)
    })
}

pub(crate) unsafe fn vote_all(mask: u32, predicate: bool) -> bool {
    // Lanes that a short warp does not have count as agreeing, as they do on a GPU.
    // SAFETY: the caller's promise.
    unsafe { vote_ballot(mask, !predicate) == 0 }
}

pub(crate) unsafe fn vote_any(mask: u32, predicate: bool) -> bool {
    // SAFETY: the caller's promise.
    unsafe { vote_ballot(mask, predicate) != 0 }
}

/// A place in the source that declares a static shared array; its address is its name.
pub struct SharedSite(&'static Location<'static>);

impl SharedSite {
    /// A new place.
    #[allow(clippy::new_without_default)]
    #[track_caller]
    pub const fn new() -> Self {
        Self(Location::caller())
    }
}

/// The block's array of `length` cells that belongs to the place.
pub fn static_shared<T>(site: &'static SharedSite, length: usize) -> *mut T {
    let place = std::ptr::from_ref(site).addr();
    let array = with(|thread| thread.block.wait.static_shared(thread.rank.get(), place, length * size_of::<T>()));
    if array.is_null() {
        asked_for_twice(site);
    }
    array.cast()
}

/// Here it would be one array, on a GPU as many as its compiler makes copies of the place.
#[cold]
fn asked_for_twice(site: &SharedSite) -> ! {
    panic!(
        "a thread comes twice to the `shared_array!` at {}, which may be two arrays on a GPU; have it at the top of the kernel, outside \
         loops and what is called twice, and pass its pointer on",
        site.0
    )
}

pub(crate) fn dynamic_shared<T>() -> *mut T {
    with(|thread| thread.block.wait.dynamic_shared()).cast()
}
