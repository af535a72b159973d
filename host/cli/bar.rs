//! How far a file was read, where someone looks on.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::data::Source;

/// How often a bar is drawn.
const PERIOD: Duration = Duration::from_millis(200);

/// A bar of bytes on standard error, if that is a terminal; nothing otherwise, and for what is no file.
pub struct Bar {
    watching: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl Bar {
    /// For a file that is going to be opened and read, unless the program is to be `quiet`.
    pub fn of(source: &Source, quiet: bool) -> Self {
        if quiet || !io::stderr().is_terminal() || source.bytes().is_none() {
            return Self { watching: None };
        }
        let done = Arc::new(AtomicBool::new(false));
        let (seen, source) = (done.clone(), source.clone());
        // A thread of its own: some formats are read whole before there is a first row.
        let thread = thread::spawn(move || watch(&source, &seen));
        Self { watching: Some((done, thread)) }
    }
}

/// Shows how far a file was read, until that is done.
fn watch(source: &Source, done: &AtomicBool) {
    let style = "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta} left";
    let bar = ProgressBar::with_draw_target(source.bytes(), ProgressDrawTarget::stderr());
    bar.set_style(ProgressStyle::with_template(style).expect("the template is sound"));
    bar.set_message(source.to_string());
    while !done.load(Ordering::Relaxed) {
        // Of a file of columns, it is known only when it was opened how much of it is wanted.
        let bytes = source.bytes().unwrap_or(0);
        bar.set_length(bytes);
        bar.set_position(source.bytes_read().min(bytes));
        bar.tick();
        thread::park_timeout(PERIOD);
    }
    bar.finish_and_clear();
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some((done, thread)) = self.watching.take() {
            done.store(true, Ordering::Relaxed);
            thread.thread().unpark();
            // It only draws; a bar that failed to is not worth an error.
            drop(thread.join());
        }
    }
}
