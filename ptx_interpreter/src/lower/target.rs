//! Which GPUs have an instruction: the target notes of the PTX ISA, for what the interpreter runs.

use crate::error::ParseErrorKind;

/// What a module's `.target` says, `sm_90a` as (90, "a").
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    name: &'a str,
    number: u32,
    suffix: &'a str,
}

impl<'a> Target<'a> {
    /// None of a target that is no GPU's, which then may have everything.
    pub(super) fn parse(name: &'a str) -> Option<Self> {
        let rest = name.strip_prefix("sm_")?;
        let (number, suffix) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
        Some(Self { name, number: number.parse().ok()?, suffix })
    }

    /// Refuses an instruction, of this whole opcode, that the target does not have.
    pub(super) fn check(self, opcode: &str) -> Result<(), ParseErrorKind> {
        let wanted = needed_by(opcode);
        let has = match wanted {
            Needed::From(number) => self.number >= number,
            Needed::Only(number, suffix) => (self.number, self.suffix) == (number, suffix),
        };
        if has {
            return Ok(());
        }
        let needed = match wanted {
            Needed::From(number) => format!("sm_{number}"),
            Needed::Only(number, suffix) => format!("sm_{number}{suffix}"),
        };
        Err(ParseErrorKind::Target { instruction: opcode.to_owned(), needed, target: self.name.to_owned() })
    }
}

/// The GPUs that have an instruction.
#[derive(Clone, Copy)]
enum Needed {
    From(u32),
    /// One architecture, and none that comes after it.
    Only(u32, &'static str),
}

fn needed_by(opcode: &str) -> Needed {
    let mut words = opcode.split('.');
    let name = words.next().unwrap_or_default();
    let has = |wanted: &[&str]| words.clone().any(|word| wanted.contains(&word));
    let from = match name {
        "wgmma" => return Needed::Only(90, "a"),
        "griddepcontrol" => 90,
        "cp" | "redux" | "applypriority" => 80,
        "mma" if has(&["bf16", "tf32", "m16n8k16"]) => 80,
        "mma" | "ldmatrix" => 75,
        "cvt" if has(&["tf32"]) && has(&["satfinite"]) && !has(&["rna"]) => 100,
        "cvt" if has(&["tf32"]) && !has(&["rna"]) => 90,
        "cvt" if has(&["bf16", "bf16x2", "f16x2", "tf32", "relu"]) => 80,
        "add" | "sub" | "mul" | "ex2" | "tanh" | "set" | "setp" if has(&["bf16", "bf16x2"]) => 90,
        "fma" | "neg" | "abs" if has(&["bf16", "bf16x2", "relu"]) => 80,
        "min" | "max" if has(&["relu"]) && has(&["s32"]) => 90,
        "min" | "max" if has(&["xorsign"]) => 86,
        "min" | "max" if has(&["f16", "f16x2", "bf16", "bf16x2", "NaN"]) => 80,
        "tanh" => 75,
        "ex2" if has(&["f16", "f16x2"]) => 75,
        "add" | "min" | "max" if has(&["u16x2", "s16x2"]) => 90,
        "ld" | "st" if has(&["v8"]) || (has(&["v4"]) && has(&["b64", "u64", "s64", "f64"])) => 100,
        "atom" | "red" if has(&["bf16", "bf16x2"]) => 90,
        "fence" | "membar" if has(&["async", "acquire", "release", "tensormap::generic"]) => 90,
        "ld" if has(&["L2::256B"]) => 80,
        "ld" if has(&["L2::64B", "L2::128B"]) => 75,
        "ld" | "st" | "atom" | "red" | "fence" if has(&["cluster"]) => 90,
        _ => 0,
    };
    Needed::From(from)
}
