//! The machine: runs the blocks of a launch one after the other, and the threads of a block in turns.

mod access;
mod atomic;
mod barrier;
mod block;
mod collective;
mod copies;
mod matrix;
mod order;
mod products;
mod random;
mod step;
mod thread;
mod warp;

use crate::code::Code;
use crate::fault::{Fault, Party, SourceLocation};
use crate::gpu::{Checks, Options};
use crate::memory::region::Region;
use crate::memory::shadow::Who;
use crate::memory::{Memory, Trouble, shared_address};
use crate::report::Report;
use crate::syntax::ast::Location;
use crate::types::Space;
use block::Block;
use random::Random;

/// A launch whose arguments and sizes have been checked.
pub(crate) struct Launch<'a> {
    pub(crate) code: &'a Code,
    /// Frames of all functions, with the addresses of this device.
    pub(crate) templates: &'a [Vec<u64>],
    pub(crate) memory: &'a mut Memory,
    pub(crate) options: &'a Options,
    pub(crate) entry: u32,
    pub(crate) grid: [u32; 3],
    pub(crate) block: [u32; 3],
    pub(crate) static_shared: u32,
    pub(crate) dynamic_shared: u32,
    pub(crate) arguments: Vec<u8>,
    pub(crate) seed: u64,
}

/// What all threads of a block see.
pub(crate) struct Env<'a> {
    pub(crate) code: &'a Code,
    pub(crate) templates: &'a [Vec<u64>],
    pub(crate) memory: &'a mut Memory,
    /// Shared variables that the kernel uses, by number.
    pub(crate) shared: Vec<Option<Region>>,
    pub(crate) checks: Checks,
    pub(crate) grid: [u32; 3],
    pub(crate) block: [u32; 3],
    pub(crate) dynamic_shared: u32,
    pub(crate) total_shared: u32,
    pub(crate) arguments: Vec<u8>,
    pub(crate) entry: u32,
    /// Index of the block at hand, and its number.
    pub(crate) index: [u32; 3],
    pub(crate) number: u32,
    /// What strong writes have left for those who read them.
    pub(crate) releases: order::Releases,
    /// How often each instruction ran.
    pub(crate) counts: Vec<u64>,
    pub(crate) executed: u64,
    pub(crate) budget: u64,
    pub(crate) report: Report,
}

/// Runs a launch to its end, or to its first fault.
pub(crate) fn run(launch: Launch) -> Result<Report, Box<Fault>> {
    let Launch { code, templates, memory, options, entry, grid, block, .. } = launch;
    let mut env = Env {
        code,
        templates,
        memory,
        shared: shared_regions(code, entry, launch.dynamic_shared),
        checks: options.checks,
        grid,
        block,
        dynamic_shared: launch.dynamic_shared,
        total_shared: launch.static_shared + launch.dynamic_shared,
        arguments: launch.arguments,
        entry,
        index: [0; 3],
        number: 0,
        releases: order::Releases::new(),
        counts: vec![0; code.insts.len()],
        executed: 0,
        budget: options.instruction_budget,
        report: Report::default(),
    };
    env.memory.forget_accesses();
    let mut random = Random::new(launch.seed);
    let mut threads = Block::new(env.block.iter().product());
    let blocks = grid.iter().map(|size| u64::from(*size)).product::<u64>();
    for number in random.order(blocks) {
        env.number = number as u32;
        env.index = place_in(number, grid);
        for region in env.shared.iter_mut().flatten() {
            region.reset();
        }
        env.releases.retain(|(space, _), _| *space != Space::Shared);
        if let Err((trouble, who)) = threads.run(&mut env, &mut random) {
            return Err(Box::new(explain(&env, *trouble, who)));
        }
        env.report.blocks += 1;
    }
    Ok(env.finish())
}

fn shared_regions(code: &Code, entry: u32, dynamic_shared: u32) -> Vec<Option<Region>> {
    let mut regions: Vec<Option<Region>> = Vec::new();
    regions.resize_with(code.shared.len(), || None);
    for function in code.reachable(entry) {
        for id in &code.functions[function as usize].shared {
            let variable = &code.shared[*id as usize];
            let size = if variable.dynamic { dynamic_shared } else { variable.size };
            let name = Some(variable.name.clone());
            regions[*id as usize] = Some(Region::new(shared_address(*id), size as usize, name));
        }
    }
    regions
}

fn place_in(number: u64, shape: [u32; 3]) -> [u32; 3] {
    let [x, y, _] = shape.map(u64::from);
    [number % x, number / x % y, number / x / y].map(|index| index as u32)
}

impl Env<'_> {
    fn finish(mut self) -> Report {
        self.report.instructions = self.executed;
        let threads: u32 = self.block.iter().product();
        self.report.threads = self.report.blocks * u64::from(threads);
        for (site, count) in self.code.sites.iter().zip(&self.counts) {
            self.report.classes[site.class as usize] += count;
        }
        self.report
    }

    fn party(&self, who: &Who) -> Party {
        let code = self.code;
        let site = code.sites[who.pc as usize];
        let location = code.locations.get(site.location as usize);
        Party {
            function: code.functions[site.function as usize].name.clone(),
            instruction: code.instruction(who.pc),
            ptx_line: code.lines.position(site.start).0,
            source: location.map(|location| source_location(code, location)),
            block: place_in(u64::from(who.block), self.grid),
            thread: place_in(u64::from(who.thread), self.block),
        }
    }
}

fn explain(env: &Env, trouble: Trouble, who: Who) -> Fault {
    let (kind, other) = match trouble {
        Trouble::Fault(kind) => (kind, None),
        Trouble::Clash(kind, other) => (kind, Some(env.party(&other))),
    };
    Fault { kernel: env.code.functions[env.entry as usize].name.clone(), kind, party: env.party(&who), other }
}

/// Resolves a `.loc`; the place that it was inlined at may itself have been inlined.
pub(crate) fn source_location(code: &Code, location: &Location) -> SourceLocation {
    let mut chain = vec![(location.file, location.line, location.column)];
    let mut caller = location.inlined_at;
    while let Some(place) = caller {
        chain.push(place);
        // The nearest `.loc` of the same place tells where that one was inlined; none repeats itself.
        caller = code
            .locations
            .iter()
            .find(|known| (known.file, known.line, known.column) == place)
            .and_then(|known| known.inlined_at)
            .filter(|next| !chain.contains(next));
    }
    let mut result: Option<SourceLocation> = None;
    for (file, line, column) in chain.into_iter().rev() {
        let name = code.files.iter().find(|(number, _)| *number == file);
        result = Some(SourceLocation {
            file: name.map_or_else(|| format!("file {file}"), |(_, name)| name.clone()),
            line,
            column,
            inlined_at: result.map(Box::new),
        });
    }
    result.unwrap_or_else(|| SourceLocation {
        file: String::new(),
        line: location.line,
        column: location.column,
        inlined_at: None,
    })
}
