//! Finds barriers that not all threads of a block reach together.
//!
//! A branch parts the threads where its condition may differ between them. Up to the place where its ways meet
//! again, at its post-dominator, a barrier is reached by some threads only. Two ways with a barrier each are
//! what rustc's JumpThreading makes of one barrier between two branches on the same condition
//! (rust-lang/rust#137086), so that is told apart from a barrier on one way only.
//!
//! A warp's product of matrices (`mma`), a load of them (`ldmatrix`) and what four warps do (`wgmma`) count as a barrier
//! here: their threads, too, must come together.

use std::collections::{BTreeMap, BTreeSet};

use super::body::{Body, Instruction};
use super::error::CheckError;
use super::flow::Graph;
use super::taint::Taint;
use super::{Bodies, Code};

/// The barriers of a module, and the items that hold them.
#[derive(Debug)]
pub(super) struct Barriers<'a> {
    analysed: BTreeMap<usize, Analysed<'a>>,
    /// Functions that wait, however indirectly. A call to one counts as a barrier.
    waiting: BTreeSet<&'a str>,
}

#[derive(Debug)]
struct Analysed<'a> {
    name: &'a str,
    body: &'a Body,
    graph: Graph<'a>,
    taint: Taint,
}

/// A branch that parts threads before some barriers.
struct Parting<'a> {
    branch: &'a Instruction,
    /// On more than one way.
    twins: bool,
    barriers: BTreeMap<usize, &'a Instruction>,
}

impl<'a> Barriers<'a> {
    pub(super) fn new(bodies: &'a Bodies) -> Self {
        let waiting = waiting(bodies);
        let mut analysed = analyse(bodies, false);
        if analysed.values().any(|a| a.taint.passes_on) {
            // Calls are rare, since kernels are inlined whole: it is enough to think the worst of all of them.
            analysed = analyse(bodies, true);
        }
        Self { analysed, waiting }
    }

    /// How many barrier instructions the items have.
    pub(super) fn count(&self, items: &BTreeSet<usize>) -> usize {
        let bodies = items.iter().filter_map(|index| self.analysed.get(index));
        bodies.flat_map(|a| a.body.instructions()).filter(|i| i.is_barrier()).count()
    }

    /// What is wrong with the barriers of `kernel`, which is made of `items`.
    pub(super) fn check(&self, kernel: &str, items: &BTreeSet<usize>) -> Vec<CheckError> {
        let mut errors = Vec::new();
        for item in items.iter().filter_map(|index| self.analysed.get(index)) {
            let mut partings = self.partings(item);
            // The nearest branch is the one to blame: it governs the fewest barriers. A pair tells most.
            partings.sort_by_key(|p| (!p.twins, p.barriers.len(), p.branch.line));
            let mut told = BTreeSet::new();
            for parting in partings {
                if parting.barriers.keys().all(|line| told.contains(line)) {
                    continue;
                }
                told.extend(parting.barriers.keys().copied());
                errors.push(parting.error(kernel, item.name));
            }
        }
        errors
    }

    fn is_barrier(&self, item: &Analysed<'_>, instruction: &Instruction) -> bool {
        let mut names = instruction.operands.iter().flatten().map(|&name| item.body.names[name].as_str());
        instruction.is_collective() || (instruction.base() == "call" && names.any(|name| self.waiting.contains(name)))
    }

    fn partings<'b>(&self, item: &'b Analysed<'a>) -> Vec<Parting<'b>> {
        let mut found = Vec::new();
        for (index, block) in item.graph.blocks.iter().enumerate() {
            for (at, &instruction) in block.instructions.iter().enumerate() {
                if item.taint.guards((index, at), instruction) && self.is_barrier(item, instruction) {
                    let barriers = BTreeMap::from([(instruction.line, instruction)]);
                    found.push(Parting { branch: instruction, twins: false, barriers });
                }
            }
            if item.taint.divides(&item.graph, index) {
                let arms: Vec<_> = item.graph.arms(index).iter().map(|arm| self.barriers_of(item, arm)).collect();
                let twins = arms.iter().enumerate().any(|(n, a)| arms[..n].iter().any(|b| differ(a, b)));
                let barriers: BTreeMap<_, _> = arms.into_iter().flatten().collect();
                if let (false, Some(&branch)) = (barriers.is_empty(), block.instructions.last()) {
                    found.push(Parting { branch, twins, barriers });
                }
            }
        }
        found
    }

    fn barriers_of<'b>(&self, item: &'b Analysed<'a>, blocks: &BTreeSet<usize>) -> BTreeMap<usize, &'b Instruction> {
        let instructions = blocks.iter().flat_map(|&block| &item.graph.blocks[block].instructions);
        let barriers = instructions.filter(|instruction| self.is_barrier(item, instruction));
        barriers.map(|instruction| (instruction.line, *instruction)).collect()
    }
}

impl Parting<'_> {
    fn error(&self, kernel: &str, code: &str) -> CheckError {
        let list = |i: &&Instruction| format!("`{}` (line {})", i.text, i.line);
        let barriers = self.barriers.values().map(list).collect::<Vec<_>>().join(" and ");
        let (kernel, code) = (kernel.to_owned(), code.to_owned());
        let (branch, branch_line) = (self.branch.text.clone(), self.branch.line);
        if self.twins {
            CheckError::DuplicatedBarrier { kernel, code, branch, branch_line, barriers }
        } else {
            CheckError::DivergentBarrier { kernel, code, branch, branch_line, barriers }
        }
    }
}

/// Whether each has a barrier that the other lacks.
fn differ(a: &BTreeMap<usize, &Instruction>, b: &BTreeMap<usize, &Instruction>) -> bool {
    a.keys().any(|line| !b.contains_key(line)) && b.keys().any(|line| !a.contains_key(line))
}

fn analyse(bodies: &Bodies, arguments_differ: bool) -> BTreeMap<usize, Analysed<'_>> {
    let mut analysed = BTreeMap::new();
    for (&index, Code { name, body }) in bodies {
        let graph = Graph::new(body);
        let taint = Taint::new(body, &graph, arguments_differ);
        analysed.insert(index, Analysed { name, body, graph, taint });
    }
    analysed
}

fn waiting(bodies: &Bodies) -> BTreeSet<&str> {
    let mut waiting: BTreeSet<&str> = BTreeSet::new();
    loop {
        let before = waiting.len();
        for Code { name, body } in bodies.values() {
            let calls = |i: &Instruction| {
                let mut names = i.operands.iter().flatten().map(|&n| body.names[n].as_str());
                i.base() == "call" && names.any(|n| waiting.contains(n))
            };
            if body.instructions().any(|i| i.is_collective() || calls(i)) {
                waiting.insert(name);
            }
        }
        if waiting.len() == before {
            return waiting;
        }
    }
}
