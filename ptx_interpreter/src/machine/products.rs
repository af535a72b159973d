//! `wgmma`: four warps multiply matrices in shared memory while their threads go on.
//!
//! A product is begun by an instruction and ends when a wait says so. In between it may read its matrices at any time, so
//! they are read twice, with every check: when it begins, and when it is waited for. What differs was written too early.
//! The sums change at the wait; until then their registers are nobody's, nor are those of a matrix in registers. Each warp
//! makes 16 rows of the sums. As for `mma`, products are summed in f64 and rounded once an instruction.

use super::Env;
use super::access::locate;
use super::block::{Blamed, Block};
use super::collective::LaneTrouble;
use super::matrix::whole_warp;
use super::thread::Thread;
use crate::code::Code;
use crate::compute::Slot;
use crate::compute::half::{bf16_to_f64, f16_to_f64};
use crate::fault::{AccessKind, FaultKind};
use crate::instruction::{AccessFlags, Action, GroupOp, Inst, MemoryOp, Place, ProductOp, SINK, Slots, WarpOp};
use crate::memory::{Outcome, SHARED_SPAN_BITS, shared_address};
use crate::types::Type;
use std::collections::VecDeque;

/// Threads of a warpgroup.
const GROUP: u32 = 128;
/// Bytes of A's row that an instruction multiplies.
const DEPTH: usize = 32;
/// Bytes that lie together, whatever the layout.
const PIECE: usize = 16;
/// Rows of the sums that a warp makes.
const ROWS: usize = 16;

/// What a warp has begun and not waited for.
#[derive(Default)]
pub(super) struct Products {
    /// Begun since the last group was closed.
    open: Vec<Pending>,
    groups: VecDeque<Vec<Pending>>,
    /// Whether there was a fence at all.
    fenced: bool,
    /// How many were begun.
    begun: usize,
}

/// A product under way.
struct Pending {
    pc: u32,
    op: ProductOp,
    /// Whether it adds to what the sums are.
    adds: bool,
    a: Operand,
    b: Operand,
}

/// Of a matrix what a warp multiplies, as it was when the product began.
struct Operand {
    /// The addresses of its pieces; none of a matrix in registers.
    pieces: Vec<u64>,
    bytes: Vec<u8>,
}

/// A product as every warp of a warpgroup has to begin it: where, and with which descriptors.
pub(super) type Begun = (u32, [u64; 2]);

/// What is known of the registers of a thread, since its first `wgmma.fence`.
#[derive(Clone, Copy, Default)]
pub(super) struct Register {
    /// Products under way that it holds sums of.
    products: u32,
    /// Products under way that it holds a part of A of.
    read: u32,
    /// Whether it was touched since the last fence.
    touched: bool,
}

/// A matrix as a descriptor tells of it (ISA, "Matrix Descriptor Format").
#[derive(Clone, Copy)]
struct Matrix {
    start: u64,
    leading: u64,
    stride: u64,
    /// Bytes of a row in a pattern of the swizzle: 128, 64, 32; 16 without one.
    row: u64,
}

impl Matrix {
    fn read(descriptor: u64, base: u64) -> Result<Self, FaultKind> {
        let field = |at: u32| (descriptor >> at & 0x3FFF) << 4;
        let bad = |reason| FaultKind::BadDescriptor { descriptor, reason };
        if descriptor >> 49 & 7 != 0 {
            return Err(bad("a base offset is not supported: let the pattern begin at a multiple of its size"));
        }
        let row = match descriptor >> 62 {
            0 => 16,
            1 => 128,
            2 => 64,
            _ => 32,
        };
        Ok(Self { start: base + field(0), leading: field(16), stride: field(32), row })
    }

