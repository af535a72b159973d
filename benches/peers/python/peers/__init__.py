"""The peers, one idea a file. None of them is imported before it is needed, nor are their libraries."""

from __future__ import annotations

import importlib

# Modules and their peers, in the order in which they are measured.
LISTED = (
    ("triton_fused", ("Differences", "Products", "ProductsTf32x3", "ProductsTf32")),
    ("torch_lecture", ("Lecture", "LargestBatch")),
    ("torch_expert", ("Expert", "ExpertTf32")),
    ("attention", ("MemoryEfficient", "Flash", "CuDnn")),
    ("keops", ("KeOps",)),
    ("torch_compiled", ("CompiledLecture", "CompiledExpert")),
    ("products", ("Product", "ProductTf32", "ProductBf16")),
    ("distances", ("ByMatmul", "ByDifferences")),
    ("reductions", ("ByMatmul", "ByBroadcast")),
    ("lecture_runs", ("Batched", "Expert", "PointByPoint")),
    ("grid_runs", ("MeanShiftPp", "GridShift", "MeanShiftPpNumpy", "GridShiftNumpy")),
    ("seeded_runs", ("Seeded",)),
    ("sklearn_runs", ("MeanShift", "BinSeeding", "KMeans")),
)


def all_peers() -> list:
    """Every peer."""
    return [
        getattr(importlib.import_module("peers." + module), name)() for module, names in LISTED for name in names
    ]


def chosen(keys: list[str]) -> list:
    """The peers with these keys, or all for no keys."""
    peers = all_peers()
    unknown = sorted(set(keys) - {peer.key for peer in peers})
    if unknown:
        raise SystemExit("run.py: no peer is called %s; --list names them" % ", ".join(unknown))
    return [peer for peer in peers if not keys or peer.key in keys]
