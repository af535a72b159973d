"""The parts of the check, in the order in which they run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Dict, List, Optional

from . import child, conformance, rows, sanitizer
from .errors import one_line
from .job import FAILED, LEFT_OUT, Deadline, Found, Job, Part

CUDA_CPP = "CUDA C++, nvcc"

# What the program is run with, by the name that README and the report know it by.
PRINTED = {"lecture": ["--points", "1500", "--iterations", "5"], "main": ["--points", "100000"]}
# How the program's output begins where it runs on the processor.
PROCESSOR = "device      processor"
TRIED = {"lecture": ["--points", "300", "--iterations", "2"], "main": ["--points", "400"]}


def device(job: Job, found: Found, deadline: Deadline) -> None:
    """What the device is, and how long its code takes to load, in new processes."""
    job.measure(found, ["describe"], "describe", deadline.left())
    loads = found.machine.get("loads")
    if isinstance(loads, dict) and "failed" in loads:
        found.fail(one_line(f"loading the kernels: {loads['failed']}"))


def ceilings(job: Job, found: Found, deadline: Deadline) -> None:
    """What the device can do at most, by small kernels."""
    job.measure(found, ["ceilings", *job.tried_words()], "ceilings", deadline.left())


def runs(job: Job, found: Found, deadline: Deadline) -> None:
    """The program as README calls it, then whole clusterings."""
    choice = device_words(job, min(30.0, deadline.left()))
    commands = TRIED if job.tried else PRINTED
    for index, (name, words) in enumerate(commands.items()):
        outcome = job.run(found, job.program("modeseek", *words, *choice), deadline.share(3 - index))
        typed = " ".join(["cargo run -p host --", *words, *choice])
        found.printed[name] = {"command": typed, "text": outcome.output.rstrip("\n")}
        if not outcome.passed:
            found.fail(outcome.why())
        elif job.on_gpu and outcome.output.startswith(PROCESSOR):
            found.fail(f"`{typed}` chose the processor: {one_line(outcome.output.splitlines()[0][len(PROCESSOR):])}")
    job.measure(found, ["runs", *job.tried_words()], "runs", deadline.left())


def device_words(job: Job, limit_s: float) -> List[str]:
    """The option for the device; none where the program chooses this one by itself, as README calls it."""
    if job.on_gpu:
        return []
    if job.device == "cpu" and answers(job, limit_s, "cuda"):
        return []
    return ["--device", job.device]


def kernels(job: Job, found: Found, deadline: Deadline) -> None:
    """Every kernel, and the same algorithm in CUDA C++ where there is nvcc."""
    modules = cuda_cpp(job, found, deadline) if job.on_gpu else []
    words = ["kernels", *job.tried_words()]
    for module in modules:
        words += ["--cuda-cpp", str(module)]
    job.measure(found, words, "kernels", deadline.left())


def cuda_cpp(job: Job, found: Found, deadline: Deadline) -> List[Path]:
    """The peers in CUDA C++, compiled for this very device; left out by name where they cannot be."""
    sources = sorted((job.kit.peers / "cuda").glob("*.cu"))
    nvcc = shutil.which("nvcc", path=job.environment().get("PATH"))
    why = "" if sources else "there is no source of it among the peers"
    if not why and not nvcc:
        why = "nvcc is not installed"
    architecture = compute_capability(job, deadline) if not why else None
    if not why and architecture is None:
        why = "the device does not tell its compute capability"
    made = []
    for source in sources if not why else []:
        cubin = job.scratch / f"{source.stem}.cubin"
        command = [str(nvcc), "-O3", "-cubin", f"-arch=sm_{architecture}", "-o", str(cubin), str(source)]
        outcome = job.run(found, command, deadline.share(2))
        if outcome.passed and cubin.is_file():
            made.append(cubin)
        else:
            name = {"case": "step", "implementation": f"{CUDA_CPP}, {source.name}", "device": "cuda"}
            found.rows.append({**name, "failed": outcome.why() or "nvcc wrote nothing"})
            found.fail(outcome.why() or f"nvcc wrote nothing for {source.name}")
    if why:
        found.rows.append({"case": "step", "implementation": CUDA_CPP, "device": "cuda", "left_out": why})
    return made


def compute_capability(job: Job, deadline: Deadline) -> Optional[str]:
    """90 of the pair 9, 0 that the device describes itself with."""
    out = job.result("capability")
    command = job.program("device", "describe", "--brief", "--device", job.word, "--out", str(out))
    child.run(command, min(30.0, deadline.left()), job.environment())
    pair = rows.read(out).machine.get("compute_capability")
    if isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, int) for part in pair):
        return f"{pair[0]}{pair[1]}"
    return None


def peers(job: Job, found: Found, deadline: Deadline) -> None:
    """The peers in Python, on the same data."""
    script = job.kit.peers / "python/run.py"
    if job.device == "interpreter":
        found.leave_out("peers run on a GPU or on the processor, not on the interpreter")
        return
    if not script.is_file():
        found.leave_out("there are no peers in Python here (peers/python/run.py)")
        return
    numbers = child.run([job.python, "-c", "import numpy"], min(60.0, deadline.left()), job.environment())
    if not numbers.passed:
        found.leave_out(f"the peers need numpy: {numbers.why()}; --python chooses another Python")
        return
    data = job.scratch / "data"
    exported = job.run(found, job.program("device", "export", "--out", str(data), *job.tried_words()), deadline.left())
    if not exported.passed:
        found.fail(exported.why())
        return
    out = job.result("peers")
    # It stops beginning new cases before it would be ended in the middle of one.
    minutes = 0.85 * deadline.left() / 60.0
    command = [
        job.python, str(script), "--data", str(data), "--device", job.word, "--out", str(out),
        "--minutes", f"{minutes:.2f}", *(["--tried", "--seconds", "0.02"] if job.tried else []),
    ]
    job.run_for(found, command, out, deadline.left())


PARTS = {
    part.name: part
    for part in (
        Part("device", 15, "what the device is, and how long its code takes to load, cold and warm", device),
        Part("ceilings", 25, "what it can do at most: copies, fma, exponentials, matrix products", ceilings),
        Part("conformance", 60, "every kernel and whole runs against the f64 oracle", conformance.run),
        Part("sanitizer", 90, "compute-sanitizer over a small run of every kernel, where it is there", sanitizer.run),
        Part("runs", 60, "the lecture's case, README's main command, and whole clusterings", runs),
        Part("kernels", 100, "every kernel at the cases' sizes, and CUDA C++ where there is nvcc", kernels),
        Part("peers", 120, "PyTorch, Triton and others on the same data, where they are installed", peers),
    )
}


def answers(job: Job, limit_s: float, word: str = "") -> str:
    """Asks a device, else the job's, whether it is there; gives why not, in one line, or nothing."""
    out = job.result("answers")
    command = job.program("device", "describe", "--brief", "--device", word or job.word, "--out", str(out))
    return child.run(command, limit_s, job.environment()).why()


def verdict(states: Dict[str, str]) -> int:
    """The exit code, from the states of the parts."""
    if FAILED in states.values():
        return 3
    return 1 if all(state == LEFT_OUT for state in states.values()) else 0