    /// The pieces of some rows, one behind the other: the canonical layouts of the ISA, and its exclusive or of address bits.
    ///
    /// What is called K-major there has 32 bytes of each row; MN-major, `turned`, has the rows along the sums: 16 of them, in
    /// patterns of eight, with `columns` numbers of 16 bits, so many bytes of which as a pattern's rows have before those of the next pattern.
    fn pieces(&self, rows: std::ops::Range<usize>, turned: bool) -> Result<Vec<u64>, &'static str> {
        let swizzled = |address: u64| address ^ (address >> 3 & (self.row - 16));
        let piece = |row: usize, piece: usize| {
            let (row, piece) = (row as u64, piece as u64);
            let step = if self.row == 16 { self.leading } else { 16 };
            swizzled(self.start + row / 8 * self.stride + row % 8 * self.row + piece * step)
        };
        if !turned {
            return Ok(rows.flat_map(|row| (0..DEPTH / PIECE).map(move |c| piece(row, c))).collect());
        }
        if self.row == 16 {
            return Err("a matrix whose sums run along the columns is supported with a swizzle only");
        }
        let of_row = self.row / PIECE as u64;
        let piece = |row: u64, piece: u64| {
            let place = row / 8 * self.stride + row % 8 * self.row;
            swizzled(self.start + place + piece / of_row * self.leading + piece % of_row * 16)
        };
        let columns = rows.len() as u64 * 2 / PIECE as u64;
        Ok((0..DEPTH as u64 / 2).flat_map(|row| (0..columns).map(move |c| piece(row, c))).collect())
    }
}

impl Block {
    pub(super) fn group_operation(
        &mut self,
        env: &mut Env,
        (first, group): (u32, u32),
        op: GroupOp,
        pc: u32,
    ) -> Result<(), LaneTrouble> {
        whole_warp(group)?;
        let warp = (first / 32) as usize;
        match op {
            GroupOp::Fence => {
                self.warps[warp].products.fenced = true;
                let slots = env.templates[env.entry as usize].len();
                for lane in 0..32 {
                    let registers = &mut self.threads[(first + lane) as usize].watched;
                    registers.resize(slots, Register::default());
                    registers.iter_mut().for_each(|register| register.touched = false);
                }
            }
            GroupOp::Commit => {
                let products = &mut self.warps[warp].products;
                let group = std::mem::take(&mut products.open);
                products.groups.push_back(group);
            }
            GroupOp::Wait(pending) => {
                while self.warps[warp].products.groups.len() > pending as usize {
                    for product in self.warps[warp].products.groups.pop_front().unwrap_or_default() {
                        self.end(env, first, product)?;
                    }
                }
            }
            GroupOp::Multiply(op) => self.begin(env, first, op, pc)?,
        }
        Ok(())
    }

    fn begin(&mut self, env: &mut Env, first: u32, op: ProductOp, pc: u32) -> Result<(), LaneTrouble> {
        let in_lane_0 = |kind: FaultKind| -> LaneTrouble { (kind.into(), 0) };
        let slots = env.code.insts[pc as usize].slots;
        let warp = first % GROUP / 32;
        if (first - first % GROUP + GROUP) as usize > self.threads.len() {
            return Err(in_lane_0(FaultKind::WarpgroupNotWhole { threads: self.threads.len() as u32 }));
        }
        let operands = [slots.a, slots.b, slots.c].map(|slot| self.lane_value(first, 0, slot));
        let descriptors = [operands[0], operands[1]];
        for lane in 1..32 {
            if [slots.a, slots.b, slots.c].map(|slot| self.lane_value(first, lane, slot)) != operands {
                return Err((FaultKind::WarpgroupDiverged.into(), lane));
            }
        }
        self.agree(first, (pc, descriptors)).map_err(in_lane_0)?;
        self.take_registers(env.code, first, op)?;
        let bad = |descriptor, reason| in_lane_0(FaultKind::BadDescriptor { descriptor, reason });
        let base = only_shared_variable(env).map_err(|reason| bad(descriptors[1], reason))?;
        let mut read = |descriptor, rows: std::ops::Range<usize>, turned| {
            let matrix = Matrix::read(descriptor, base).map_err(in_lane_0)?;
            let pieces = matrix.pieces(rows, turned).map_err(|reason| bad(descriptor, reason))?;
            let bytes = self.bytes(env, first, pc, &pieces)?;
            self.check_published(env, first, &pieces)?;
            Ok::<_, LaneTrouble>(Operand { pieces, bytes })
        };
        let row = warp as usize * ROWS;
        let b = read(descriptors[1], 0..usize::from(op.columns), op.turned)?;
        let a = match op.a {
            None => read(descriptors[0], row..row + ROWS, false)?,
            Some(a) => {
                let slots = &env.code.vectors[a as usize..a as usize + 4];
                Operand { pieces: Vec::new(), bytes: self.rows_in_registers(first, slots) }
            }
        };
        let pending = Pending { pc, op, adds: operands[2] & 1 != 0, a, b };
        self.warps[(first / 32) as usize].products.open.push(pending);
        Ok(())
    }

