//! How far a file was read, where someone looks on.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::interrupt;
use crate::data::Source;
use crate::error::Result;

/// A bar of bytes on standard error, if that is a terminal; nothing otherwise, and for files of which it is not known how
/// far they were read.
pub struct Bar<'a> {
    bar: ProgressBar,
    source: &'a Source,
}

impl<'a> Bar<'a> {
    /// For a file that is going to be read, unless the program is to be `quiet`.
    pub fn of(source: &'a Source, quiet: bool) -> Self {
        let style = "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta} left";
        let bar = match source.bytes() {
            Some(bytes) if !quiet && io::stderr().is_terminal() => {
                let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr());
                bar.set_style(ProgressStyle::with_template(style).expect("the template is sound"));
                bar.set_message(source.to_string());
                bar.enable_steady_tick(Duration::from_millis(200));
                bar
            }
            _ => ProgressBar::hidden(),
        };
        Self { bar, source }
    }

    /// Shows how far it was read; whether to go on.
    ///
    /// # Errors
    /// [`Error::Interrupted`](crate::Error::Interrupted).
    pub fn go_on(&self) -> Result<()> {
        self.bar.set_position(self.source.bytes_read());
        interrupt::check()
    }
}

impl Drop for Bar<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
