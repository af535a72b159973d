//! Loads, stores, atomic operations and copies.

use super::body::{Body, Lowered};
use super::frame::Entity;
use super::operands::wrong_operands;
use crate::compute::Modifiers;
use crate::error::ParseErrorKind;
use crate::instruction::{AccessFlags, Action, AtomicKind, AtomicOp, IGNORED_IF, MemoryOp, Place, SINK, Slots};
use crate::report::OpcodeClass;
use crate::syntax::ast::{Base, Operand};
use crate::types::{Space, Type};

/// Modifiers that only advise a cache.
const HINTS: [&str; 16] = [
    "ca",
    "cg",
    "cs",
    "lu",
    "cv",
    "wb",
    "wt",
    "L1::evict_normal",
    "L1::evict_unchanged",
    "L1::evict_first",
    "L1::evict_last",
    "L1::no_allocate",
    "L2::64B",
    "L2::128B",
    "L2::256B",
    "unified",
];

/// The most bytes of a load or store.
const LARGEST_ACCESS: u8 = 32;

/// Those that a copy has too.
const PREFETCHES: [&str; 3] = ["L2::64B", "L2::128B", "L2::256B"];

impl<'a> Body<'a, '_> {
    pub(super) fn lower_memory(
        &mut self,
        m: &mut Modifiers,
        operands: &[Operand<'a>],
    ) -> Result<Lowered, ParseErrorKind> {
        match m.name {
            "ld" | "ldu" => self.load(m, operands),
            "st" => self.store(m, operands),
            "atom" | "red" => self.atomic(m, operands),
            "cp" => self.copy_async(m, operands),
            _ => {
                // A prefetch has no effect that a program sees.
                while m.find(|_| Some(())).is_some() {}
                Ok(Lowered::new(Action::Nothing, Slots::default(), OpcodeClass::Load))
            }
        }
    }

    fn load(&mut self, m: &mut Modifiers, operands: &[Operand<'a>]) -> Result<Lowered, ParseErrorKind> {
        let mut flags = take_order(m);
        if m.take("nc") {
            flags |= AccessFlags::READ_ONLY;
        }
        let (mut op, ty) = self.memory_op(m, flags)?;
        if ty.is_signed() {
            op.flags.0 |= AccessFlags::SIGNED;
        }
        let [result, address] = operands else {
            return Err(wrong_operands(m.full(), "it takes a result and an address"));
        };
        let mut slots = Slots { a: self.address(&mut op, address, m.full())?, ..Slots::default() };
        slots.d = self.elements(&op, result, m.full(), |body, part| body.result(part, m.full()))?;
        Ok(Lowered::new(Action::Load(op), slots, OpcodeClass::Load))
    }

    fn store(&mut self, m: &mut Modifiers, operands: &[Operand<'a>]) -> Result<Lowered, ParseErrorKind> {
        let flags = take_order(m);
        let (mut op, ty) = self.memory_op(m, flags)?;
        if op.place == Place::Const {
            return Err(m.unknown("const"));
        }
        let [address, value] = operands else {
            return Err(wrong_operands(m.full(), "it takes an address and a value"));
        };
        let mut slots = Slots { a: self.address(&mut op, address, m.full())?, ..Slots::default() };
        slots.d = self.elements(&op, value, m.full(), |body, part| body.source(part, ty, m.full()))?;
        Ok(Lowered::new(Action::Store(op), slots, OpcodeClass::Store))
    }

    fn memory_op(&self, m: &mut Modifiers, flags: u8) -> Result<(MemoryOp, Type), ParseErrorKind> {
        while m.find(|word| HINTS.contains(&word).then_some(())).is_some() {}
        let place = take_place(m)?;
        let count = m.find(|word| match word {
            "v2" => Some(2),
            "v4" => Some(4),
            "v8" => Some(8),
            _ => None,
        });
        let ty = m.ty()?;
        if matches!(ty, Type::Pred | Type::B128) {
            return Err(m.unknown(ty.name()));
        }
        let (width, count) = (ty.bytes() as u8, count.unwrap_or(1));
        if width * count > LARGEST_ACCESS {
            return Err(ParseErrorKind::UnknownInstruction(m.full().to_owned()));
        }
        Ok((MemoryOp { offset: 0, place, width, count, unwanted: 0, flags: AccessFlags(flags) }, ty))
    }

    /// The slots of a vector stand in a row in the table of vectors.
    fn elements(
        &mut self,
        op: &MemoryOp,
        operand: &Operand<'a>,
        opcode: &str,
        slot: impl Fn(&mut Self, &Operand<'a>) -> Result<u32, ParseErrorKind>,
    ) -> Result<u32, ParseErrorKind> {
        let parts = match operand {
            Operand::Vector(parts) => parts.as_slice(),
            single => std::slice::from_ref(single),
        };
        if parts.len() != usize::from(op.count) {
            return Err(wrong_operands(opcode, format!("{} elements are needed", op.count)));
        }
        if op.count == 1 {
            return slot(self, &parts[0]);
        }
        let slots = parts.iter().map(|part| slot(self, part)).collect::<Result<Vec<u32>, _>>()?;
        Ok(self.vector(&slots))
    }

    pub(super) fn vector(&mut self, slots: &[u32]) -> u32 {
        let vectors = &mut self.lowerer.code.vectors;
        vectors.extend_from_slice(slots);
        (vectors.len() - slots.len()) as u32
    }

    /// The slot of an address; its offset goes to `op`, as does the frame if the address lies in it.
    pub(super) fn address(
        &mut self,
        op: &mut MemoryOp,
        operand: &Operand<'a>,
        opcode: &str,
    ) -> Result<u32, ParseErrorKind> {
        let Operand::Address(base, offset) = operand else {
            return Err(wrong_operands(opcode, "an address in brackets is needed"));
        };
        op.offset = i32::try_from(*offset).map_err(|_| wrong_operands(opcode, "the offset does not fit 32 bits"))?;
        let Base::Name(name) = base else {
            op.offset = 0;
            return self.frame.constant(*offset as u64);
        };
        match self.frame.lookup(name)? {
            Some(Entity::Register(Some(slot), _)) => return Ok(slot),
            Some(Entity::Shared(id)) => return self.shared_address(id, 0),
            Some(Entity::Local(at)) if op.place == Place::Local => {
                op.place = Place::LocalFrame;
                op.offset = op.offset.wrapping_add(at as i32);
                return self.frame.constant(0);
            }
            Some(Entity::Param(at, size)) if op.place == Place::Param => {
                let bytes = i64::from(op.width) * i64::from(op.count);
                if *offset < 0 || offset.saturating_add(bytes) > i64::from(size) {
                    return Err(wrong_operands(opcode, format!("`{name}` has only {size} bytes")));
                }
                op.place = Place::ParamFrame;
                op.offset = op.offset.wrapping_add(at as i32);
                return self.frame.constant(0);
            }
            Some(_) => return Err(wrong_operands(opcode, format!("`{name}` is not in this state space"))),
            None => {}
        }
        match self.lowerer.symbols.get(name).copied() {
            Some(symbol) => self.symbol_address(name, symbol, 0),
            None => Err(ParseErrorKind::UnknownName((*name).to_owned())),
        }
    }

    fn atomic(&mut self, m: &mut Modifiers, operands: &[Operand<'a>]) -> Result<Lowered, ParseErrorKind> {
        let returns = m.name == "atom";
        let block_only = take_block_scope(m);
        let mut flags = take_order(m) | AccessFlags::STRONG | AccessFlags::STRONG_DEVICE;
        if block_only {
            flags &= !AccessFlags::STRONG_DEVICE;
        }
        m.take("noftz");
        let kind = m.find(atomic_kind).ok_or_else(|| m.missing("an operation such as `.add`"))?;
        let (mut memory, ty) = self.memory_op(m, flags)?;
        let somewhere = matches!(memory.place, Place::Generic | Place::Global | Place::Shared);
        if memory.count != 1 || !somewhere || !has_atomic(kind, ty, returns) {
            return Err(ParseErrorKind::UnknownInstruction(m.full().to_owned()));
        }
        let mut slots = Slots { d: SINK, ..Slots::default() };
        let mut rest = operands;
        if returns && let [result, more @ ..] = operands {
            slots.d = self.result(result, m.full())?;
            rest = more;
        }
        let wanted = if kind == AtomicKind::CompareSwap { 3 } else { 2 };
        if rest.len() != wanted {
            return Err(wrong_operands(m.full(), "the number of operands is wrong"));
        }
        slots.a = self.address(&mut memory, &rest[0], m.full())?;
        slots.b = self.source(&rest[1], ty, m.full())?;
        if let Some(swap) = rest.get(2) {
            slots.c = self.source(swap, ty, m.full())?;
        }
        self.lowerer.code.atomics.push(AtomicOp { kind, ty, memory, returns });
        let number = self.lowerer.code.atomics.len() as u32 - 1;
        Ok(Lowered::new(Action::Atomic(number), slots, OpcodeClass::Atomic))
    }

    /// `cp.async` from global to shared memory, and what ends groups of copies and waits for them.
    fn copy_async(&mut self, m: &mut Modifiers, operands: &[Operand<'a>]) -> Result<Lowered, ParseErrorKind> {
        if !m.take("async") {
            return Err(ParseErrorKind::UnknownInstruction(m.full().to_owned()));
        }
        if let Some(action) = copies_end(m, operands)? {
            return Ok(Lowered::new(action, Slots::default(), OpcodeClass::Barrier));
        }
        let through_l1 = m.take("ca");
        if !through_l1 && !m.take("cg") {
            return Err(m.missing("`.ca` or `.cg`"));
        }
        while m.find(|word| PREFETCHES.contains(&word).then_some(())).is_some() {}
        let spaces = m.take("shared") || m.take("shared::cta");
        if !spaces || !m.take("global") {
            return Err(ParseErrorKind::UnknownInstruction(m.full().to_owned()));
        }
        let (to, from, size, given) = match operands {
            [to, from, size] => (to, from, size, None),
            [to, from, size, given] => (to, from, size, Some(given)),
            _ => {
                let what = "it takes two addresses, a size, and perhaps the source's size or whether to ignore it";
                return Err(wrong_operands(m.full(), what));
            }
        };
        let bytes = match *size {
            Operand::Integer(bytes @ (4 | 8)) if through_l1 => bytes,
            Operand::Integer(16) => 16,
            _ if through_l1 => return Err(wrong_operands(m.full(), "the size is 4, 8 or 16")),
            _ => return Err(wrong_operands(m.full(), "the size is 16; `.ca` has 4 and 8, too")),
        };
        let mut op = MemoryOp {
            offset: 0,
            place: Place::Global,
            width: 4,
            count: (bytes / 4) as u8,
            unwanted: 0,
            flags: AccessFlags::default(),
        };
        let mut slots = Slots { b: self.address(&mut op, from, m.full())?, ..Slots::default() };
        let source_offset = op.offset;
        slots.a = self.address(&mut op, to, m.full())?;
        slots.e = self.frame.constant(i64::from(source_offset) as u64)?;
        // Beyond the source's size the copy is filled with zeros, as is all of it where a predicate says so.
        match given {
            None => slots.c = self.frame.constant(bytes)?,
            Some(Operand::Name(name, None)) if self.is_predicate(name)? => {
                slots.c = self.register(name)?;
                slots.m = IGNORED_IF;
            }
            Some(source_size) => slots.c = self.source(source_size, Type::U32, m.full())?,
        }
        Ok(Lowered::new(Action::CopyAsync(op), slots, OpcodeClass::Load))
    }
}

/// `commit_group`, `wait_all` and `wait_group n` of `cp.async`, if it is one of them.
fn copies_end(m: &mut Modifiers, operands: &[Operand]) -> Result<Option<Action>, ParseErrorKind> {
    if m.take("wait_group") {
        return match operands {
            &[Operand::Integer(pending)] if pending <= u64::from(u32::MAX) => {
                Ok(Some(Action::CopyWait(Some(pending as u32))))
            }
            _ => Err(wrong_operands(m.full(), "it takes a number of groups")),
        };
    }
    let action = match (m.take("commit_group"), m.take("wait_all")) {
        (true, _) => Action::CopyCommit,
        (_, true) => Action::CopyWait(None),
        _ => return Ok(None),
    };
    if operands.is_empty() { Ok(Some(action)) } else { Err(wrong_operands(m.full(), "it takes none")) }
}

/// Claims the modifiers of order and scope.
fn take_order(m: &mut Modifiers) -> u8 {
    let mut flags = 0;
    let orders = [
        ("volatile", 0),
        ("relaxed", 0),
        ("mmio", 0),
        ("acquire", AccessFlags::ACQUIRE),
        ("release", AccessFlags::RELEASE),
        ("acq_rel", AccessFlags::ACQUIRE | AccessFlags::RELEASE),
    ];
    for (word, order) in orders {
        if m.take(word) {
            flags |= order | AccessFlags::STRONG | AccessFlags::STRONG_DEVICE;
        }
    }
    if take_block_scope(m) {
        flags &= !AccessFlags::STRONG_DEVICE;
    }
    for word in ["weak", "gpu", "sys"] {
        m.take(word);
    }
    flags
}

/// Whether the scope is the block; without clusters, every block is a cluster of its own.
pub(super) fn take_block_scope(m: &mut Modifiers) -> bool {
    m.take("cta") || m.take("cluster")
}

fn take_place(m: &mut Modifiers) -> Result<Place, ParseErrorKind> {
    Ok(match m.find(Space::from_name) {
        Some(Space::Global) => Place::Global,
        Some(Space::Shared) => Place::Shared,
        Some(Space::Const) => Place::Const,
        Some(Space::Local) => Place::Local,
        Some(Space::Param) => Place::Param,
        Some(space @ (Space::Register | Space::Generic)) => return Err(m.unknown(space.name())),
        None => Place::Generic,
    })
}

/// Whether an operation has a type; one that swaps is there for what it returns.
fn has_atomic(kind: AtomicKind, ty: Type, returns: bool) -> bool {
    let integer = matches!(ty, Type::U32 | Type::S32 | Type::U64 | Type::S64);
    let bits = matches!(ty, Type::B32 | Type::B64);
    match kind {
        AtomicKind::Add => integer || (ty.is_float() && ty != Type::TF32),
        AtomicKind::Min | AtomicKind::Max => integer,
        AtomicKind::Inc | AtomicKind::Dec => ty == Type::U32,
        AtomicKind::And | AtomicKind::Or | AtomicKind::Xor => bits,
        AtomicKind::Exchange => returns && bits,
        AtomicKind::CompareSwap => returns && (bits || ty == Type::B16),
    }
}

fn atomic_kind(word: &str) -> Option<AtomicKind> {
    Some(match word {
        "add" => AtomicKind::Add,
        "min" => AtomicKind::Min,
        "max" => AtomicKind::Max,
        "inc" => AtomicKind::Inc,
        "dec" => AtomicKind::Dec,
        "exch" => AtomicKind::Exchange,
        "cas" => AtomicKind::CompareSwap,
        "and" => AtomicKind::And,
        "or" => AtomicKind::Or,
        "xor" => AtomicKind::Xor,
        _ => return None,
    })
}