    /// A's rows, from the fragments of the ISA: word 2 r + h of a lane is row lane / 4 + 8 h, and two numbers, which are
    /// bytes 16 r + lane % 4 * 4 and on.
    fn rows_in_registers(&self, first: u32, slots: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0; ROWS * DEPTH];
        for lane in 0..32 {
            for (i, slot) in slots.iter().enumerate() {
                let at = (lane as usize / 4 + i % 2 * 8) * DEPTH + i / 2 * PIECE + lane as usize % 4 * 4;
                bytes[at..at + 4].copy_from_slice(&(self.lane_value(first, lane, *slot) as u32).to_le_bytes());
            }
        }
        bytes
    }

    /// Checks that the warps of a warpgroup begin the same products, one after the other.
    fn agree(&mut self, first: u32, begun: Begun) -> Result<(), FaultKind> {
        let number = &mut self.warps[(first / 32) as usize].products.begun;
        let log = &mut self.begun[(first / GROUP) as usize];
        *number += 1;
        match log.get(*number - 1) {
            Some(theirs) if *theirs != begun => Err(FaultKind::WarpgroupDiverged),
            Some(_) => Ok(()),
            None => {
                log.push(begun);
                Ok(())
            }
        }
    }

    /// When all threads have exited: a warp that did not begin what the others of its warpgroup did.
    pub(super) fn missed_product(&self, env: &Env) -> Option<Blamed> {
        let missed = |warp: &usize| self.warps[*warp].products.begun < self.begun[*warp / 4].len();
        let warp = (0..self.warps.len()).find(missed)?;
        Some((FaultKind::WarpgroupDiverged.into(), self.who(env, warp as u32 * 32)))
    }

    /// The registers of the sums, and of a matrix in registers, are the product's from now on.
    fn take_registers(&mut self, code: &Code, first: u32, op: ProductOp) -> Result<(), LaneTrouble> {
        let sums = |op: ProductOp| &code.vectors[op.d as usize..op.d as usize + usize::from(op.columns) / 2];
        let products = &self.warps[(first / 32) as usize].products;
        let unfenced = !products.fenced;
        // Products of one shape may follow each other in the same registers.
        let under_way = products.groups.iter().flatten().chain(&products.open);
        let shared_otherwise = under_way
            .into_iter()
            .find(|other| sums(other.op) != sums(op) && sums(other.op).iter().any(|slot| sums(op).contains(slot)));
        if shared_otherwise.is_some() {
            return Err((FaultKind::SumsUnderWay.into(), 0));
        }
        for lane in 0..32 {
            let registers = &mut self.threads[(first + lane) as usize].watched;
            for slot in sums(op) {
                match registers.get_mut(*slot as usize) {
                    Some(register) if register.read > 0 => return Err((FaultKind::FragmentUnderWay.into(), lane)),
                    Some(register) if !register.touched && !unfenced => register.products += 1,
                    _ => return Err((FaultKind::SumsNotFenced.into(), lane)),
                }
            }
            for slot in fragment(code, op) {
                match registers.get_mut(*slot as usize) {
                    Some(register) if register.products > 0 => return Err((FaultKind::SumsUnderWay.into(), lane)),
                    Some(register) if !register.touched && !unfenced => register.read += 1,
                    _ => return Err((FaultKind::FragmentNotFenced.into(), lane)),
                }
            }
        }
        Ok(())
    }

    /// The bytes of some pieces, read by the warp's first thread at an instruction.
    fn bytes(&mut self, env: &mut Env, first: u32, pc: u32, pieces: &[u64]) -> Result<Vec<u8>, LaneTrouble> {
        let op = MemoryOp {
            offset: 0,
            place: Place::Shared,
            width: 4,
            count: 4,
            unwanted: 0,
            flags: AccessFlags::default(),
        };
        let thread = &mut self.threads[first as usize];
        // Whoever is blamed is to be blamed for the product.
        let here = std::mem::replace(&mut thread.pc, pc + 1);
        let mut bytes = Vec::with_capacity(pieces.len() * PIECE);
        for address in pieces {
            let (piece, _) = locate(env, thread, op, *address, AccessKind::Read).map_err(|trouble| (trouble, 0))?;
            bytes.extend_from_slice(piece);
        }
        thread.pc = here;
        Ok(bytes)
    }

    /// Checks that between whoever wrote some pieces and the product there was a fence of proxies: the writer's behind the
    /// write, or this thread's behind what orders the write.
    fn check_published(&self, env: &Env, first: u32, pieces: &[u64]) -> Result<(), LaneTrouble> {
        if !env.checks.races {
            return Ok(());
        }
        let reader = &self.threads[first as usize];
        for &address in pieces {
            let id = (address >> SHARED_SPAN_BITS).wrapping_sub(1) as usize;
            let Some(region) = env.shared.get(id).and_then(Option::as_ref) else { continue };
            let at = address.wrapping_sub(region.base) as usize;
            for who in region.shadow.writers(at, PIECE).filter(|who| who.block == env.number) {
                let writer = &self.threads[usize::from(who.thread)];
                let seen = reader.published_known.get(usize::from(who.thread)).copied().unwrap_or(0);
                if writer.published.max(seen) < who.clock {
                    return Err((FaultKind::NotPublished { address }.into(), 0));
                }
            }
        }
        Ok(())
    }

    /// A product that has been waited for: the sums change, and are the thread's again.
    fn end(&mut self, env: &mut Env, first: u32, product: Pending) -> Result<(), LaneTrouble> {
        let Pending { pc, op, adds, a, b } = product;
        for operand in [&a, &b] {
            let now = self.bytes(env, first, pc, &operand.pieces)?;
            if let Some(at) = now.iter().zip(&operand.bytes).position(|(now, then)| now != then) {
                self.threads[first as usize].pc = pc + 1;
                return Err((FaultKind::WrittenUnderWay { address: operand.pieces[at / PIECE] }.into(), 0));
            }
        }
        let (a, mut b) = (values(&a.bytes, op.input, op.signs[0]), values(&b.bytes, op.input, op.signs[1]));
        if op.turned {
            let columns = usize::from(op.columns);
            b = (0..b.len()).map(|at| b[at % (DEPTH / 2) * columns + at / (DEPTH / 2)]).collect();
        }
        let depth = a.len() / ROWS;
        let sums = &env.code.vectors[op.d as usize..op.d as usize + usize::from(op.columns) / 2];
        for lane in 0..32 {
            for (i, slot) in sums.iter().enumerate() {
                let row = lane as usize / 4 + i / 2 % 2 * 8;
                let column = i / 4 * 8 + lane as usize % 4 * 2 + i % 2;
                let (a, b) = (&a[row * depth..][..depth], &b[column * depth..][..depth]);
                let old = f64::from(f32::from_bits(self.lane_value(first, lane, *slot) as u32));
                let new = a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() + if adds { old } else { 0.0 };
                self.set_lane(first, lane, *slot, (new as f32).put());
                self.threads[(first + lane) as usize].watched[*slot as usize].products -= 1;
            }
            for slot in fragment(env.code, op) {
                self.threads[(first + lane) as usize].watched[*slot as usize].read -= 1;
            }
        }
        Ok(())
    }
}

