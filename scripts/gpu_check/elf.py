"""Which glibc a program needs, read from its ELF file: the target machine has no tools to ask."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Dict, List, Tuple

# ELF's own numbers (System V ABI; GNU extensions for the versions).
PT_LOAD, PT_DYNAMIC = 1, 2
DT_STRTAB, DT_VERNEED, DT_VERNEEDNUM = 5, 0x6FFFFFFE, 0x6FFFFFFF

Version = Tuple[int, ...]


class NotElf(ValueError):
    """The file is no 64-bit little-endian ELF file, or a damaged one."""


def needed_glibc(path: Path) -> Version:
    """The newest GLIBC_x.y among the symbol versions that a program needs; () where it needs none."""
    return max((version(name) for names in needed_versions(path).values() for name in names), default=())


def version(name: str) -> Version:
    """(2, 36) of `GLIBC_2.36`; () of other names."""
    found = re.fullmatch(r"GLIBC_(\d+(?:\.\d+)*)", name)
    return tuple(int(part) for part in found.group(1).split(".")) if found else ()


def spelled(number: Version) -> str:
    """2.36 of (2, 36)."""
    return ".".join(str(part) for part in number) or "none"


def needed_versions(path: Path) -> Dict[str, List[str]]:
    """For each library, the symbol versions that a program needs of it."""
    data = path.read_bytes()
    if data[:6] != b"\x7fELF\x02\x01":
        raise NotElf(f"{path.name} is not a 64-bit little-endian ELF file")
    try:
        return _versions(data)
    except (struct.error, ValueError) as error:
        raise NotElf(f"{path.name} is damaged: {error}") from error


def _versions(data: bytes) -> Dict[str, List[str]]:
    """Walks program headers, the dynamic section, and the chain of needed versions."""
    segments = _segments(data)
    dynamic = _dynamic(data, segments)
    if DT_VERNEED not in dynamic:
        return {}
    strings = _offset(dynamic[DT_STRTAB], segments)
    at = _offset(dynamic[DT_VERNEED], segments)
    needed: Dict[str, List[str]] = {}
    for _ in range(dynamic.get(DT_VERNEEDNUM, 0)):
        # Elf64_Verneed: version, count, file, first, next.
        _, count, file, first, following = struct.unpack_from("<HHIII", data, at)
        names = needed.setdefault(_string(data, strings + file), [])
        entry = at + first
        for _ in range(count):
            # Elf64_Vernaux: hash, flags, other, name, next.
            _, _, _, name, step = struct.unpack_from("<IHHII", data, entry)
            names.append(_string(data, strings + name))
            entry += step
        at += following
    return needed


def _segments(data: bytes) -> List[Tuple[int, int, int, int]]:
    """Kind, offset, address and size in the file of each program header."""
    (start,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    found = []
    for index in range(count):
        kind, _, offset, address, _, length = struct.unpack_from("<IIQQQQ", data, start + index * size)
        found.append((kind, offset, address, length))
    return found


def _dynamic(data: bytes, segments: List[Tuple[int, int, int, int]]) -> Dict[int, int]:
    """The dynamic section's entries."""
    found: Dict[int, int] = {}
    for kind, offset, _, length in segments:
        if kind == PT_DYNAMIC:
            for at in range(offset, offset + length, 16):
                tag, value = struct.unpack_from("<QQ", data, at)
                if tag == 0:
                    break
                found[tag] = value
    return found


def _offset(address: int, segments: List[Tuple[int, int, int, int]]) -> int:
    """Where in the file an address is."""
    for kind, offset, start, length in segments:
        if kind == PT_LOAD and start <= address < start + length:
            return offset + address - start
    raise ValueError(f"no segment holds the address {address:#x}")


def _string(data: bytes, at: int) -> str:
    """A string that ends with a zero."""
    return data[at: data.index(b"\0", at)].decode("ascii", "replace")
