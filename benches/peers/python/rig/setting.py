"""Where the peers run: the device, the libraries that are there, memory, and a case's data on the device."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys

import numpy as np

from rig.cases import SEED
from rig.timing import DeviceEvents, WallClock

# Inputs that are read once are copied until they exceed the device's L2 cache this many times.
CACHES = 2
MOST_COPIES = 16


class Setting:
    """The device "cuda" or "cpu", and whether peers are only tried at small sizes."""

    def __init__(self, device: str, tried: bool):
        self.device = device
        self.tried = tried
        self.torch = __import__("torch") if installed("torch") else None

    def cuda_reason(self) -> str | None:
        """Why CUDA cannot be used; None if it can."""
        if self.torch is None:
            return "torch is not installed"
        return None if self.torch.cuda.is_available() else "torch sees no CUDA device"

    def clock(self, kind: str, processor_only: bool):
        """The timer of a peer at a kind of case."""
        if self.device != "cuda" or processor_only:
            return WallClock()
        return WallClock(self.torch.cuda.synchronize) if kind == "run" else DeviceEvents(self.torch)

    def allow_tf32(self, allow: bool) -> None:
        """Whether f32 products may round their inputs to TF32."""
        if self.torch is not None:
            self.torch.set_float32_matmul_precision("high" if allow else "highest")

    def free_bytes(self) -> int:
        """Device memory, or half of the machine's, that is free."""
        if self.device == "cuda":
            self.torch.cuda.empty_cache()
            return self.torch.cuda.mem_get_info()[0]
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2

    def copies(self, total_bytes: int) -> int:
        """How many copies of inputs of this size are taken in turn, so that none is found in the L2 cache."""
        if self.device != "cuda":
            return 1
        cache = getattr(self.torch.cuda.get_device_properties(0), "L2_cache_size", 0)
        return max(1, min(MOST_COPIES, -(-CACHES * cache // max(total_bytes, 1))))

    def alive(self) -> bool:
        """Whether the device still answers; after an illegal access it does not, in this process."""
        if self.device != "cuda":
            return True
        try:
            self.torch.zeros(1, device="cuda").add_(1).item()
            return True
        except Exception:  # whatever it is, nothing more can run here
            return False

    def machine(self) -> dict:
        """The device and the versions that the rows depend on."""
        machine = {"python": platform.python_version(), "numpy": np.__version__, "command": " ".join(sys.argv)}
        for name in ("torch", "triton", "sklearn", "pykeops"):
            machine[name] = version_of(name)
        if self.device == "cuda" and self.cuda_reason() is None:
            properties = self.torch.cuda.get_device_properties(0)
            machine["device"] = properties.name
            machine["compute_capability"] = "%d.%d" % (properties.major, properties.minor)
            machine["multiprocessors"] = properties.multi_processor_count
            machine["memory_bytes"] = properties.total_memory
            machine["torch_cuda"] = self.torch.version.cuda
        else:
            machine["device"] = processor_name()
            machine["threads"] = os.cpu_count()
        return machine


class Inputs:
    """A case's data as tensors on the device."""

    def __init__(self, case, setting: Setting):
        self.case = case
        self.setting = setting
        self.tensors = {}

    def tensor(self, name: str):
        """The data by their name in index.json, or the drawn "weights" of a reduction, uniform in [0, 1)."""
        if name not in self.tensors:
            torch = self.setting.torch
            if name == "weights":
                generator = torch.Generator(device=self.setting.device).manual_seed(SEED)
                shape = (self.case.size("m"), self.case.n)
                made = torch.rand(shape, generator=generator, device=self.setting.device)
            else:
                made = torch.from_numpy(self.case.array(name).astype(np.float32)).to(self.setting.device)
            self.tensors[name] = made
        return self.tensors[name]

    def turns(self, names: tuple[str, ...]) -> list["Inputs"]:
        """These inputs and as many copies as keep them out of the cache."""
        tensors = {name: self.tensor(name) for name in names}
        size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
        turns = [self]
        for _ in range(self.setting.copies(size) - 1):
            copy = Inputs(self.case, self.setting)
            copy.tensors = {name: tensor.clone() for name, tensor in tensors.items()}
            turns.append(copy)
        return turns


def installed(module: str) -> bool:
    """Whether a module can be imported, without importing it."""
    return importlib.util.find_spec(module) is not None


def version_of(module: str) -> str | None:
    """The version of an installed module."""
    import importlib.metadata as metadata

    try:
        return metadata.version({"sklearn": "scikit-learn"}.get(module, module))
    except metadata.PackageNotFoundError:
        return None


def processor_name() -> str:
    """The processor's name, as Linux tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
        return names[0] if names else platform.machine()
    except OSError:
        return platform.machine()


def is_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out."""
    text = str(error).lower()
    said = ("out of memory", "can't allocate memory", "not enough memory", "out of resource: memory")
    return isinstance(error, MemoryError) or any(words in text for words in said)