/// The registers that A is in, if it is in registers.
fn fragment(code: &Code, op: ProductOp) -> &[u32] {
    op.a.map_or(&[], |a| &code.vectors[a as usize..a as usize + 4])
}

/// The numbers of some rows, times a sign.
fn values(bytes: &[u8], ty: Type, sign: f64) -> Vec<f64> {
    let halves = |value: fn(u16) -> f64| {
        bytes.chunks_exact(2).map(|pair| sign * value(u16::from_le_bytes([pair[0], pair[1]]))).collect()
    };
    match ty {
        Type::F16 => halves(f16_to_f64),
        Type::BF16 => halves(bf16_to_f64),
        // The unit ignores the low bits of a tf32.
        _ => bytes
            .chunks_exact(4)
            .map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]) & !0x1FFF)
            .map(|bits| sign * f64::from(f32::from_bits(bits)))
            .collect(),
    }
}

/// The address of the only shared variable: a descriptor has 18 bits of an address, which say where in the block's shared
/// memory, and variables are far apart here.
fn only_shared_variable(env: &Env) -> Result<u64, &'static str> {
    let mut used =
        env.shared.iter().enumerate().filter(|(_, region)| region.as_ref().is_some_and(|r| !r.bytes.is_empty()));
    match (used.next(), used.next()) {
        (Some((id, _)), None) => Ok(shared_address(id as u32)),
        (None, _) => Err("the kernel has no shared memory"),
        _ => Err("which of several shared variables it means cannot be told: have the kernel use one"),
    }
}

