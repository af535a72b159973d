//! One thread: its frames, its stack, and the clock that races are told by.

use super::Env;
use super::copies::Copies;
use super::order::Knowledge;
use super::products::Register;
use crate::code::Special;
use crate::fault::FaultKind;
use crate::instruction::AccessFlags;
use crate::memory::Outcome;
use crate::memory::shadow::{Foreign, Who};
use std::rc::Rc;

/// Deeper calls than this are taken for a recursion without end.
const DEEPEST_CALL: usize = 256;

/// Where the parameters of a call begin: the ISA has no larger alignment of them.
const PARAM_ALIGNMENT: usize = 128;

/// What a thread is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Ready,
    Barrier,
    Warp,
    Exited,
}

/// What a call returns to.
struct Caller {
    pc: u32,
    base: usize,
    param_base: usize,
    function: u32,
    call: u32,
    spans: usize,
    top: u32,
}

/// A local variable of some frame.
pub(crate) struct Span {
    /// Address in the local space.
    pub(crate) start: u32,
    pub(crate) size: u32,
    /// Where its bytes stand.
    pub(crate) at: usize,
}

#[derive(Default)]
pub(crate) struct Stack {
    pub(crate) spans: Vec<Span>,
    pub(crate) bytes: Vec<u8>,
    /// Where the local addresses of the current frame start.
    pub(crate) frame: u32,
    top: u32,
}

#[derive(Default)]
pub(crate) struct Params {
    pub(crate) bytes: Vec<u8>,
    pub(crate) base: usize,
}

pub(crate) struct Thread {
    pub(crate) index: u32,
    pub(crate) registers: Vec<u64>,
    pub(crate) base: usize,
    pub(crate) pc: u32,
    pub(crate) state: State,
    pub(crate) stack: Stack,
    pub(crate) params: Params,
    /// Counts what others may be ordered after: barriers, fences, releases, arrivals and meetings of a warp.
    pub(crate) clock: u32,
    /// Clocks of the others that this thread is ordered after.
    pub(crate) known: Rc<[u32]>,
    /// The same for threads of other blocks.
    pub(crate) foreign: Rc<Foreign>,
    /// What the last fence covers.
    pub(crate) fenced: Option<Rc<Knowledge>>,
    /// What strong reads have seen since.
    pub(crate) seen: Vec<Rc<Knowledge>>,
    /// What this thread wrote up to this time is there for what reads on its own.
    pub(super) published: u32,
    /// The same for what others wrote, as far as this thread's own fences go.
    pub(super) published_known: Rc<[u32]>,
    /// What is being copied.
    pub(super) copies: Copies,
    /// The kernel's registers by slot, from the first `wgmma.fence` on.
    pub(super) watched: Vec<Register>,
    function: u32,
    callers: Vec<Caller>,
}

impl Thread {
    pub(crate) fn new(index: u32) -> Self {
        Self {
            index,
            registers: Vec::new(),
            base: 0,
            pc: 0,
            state: State::Exited,
            stack: Stack::default(),
            params: Params::default(),
            clock: 1,
            known: Rc::from([]),
            foreign: Rc::default(),
            fenced: None,
            seen: Vec::new(),
            published: 0,
            published_known: Rc::from([]),
            copies: Copies::default(),
            watched: Vec::new(),
            function: 0,
            callers: Vec::new(),
        }
    }

    /// At the entry of the kernel, for a new block.
    pub(crate) fn start(&mut self, env: &Env, known: &Rc<[u32]>) {
        self.registers.clear();
        self.stack.spans.clear();
        self.stack.bytes.clear();
        self.stack.top = 0;
        self.params.bytes.clear();
        self.params.base = 0;
        self.callers.clear();
        self.state = State::Ready;
        self.clock = 1;
        self.known = Rc::clone(known);
        self.foreign = Rc::default();
        self.fenced = None;
        self.seen.clear();
        self.published = 0;
        self.published_known = Rc::clone(known);
        self.copies.clear();
        self.watched.clear();
        self.enter(env, env.entry);
        self.params.bytes[..env.arguments.len()].copy_from_slice(&env.arguments);
    }

    /// Opens a frame on top of the current one.
    fn enter(&mut self, env: &Env, function: u32) {
        let code = &env.code.functions[function as usize];
        self.function = function;
        self.base = self.registers.len();
        self.registers.extend_from_slice(&env.templates[function as usize]);
        for (slot, special) in &code.specials {
            self.registers[self.base + *slot as usize] = self.special(env, *special);
        }
        self.params.base = self.params.bytes.len().next_multiple_of(PARAM_ALIGNMENT);
        self.params.bytes.resize(self.params.base + code.param_bytes as usize, 0);
        self.stack.frame = self.stack.top;
        for local in &code.locals {
            let at = self.stack.bytes.len();
            self.stack.bytes.resize(at + local.size as usize, 0);
            self.stack.spans.push(Span { start: self.stack.frame + local.offset, size: local.size, at });
        }
        self.stack.top = self.stack.frame + code.local_extent;
        self.pc = code.start.unwrap_or(0);
    }

