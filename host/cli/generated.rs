//! What shells and `man` want to know of the program, made from its own definition.

use std::io::{self, Write};

use clap::{Args, CommandFactory};
use clap_complete::Shell;

/// Writes completions for a shell.
#[derive(Clone, Debug, Args)]
pub struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    pub shell: Shell,
}

impl CompletionsArgs {
    /// Writes them.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn run(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut super::Args::command(), "modeseek", &mut text);
        out.write_all(&text)
    }
}

/// Writes the manual page: of the program, and of each of its commands.
///
/// # Errors
/// If it cannot be written.
pub fn man(out: &mut dyn Write) -> io::Result<()> {
    let mut command = super::Args::command();
    command.build();
    clap_mangen::Man::new(command.clone()).render(out)?;
    for part in command.get_subcommands().filter(|part| part.get_name() != "help") {
        clap_mangen::Man::new(part.clone()).render(out)?;
    }
    Ok(())
}
