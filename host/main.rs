//! The program `modeseek`.

use std::process::ExitCode;

fn main() -> ExitCode {
    modeseek::cli::main()
}