    pub(crate) fn call(&mut self, env: &Env, number: u32, function: u32) -> Outcome<()> {
        let callee = &env.code.functions[function as usize];
        if callee.start.is_none() {
            return Err(FaultKind::MissingFunction(callee.name.clone()).into());
        }
        if self.callers.len() >= DEEPEST_CALL || self.stack.top.checked_add(callee.local_extent).is_none() {
            return Err(FaultKind::CallDepth(self.callers.len()).into());
        }
        self.callers.push(Caller {
            pc: self.pc,
            base: self.base,
            param_base: self.params.base,
            function: self.function,
            call: number,
            spans: self.stack.spans.len(),
            top: self.stack.top,
        });
        let from = self.params.base;
        self.enter(env, function);
        let to = self.params.base;
        let arguments = &env.code.calls[number as usize].arguments;
        for ((offset, size), parameter) in arguments.iter().zip(&callee.parameters) {
            let start = from + *offset as usize;
            let len = (*size).min(parameter.size) as usize;
            self.params.bytes.copy_within(start..start + len, to + parameter.offset as usize);
        }
        Ok(())
    }

    /// Leaves the current function; `false` if it was the kernel.
    pub(crate) fn leave(&mut self, env: &Env) -> bool {
        let Some(caller) = self.callers.pop() else {
            return false;
        };
        let callee = &env.code.functions[self.function as usize];
        let returns = &env.code.calls[caller.call as usize].returns;
        for ((offset, size), parameter) in returns.iter().zip(&callee.returns) {
            let start = self.params.base + parameter.offset as usize;
            let len = (*size).min(parameter.size) as usize;
            self.params.bytes.copy_within(start..start + len, caller.param_base + *offset as usize);
        }
        self.registers.truncate(self.base);
        let caller_bytes = env.code.functions[caller.function as usize].param_bytes as usize;
        self.params.bytes.truncate(caller.param_base + caller_bytes);
        if let Some(first) = self.stack.spans.get(caller.spans) {
            self.stack.bytes.truncate(first.at);
        }
        self.stack.spans.truncate(caller.spans);
        self.stack.top = caller.top;
        self.base = caller.base;
        self.params.base = caller.param_base;
        self.pc = caller.pc;
        self.function = caller.function;
        self.stack.frame = self.stack.top - env.code.functions[caller.function as usize].local_extent;
        true
    }

    fn special(&self, env: &Env, special: Special) -> u64 {
        let index = u64::from(self.index);
        let lane = index % 32;
        let [x, y, _] = env.block.map(u64::from);
        let threads: u32 = env.block.iter().product();
        u64::from(match special {
            Special::Thread(0) => (index % x) as u32,
            Special::Thread(1) => (index / x % y) as u32,
            Special::Thread(_) => (index / x / y) as u32,
            Special::Threads(axis) => env.block[usize::from(axis)],
            Special::Block(axis) => env.index[usize::from(axis)],
            Special::Blocks(axis) => env.grid[usize::from(axis)],
            Special::Lane => lane as u32,
            Special::Warp => self.index / 32,
            Special::Warps => threads.div_ceil(32),
            Special::LaneMaskEq => 1 << lane,
            Special::LaneMaskLt => (1 << lane) - 1,
            Special::LaneMaskLe => u32::MAX >> (31 - lane),
            Special::LaneMaskGe => u32::MAX << lane,
            Special::LaneMaskGt => u32::MAX.checked_shl(lane as u32 + 1).unwrap_or(0),
            Special::DynamicShared => env.dynamic_shared,
            Special::TotalShared => env.total_shared,
            Special::Constant(value) => value,
        })
    }

    #[inline]
    pub(crate) fn read(&self, slot: u32) -> u64 {
        self.registers[self.base + slot as usize]
    }

    #[inline]
    pub(crate) fn write(&mut self, slot: u32, value: u64) {
        self.registers[self.base + slot as usize] = value;
    }

    /// This thread at the instruction that it has just begun.
    #[inline]
    pub(crate) fn who(&self, env: &Env, flags: AccessFlags) -> Who {
        Who {
            block: env.number,
            clock: self.clock,
            pc: self.pc.saturating_sub(1),
            thread: self.index as u16,
            flags: u16::from(flags.0),
        }
    }
}
