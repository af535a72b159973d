"""What the machine is, and what state it is in. Asked, never set."""

from __future__ import annotations

import contextlib
import datetime
import functools
import json
import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

from . import child

# Fields of nvidia-smi that tell whether a GPU was cool, fast and idle.
QUERY = (
    "name", "uuid", "driver_version", "vbios_version", "pstate", "clocks.sm", "clocks.mem", "clocks.max.sm",
    "clocks.max.mem", "power.draw", "power.limit", "temperature.gpu", "utilization.gpu", "memory.total", "memory.used",
    "ecc.mode.current", "mig.mode.current", "persistence_mode", "compute_mode",
)
LIMIT_S = 15.0

# Where the driver has a file for each GPU.
DEVICES = Path("/dev")

# How nvidia-smi names the modes in which a GPU serves one process at a time, or none.
ALONE = ("Exclusive_Process", "Exclusive_Thread", "Prohibited")

# Prints one JSON object; a package that is not installed is left out of it. Nothing is imported, which takes tens of
# seconds where the disk is cold.
ASK_PYTHON = """
import importlib.metadata, json, platform
found = {"python": platform.python_version()}
for name in ("torch", "triton", "pykeops", "sklearn", "numpy"):
    try:
        found[name] = importlib.metadata.version({"sklearn": "scikit-learn"}.get(name, name))
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Gpu:
    """Which GPU the children see."""

    number: int

    def environment(self) -> Dict[str, str]:
        """Variables that have every child see this GPU alone, as number 0; numbers are nvidia-smi's."""
        return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": self.identity()}

    def identity(self) -> str:
        """What nvidia-smi and the driver both call it: its number, or what the variable says already."""
        visible = [word.strip() for word in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if word.strip()]
        return visible[self.number] if self.number < len(visible) else str(self.number)

    @contextlib.contextmanager
    def held(self, devices: Path = DEVICES) -> Iterator[bool]:
        """Keeps the GPU's file open meanwhile, if that is possible; tells whether it is.

        Where persistence mode is off, the driver shuts a GPU down when the last process closes its file, and the next
        one waits for seconds until it has started again.
        """
        nodes = [path for path in devices.glob("nvidia*") if path.name[len("nvidia"):].isdigit()]
        if len(nodes) > 1:
            nodes = [path for path in nodes if path.name == f"nvidia{self.identity()}"]
        file = None
        with contextlib.suppress(OSError):
            file = os.open(str(nodes[0]), os.O_RDWR | os.O_CLOEXEC) if nodes else None
        try:
            yield file is not None
        finally:
            if file is not None:
                os.close(file)


def now() -> str:
    """The time, UTC."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def state_of(gpu: Optional[Gpu]) -> Dict[str, Any]:
    """The load now, and what nvidia-smi says where it is installed."""
    state: Dict[str, Any] = {"time": now(), "load_average": load_average()}
    if gpu is not None:
        state["nvidia_smi"] = ask_nvidia_smi(gpu)
    return state


def serves_one(state: Dict[str, Any]) -> bool:
    """Whether the GPU lets in one process at a time."""
    return (state.get("nvidia_smi") or {}).get("compute_mode") in ALONE


def load_average() -> Optional[List[float]]:
    """The three load averages."""
    try:
        return [round(load, 2) for load in os.getloadavg()]
    except OSError:
        return None


def ask_nvidia_smi(gpu: Gpu) -> Dict[str, str]:
    """One value a field; fields that an older nvidia-smi does not know make it refuse the others, too."""
    if shutil.which("nvidia-smi") is None:
        return {"left_out": "nvidia-smi is not installed"}
    for fields in (QUERY, QUERY[:3]):
        outcome = child.run(
            ["nvidia-smi", f"--id={gpu.identity()}", f"--query-gpu={','.join(fields)}", "--format=csv,noheader"],
            LIMIT_S,
        )
        values = [value.strip() for value in child.last_line(outcome.output).split(",")]
        if outcome.passed and len(values) == len(fields):
            return dict(zip(fields, values))
    return {"left_out": outcome.why() or "nvidia-smi answers in a way that is not known"}


def versions(python: str, limit_s: float) -> Dict[str, Any]:
    """Tools and packages; one that is not there has no entry. All are asked at once: from a cold disk each is slow."""
    tools = [name for name in ("nvcc", "ncu", "compute-sanitizer") if shutil.which(name)]
    commands = [*([name, "--version"] for name in tools), [python, "-c", ASK_PYTHON]]
    limits = [*(min(LIMIT_S, limit_s) for _ in tools), limit_s]
    starts = [functools.partial(child.Child, command, limit) for command, limit in zip(commands, limits)]
    outcomes = dict(child.run_all(starts, len(starts)))
    found: Dict[str, Any] = {}
    for number, name in enumerate(tools):
        lines = [line for line in outcomes[number].output.splitlines() if "ersion" in line or "release" in line]
        found[name] = (lines or [outcomes[number].why() or "says no version"])[-1].strip()
    last = outcomes[len(tools)]
    asked = json_line(last.output) if last.passed else None
    found.update(asked if asked is not None else {"python": f"left out: {last.why()}"})
    return found


def json_line(text: str) -> Optional[Dict[str, Any]]:
    """The JSON object on the last line."""
    try:
        data = json.loads(child.last_line(text))
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


def host() -> Dict[str, Any]:
    """Processor, cores and system."""
    return {
        "cpu": processor(),
        "cores": cores(),
        "kernel": f"{platform.system()} {platform.release()}",
        "libc": " ".join(platform.libc_ver()).strip(),
        "machine": platform.machine(),
    }


def cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def processor() -> str:
    """The processor's name."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.startswith(("model name", "Model")):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
