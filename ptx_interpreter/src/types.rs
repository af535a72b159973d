//! The words that instructions and declarations are made of: types and state spaces.

use std::fmt;

/// A fundamental type of PTX.
///
/// ```
/// use ptx_interpreter::Type;
///
/// assert_eq!(Type::F32.to_string(), ".f32");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // each is the PTX word of the same spelling
pub enum Type {
    Pred,
    B8,
    B16,
    B32,
    B64,
    B128,
    U8,
    U16,
    U32,
    U64,
    S8,
    S16,
    S32,
    S64,
    F16,
    F16x2,
    BF16,
    BF16x2,
    TF32,
    F32,
    F64,
}

/// In the order of [`Type`].
pub(crate) const TYPES: [(Type, &str, u32); 21] = [
    (Type::Pred, "pred", 1),
    (Type::B8, "b8", 1),
    (Type::B16, "b16", 2),
    (Type::B32, "b32", 4),
    (Type::B64, "b64", 8),
    (Type::B128, "b128", 16),
    (Type::U8, "u8", 1),
    (Type::U16, "u16", 2),
    (Type::U32, "u32", 4),
    (Type::U64, "u64", 8),
    (Type::S8, "s8", 1),
    (Type::S16, "s16", 2),
    (Type::S32, "s32", 4),
    (Type::S64, "s64", 8),
    (Type::F16, "f16", 2),
    (Type::F16x2, "f16x2", 4),
    (Type::BF16, "bf16", 2),
    (Type::BF16x2, "bf16x2", 4),
    (Type::TF32, "tf32", 4),
    (Type::F32, "f32", 4),
    (Type::F64, "f64", 8),
];

impl Type {
    /// The type that a modifier such as `u32` names.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        TYPES.iter().find(|entry| entry.1 == name).map(|entry| entry.0)
    }

    /// Size of a value in bytes.
    ///
    /// ```
    /// use ptx_interpreter::Type;
    ///
    /// assert_eq!((Type::U8.bytes(), Type::F64.bytes()), (1, 8));
    /// ```
    pub fn bytes(self) -> u32 {
        TYPES[self as usize].2
    }

    /// The PTX word, without its dot.
    ///
    /// ```
    /// use ptx_interpreter::Type;
    ///
    /// assert_eq!(Type::S32.name(), "s32");
    /// ```
    pub fn name(self) -> &'static str {
        TYPES[self as usize].1
    }

    pub(crate) fn is_signed(self) -> bool {
        matches!(self, Type::S8 | Type::S16 | Type::S32 | Type::S64)
    }

    pub(crate) fn is_float(self) -> bool {
        self >= Type::F16
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ".{}", self.name())
    }
}

/// A state space: the memory that an access goes to.
///
/// ```
/// use ptx_interpreter::Space;
///
/// assert_eq!(Space::Shared.to_string(), "shared");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Space {
    /// Whichever space the address belongs to.
    Generic,
    /// Device memory that all threads see.
    Global,
    /// Memory of one block.
    Shared,
    /// Constants of the module.
    Const,
    /// Arguments.
    Param,
    /// Stack of one thread.
    Local,
    /// Registers of one thread.
    Register,
}

impl Space {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "global" => Space::Global,
            "shared" | "shared::cta" => Space::Shared,
            "const" => Space::Const,
            "param" | "param::entry" | "param::func" => Space::Param,
            "local" => Space::Local,
            "reg" => Space::Register,
            _ => return None,
        })
    }

    /// The PTX word, without its dot.
    ///
    /// ```
    /// use ptx_interpreter::Space;
    ///
    /// assert_eq!(Space::Global.name(), "global");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Space::Generic => "generic",
            Space::Global => "global",
            Space::Shared => "shared",
            Space::Const => "const",
            Space::Param => "param",
            Space::Local => "local",
            Space::Register => "reg",
        }
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
