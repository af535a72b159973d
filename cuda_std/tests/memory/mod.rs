//! Memory that launches can name; nothing here runs them.
#![allow(dead_code)]

use std::marker::PhantomData;

use cuda_std::launch::{DeviceCopy, DeviceSlice, DeviceSliceMut, Region};

/// A region of a length and an owner, with no memory behind it.
pub struct Memory<T> {
    pub len: usize,
    pub owner: u64,
    pub address: u64,
    elements: PhantomData<T>,
}

impl<T> Memory<T> {
    pub fn new(len: usize) -> Self {
        Self { len, owner: 1, address: 4096, elements: PhantomData }
    }
}

// SAFETY: the tests look at launches and never run them.
unsafe impl<T: DeviceCopy> DeviceSlice<T> for Memory<T> {
    fn region(&self) -> Region {
        Region { address: self.address, len: self.len, owner: self.owner }
    }
}

// SAFETY: as above.
unsafe impl<T: DeviceCopy> DeviceSliceMut<T> for Memory<T> {}
