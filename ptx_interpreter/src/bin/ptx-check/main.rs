//! `ptx-check`: what the kernels of a PTX file are made of, and what looks wrong in them.

mod show;
#[path = "../../similar.rs"]
mod similar;

use clap::Parser;
use ptx_interpreter::Module;
use std::collections::BTreeSet;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Checks PTX files without a GPU: prints each kernel's parameters, memory, registers, barriers and instructions, and
/// what looks wrong or slow in it.
///
/// Lints: `extern` (undefined names, which the driver refuses), `local-memory`, `generic-shared` (generic accesses to
/// shared memory), `split-barrier` (arms of a divergent branch that wait at different barriers), `f64` (double precision
/// in a kernel that takes and loads none).
///
/// Exit codes: 0 all files are fine, or have lints and --deny-lints is not given; 1 lints were found with --deny-lints;
/// 2 a file cannot be read or parsed, no file has a kernel that --kernel names, or the command line is wrong.
#[derive(Parser)]
#[command(name = "ptx-check", version)]
struct Typed {
    /// PTX files
    #[arg(required = true, value_name = "FILE.ptx")]
    files: Vec<PathBuf>,
    /// Prints JSON, one array of files
    #[arg(long)]
    json: bool,
    /// Exits with 1 if a lint is found
    #[arg(long)]
    deny_lints: bool,
    /// Shows only this kernel; may be given several times
    #[arg(long, value_name = "NAME")]
    kernel: Vec<String>,
}

fn main() -> ExitCode {
    let typed = Typed::parse();
    let mut checked = Vec::new();
    let mut failed = false;
    let mut kernels = BTreeSet::new();
    for path in &typed.files {
        let name = path.display().to_string();
        let module = std::fs::read_to_string(path)
            .map_err(|error| format!("cannot be read: {error}"))
            .and_then(|text| Module::parse(&text).map_err(|error| error.to_string()));
        match module {
            Ok(module) => {
                kernels.extend(module.kernels().map(|kernel| kernel.name().to_owned()));
                checked.push(show::CheckedFile::new(name, &module, &typed.kernel));
            }
            Err(reason) => {
                eprintln!("ptx-check: {name}: {reason}");
                failed = true;
            }
        }
    }
    let shown = if typed.json { show::json(&checked) } else { checked.iter().map(show::CheckedFile::text).collect() };
    // Whoever reads the output may have seen enough.
    if let Err(error) = std::io::stdout().write_all(shown.as_bytes())
        && error.kind() != ErrorKind::BrokenPipe
    {
        eprintln!("ptx-check: the output cannot be written: {error}");
        failed = true;
    }
    for name in typed.kernel.iter().filter(|name| !kernels.contains(*name)) {
        let there = similar::similar(name, kernels.iter().map(String::as_str)).join("`, `");
        eprintln!("ptx-check: there is no kernel `{name}`; there are `{there}`");
        failed = true;
    }
    if failed {
        ExitCode::from(2)
    } else if typed.deny_lints && checked.iter().any(|file| !file.lints.is_empty()) {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    }
}
