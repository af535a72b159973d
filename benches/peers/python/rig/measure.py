"""One peer at one case: prepared, called once and checked, then timed in passes."""

from __future__ import annotations

import time

import numpy as np

from rig import oracle
from rig.cases import CHECKED_ROWS
from rig.setting import is_memory
from rig.timing import LEAST, SLOW, STEP, sample

# Largest errors that pass, by kind and precision. README.md says how they were chosen.
LIMITS = {
    "step": {"f32": 1e-4, "tf32x3": 1e-4, "tf32": 1e-2, "bf16": 5e-2},
    "product": {"f32": 1e-5, "tf32": 2e-3, "bf16": 1e-2},
    "pairwise": {"f32": 1e-5},
    "reduce": {"f32": 1e-5},
    "run": {"f32": 0.05},
}
# Names of the inputs that are rotated, of kinds that may be bound by memory.
ROTATED = {"product": ("a", "b"), "pairwise": ("a", "b"), "reduce": ("weights", "points")}
# Queries that a step is first tried with, on a GPU.
TRIAL = 4096


class OutOfMemory(Exception):
    """Memory ran out at the smallest batch."""


def to_numpy(values) -> np.ndarray:
    """An array of a tensor."""
    if isinstance(values, np.ndarray):
        return values
    return values.detach().float().cpu().numpy()


