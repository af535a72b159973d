//! How far a file was read, and what a long job is at, where someone looks on.

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::data::Source;
use crate::mean_shift::Iteration;

/// How often a line is drawn.
const PERIOD: Duration = Duration::from_millis(200);

/// How long nothing is drawn of a job: most are done by then.
const PATIENCE: Duration = Duration::from_secs(1);

/// A thread that draws a line on standard error until this is dropped, if that is a terminal.
struct Drawing(Option<(Arc<AtomicBool>, JoinHandle<()>)>);

impl Drawing {
    /// Draws what `refresh` makes of a line in this style, after some patience, if it is `wanted`.
    fn begin(
        wanted: bool,
        patience: Duration,
        style: &'static str,
        mut refresh: impl FnMut(&ProgressBar) + Send + 'static,
    ) -> Self {
        if !wanted || !io::stderr().is_terminal() {
            return Self(None);
        }
        let done = Arc::new(AtomicBool::new(false));
        let seen = done.clone();
        // A thread of its own: some formats are read whole before there is a first row, and an iteration takes what it takes.
        let thread = thread::Builder::new().spawn(move || {
            let line = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            line.set_style(ProgressStyle::with_template(style).expect("the template is sound"));
            thread::park_timeout(patience);
            while !seen.load(Ordering::Relaxed) {
                refresh(&line);
                line.tick();
                thread::park_timeout(PERIOD);
            }
            line.finish_and_clear();
        });
        // Where the system refuses it, nothing is drawn.
        Self(thread.ok().map(|thread| (done, thread)))
    }
}

impl Drop for Drawing {
    fn drop(&mut self) {
        if let Some((done, thread)) = self.0.take() {
            done.store(true, Ordering::Relaxed);
            thread.thread().unpark();
            // It only draws; a line that failed to is not worth an error.
            drop(thread.join());
        }
    }
}

/// A bar of bytes on standard error, if that is a terminal; nothing otherwise, and for what is no file.
pub struct Bar {
    _drawing: Drawing,
}

impl Bar {
    /// For a file that is going to be opened and read, unless the program is to be `quiet`.
    pub fn of(source: &Source, quiet: bool) -> Self {
        let wanted = !quiet && source.bytes().is_some();
        let source = source.clone();
        let style = "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta} left";
        let _drawing = Drawing::begin(wanted, Duration::ZERO, style, move |bar| {
            bar.set_message(source.to_string());
            // Of a file of columns, it is known only when it was opened how much of it is wanted.
            let bytes = source.bytes().unwrap_or(0);
            bar.set_length(bytes);
            bar.set_position(source.bytes_read().min(bytes));
        });
        Self { _drawing }
    }
}

/// A line on standard error that says what a job is at and for how long, if that is a terminal and the job takes longer than a second.
pub struct Status {
    text: Arc<Mutex<String>>,
    _drawing: Drawing,
}

impl Status {
    /// For a job that begins, which is at `what`, unless the line is not `wanted`.
    pub fn of(what: &str, wanted: bool) -> Self {
        let text = Arc::new(Mutex::new(what.to_owned()));
        let shown = text.clone();
        let _drawing = Drawing::begin(wanted, PATIENCE, "{spinner} {msg} ({elapsed})", move |line| {
            line.set_message(shown.lock().unwrap_or_else(PoisonError::into_inner).clone());
        });
        Self { text, _drawing }
    }

    /// Says what it is at now.
    pub fn tell(&self, what: String) {
        *self.text.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    /// Says which iteration was the last.
    pub fn tell_of(&self, Iteration { number, largest_shift }: &Iteration) {
        self.tell(format!("iteration {number} moved {largest_shift:.1e} bandwidths at most"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_what_it_was_told_last() {
        let status = Status::of("the first iteration", false);
        assert_eq!(*status.text.lock().expect("nobody panics"), "the first iteration");
        status.tell_of(&Iteration { number: 3, largest_shift: 0.0123 });
        assert_eq!(*status.text.lock().expect("nobody panics"), "iteration 3 moved 1.2e-2 bandwidths at most");
    }
}
