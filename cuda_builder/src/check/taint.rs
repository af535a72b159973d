//! Which values may differ between the threads of a block.
//!
//! A value differs where it derives from the thread's index, lane or warp, from a shuffle or an atomic
//! operation, or from memory at an address that differs; and where it is assigned on one side of a branch that
//! threads take differently. An address in local memory differs, since each thread has its own there. Other memory at one address is taken to hold one value for all threads: a kernel in
//! which that is not so has a data race. A barrier that reduces gives all threads one result.
//!
//! The analysis does not follow algebra: `tid - tid` differs. So it may call a
//! value different that is not, and the other way round in one case only: an atomic load of what others write meanwhile has
//! no data race, and another value for each thread. It is taken for one value all the same, since kernels that stop together
//! read so what is written when all of them have read it. The interpreter, which runs them, tells the two apart.

use std::collections::BTreeSet;

use super::body::{Body, Instruction, Name};
use super::flow::Graph;
use super::values::{Place, Values};

/// What is known of a body's values.
#[derive(Debug)]
pub(crate) struct Taint {
    values: Values,
    differs: Vec<bool>,
    /// Whether a value that differs is passed to, or returned by, a function.
    pub(crate) passes_on: bool,
}

impl Taint {
    /// Follows the values of a body. `arguments_differ` says what to think of a function's arguments, and of
    /// what the functions it calls return.
    pub(crate) fn new(body: &Body, graph: &Graph<'_>, arguments_differ: bool) -> Self {
        let values = Values::new(body, graph, results);
        let mut differs: Vec<bool> = body.names.iter().map(|name| differs_by_nature(name)).collect();
        differs.resize(values.count(), false);
        let mut taint = Self { values, differs, passes_on: false };
        let mut divided: BTreeSet<usize> = BTreeSet::new();
        loop {
            let before = (taint.count(), divided.len());
            for (index, block) in graph.blocks.iter().enumerate() {
                for (at, instruction) in block.instructions.iter().enumerate() {
                    taint.step((index, at), instruction, body, divided.contains(&index), arguments_differ);
                }
            }
            for index in 0..graph.blocks.len() {
                if taint.divides(graph, index) {
                    divided.extend(graph.arms(index).into_iter().flatten());
                }
            }
            if before == (taint.count(), divided.len()) {
                return taint;
            }
        }
    }

    /// Whether threads may leave `block` different ways.
    pub(crate) fn divides(&self, graph: &Graph<'_>, block: usize) -> bool {
        let Some((last, before)) = graph.blocks[block].instructions.split_last() else { return false };
        let place = (block, before.len());
        graph.branches(block) && (self.guards(place, last) || self.reads(place, last))
    }

    /// Whether some threads may skip the instruction.
    pub(crate) fn guards(&self, place: Place, instruction: &Instruction) -> bool {
        instruction.guard.is_some_and(|name| self.differs_at(place, name))
    }

    fn reads(&self, place: Place, instruction: &Instruction) -> bool {
        instruction.operands.iter().flatten().any(|&name| self.differs_at(place, name))
    }

    fn differs_at(&self, place: Place, name: Name) -> bool {
        self.values.seen(place, name).iter().any(|&value| self.differs[value])
    }

    fn count(&self) -> (usize, bool) {
        (self.differs.iter().filter(|&&differs| differs).count(), self.passes_on)
    }

    fn step(&mut self, place: Place, instruction: &Instruction, body: &Body, divided: bool, arguments_differ: bool) {
        let results = results(instruction);
        let sources = instruction.operands.iter().skip(usize::from(!results.is_empty())).flatten();
        let reads = sources.into_iter().any(|&name| self.differs_at(place, name));
        if instruction.opcode.starts_with("st.param") {
            self.passes_on |= reads || divided;
        }
        let made = reads || self.guards(place, instruction) || makes_difference(instruction, body, arguments_differ);
        for &name in results {
            let (value, is_one_of_several) = self.values.made(place, name);
            // A value assigned once has that value wherever it is read, whoever skipped the assignment.
            if made || (divided && is_one_of_several) {
                self.differs[value] = true;
            }
        }
    }
}

fn differs_by_nature(name: &str) -> bool {
    let special = ["%tid", "%laneid", "%warpid", "%lanemask", "%clock", "%globaltimer"];
    special.iter().any(|s| name.starts_with(s))
}

/// Whether the result differs whatever the operands.
fn makes_difference(instruction: &Instruction, body: &Body, arguments_differ: bool) -> bool {
    let modifiers = || instruction.opcode.split('.').skip(1);
    match instruction.base() {
        "atom" | "shfl" | "match" | "activemask" | "elect" | "mma" | "wgmma" => true,
        // One number, and a place for each thread: what is loaded from it, by a generic load or in a function, differs.
        "ld" | "cvta" if modifiers().any(|m| m == "local") => true,
        "ld" if modifiers().any(|m| m.starts_with("param")) => {
            // An entry's own parameters are the same for all; those of functions and what they return are not
            // always.
            let names = instruction.operands.iter().skip(1).flatten();
            let of_entry = |name: &Name| body.entry_parameters.iter().any(|p| *p == body.names[*name]);
            arguments_differ && !names.into_iter().any(of_entry)
        }
        _ => false,
    }
}

/// The names an instruction assigns.
fn results(instruction: &Instruction) -> &[Name] {
    let none = [
        "st",
        "red",
        "bra",
        "brx",
        "call",
        "ret",
        "exit",
        "trap",
        "membar",
        "fence",
        "prefetch",
        "prefetchu",
        "nanosleep",
        "cp",
        "stmatrix",
        "griddepcontrol",
        "discard",
        "brkpt",
        "pmevent",
        "applypriority",
    ];
    let reduces = instruction.opcode.split('.').any(|part| part == "red");
    // Of what warpgroups do, products alone have results; a wait has a number.
    let is_wait = instruction.base() == "wgmma" && !instruction.opcode.starts_with("wgmma.mma_async");
    let assigns = !none.contains(&instruction.base()) && !instruction.is_barrier() && !is_wait;
    // A reducing barrier assigns too, but the same to all threads.
    if assigns && !reduces { instruction.operands.first().map_or(&[], Vec::as_slice) } else { &[] }
}
