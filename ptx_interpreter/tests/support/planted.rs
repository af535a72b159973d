//! A faulty kernel and its mended twin.
//!
//! The lines at fault carry the mark `// FAULT`. The check has to fire for every seed, name one of those lines (for two
//! sides: both), and stay silent on the twin.

use super::{marked_lines, module_text, parse};
use ptx_interpreter::{Argument, FaultKind, Gpu, Grid, LaunchError};

pub struct Case {
    /// Schedules that are tried.
    seeds: u64,
    /// What stands before the kernel.
    pub outside: &'static str,
    grid: Grid,
    faulty: &'static str,
    mended: &'static str,
}

impl Case {
    /// A faulty body and a mended one.
    pub fn new(grid: Grid, faulty: &'static str, mended: &'static str) -> Self {
        Self { seeds: 12, outside: "", grid, faulty, mended }
    }

    /// `.shared` words `tile[64]`.
    pub fn with_shared(self) -> Self {
        Self { outside: ".shared .align 4 .b8 tile[256];", ..self }
    }

    /// With more schedules than the usual few.
    pub fn with_seeds(self, seeds: u64) -> Self {
        Self { seeds, ..self }
    }

    /// Runs a body over a buffer of 64 zeros at `%rd1`, and an uninitialised one of 64 words at `%rd2`.
    fn run(&self, body: &str, seed: u64) -> (String, Result<(), LaunchError>) {
        let text = module_text(
            self.outside,
            ".param .u64 zeros, .param .u64 fresh",
            &format!(
                "ld.param.u64 %rd1, [zeros];\nld.param.u64 %rd2, [fresh];\nmov.u32 %r1, %tid.x;\nmov.u32 %r2, %ctaid.x;\n{body}"
            ),
        );
        let module = parse(&text);
        let mut gpu = Gpu::with_seed(seed);
        gpu.options.instruction_budget = 100_000;
        let zeros = gpu.alloc_from(&[0u32; 64]);
        let fresh = gpu.alloc::<u32>(64);
        let arguments = [Argument::U64(zeros.address()), Argument::U64(fresh.address())];
        let result = gpu.launch(&module, "k", self.grid, &arguments);
        (text, result.map(|_| ()))
    }

    /// Both sides, if `two_sided`.
    pub fn check(&self, two_sided: bool, expected: impl Fn(&FaultKind) -> bool) {
        for seed in 0..self.seeds {
            let (text, result) = self.run(self.faulty, seed);
            let Err(LaunchError::Fault(fault)) = result else {
                panic!("seed {seed}: no fault but {result:?}\n{text}");
            };
            assert!(expected(&fault.kind), "seed {seed}: {fault}\n{text}");
            let marked = marked_lines(&text, "// FAULT");
            let mut named = vec![fault.party.ptx_line];
            named.extend(fault.other.iter().map(|other| other.ptx_line));
            assert!(named.iter().all(|line| marked.contains(line)), "seed {seed}: {fault}\n{text}");
            assert_eq!(fault.other.is_some(), two_sided, "seed {seed}: {fault}");
            if two_sided {
                assert!(marked.iter().all(|line| named.contains(line)), "seed {seed}: {fault}\n{text}");
            }
            assert_eq!(fault.kernel, "k");
            let (text, result) = self.run(self.mended, seed);
            assert!(result.is_ok(), "seed {seed}, mended: {}\n{text}", result.unwrap_err());
        }
    }

    /// As `check`, where the other side may be anywhere.
    pub fn check_kind(&self, expected: impl Fn(&FaultKind) -> bool) {
        for seed in 0..self.seeds {
            let (text, result) = self.run(self.faulty, seed);
            let Err(LaunchError::Fault(fault)) = result else {
                panic!("seed {seed}: no fault but {result:?}\n{text}");
            };
            assert!(expected(&fault.kind), "seed {seed}: {fault}\n{text}");
            assert!(marked_lines(&text, "// FAULT").contains(&fault.party.ptx_line), "seed {seed}: {fault}");
            let (text, result) = self.run(self.mended, seed);
            assert!(result.is_ok(), "seed {seed}, mended: {}\n{text}", result.unwrap_err());
        }
    }
}

/// One block in one dimension.
pub fn one_block(threads: u32) -> Grid {
    Grid::linear(1, threads)
}
