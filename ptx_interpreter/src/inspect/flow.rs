//! How values and control flow through a kernel, as far as the lints need it.

use crate::code::{Code, FunctionCode};
use crate::instruction::{Action, CARRY, GroupOp, SINK, Slots, UNGUARDED, WarpOp};
use crate::memory::{SHARED_WINDOW, shared_address};
use std::collections::{BTreeSet, HashMap};

/// Slots of a function that hold a generic address known to lie in shared memory.
///
/// An address is known to be shared if it comes from `cvta.shared` of anything, or from such an address by moves and
/// additions. Registers are taken to hold one kind of value throughout, which is how LLVM uses them.
pub(super) fn shared_addresses(code: &Code, function: &FunctionCode) -> BTreeSet<u32> {
    let mut known: BTreeSet<u32> = BTreeSet::new();
    let mut carriers: Vec<Slots> = Vec::new();
    for pc in function.start.map_or(0..0, |start| start..function.end) {
        let inst = &code.insts[pc as usize];
        if !matches!(inst.action, Action::Compute(_)) {
            continue;
        }
        let opcode = opcode(code, pc as usize);
        if opcode.starts_with("cvta.shared") {
            known.insert(inst.slots.d);
        } else if ["add.", "mov.", "sub."].iter().any(|name| opcode.starts_with(name)) {
            carriers.push(inst.slots);
        }
    }
    loop {
        let before = known.len();
        for Slots { d, a, b, .. } in &carriers {
            if known.contains(a) || known.contains(b) {
                known.insert(*d);
            }
        }
        if known.len() == before {
            return known;
        }
    }
}

/// The opcode of an instruction, without its guard and operands.
pub(super) fn opcode(code: &Code, pc: usize) -> &str {
    let site = code.sites[pc];
    let text = &code.text[site.start as usize..site.end as usize];
    text.split_whitespace().find(|word| !word.starts_with('@')).unwrap_or_default()
}

/// Whether a constant is the generic address of a shared variable.
pub(super) fn is_generic_shared(code: &Code, value: u64) -> bool {
    (0..code.shared.len() as u32).any(|id| value == shared_address(id) + SHARED_WINDOW)
}

/// Successors of every instruction of a function.
fn successors(code: &Code, pc: usize) -> Vec<usize> {
    let inst = &code.insts[pc];
    let guarded = inst.guard != UNGUARDED;
    let mut next: Vec<usize> = match inst.action {
        Action::Jump(target) => vec![target as usize],
        Action::JumpTable(table) => code.tables[table as usize].iter().map(|target| *target as usize).collect(),
        Action::Return | Action::Exit | Action::Trap => Vec::new(),
        _ => return vec![pc + 1],
    };
    if guarded {
        next.push(pc + 1);
    }
    next
}

/// The first barriers met on the way from `start`, without passing another.
fn first_barriers(code: &Code, start: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![start];
    while let Some(pc) = open.pop() {
        if pc >= code.insts.len() || !seen.insert(pc) {
            continue;
        }
        if matches!(code.insts[pc].action, Action::Barrier(_)) {
            found.insert(pc);
        } else {
            open.extend(successors(code, pc));
        }
    }
    found
}

/// Branches on a predicate whose arms come to different barriers and to no common one: `(branch, barrier, barrier)`.
pub(super) fn split_barriers(
    code: &Code,
    function: &FunctionCode,
    diverges: impl Fn(usize) -> bool,
) -> Vec<(usize, usize, usize)> {
    let mut found = HashMap::new();
    let range = function.start.map_or(0..0, |start| start as usize..function.end as usize);
    for pc in range {
        let inst = &code.insts[pc];
        let Action::Jump(target) = inst.action else {
            continue;
        };
        if inst.guard == UNGUARDED || !diverges(pc) {
            continue;
        }
        let (taken, passed) = (first_barriers(code, target as usize), first_barriers(code, pc + 1));
        if let (Some(first), Some(second)) = (taken.first(), passed.first())
            && taken.is_disjoint(&passed)
        {
            found.entry((*first.min(second), *first.max(second))).or_insert(pc);
        }
    }
    let mut found: Vec<_> = found.into_iter().map(|((first, second), pc)| (pc, first, second)).collect();
    found.sort_unstable();
    found
}

/// Slots whose value may differ between the threads of a block.
pub(super) fn divergent_slots(code: &Code, function: &FunctionCode) -> BTreeSet<u32> {
    use crate::code::Special::{Lane, LaneMaskEq, LaneMaskGe, LaneMaskGt, LaneMaskLe, LaneMaskLt, Thread, Warp};
    let per_thread = |special: &crate::code::Special| {
        matches!(special, Thread(_) | Lane | Warp | LaneMaskEq | LaneMaskGe | LaneMaskGt | LaneMaskLe | LaneMaskLt)
    };
    let mut known: BTreeSet<u32> =
        function.specials.iter().filter(|(_, special)| per_thread(special)).map(|(slot, _)| *slot).collect();
    let range = function.start.map_or(0..0, |start| start as usize..function.end as usize);
    loop {
        let before = known.len();
        for pc in range.clone() {
            let inst = &code.insts[pc];
            let guarded = inst.guard != UNGUARDED && known.contains(&(inst.guard >> 1));
            let Slots { d, e, a, b, c, .. } = inst.slots;
            match inst.action {
                Action::Compute(_) if guarded || [a, b, c].iter().any(|slot| known.contains(slot)) => {
                    // Unused operands name these two slots, which are the same for all.
                    known.extend([d, e].into_iter().filter(|slot| ![SINK, CARRY].contains(slot)));
                }
                // What is loaded through an address of one's own is one's own.
                Action::Load(op) if known.contains(&a) => match op.count {
                    1 => {
                        known.insert(d);
                    }
                    count => known.extend(&code.vectors[d as usize..d as usize + usize::from(count)]),
                },
                Action::Atomic(_) | Action::Clock(_) => {
                    known.insert(d);
                }
                Action::Warp(number) => match &code.warps[number as usize] {
                    WarpOp::Group(GroupOp::Multiply(op)) => {
                        known.extend(&code.vectors[op.d as usize..][..usize::from(op.columns) / 2]);
                    }
                    WarpOp::Sync | WarpOp::Group(_) => {}
                    // A warp has one result, the same for all if what it is made of is.
                    WarpOp::Vote(..) | WarpOp::Reduce(..) if !guarded && !known.contains(&a) => {}
                    WarpOp::Matrix(op) => known.extend(&code.vectors[op.d as usize..][..usize::from(op.lens[0])]),
                    WarpOp::LoadMatrix(op) => known.extend(&code.vectors[op.d as usize..][..usize::from(op.count)]),
                    _ => known.extend([d, e]),
                },
                _ => {}
            }
        }
        // Constants and the sink are the same for all.
        known.remove(&SINK);
        known.remove(&CARRY);
        if known.len() == before {
            return known;
        }
    }
}