/// Before an instruction of a thread that has come to a `wgmma.fence`: which registers it touches.
pub(super) fn watch(code: &Code, thread: &mut Thread, inst: &Inst) -> Outcome<()> {
    // Functions have registers of their own.
    if thread.base != 0 {
        return Ok(());
    }
    let Slots { d, e, a, b, c, m } = inst.slots;
    let vector = |start: u32, len: u8| &code.vectors[start as usize..start as usize + usize::from(len)];
    let (scalars, vectors): ([u32; 6], [&[u32]; 4]) = match inst.action {
        Action::Load(op) | Action::Store(op) if op.count > 1 => {
            ([a, SINK, SINK, SINK, SINK, SINK], [vector(d, op.count), &[], &[], &[]])
        }
        Action::Warp(op) => match &code.warps[op as usize] {
            WarpOp::Group(_) => return Ok(()),
            WarpOp::Matrix(op) => {
                let [d, a, b, c] = [(op.d, op.lens[0]), (op.a, op.lens[1]), (op.b, op.lens[2]), (op.c, op.lens[0])];
                ([SINK; 6], [d, a, b, c].map(|(start, len)| vector(start, len)))
            }
            WarpOp::LoadMatrix(op) => ([a, SINK, SINK, SINK, SINK, SINK], [vector(op.d, op.count), &[], &[], &[]]),
            _ => ([d, e, a, b, c, m], [&[]; 4]),
        },
        Action::Jump(_) | Action::JumpTable(_) | Action::CopyCommit | Action::CopyWait(_) | Action::Nothing => {
            return Ok(());
        }
        // The modifiers of an instruction over registers are no slot.
        _ => ([d, e, a, b, c, SINK], [&[]; 4]),
    };
    for slot in scalars.iter().chain(vectors.into_iter().flatten()) {
        let Some(register) = thread.watched.get_mut(*slot as usize) else { continue };
        if register.products > 0 {
            return Err(FaultKind::SumsUnderWay.into());
        }
        if register.read > 0 {
            return Err(FaultKind::FragmentUnderWay.into());
        }
        register.touched = true;
    }
    Ok(())
}
