//! The control-flow graph of a body: its blocks, what each post-dominates, what each branch governs.

use std::collections::{BTreeSet, HashMap};

use super::body::{Body, Instruction, Name, Step};

/// A straight run of instructions.
#[derive(Debug, Default)]
pub(crate) struct Block<'a> {
    pub(crate) instructions: Vec<&'a Instruction>,
    /// Blocks that may follow; [`Graph::exit`] for a return or an `exit`. Ways that end in a trap are left out.
    pub(crate) next: Vec<usize>,
}

/// The blocks that may run and may return. What can only trap is left out: the failing arm of a bounds check
/// ends the whole launch, so it cannot keep other threads waiting.
#[derive(Debug)]
pub(crate) struct Graph<'a> {
    pub(crate) blocks: Vec<Block<'a>>,
    /// For each block the nearest one that every way to a return passes.
    post_dominator: Vec<Option<usize>>,
    exit: usize,
}

impl<'a> Graph<'a> {
    pub(crate) fn new(body: &'a Body) -> Self {
        let mut blocks = blocks(body);
        let exit = blocks.len();
        prune(&mut blocks, exit);
        let post_dominator = post_dominators(&blocks, exit);
        Self { blocks, post_dominator, exit }
    }

    /// Whether a block has ways to part.
    pub(crate) fn branches(&self, block: usize) -> bool {
        self.blocks[block].next.len() > 1
    }

    /// For each way out of `block`, the blocks that run before all ways meet again.
    pub(crate) fn arms(&self, block: usize) -> Vec<BTreeSet<usize>> {
        let meeting = self.post_dominator[block].unwrap_or(self.exit);
        let starts = self.blocks[block].next.iter();
        starts.map(|&start| self.reach(start, meeting)).collect()
    }

    fn reach(&self, start: usize, stop: usize) -> BTreeSet<usize> {
        let mut reached = BTreeSet::new();
        let mut pending = vec![start];
        while let Some(block) = pending.pop() {
            if block != stop && block != self.exit && reached.insert(block) {
                pending.extend(&self.blocks[block].next);
            }
        }
        reached
    }
}

fn blocks(body: &Body) -> Vec<Block<'_>> {
    let mut blocks = vec![Block::default()];
    let mut labels: HashMap<Name, usize> = HashMap::new();
    for step in &body.steps {
        match step {
            Step::Label(name) => {
                blocks.push(Block::default());
                labels.insert(*name, blocks.len() - 1);
            }
            Step::Instruction(instruction) => {
                let last = blocks.last_mut().expect("starts with one block");
                last.instructions.push(instruction);
                if matches!(instruction.base(), "bra" | "brx" | "ret" | "exit" | "trap") {
                    blocks.push(Block::default());
                }
            }
        }
    }
    let exit = blocks.len();
    for (index, block) in blocks.iter_mut().enumerate() {
        block.next = ways_out(block.instructions.last().copied(), body, &labels, index, exit);
        block.next.sort_unstable();
        block.next.dedup();
    }
    blocks
}

fn ways_out(
    last: Option<&Instruction>,
    body: &Body,
    labels: &HashMap<Name, usize>,
    index: usize,
    exit: usize,
) -> Vec<usize> {
    // Behind the last block stands the closing brace, which returns.
    let onward = (index + 1).min(exit);
    let Some(last) = last else { return vec![onward] };
    let to = |name: &Name| labels.get(name).copied();
    let mut next: Vec<usize> = match last.base() {
        "bra" => last.operands.iter().flatten().filter_map(to).collect(),
        "brx" => {
            let tables = last.operands.iter().flatten().filter_map(|name| body.tables.get(name));
            tables.flatten().filter_map(to).collect()
        }
        // To the barriers that others wait at it is all one whether a thread returns or exits.
        "ret" | "exit" => vec![exit],
        "trap" => Vec::new(),
        _ => return vec![onward],
    };
    if last.guard.is_some() {
        next.push(onward);
    }
    next
}

/// Takes out what does not run from the first block on, and what cannot reach a return.
fn prune(blocks: &mut [Block<'_>], exit: usize) {
    let mut returning = vec![false; exit + 1];
    returning[exit] = true;
    // Backwards, since most ways lead onward: one pass and a second that finds nothing are the rule.
    let mut changed = true;
    while changed {
        changed = false;
        for index in (0..exit).rev() {
            if !returning[index] && blocks[index].next.iter().any(|&n| returning[n]) {
                returning[index] = true;
                changed = true;
            }
        }
    }
    let mut running = BTreeSet::new();
    let mut pending = vec![0];
    while let Some(index) = pending.pop() {
        if index != exit && returning[index] && running.insert(index) {
            pending.extend(&blocks[index].next);
        }
    }
    for (index, block) in blocks.iter_mut().enumerate() {
        if running.contains(&index) {
            block.next.retain(|&n| returning[n]);
        } else {
            *block = Block::default();
        }
    }
}

/// Immediate post-dominators, by Cooper, Harvey and Kennedy's algorithm ("A Simple, Fast Dominance
/// Algorithm", 2001) on the reversed graph.
fn post_dominators(blocks: &[Block<'_>], exit: usize) -> Vec<Option<usize>> {
    let mut previous = vec![Vec::new(); exit + 1];
    for (index, block) in blocks.iter().enumerate() {
        for &next in &block.next {
            previous[next].push(index);
        }
    }
    let order = finishing_order(exit, &previous);
    let mut rank = vec![0; exit + 1];
    for (position, &block) in order.iter().enumerate() {
        rank[block] = position;
    }
    let mut nearest = vec![None; exit + 1];
    nearest[exit] = Some(exit);
    let mut changed = true;
    while changed {
        changed = false;
        for &block in order.iter().rev().filter(|&&block| block != exit) {
            let known = blocks[block].next.iter().copied().filter(|&n| nearest[n].is_some());
            let met = known.reduce(|a, b| meet(a, b, &nearest, &rank));
            if nearest[block] != met {
                nearest[block] = met;
                changed = true;
            }
        }
    }
    nearest
}

fn meet(mut a: usize, mut b: usize, nearest: &[Option<usize>], rank: &[usize]) -> usize {
    while a != b {
        let lower = if rank[a] < rank[b] { &mut a } else { &mut b };
        *lower = nearest[*lower].expect("every block met so far has one");
    }
    a
}

/// Depth-first from `start` along `edges`, each block after all that are reached from it.
fn finishing_order(start: usize, edges: &[Vec<usize>]) -> Vec<usize> {
    let mut order = Vec::new();
    let mut seen = vec![false; edges.len()];
    seen[start] = true;
    let mut stack = vec![(start, 0)];
    while let Some((block, tried)) = stack.pop() {
        if let Some(&next) = edges[block].get(tried) {
            stack.push((block, tried + 1));
            if !seen[next] {
                seen[next] = true;
                stack.push((next, 0));
            }
        } else {
            order.push(block);
        }
    }
    order
}
