"""What an instruction does to a vector's lanes."""

from __future__ import annotations

import re

from .assembly import Instruction

OPERATION = (r"v?(?:add|sub|mul|div|min|max|sqrt|rcp(?:14)?|rsqrt(?:14)?|cmp\w*|round|rndscale"
             r"|fn?m(?:add|sub)\d{3}|fm(?:addsub|subadd)\d{3})")
PACKED = re.compile(OPERATION + "p[sd]")
SCALAR = re.compile(rf"(?:{OPERATION}|v?u?comi|v?cvt\w*2)s[sd]")
ROOT = re.compile(r"v?sqrtps")
SHIFT = re.compile(r"v?pslld")

# Choices by a mask, of the same lane (blendvps, vblendmps), are none of these.
LANE_MOVE = re.compile(
    r"v?p?(?:insert|extract|insr|extr|unpck|shuf|perm|align)\w*|v?p?blend(?:ps|pd|d|w)|vp?(?:compress|expand)\w*"
    r"|v?mov(?:lh|hl|h|l)p[sd]|v?mov(?:sh|sl|d)dup|v?ps[lr]ldq|vp?broadcast\w+"
)
SPLAT = re.compile(r"v?(?:shufps|pshufd|permilps)")
ONE_LANE = {"$0x0", "$0x55", "$0xaa", "$0xff"}
PIECE = re.compile(r"v?mov(?:ss|sd|d|q)")
REGISTER = re.compile(r"%([xyz])mm\d+")
BYTES = {"x": 16, "y": 32, "z": 64}


def width(instruction: Instruction) -> int:
    """Bytes of the widest register of a vector among the operands; 0 without any."""
    return max((BYTES[letter] for letter in REGISTER.findall(" ".join(instruction.operands))), default=0)


def is_packed(instruction: Instruction) -> bool:
    """Floating-point arithmetic in all lanes."""
    return PACKED.fullmatch(instruction.name) is not None


def is_anchor(instruction: Instruction, anchor: str) -> bool:
    """What each vector of pairs has one of (kernels.toml)."""
    if anchor == "exponential":
        return bool(SHIFT.fullmatch(instruction.name)) and instruction.operands[0] == "$0x17" and width(instruction) > 0
    return bool(ROOT.fullmatch(instruction.name))


def forbidden(instruction: Instruction, whole: int) -> str | None:
    """What takes a vector of `whole` bytes to pieces: the instruction's name, with a word where that says too little."""
    name, operands = instruction.name, instruction.operands
    if SCALAR.fullmatch(name):
        return name
    if is_packed(instruction) and 0 < width(instruction) < whole:
        return f"{name} of {width(instruction)} bytes"
    if PIECE.fullmatch(name) and len(operands) >= 2 and _takes_a_piece(name, operands):
        return f"{name} of a piece"
    if LANE_MOVE.fullmatch(name) and not _is_splat(instruction):
        return name
    return None


def _takes_a_piece(name: str, operands: tuple[str, ...]) -> bool:
    """Whether a move stores, hands on or joins a part of a vector, or loads two numbers; one may be loaded, to be splat."""
    from_vector = any(REGISTER.match(operand) for operand in operands[:-1])
    return from_vector or (name.endswith(("sd", "q")) and REGISTER.match(operands[-1]) is not None)


def _is_splat(instruction: Instruction) -> bool:
    """Whether one number fills the whole register."""
    if instruction.name in ("vbroadcastss", "vpbroadcastd"):
        return True
    first, *vectors = instruction.operands
    sources = vectors[:-1] if len(vectors) > 2 else vectors if instruction.name == "shufps" else vectors[:1]
    same = len(set(sources)) == 1
    return bool(SPLAT.fullmatch(instruction.name)) and first in ONE_LANE and same and width(instruction) == BYTES["x"]
