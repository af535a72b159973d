//! Instructions in the form that they run in: names resolved to slots of a frame, opcodes to functions.
//!
//! A frame is an array of 64-bit slots: first the carry flag and a slot that swallows unwanted results, then registers,
//! constants and special registers in the order of first use. An operand is therefore always a slot, and no
//! instruction asks at run time what kind of operand it has.

use crate::types::Type;

/// Slot of the carry flag `CC.CF`.
pub(crate) const CARRY: u32 = 0;
/// Slot that results nobody wants go to.
pub(crate) const SINK: u32 = 1;
/// In the modifiers of a copy: `c` is a predicate, and the source counts for nothing where it is true.
pub(crate) const IGNORED_IF: u32 = 1;
/// The guard of an instruction without a predicate.
pub(crate) const UNGUARDED: u32 = u32::MAX;

/// Destinations `d`, `e`, sources `a`, `b`, `c`, and the modifiers `m` of an instruction.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Slots {
    pub(crate) d: u32,
    pub(crate) e: u32,
    pub(crate) a: u32,
    pub(crate) b: u32,
    pub(crate) c: u32,
    pub(crate) m: u32,
}

/// An instruction that touches registers only.
pub(crate) type Compute = fn(&mut [u64], Slots);

#[derive(Clone, Copy)]
pub(crate) struct Inst {
    pub(crate) action: Action,
    /// Slot of the predicate times two, plus one if it is negated.
    pub(crate) guard: u32,
    pub(crate) slots: Slots,
}

/// What an instruction does; larger operands stand in the tables of `Code`.
#[derive(Clone, Copy)]
pub(crate) enum Action {
    Compute(Compute),
    Jump(u32),
    /// `brx.idx` through the table of this number.
    JumpTable(u32),
    Load(MemoryOp),
    Store(MemoryOp),
    Atomic(u32),
    CopyAsync(MemoryOp),
    CopyCommit,
    /// Until so many groups of copies are under way; `None`: until no copy is.
    CopyWait(Option<u32>),
    /// The address of a variable in the thread's own frame.
    FrameAddress(Place, u32),
    /// A special register that changes while a kernel runs.
    Clock(Clock),
    Call(u32),
    Return,
    Exit,
    Trap,
    Barrier(u32),
    Warp(u32),
    /// A fence; `true` if it reaches further than the block.
    Fence(bool),
    /// `fence.proxy.async`: what was written is there for what reads it on its own.
    Publish,
    /// A hint, which has no effect that a program sees.
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clock {
    Low,
    High,
    Full,
    Nanoseconds,
    NanosecondsLow,
    ActiveMask,
}

/// Where an access goes, as far as it is known before it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Generic,
    Global,
    Shared,
    Const,
    Local,
    Param,
    /// A local variable named in the instruction; the offset counts from the frame.
    LocalFrame,
    /// A parameter named in the instruction; the offset counts from the frame.
    ParamFrame,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct MemoryOp {
    pub(crate) offset: i32,
    pub(crate) place: Place,
    /// Bytes of one element.
    pub(crate) width: u8,
    /// Elements; with more than one, `slots.d` is where their slots start in `Code::vectors`.
    pub(crate) count: u8,
    /// Elements, as bits, that a load fetches for nobody: LLVM loads the padding of a structure along with it.
    pub(crate) unwanted: u8,
    pub(crate) flags: AccessFlags,
}

/// How an access takes part in the memory model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct AccessFlags(pub(crate) u8);

impl AccessFlags {
    pub(crate) const SIGNED: u8 = 1;
    /// Strong within the block.
    pub(crate) const STRONG: u8 = 2;
    /// Strong among all blocks.
    pub(crate) const STRONG_DEVICE: u8 = 4;
    /// `.nc`: promised to be read-only while the kernel runs.
    pub(crate) const READ_ONLY: u8 = 8;
    /// What came before in the thread is ordered before this access.
    pub(crate) const RELEASE: u8 = 16;
    /// What comes after in the thread is ordered after this access.
    pub(crate) const ACQUIRE: u8 = 32;

    pub(crate) fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtomicKind {
    Add,
    Min,
    Max,
    Inc,
    Dec,
    Exchange,
    CompareSwap,
    And,
    Or,
    Xor,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct AtomicOp {
    pub(crate) kind: AtomicKind,
    pub(crate) ty: Type,
    pub(crate) memory: MemoryOp,
    /// `red` and stores to `_` give nothing back.
    pub(crate) returns: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BarrierKind {
    Sync,
    Arrive,
    And,
    Or,
    Count,
}

/// Barrier number in slot `a`, number of threads in slot `b`, predicate in slot `c`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BarrierOp {
    pub(crate) kind: BarrierKind,
    /// All threads have to come by the same instruction.
    pub(crate) aligned: bool,
    pub(crate) counted: bool,
    pub(crate) negated: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ShuffleMode {
    Up,
    Down,
    Butterfly,
    Index,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VoteMode {
    All,
    Any,
    Uniform,
    Ballot,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reduction {
    Add,
    Min,
    Max,
    And,
    Or,
    Xor,
}

/// What the threads of a warp do together. The slots are those of the thread at hand.
#[derive(Debug, Clone)]
pub(crate) enum WarpOp {
    /// `d` value, `e` predicate, `a` value, `b` lane, `c` clamp, `m` mask slot.
    Shuffle(ShuffleMode),
    /// `d` result, `a` predicate, `m` mask slot.
    Vote(VoteMode, bool),
    /// `d` result, `e` predicate, `a` value, `m` mask slot.
    Match { all: bool, width: u8 },
    /// `d` result, `a` value, `m` mask slot.
    Reduce(Reduction, Type),
    /// `m` mask slot.
    Sync,
    /// Fragments' slots in `Code::vectors`.
    Matrix(MatrixOp),
    /// Rows' addresses in slot `a`.
    LoadMatrix(LoadMatrixOp),
    /// What the four warps of a warpgroup do. A product's descriptors are in slots `a` (0 for a matrix in
    /// registers) and `b`, whether it adds in `c`.
    Group(GroupOp),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum GroupOp {
    Fence,
    Multiply(ProductOp),
    Commit,
    /// Until so many groups are under way.
    Wait(u32),
}

/// `wgmma.mma_async` of 64 rows, and 32 bytes of A's rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProductOp {
    pub(crate) columns: u16,
    pub(crate) input: Type,
    /// What A and B are multiplied by: 1 or -1.
    pub(crate) signs: [f64; 2],
    /// Whether B's rows are along the sums' columns.
    pub(crate) turned: bool,
    /// A's slots in `Code::vectors`, if it is in registers.
    pub(crate) a: Option<u32>,
    /// The sums' slots in `Code::vectors`.
    pub(crate) d: u32,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct MatrixOp {
    pub(crate) depth: u8,
    pub(crate) input: Type,
    pub(crate) output: Type,
    pub(crate) d: u32,
    pub(crate) a: u32,
    pub(crate) b: u32,
    pub(crate) c: u32,
    /// Registers of `d` and `c`, of `a` and of `b`.
    pub(crate) lens: [u8; 3],
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct LoadMatrixOp {
    pub(crate) count: u8,
    pub(crate) transposed: bool,
    pub(crate) memory: MemoryOp,
    pub(crate) d: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct CallOp {
    /// `None`: through the address in slot `a`.
    pub(crate) function: Option<u32>,
    /// Offsets in the caller's parameter area, and sizes.
    pub(crate) arguments: Vec<(u32, u32)>,
    pub(crate) returns: Vec<(u32, u32)>,
}
