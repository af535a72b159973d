//! The workers that help the thread that launches.
//!
//! A worker that sleeps takes 50 to 100 us to wake, in which a small grid is long over. So the thread that launches works too,
//! and waits at the end for those who have begun; who comes later finds the door closed, and goes.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, Thread};

use rayon::ThreadPool;

/// In [`Door::state`]: nobody else may enter. The other bits count who is inside.
const CLOSED: u32 = 1 << 31;

/// How often the thread that launches looks for those inside before it sleeps: they are at their last blocks.
const LOOKS: usize = 2000;

type Work<'a> = dyn Fn() + Sync + 'a;

/// Runs `work` on this thread and, at the same time, on up to `helpers` workers of the pool that come in time. Nobody is in it any
/// more when this returns.
pub fn together(pool: &ThreadPool, helpers: usize, work: &Work<'_>) {
    // SAFETY: the two pointers differ in the lifetime alone, which is kept by the door.
    let work_inside = Inside(unsafe { mem::transmute::<*const Work<'_>, *const Work<'static>>(work) });
    let door = Arc::new(Door { state: AtomicU32::new(0), outside: thread::current() });
    // Before the first is asked: whatever panics from here on, the door is closed behind it.
    let _closing = Closing(&door);
    for _ in 0..helpers {
        let door = Arc::clone(&door);
        pool.spawn(move || {
            // Who comes late still holds it, and does not look at what it points to.
            let work = work_inside.work();
            if door.enter() {
                let _leaving = Leaving(&door);
                // SAFETY: between `enter` and `leave` the work is there: `together` does not return, nor unwind, before `Closing`
                // has seen that nobody is between them, and nobody will be.
                unsafe { (*work)() };
            }
        });
    }
    work();
}

/// What is to be done inside, wherever that is: a reference would have to be valid for those too who come too late.
#[derive(Clone, Copy)]
struct Inside(*const Work<'static>);

impl Inside {
    /// By the whole of it, which is what a closure then holds.
    fn work(self) -> *const Work<'static> {
        self.0
    }
}

// SAFETY: work may be done by several threads at a time, as `Work` says.
unsafe impl Send for Inside {}

struct Door {
    state: AtomicU32,
    /// Who waits for those inside.
    outside: Thread,
}

impl Door {
    fn enter(&self) -> bool {
        let enter = |state| (state & CLOSED == 0).then_some(state + 1);
        self.state.fetch_update(Ordering::Acquire, Ordering::Relaxed, enter).is_ok()
    }

    fn leave(&self) {
        // What was done inside happened before the thread that launches goes on.
        if self.state.fetch_sub(1, Ordering::Release) == CLOSED + 1 {
            self.outside.unpark();
        }
    }

    fn close(&self) {
        let mut state = self.state.fetch_or(CLOSED, Ordering::Acquire) | CLOSED;
        let mut looks = 0;
        while state != CLOSED {
            if looks < LOOKS {
                looks += 1;
                std::hint::spin_loop();
            } else {
                thread::park();
            }
            state = self.state.load(Ordering::Acquire);
        }
    }
}

/// Leaves when it is dropped.
struct Leaving<'a>(&'a Door);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// Closes when it is dropped, and waits until nobody is inside.
struct Closing<'a>(&'a Door);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Barrier;
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use super::*;

    fn pool(workers: usize) -> ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(workers).build().unwrap()
    }

    #[test]
    fn all_that_come_in_time_work_at_once_and_are_waited_for() {
        let (pool, all, ended) = (pool(3), Barrier::new(4), AtomicUsize::new(0));
        together(&pool, 3, &|| {
            all.wait();
            if pool.current_thread_index().is_some() {
                thread::sleep(Duration::from_millis(20));
            }
            ended.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(ended.into_inner(), 4);
    }

    #[test]
    fn who_comes_too_late_is_not_waited_for_and_does_nothing() {
        let (pool, free, calls) = (pool(1), Arc::new(Barrier::new(2)), AtomicUsize::new(0));
        let busy = Arc::clone(&free);
        pool.spawn(move || {
            busy.wait();
        });
        together(&pool, 1, &|| {
            calls.fetch_add(1, Ordering::Relaxed);
        });
        free.wait();
        // The pool's next work is done after what came too late.
        pool.install(|| ());
        assert_eq!(calls.into_inner(), 1);
    }

    #[test]
    fn a_panic_here_waits_for_the_others_too() {
        let (pool, both, ended) = (pool(1), Barrier::new(2), AtomicUsize::new(0));
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            together(&pool, 1, &|| {
                both.wait();
                assert!(pool.current_thread_index().is_some(), "here");
                thread::sleep(Duration::from_millis(20));
                ended.fetch_add(1, Ordering::Relaxed);
            });
        }));
        assert!(panicked.is_err());
        assert_eq!(ended.into_inner(), 1);
    }
}
