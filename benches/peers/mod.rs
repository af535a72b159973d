//! Programs in C that do a kernel's work, compiled when the benchmarks run and timed among them.
//!
//! A peer is a child process that repeats a step and says how long that took, so that starting it is
//! not timed. Where there is no compiler, or none of the vector instructions, it is left out by name.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use cuda_std::machine::MachineKind;
use tempfile::TempDir;

use crate::families::shift::Columns;

const SOURCE: &str = include_str!("shift_c.c");

/// Fused multiply-adds of a vector that one repeat of `peak` does on a thread: see shift_c.c.
const PEAK: u64 = (1 << 20) * 12;

/// One way to compile the program and run it.
pub struct Peer {
    pub name: String,
    /// How it was compiled, for a person.
    pub compiled: &'static str,
    /// The target that it stands beside.
    beside: &'static str,
    program: PathBuf,
    threads: usize,
    lanes: u64,
}

/// All that could be compiled here.
pub struct Peers {
    pub peers: Vec<Peer>,
    /// How those would have been compiled that are not there, and why they are not.
    pub left_out: Vec<(&'static str, String)>,
    _programs: TempDir,
}

impl Peers {
    /// Compiles what this processor can run.
    pub fn compile() -> Self {
        let programs = tempfile::tempdir().expect("there is a folder for temporary files");
        let source = programs.path().join("shift_c.c");
        std::fs::write(&source, SOURCE).expect("the folder is writable");
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (mut peers, mut left_out) = (Vec::new(), Vec::new());
        for (kind, name, compiled_as, flags, lanes, beside) in [
            (
                MachineKind::Avx2,
                "c-avx2",
                "C, -O3 AVX2",
                &["-mavx2", "-mfma"][..],
                8,
                ["cpu-avx2-1-worker", "cpu-avx2"],
            ),
            (
                MachineKind::Avx512,
                "c-native",
                "C, -O3 native",
                &["-march=native"],
                16,
                ["cpu-avx512-1-worker", "cpu-avx512"],
            ),
        ] {
            let program = programs.path().join(name);
            let mut cc = Command::new("cc");
            cc.args(["-O3", "-pthread"]).args(flags).arg("-o").arg(&program).arg(&source);
            let compiled = if !cfg!(target_arch = "x86_64") || !kind.runs_here() {
                Err(format!("this processor is not {kind:?}"))
            } else {
                match cc.output() {
                    Ok(output) if output.status.success() => Ok(()),
                    Ok(output) => Err(format!("cc failed: {}", String::from_utf8_lossy(&output.stderr))),
                    Err(error) => Err(format!("cc did not start: {error}")),
                }
            };
            if let Err(why) = compiled {
                eprintln!("left out: {name}, the peer in C of {}: {why}", beside[1]);
                left_out.push((compiled_as, why));
                continue;
            }
            for (threads, suffix, beside) in [(1, "-1-thread", beside[0]), (cores, "", beside[1])] {
                let (name, program) = (format!("{name}{suffix}"), program.clone());
                peers.push(Peer { name, compiled: compiled_as, beside, program, threads, lanes });
            }
        }
        Self { peers, left_out, _programs: programs }
    }

    /// The peer of a target.
    pub fn of(&self, target: &str) -> Option<&Peer> {
        self.peers.iter().find(|peer| peer.beside == target)
    }

    /// How many vector operations the processor does: nothing but independent fused multiply-adds.
    pub fn bench_peak(&self, criterion: &mut Criterion) {
        for peer in &self.peers {
            let operations = PEAK * peer.threads as u64;
            let mut group = criterion.benchmark_group(format!("{}/peak", peer.name));
            group.throughput(Throughput::Elements(operations)).bench_function("vector_fma", |bencher| {
                bencher
                    .iter_custom(|repeats| peer.run(&["peak".into(), peer.threads.to_string(), repeats.to_string()]));
            });
            group.finish();
        }
    }
}

impl Peer {
    /// Runs the program; the time it says, after checking that it is the variant that it should be.
    fn run(&self, arguments: &[String]) -> Duration {
        let output = Command::new(&self.program).args(arguments).output().expect("the program starts");
        assert!(output.status.success(), "{} failed: {:?}", self.name, output.status);
        let text = String::from_utf8(output.stdout).expect("the program prints numbers");
        let words: Vec<&str> = text.split_whitespace().collect();
        assert_eq!(words.len(), 2, "{}: {text}", self.name);
        assert_eq!(words[1].parse(), Ok(self.lanes), "{} has other vectors than expected", self.name);
        Duration::from_secs_f64(words[0].parse().expect("the first word is seconds"))
    }

    /// Whether it uses all cores, as a device does unless told otherwise.
    pub fn on_all_cores(&self) -> bool {
        !self.name.ends_with("-1-thread")
    }

    /// How long so many steps take.
    pub fn shift(&self, files: &Files, n: usize, repeats: u64) -> Duration {
        let path = |name| files.0.path().join(name).to_str().expect("the path is text").to_owned();
        let (points, moved) = (path("points"), path("moved"));
        self.run(&["shift".into(), points, n.to_string(), self.threads.to_string(), repeats.to_string(), moved])
    }

    /// Where the points move in one step: by columns, without padding.
    pub fn moved(&self, columns: &Columns) -> Vec<f32> {
        let files = Files::new(columns);
        self.shift(&files, columns.n, 1);
        let moved = files.moved();
        assert_eq!(moved.len(), columns.n * 2);
        moved
    }

    /// Times the step, as the kernel's is timed.
    pub fn bench_shift(&self, criterion: &mut Criterion, columns: &Columns) {
        let (n, files) = (columns.n, Files::new(columns));
        let mut group = criterion.benchmark_group(format!("{}/shift_gaussian_2", self.name));
        let pairs = Throughput::Elements((n * n) as u64);
        group.throughput(pairs).bench_function(format!("n={n},d=2"), |bencher| {
            bencher.iter_custom(|repeats| self.shift(&files, n, repeats));
        });
        group.finish();
    }
}

/// A folder with the points of a step.
pub struct Files(TempDir);

impl Files {
    /// These points, without padding.
    pub fn new(columns: &Columns) -> Self {
        let folder = tempfile::tempdir().expect("there is a folder for temporary files");
        let values = columns.column(0).iter().chain(columns.column(1));
        let bytes: Vec<u8> = values.flat_map(|x| x.to_le_bytes()).collect();
        std::fs::write(folder.path().join("points"), bytes).expect("the folder is writable");
        Self(folder)
    }

    /// Where the last run moved them, by columns without padding.
    fn moved(&self) -> Vec<f32> {
        let bytes = std::fs::read(self.0.path().join("moved")).expect("the program wrote it");
        bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
    }
}
