//! Ctrl-C, and the signals by which a system ends programs: what has begun is given up in order; where that takes long, or who
//! asks twice, at once. The signal of a file that grows too large ends nothing: the write says so.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::say;
use crate::error::{Error, Result};
use crate::files::discard_unfinished;

/// The exit code of a program that was interrupted: 128 and the signal's number.
pub const EXIT_CODE: u8 = 130;

/// How long what has begun may take to end: it may wait for input that does not come, or for someone to read its output.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long who reads standard error may take to take the last line.
const HEARD: Duration = Duration::from_millis(500);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on an interruption is noted. Where the system has none, it ends the program as ever.
pub fn watch() {
    let nohup = Nohup::of_parent();
    let noted = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            end();
        }
        let patient = thread::Builder::new().spawn(|| {
            thread::sleep(PATIENCE);
            end();
        });
        // Without it nobody would end what does not end by itself.
        if patient.is_err() {
            end();
        }
    });
    // Another handler is there already where the program runs twice in one process.
    drop(noted);
    nohup.stay();
    #[cfg(unix)]
    let_writes_fail();
}

/// Has a write to a file that grows too large be an error, and not the end of the program.
#[cfg(unix)]
fn let_writes_fail() {
    // SAFETY: no handler of this program is taken away.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// Whether who began the program has told it to outlive its terminal, as `nohup` does.
#[cfg(unix)]
struct Nohup(bool);

#[cfg(unix)]
impl Nohup {
    fn of_parent() -> Self {
        // SAFETY: no handler of this program is taken away; the next is set at once.
        Self(unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) } == libc::SIG_IGN)
    }

    fn stay(self) {
        if self.0 {
            // SAFETY: as above.
            unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
        }
    }
}

#[cfg(not(unix))]
struct Nohup;

#[cfg(not(unix))]
impl Nohup {
    fn of_parent() -> Self {
        Self
    }

    fn stay(self) {}
}

/// Ends the program, and leaves no half-written file.
fn end() -> ! {
    let _nothing_is_written_any_more = discard_unfinished();
    // By another thread: it may wait for ever, for who reads it or for a thread that waits for them.
    let (said, heard) = mpsc::channel();
    let speaker = thread::Builder::new().spawn(move || {
        say(format_args!("modeseek: {}", Error::Interrupted));
        let _nobody_waits_any_more = said.send(());
    });
    // Without a thread nothing is said: there is nobody to wait for then either.
    let _said_or_not = speaker.map(|_| heard.recv_timeout(HEARD));
    leave()
}

/// Ends the process as it stands: other threads may be within a GPU's driver, which must not be taken down around them.
#[cfg(unix)]
fn leave() -> ! {
    // SAFETY: it ends the process, and runs nothing more of it.
    unsafe { libc::_exit(EXIT_CODE.into()) }
}

#[cfg(not(unix))]
fn leave() -> ! {
    std::process::exit(EXIT_CODE.into())
}

/// That nobody interrupted.
///
/// # Errors
/// [`Error::Interrupted`].
pub fn check() -> Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
}

/// Whether to go on.
pub fn flow() -> ControlFlow<()> {
    if INTERRUPTED.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}
