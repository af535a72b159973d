//! Two families of kernels, written without `cuda_std`, to build and take apart.

#![no_std]
#![feature(abi_ptx, asm_experimental_arch, stdarch_nvptx)]

/// `data[i] *= factor`, checked.
pub mod scale {
    use core::arch::global_asm;
    use core::arch::nvptx::_thread_idx_x;

    global_asm!("// cuda_std.kernel scale fixture_kernels::scale");

    /// One thread an element.
    ///
    /// # Safety
    /// `data` has `len` elements.
    #[unsafe(no_mangle)]
    pub unsafe extern "ptx-kernel" fn scale(data: *mut f32, len: usize, factor: f32) {
        let data = unsafe { core::slice::from_raw_parts_mut(data, len) };
        // Out of bounds this must trap inline: nothing links `core`'s panic.
        data[unsafe { _thread_idx_x() } as usize] *= factor;
    }
}

/// One half of a block adds, the other takes away, with a barrier between two branches on one condition.
pub mod exchange {
    use core::arch::global_asm;
    use core::arch::nvptx::{_syncthreads, _thread_idx_x};

    global_asm!("// cuda_std.kernel exchange fixture_kernels::exchange");

    /// One block of `2 * half` threads.
    ///
    /// # Safety
    /// `data` has `2 * half` elements.
    #[unsafe(no_mangle)]
    pub unsafe extern "ptx-kernel" fn exchange(data: *mut u32, half: u32) {
        unsafe {
            let thread = _thread_idx_x() as u32;
            let here = data.add(thread as usize);
            let is_lower = thread < half;
            if is_lower {
                *here += 7;
            } else {
                *here *= 5;
            }
            _syncthreads();
            if is_lower {
                *here += *data.add((thread + half) as usize);
            } else {
                *here -= *data.add((thread - half) as usize) * 3;
            }
        }
    }
}
