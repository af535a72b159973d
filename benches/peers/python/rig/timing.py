"""Seconds of one repeat: device events on CUDA, the wall clock elsewhere."""

from __future__ import annotations

import math
import time

# A repeat that takes longer is taken once, and a step takes as many queries as take about so long. On CUDA shorter:
# there a GPU may be anybody's for a short time only, and its clock is as good for fewer queries.
SLOW = {"cpu": 2.0, "cuda": 1.0}
STEP = {"cpu": 2.0, "cuda": 0.3}
# Shorter repeats are timed in groups of about this long, so that the events themselves do not count.
GROUP = 1e-3
LEAST = 3
MOST = 200


class WallClock:
    """For the processor, and for whole runs, which end on the host."""

    name = "wall clock"

    def __init__(self, synchronize=None):
        self.synchronize = synchronize or (lambda: None)

    def seconds(self, call, repeats: int = 1) -> float:
        """Seconds of one of `repeats` calls in a row."""
        self.synchronize()
        start = time.perf_counter()
        for _ in range(repeats):
            call()
        self.synchronize()
        return (time.perf_counter() - start) / repeats


class DeviceEvents:
    """CUDA events about what the calls put on the stream."""

    name = "device events"

    def __init__(self, torch):
        self.torch = torch

    def seconds(self, call, repeats: int = 1) -> float:
        """Seconds of one of `repeats` calls in a row."""
        start = self.torch.cuda.Event(enable_timing=True)
        end = self.torch.cuda.Event(enable_timing=True)
        self.torch.cuda.synchronize()
        start.record()
        for _ in range(repeats):
            call()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / 1e3 / repeats


def sample(clock, call, seconds: float, least: int = LEAST, slow: float = SLOW["cpu"]) -> list[float]:
    """Samples that fill `seconds` in all, at least `least` of them; a slow repeat is taken once."""
    first = clock.seconds(call)
    if first > slow:
        return [first]
    group = max(1, min(1000, math.ceil(GROUP / max(first, 1e-7))))
    samples, spent = [], 0.0
    while len(samples) < MOST and (len(samples) < least or spent < seconds):
        samples.append(clock.seconds(call, group))
        spent += samples[-1] * group
    return samples


class Deadline:
    """When to begin nothing more."""

    def __init__(self, minutes: float):
        self.end = time.monotonic() + 60 * minutes

    def left(self) -> float:
        """Seconds left; negative when over."""
        return self.end - time.monotonic()

    def over(self) -> bool:
        """Whether nothing more is to begin."""
        return self.left() <= 0
