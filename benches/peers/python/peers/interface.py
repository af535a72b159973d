"""What every peer is: a name, the kinds of case that it can do, and how it prepares one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Optional

import numpy as np

from rig.setting import installed

# What the modules are called where they are installed from.
PACKAGES = {"sklearn": "scikit-learn"}
# Where peers are only tried, the one case for those that compile for every shape; and the two on CUDA.
COMPILED_CASE = "step/1500x2"
COMPILED_CASES = ("step/200000x2", "step/153600x64")


@dataclass
class Found:
    """What a whole run found. `pairs` counts weights evaluated, for grids the cells looked up."""

    labels: np.ndarray
    iterations: Optional[int] = None
    pairs: Optional[float] = None


@dataclass
class Prepared:
    """
    A case made ready.

    call(queries, batch): for steps, the first `queries` points moved, in batches; for products, distances and
    reductions the whole result; for runs a `Found`. What it allocates or copies on the way counts as its time.
    batch: the queries of a batch; measuring halves it while memory runs out. 1: there is nothing to halve.
    """

    call: Callable
    batch: int = 1
    note: str = ""


class Peer:
    """One way to compute a case. The key is for `--only`, the name for reports."""

    key = ""
    name = ""
    kinds: tuple = ()
    precision = "f32"
    needs: tuple = ("torch",)
    # f32 products of torch may round their inputs to TF32.
    tf32 = False
    # Runs on the processor, whatever the device.
    processor_only = False
    # Comes after the others have had all of the cases.
    late = False
    # Parts of the texts by which a library says that it has nothing for a case: no failure.
    refusals: tuple = ()

    def available(self, setting) -> Optional[str]:
        """Why this peer cannot run here; None if it can."""
        for module in self.needs:
            if not installed(module):
                return "%s is not installed" % PACKAGES.get(module, module)
        return None

    def turn(self, setting) -> int:
        """In which round over the cases the peer has its turn: on CUDA the processor's come last."""
        return 2 if self.processor_only and setting.device == "cuda" else int(self.late)

    def suits(self, case) -> bool:
        """Whether the peer is meant for a case of one of its kinds. Where it is not, there is no row."""
        return True

    def refuses(self, case, setting) -> Optional[str]:
        """Why a case that suits is left out: too long, too large."""
        return None

    def prepare(self, case, inputs, setting) -> Prepared:
        """Makes the case ready."""
        raise NotImplementedError
