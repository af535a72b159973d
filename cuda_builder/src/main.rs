//! Builds, checks and shows the PTX of a crate of kernels.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use cuda_builder::{Arch, Build, Comparison, CudaBuilder, Error, Fit};

/// Builds a crate of GPU kernels to PTX, and keeps a checked-in copy beside the sources.
///
/// A rustc with the source of its own `core` is needed to build; CUDA_BUILDER_RUSTC names one.
#[derive(Debug, Parser)]
#[command(name = "cuda_builder")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build from the sources and replace the checked-in copy
    Build(BuildArgs),
    /// Build from the sources and compare with the checked-in copy; exit with 1 if they differ
    Check(Kernels),
    /// Print what the checked-in copy was made from, and whether it fits the sources
    Show(Kernels),
}

#[derive(Debug, Args)]
struct Kernels {
    /// Folder of the kernel crate
    #[arg(default_value = "gpu")]
    krate: PathBuf,
    /// Folder for intermediate files [default: cuda_builder in the workspace's target folder]
    #[arg(long, value_name = "DIR")]
    target_dir: Option<PathBuf>,
    /// Architecture and PTX version, as rustc names them [default: sm_75+ptx70, sm_80+ptx70, sm_90+ptx78 and sm_90a+ptx80]
    #[arg(long = "arch", value_name = "ARCH", value_parser = parse_arch)]
    archs: Vec<Arch>,
}

#[derive(Debug, Args)]
struct BuildArgs {
    #[command(flatten)]
    kernels: Kernels,
    /// Write the PTX here, and leave the checked-in copy alone
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Have the PTX name source lines, for profilers; such PTX names folders of this machine, so it needs --out
    #[arg(long, requires = "out")]
    line_tables: bool,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Build(args) => build(args),
        Command::Check(kernels) => check(&kernels),
        Command::Show(kernels) => show(&kernels),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}

fn build(args: BuildArgs) -> Result<ExitCode, Error> {
    let builder = args.kernels.builder().line_tables(args.line_tables);
    if let Some(out) = &args.out {
        // Not after a minute's work.
        std::fs::create_dir_all(out).map_err(|cause| Error::Io { action: "create", path: out.clone(), cause })?;
    }
    let build = build_aloud(&builder)?;
    let folder = if let Some(out) = args.out {
        build.write_to(&out)?;
        out
    } else {
        builder.check_in(&build)?;
        builder.ptx_dir()
    };
    print!("{}", table(&build));
    println!("{} wrote {}", build.compiler.version, folder.display());
    Ok(ExitCode::SUCCESS)
}

fn check(kernels: &Kernels) -> Result<ExitCode, Error> {
    let builder = kernels.builder();
    let comparison = builder.compare(&build_aloud(&builder)?)?;
    let problem = match comparison {
        Comparison::Same => {
            println!("the checked-in PTX is what the sources give, byte for byte");
            return Ok(ExitCode::SUCCESS);
        }
        Comparison::OtherCompiler { checked_in, built } => {
            println!("the checked-in PTX fits the sources; its bytes were not compared, because it was made");
            println!("by {checked_in}, and here there is {built}");
            return Ok(ExitCode::SUCCESS);
        }
        Comparison::Unfit(fit) => fit.reason(),
        Comparison::OtherBytes(files) => {
            format!("the same compiler makes other PTX of the same sources: {}", files.join(", "))
        }
    };
    println!("{problem}; {}", kernels.advice());
    Ok(ExitCode::FAILURE)
}

fn show(kernels: &Kernels) -> Result<ExitCode, Error> {
    let (copy, fit) = kernels.builder().checked_in()?;
    if let Some(copy) = copy {
        println!("compiler       {}", copy.stamp.compiler);
        println!("architectures  {}", copy.stamp.architectures.join(" "));
        println!("sources        {}", copy.stamp.sources);
        for (path, hash) in &copy.stamp.files {
            println!("{:.12}   {path}", hash);
        }
    }
    if fit == Fit::Fits {
        println!("{}", fit.reason());
    } else {
        println!("{}; {}", fit.reason(), kernels.advice());
    }
    Ok(ExitCode::SUCCESS)
}

impl Kernels {
    fn builder(&self) -> CudaBuilder {
        let builder = self.archs.iter().cloned().fold(CudaBuilder::new(&self.krate), CudaBuilder::arch);
        match &self.target_dir {
            Some(target_dir) => builder.target_dir(target_dir),
            None => builder,
        }
    }

    fn advice(&self) -> String {
        format!("renew it with `{}`", self.builder().check_in_command())
    }
}

/// Says what takes so long: half a minute where `core` has not been compiled before.
fn build_aloud(builder: &CudaBuilder) -> Result<Build, Error> {
    let archs: Vec<_> = builder.archs().iter().map(Arch::to_string).collect();
    eprintln!("building the kernels for {}", archs.join(", "));
    builder.build()
}

fn table(build: &Build) -> String {
    let mut table = format!("{:<8} {:<24} {:>7} {:>9}\n", "arch", "family", "entries", "bytes");
    for module in &build.modules {
        let (entries, bytes) = (module.entries.len(), module.text.len());
        let _ = writeln!(table, "{:<8} {:<24} {entries:>7} {bytes:>9}", module.target, module.family);
    }
    table
}

fn parse_arch(text: &str) -> Result<Arch, String> {
    let (target, ptx) = text.split_once('+').ok_or("write it as sm_75+ptx70")?;
    let arch = Arch::new(target, ptx);
    arch.compute().map_err(|error| error.to_string())?;
    Ok(arch)
}
