"""NVIDIA's assembler, disassembler and CUDA C++ compiler: those of a toolkit, or of pinned wheels."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import stat
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

# One version for all three: an older nvdisasm may not know the newer ptxas's files.
PINNED = "13.5.37"
WHEELS = ("nvidia-cuda-nvcc", "nvidia-cuda-nvdisasm", "nvidia-cuda-nvrtc")
RELEASE = re.compile(r"\bV(\d+\.\d+\.\d+)")


class ToolError(Exception):
    """A tool that is missing, or that failed; the text says what to do."""


@dataclass(frozen=True)
class Tools:
    """Programs and their versions. The compiler is nvcc, or NVRTC where `nvrtc` names its library."""

    ptxas: Path
    nvdisasm: Path
    nvcc: Path | None
    nvrtc: Path | None
    versions: dict[str, str]

    @property
    def pinned(self) -> bool:
        """Whether these are the versions that the generated page is made with."""
        return self.nvrtc is not None and set(self.versions.values()) == {PINNED}

    def compile_peer(self, source: Path, arch: str, out: Path) -> None:
        """Compiles CUDA C++ to PTX for an architecture."""
        if self.nvcc is not None:
            run([self.nvcc, "-ptx", f"-arch={arch}", "-o", out, source])
        else:
            assert self.nvrtc is not None
            out.write_bytes(nvrtc_compile(self.nvrtc, source, arch))


def run(command: list[str | Path]) -> str:
    """Runs a program; gives its output and messages, or fails with them."""
    try:
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    except OSError as error:
        raise ToolError(f"cannot run {command[0]}: {error}") from error
    if done.returncode != 0:
        raise ToolError(f"{' '.join(str(part) for part in command)} failed:\n{done.stderr}{done.stdout}")
    return done.stdout + done.stderr


def find(cache: Path, pinned: bool) -> Tools:
    """The tools of a toolkit on PATH or in CUDA_HOME, unless the pinned ones are asked for or there is
    no complete toolkit; else the pinned ones, installed into the cache on the first run."""
    toolkit = None if pinned else _toolkit()
    return toolkit or _wheels(cache)


def _toolkit() -> Tools | None:
    """A toolkit with all three programs."""
    path = os.environ.get("PATH", "")
    if home := os.environ.get("CUDA_HOME"):
        path = os.pathsep.join([str(Path(home) / "bin"), path])
    found = {name: shutil.which(name, path=path) for name in ("ptxas", "nvdisasm", "nvcc")}
    if not all(found.values()):
        return None
    programs = {name: Path(program) for name, program in found.items() if program}
    versions = {name: _version(program) for name, program in programs.items()}
    return Tools(programs["ptxas"], programs["nvdisasm"], programs["nvcc"], None, versions)


def _wheels(cache: Path) -> Tools:
    """The pinned wheels in the cache."""
    folder = cache / f"cuda-{PINNED}"
    root = folder / "nvidia" / "cu13"
    if not (folder / "complete").exists():
        _install(folder)
        for program in ("ptxas", "nvdisasm"):
            path = root / "bin" / program
            path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        (folder / "complete").touch()
    library = next(root.glob("lib/libnvrtc.so.*"), None)
    if library is None:
        raise ToolError(f"no libnvrtc in {root}; remove {folder} and run again")
    programs = {name: root / "bin" / name for name in ("ptxas", "nvdisasm")}
    versions = {name: _version(program) for name, program in programs.items()} | {"NVRTC": PINNED}
    return Tools(programs["ptxas"], programs["nvdisasm"], None, library, versions)


def _install(folder: Path) -> None:
    """Installs the pinned wheels into a folder, into a new one first so that half of them never count."""
    fresh = folder.with_suffix(f".{os.getpid()}")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    pip += ["--only-binary=:all:", "--root-user-action=ignore", "--target", str(fresh)]
    print(f"installing NVIDIA's tools {PINNED} into {folder}", file=sys.stderr)
    try:
        run([*pip, *(f"{wheel}=={PINNED}" for wheel in WHEELS)])
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
    except (ToolError, OSError) as error:
        raise ToolError(
            f"no CUDA toolkit was found (ptxas, nvdisasm and nvcc on PATH or in CUDA_HOME), and the wheels "
            f"{', '.join(WHEELS)} {PINNED} could not be installed with pip.\nInstall a toolkit, or run once "
            f"where pip reaches a Python registry; --cache names a folder that already holds them.\n{error}"
        ) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _version(program: Path) -> str:
    """The version that a program of the toolkit prints."""
    found = RELEASE.search(run([program, "--version"]))
    return found[1] if found else "unknown"


_nvrtc_lock = threading.Lock()


def nvrtc_compile(library: Path, source: Path, arch: str) -> bytes:
    """Compiles CUDA C++ with NVRTC: the PTX."""
    options = [f"--gpu-architecture={arch.replace('sm_', 'compute_')}".encode()]
    with _nvrtc_lock:
        nvrtc = ctypes.CDLL(str(library))
        program = ctypes.c_void_p()
        text = source.read_bytes()
        _checked(nvrtc.nvrtcCreateProgram(ctypes.byref(program), text, source.name.encode(), 0, None, None), source)
        try:
            failed = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
            if failed:
                log = _nvrtc_text(nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog, program)
                raise ToolError(f"NVRTC cannot compile {source.name} for {arch}:\n{log.decode()}")
            return _nvrtc_text(nvrtc.nvrtcGetPTXSize, nvrtc.nvrtcGetPTX, program)
        finally:
            nvrtc.nvrtcDestroyProgram(ctypes.byref(program))


def _nvrtc_text(size_of, get, program: ctypes.c_void_p) -> bytes:
    """A text of which NVRTC first gives the size."""
    size = ctypes.c_size_t()
    size_of(program, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    get(program, buffer)
    return buffer.value


def _checked(result: int, source: Path) -> None:
    """Fails unless an NVRTC call succeeded."""
    if result:
        raise ToolError(f"NVRTC failed on {source.name} with error {result}")
