"""KeOps: sums over pairs that are never stored, from a formula compiled for it (Charlier et al. 2021)."""

from __future__ import annotations

import os
import subprocess

from peers.interface import COMPILED_CASE, Peer, Prepared


def use_shared_library(environ=os.environ) -> None:
    """Lets KeOps compile with its own choice instead of $CXX, where that one has the C++ library as an archive alone.

    With two copies of that library in a process KeOps 2.3 ends it (SIGSEGV) when it first writes to a stream.
    """
    compiler = environ.get("CXX")
    if not compiler:
        return
    try:
        words = [compiler, "-print-file-name=libstdc++.so"]
        found = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return
    # What a compiler does not find it calls by its name.
    if found.stdout.strip() == b"libstdc++.so":
        del environ["CXX"]


class KeOps(Peer):
    """One reduction of exp(-|x - y|^2 / 2h^2) * (y, 1): numerator and denominator at once."""

    key = "keops"
    name = "KeOps LazyTensor"
    kinds = ("step",)
    needs = ("torch", "pykeops")

    def refuses(self, case, setting):
        if setting.tried and case.name != COMPILED_CASE:
            return "tried at %s alone, because compiling takes long" % COMPILED_CASE
        use_shared_library()
        if setting.device == "cuda":
            from pykeops import config

            # It would take the device's pointers for the host's.
            if not config.gpu_available:
                return "KeOps finds no CUDA: libcuda.so and libnvrtc.so have to be where the loader looks"
        return None

    def prepare(self, case, inputs, setting) -> Prepared:
        import torch
        from pykeops.torch import LazyTensor

        points, h = inputs.tensor("points"), case.h

        def call(queries, batch):
            scaled = points * (0.5**0.5 / h)
            x, y = LazyTensor(scaled[:queries, None, :].contiguous()), LazyTensor(scaled[None])
            with_one = torch.cat([points, points.new_ones((points.shape[0], 1))], 1)
            sums = (-((x - y) ** 2).sum(-1)).exp() @ with_one
            return sums[:, :-1] / sums[:, -1:]

        return Prepared(call)
