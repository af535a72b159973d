"""The parts of the check, in the order in which they run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Dict, List, Optional

from . import child, conformance, rows, sanitizer
from .errors import OUT_OF_TIME, one_line
from .job import BEGIN, CUT, FAILED, LEFT_OUT, Deadline, Found, Job, Part

CUDA_CPP = "CUDA C++, nvcc"

# The result file in which the device said what it is, before anything else ran.
DESCRIBED = "describe-first"

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
    job.measure(found, ["ceilings", *job.effort(deadline)], "ceilings", deadline.left())


def runs(job: Job, found: Found, deadline: Deadline) -> None:
    """The program as README calls it, then whole clusterings."""
    choice = device_words(job, min(30.0, deadline.left()))
    commands = TRIED if job.tried else PRINTED
    for index, (name, words) in enumerate(commands.items()):
        outcome = job.run(found, job.program("modeseek", *words, *choice), deadline.share(3 - index))
        typed = " ".join(["cargo run -p host --", *words, *choice])
        if not outcome.cut:  # half of it would look like all of it
            found.printed[name] = {"command": typed, "text": outcome.output.rstrip("\n")}
        if not outcome.passed:
            found.miss(outcome)
        elif job.on_gpu and outcome.output.startswith(PROCESSOR):
            found.fail(f"`{typed}` chose the processor: {one_line(outcome.output.splitlines()[0][len(PROCESSOR):])}")
    job.measure(found, ["runs", *job.effort(deadline)], "runs", deadline.left())


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
    words = ["kernels", *job.effort(deadline)]
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
    if why:
        found.rows.append({"case": "step", "implementation": CUDA_CPP, "device": "cuda", "left_out": why})
        return []
    cubins = [job.scratch / f"{source.stem}.cubin" for source in sources]
    options = [str(nvcc), "-O3", "-cubin", f"-arch=sm_{architecture}", "-o"]
    commands = [([*options, str(cubin), str(source)], deadline.share(2)) for cubin, source in zip(cubins, sources)]
    outcomes = dict(job.run_all(found, commands, deadline))
    made = []
    for number, source in enumerate(sources):
        if outcomes[number].passed and cubins[number].is_file():
            made.append(cubins[number])
            continue
        row = {"case": "step", "implementation": f"{CUDA_CPP}, {source.name}", "device": "cuda"}
        if outcomes[number].cut:
            found.rows.append({**row, "left_out": f"{rows.TIME_LIMIT}: {outcomes[number].why()}"})
            found.miss(outcomes[number])
        else:
            found.rows.append({**row, "failed": outcomes[number].why() or "nvcc wrote nothing"})
            found.fail(outcomes[number].why() or f"nvcc wrote nothing for {source.name}")
    return made


def compute_capability(job: Job, deadline: Deadline) -> Optional[str]:
    """90 of the pair 9, 0 that the device describes itself with; asked where it has not said so at the beginning."""
    out = job.result(DESCRIBED)
    if not out.is_file():
        child.run(describe(job, job.word, out), min(30.0, deadline.left()), job.environment())
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
    if numbers.cut:
        found.miss(numbers)
        return
    if not numbers.passed:
        found.leave_out(f"the peers need numpy: {numbers.why()}; --python chooses another Python")
        return
    data = job.scratch / "data"
    exported = job.run(found, job.program("device", "export", "--out", str(data), *job.tried_words()), deadline.left())
    if not exported.passed:
        found.miss(exported)
        return
    out = job.result("peers")
    # It stops beginning new cases before it would be ended in the middle of one.
    minutes = BEGIN * deadline.left() / 60.0
    much = ["--passes", "1", "--seconds", "0.3"] if job.on_gpu else []
    command = [
        job.python, str(script), "--data", str(data), "--device", job.word, "--out", str(out),
        "--minutes", f"{minutes:.2f}", *(["--tried", "--seconds", "0.02"] if job.tried else much),
    ]
    job.run_for(found, command, out, deadline.left())


PARTS = {
    part.name: part
    for part in (
        Part("device", 30, "what the device is, and how long its code takes to load, cold and warm", device),
        Part("conformance", 100, "every kernel and whole runs against the f64 oracle", conformance.run),
        Part("sanitizer", 90, "compute-sanitizer over a small run of every kernel, where it is there", sanitizer.run),
        Part("ceilings", 25, "what it can do at most: copies, fma, exponentials, matrix products", ceilings),
        Part("runs", 60, "the lecture's case, README's main command, and whole clusterings", runs),
        Part("kernels", 100, "every kernel at the cases' sizes, and CUDA C++ where there is nvcc", kernels),
        Part("peers", 120, "PyTorch, Triton and others on the same data, where they are installed", peers),
    )
}


def answers(job: Job, limit_s: float, word: str = "") -> str:
    """Asks a device, else the job's, whether it is there; gives why not, in one line, or nothing."""
    return child.run(describe(job, word or job.word, job.result("answers")), limit_s, job.environment()).why()


def describe(job: Job, word: str, out: Path) -> List[str]:
    """The command by which a device says what it is."""
    return job.program("device", "describe", "--brief", "--device", word, "--out", str(out))


def verdict(states: Dict[str, str]) -> int:
    """The exit code, from the states of the parts."""
    if FAILED in states.values():
        return 3
    if CUT in states.values():
        return OUT_OF_TIME
    return 1 if all(state == LEFT_OUT for state in states.values()) else 0