class Measurement:
    """A peer at a case. `row` is complete after `begin`, and gains a list of samples with each `take`."""

    def __init__(self, peer, case, inputs, setting):
        self.peer, self.case, self.inputs, self.setting = peer, case, inputs, setting
        self.clock = None
        self.turns = []
        self.turn = 0
        self.queries = 0
        self.first_seconds = 0.0
        self.row = start_of_row(peer, case, setting)

    def begin(self) -> dict:
        """Prepares, warms up, checks, and chooses how many queries a repeat takes."""
        # Not before: where CUDA is missing there is no timer for it, and the peer is left out.
        self.clock = self.clock or self.setting.clock(self.case.kind, self.peer.processor_only)
        self.setting.allow_tf32(self.peer.tf32)
        inputs = [self.inputs]
        if self.case.kind in ROTATED:
            inputs = self.inputs.turns(ROTATED[self.case.kind])
        self.turns = [self.peer.prepare(self.case, each, self.setting) for each in inputs]
        if self.case.kind == "step":
            self.queries = self.trial_queries()
        start = time.perf_counter()
        result = self.call_within_memory()
        self.synchronize()
        self.first_seconds = time.perf_counter() - start
        check(self.row, self.case, self.inputs, result)
        if self.case.kind == "run":
            self.row["found"] = describe(result, self.case)
        del result
        if self.case.kind == "step":
            self.choose_queries()
        self.row.update(timer=self.clock.name, work=work(self.case, self.queries), samples_s=[])
        self.note()
        return self.row

    def take(self, seconds: float) -> dict:
        """One pass more."""
        self.setting.allow_tf32(self.peer.tf32)
        if self.first_counts() and not self.row["samples_s"]:
            samples = [self.first_seconds]
        else:
            least = 1 if self.setting.tried else LEAST
            samples = sample(self.clock, self.call, seconds, least, SLOW[self.setting.device])
        self.row["samples_s"].append(samples)
        return self.row

    def first_counts(self) -> bool:
        """Whether the first call is the first pass: a long run on the processor, where nothing warms up."""
        on_processor = self.peer.processor_only or self.setting.device == "cpu"
        return self.case.kind == "run" and on_processor and self.first_seconds > SLOW[self.setting.device]

    def synchronize(self) -> None:
        """Waits for the device."""
        if self.setting.device == "cuda" and not self.peer.processor_only:
            self.setting.torch.cuda.synchronize()

    def call(self):
        """One repeat, on the next copy of the inputs."""
        prepared = self.turns[self.turn % len(self.turns)]
        self.turn += 1
        return prepared.call(self.queries, prepared.batch)

    def call_within_memory(self):
        """One repeat, with batches halved until they fit."""
        prepared = self.turns[0]
        while True:
            try:
                return prepared.call(self.queries, prepared.batch)
            except Exception as error:
                if not is_memory(error):
                    raise
                if prepared.batch <= 1:
                    raise OutOfMemory() from None
            # Outside of `except`: the error's frames hold tensors.
            for each in self.turns:
                each.batch = max(1, each.batch // 2)
            self.queries = min(self.queries, max(self.trial_queries(), self.least_queries()))
            if self.setting.device == "cuda":
                self.setting.torch.cuda.empty_cache()

    def least_queries(self) -> int:
        """Queries that the check needs."""
        return expected_moved(self.case).shape[0]

    def trial_queries(self) -> int:
        """Queries of the first call: a batch at least, and what the check needs where that is not long."""
        least = min(TRIAL if self.setting.device == "cuda" else 256, self.least_queries())
        return min(self.case.n, max(self.turns[0].batch, least))

    def choose_queries(self) -> None:
        """All queries where that takes no longer than a step should, else the first so many batches."""
        tried = self.queries
        n, batch = self.case.n, self.turns[0].batch
        while self.queries < n:
            once = self.clock.seconds(self.call)
            fits = int(self.queries * STEP[self.setting.device] / max(once, 1e-9))
            wanted = n if fits >= n or self.setting.tried else min(n, max(fits // batch * batch, tried))
            # Few queries do not fill a GPU: only of as many as that does one know what more of them take.
            grown = wanted > 2 * self.queries
            self.queries = wanted
            if not grown:
                break
        if self.queries != tried:
            # Some compile anew for another number: that is no part of a sample.
            self.call()
            self.synchronize()

    def note(self) -> None:
        """What the reader should know of the row."""
        prepared = self.turns[0]
        notes = [prepared.note] if prepared.note else []
        if prepared.batch > 1:
            notes.append("batch %d" % prepared.batch)
        if self.case.kind == "step" and self.queries < self.case.n:
            notes.append("first %d queries of %d" % (self.queries, self.case.n))
        if len(self.turns) > 1:
            notes.append("%d copies of the inputs in turn" % len(self.turns))
        said = "the first call counts, %.2f s" if self.first_counts() else "first call, with any compiling, %.2f s"
        notes.append(said % self.first_seconds)
        self.row["note"] = "; ".join(notes)


def start_of_row(peer, case, setting) -> dict:
    """Who, at what, where."""
    device = "cpu" if peer.processor_only else setting.device
    return {"case": case.name, "implementation": peer.name, "device": device, "precision": peer.precision}


def work(case, queries: int) -> dict:
    """What one repeat does. Bytes are those of inputs and output, once."""
    if case.kind == "step":
        return {"pairs": float(queries) * case.n}
    if case.kind == "run":
        return {}
    if case.kind == "product":
        m, k, n = case.size("m"), case.size("k"), case.n
        return {"flops": 2.0 * m * k * n, "bytes": 4.0 * (m * k + k * n + m * n)}
    m, n, d = case.size("m"), case.n, case.d
    last = (m + n) * d
    return {"pairs": float(m) * n, "bytes": 4.0 * (m * n + last)}


def expected_moved(case) -> np.ndarray:
    """modeseek's moved points: of all queries, or of the first so many."""
    return case.array("moved")


def rounding_of_sums(case) -> float:
    """What a weighted sum of n positions in f32 may lose, over h: 2^-24 of the extent for each addition, in no
    direction, and so growing with the root of n; with room for four deviations."""
    return 4.0 * 2.0**-24 * float(np.abs(case.array("points")).max()) / case.h * case.n**0.5


def check(row: dict, case, inputs, result) -> None:
    """Compares a result, and says so in the row. A NaN does not pass."""
    limit = LIMITS[case.kind][row["precision"]]
    if case.kind == "step":
        moved = expected_moved(case)
        limit += rounding_of_sums(case)
        rows = min(moved.shape[0], result.shape[0])
        error = oracle.shift_error(to_numpy(result[:rows]), moved[:rows], case.h)
        against, measure = "modeseek", "largest shift error / h"
    elif case.kind == "run":
        error = 1.0 - oracle.adjusted_rand_index(result.labels, case.array("labels"))
        against, measure = "true labels", "1 - adjusted Rand index"
    elif case.kind == "reduce":
        rows = spread_rows(case)
        weights = to_numpy(inputs.tensor("weights")[rows])
        error = oracle.mean_error(to_numpy(result[rows]), weights, case.array("points"))
        against, measure = "f64 oracle", "l2 error / l2 of W |X|"
    else:
        rows, expected = expected_rows(case)
        error = oracle.relative_l2(to_numpy(result[rows]), expected)
        against, measure = "f64 oracle", "relative l2"
    passed = bool(error <= limit)
    row["check"] = {"against": against, "error": error, "limit": limit, "measure": measure, "passed": passed}


def spread_rows(case) -> list[int]:
    """Rows that are checked, evenly spread."""
    m = case.size("m")
    return sorted({i * (m - 1) // max(1, CHECKED_ROWS - 1) for i in range(CHECKED_ROWS)})


def expected_rows(case) -> tuple[list[int], np.ndarray]:
    """Some rows of a product or of distances in f64."""
    if case.kind == "product" and case.has("rows") and case.has("expected"):
        return [int(row) for row in case.array("rows").ravel()], case.array("expected")
    rows = spread_rows(case)
    if "expected" not in case.drawn:
        direct = oracle.product if case.kind == "product" else oracle.distances
        case.drawn["expected"] = direct(case.array("a")[rows], case.array("b"))
    return rows, case.drawn["expected"]


def describe(found, case) -> dict:
    """The `found` of a row."""
    described = {
        "clusters": int(np.unique(found.labels).size),
        "adjusted_rand_index": oracle.adjusted_rand_index(found.labels, case.array("labels")),
    }
    if found.iterations is not None:
        described["iterations"] = int(found.iterations)
    if found.pairs is not None:
        described["pairs"] = float(found.pairs)
    return described
