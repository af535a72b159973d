//! A device that writes down what crosses between it and the host, and how much memory it holds.
//!
//! It is the processor's executor with an account: what is counted here is what the estimator asked for, not
//! what it says of itself.

use std::alloc::{Layout, alloc, dealloc};
use std::sync::{Arc, Mutex};

use cpu_executor::CpuExecutor;
use cuda_std::launch::{Arg, Kernel, Limits, Prepared};
use cuda_std::machine::MachineKind;
use modeseek::executor::{Details, Executor};
use modeseek::{Device, Result};

/// What was seen so far.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// Bytes of each copy to the device.
    pub writes: Vec<usize>,
    /// Bytes of each copy to the host.
    pub reads: Vec<usize>,
    /// How often the host waited without reading.
    pub waits: usize,
    /// Bytes held now.
    pub held: usize,
    /// The most bytes held at a time.
    pub peak: usize,
}

impl Account {
    /// What came after an earlier state of the same account. A fit's result holds memory as long as it lives, so
    /// that there may be some from the beginning.
    pub fn since(&self, before: &Self) -> Self {
        Self {
            writes: self.writes[before.writes.len()..].to_vec(),
            reads: self.reads[before.reads.len()..].to_vec(),
            waits: self.waits - before.waits,
            held: self.held - before.held,
            peak: self.peak - before.held,
        }
    }
}

struct Counting {
    executor: CpuExecutor,
    account: Arc<Mutex<Account>>,
}

/// The device, and its account.
pub fn counting() -> (Device, Arc<Mutex<Account>>) {
    let account = Arc::new(Mutex::new(Account::default()));
    let executor = CpuExecutor::new(2, MachineKind::of_this_processor()).unwrap();
    let counting = Counting { executor, account: account.clone() };
    (Device::new(Box::new(counting), "it counts".to_owned()), account)
}

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, 256).unwrap()
}

fn pointer(address: u64) -> *mut u8 {
    std::ptr::with_exposed_provenance_mut(address as usize)
}

// SAFETY: everything is left to an executor that keeps the promises.
unsafe impl Executor for Counting {
    fn describe(&self) -> String {
        "a processor that counts".to_owned()
    }

    fn machine(&self) -> MachineKind {
        self.executor.machine()
    }

    fn limits(&self) -> Limits {
        Limits { shared_bytes: 1 << 20, ..Limits::BASELINE }
    }

    fn details(&self) -> Result<Details> {
        Device::processor()?.details()
    }

    fn available(&self) -> Result<usize> {
        Ok(usize::MAX)
    }

    fn allocate(&self, bytes: usize) -> Result<u64> {
        let mut account = self.account.lock().unwrap();
        account.held += bytes;
        account.peak = account.peak.max(account.held);
        // SAFETY: the size is not zero, as the trait says.
        let start = unsafe { alloc(layout(bytes)) };
        assert!(!start.is_null());
        Ok(start.expose_provenance() as u64)
    }

    unsafe fn free(&self, address: u64, bytes: usize) {
        self.account.lock().unwrap().held -= bytes;
        // SAFETY: `allocate` made it with this layout, and launches have ended when they return.
        unsafe { dealloc(pointer(address), layout(bytes)) };
    }

    unsafe fn write(&self, address: u64, bytes: &[u8]) -> Result<()> {
        self.account.lock().unwrap().writes.push(bytes.len());
        // SAFETY: the region is the caller's.
        unsafe { pointer(address).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Ok(())
    }

    unsafe fn read(&self, address: u64, bytes: &mut [u8]) -> Result<()> {
        self.account.lock().unwrap().reads.push(bytes.len());
        // SAFETY: the region is the caller's, and was written.
        unsafe { pointer(address).copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len()) };
        Ok(())
    }

    unsafe fn zero(&self, address: u64, bytes: usize) -> Result<()> {
        // SAFETY: the region is the caller's.
        unsafe { pointer(address).write_bytes(0, bytes) };
        Ok(())
    }

    unsafe fn launch(&self, kernel: &'static Kernel, sizes: Prepared, args: &[Arg]) -> Result<()> {
        // SAFETY: the caller's promise; the launch has ended when this returns.
        Ok(unsafe { self.executor.launch(kernel, sizes, args) }?)
    }

    fn synchronize(&self) -> Result<()> {
        self.account.lock().unwrap().waits += 1;
        Ok(())
    }
}
