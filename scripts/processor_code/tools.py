"""The program that is looked at, and the disassembler of binutils."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

X86_64 = 62


class ToolError(Exception):
    """A program or tool that is missing, or that failed; the text says what to do."""


def default_binary(root: Path) -> Path:
    """The library's program, as `cargo build` and `cargo test` leave it."""
    return Path(os.environ.get("CARGO_TARGET_DIR") or root / "target") / "debug/modeseek"


def is_x86_64(binary: Path) -> bool:
    """Whether a program is for the processors whose code the gate knows."""
    try:
        with binary.open("rb") as file:
            head = file.read(20)
    except OSError as error:
        raise ToolError(
            f"cannot read {binary}: {error.strerror}; build it with `cargo build`, or name it with --binary"
        ) from error
    if len(head) < 20 or not head.startswith(b"\x7fELF"):
        raise ToolError(f"{binary} is no program in ELF; name one with --binary")
    return int.from_bytes(head[18:20], "little") == X86_64


def disassemble(binary: Path) -> Iterator[str]:
    """objdump's lines."""
    tool = shutil.which("objdump")
    if tool is None:
        raise ToolError("objdump is not on PATH; install binutils")
    command = [tool, "-d", "-C", "-w", "--no-show-raw-insn", str(binary)]
    environment = os.environ | {"LC_ALL": "C"}
    # Messages go to a file: two pipes, of which one is read, can block.
    with (
        tempfile.TemporaryFile("w+", errors="replace") as messages,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=messages, text=True, errors="replace", env=environment
        ) as running,
    ):
        assert running.stdout
        yield from running.stdout
        running.wait()
        messages.seek(0)
        said = messages.read().strip()
    if running.returncode != 0:
        raise ToolError(f"objdump failed on {binary}: {said or running.returncode}; build the program anew")
