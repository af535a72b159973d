"""Tiles of the Triton kernels: which are tried, how the fastest is chosen, and into how many ranges keys are cut."""

from __future__ import annotations

import time
from typing import NamedTuple

# Programs for each multiprocessor, at least, if cutting the keys can make them.
PROGRAMS = 8
# Keys of a range, at least.
LEAST_KEYS = 512
# Queries with which tiles are compared.
COMPARED = 16384


class Tile(NamedTuple):
    """Queries and keys of a tile, warps, and stages of the loop's pipeline."""

    queries: int
    keys: int
    warps: int
    stages: int


# For differences: a thread has one, two or four queries, and sums over the keys of a tile alone.
DIFFERENCES = (Tile(256, 32, 4, 2), Tile(128, 32, 4, 2), Tile(512, 16, 4, 2), Tile(128, 64, 4, 3))
# For products on tensor cores, and in f32.
TENSOR = (Tile(64, 32, 4, 2), Tile(128, 64, 8, 2))
IEEE = (Tile(64, 16, 4, 2), Tile(64, 32, 4, 2))
# Fits 48 KiB of shared memory at every d here, as compute capability 7.5 asks; taken where no other does.
SMALLEST = Tile(32, 16, 4, 1)
# Seconds after which no further tile is compiled, if one is there.
SEARCH = 8.0
# For the interpreter, which takes long for every tile.
TRIED = Tile(64, 64, 4, 1)


def columns(d: int) -> tuple[int, int]:
    """d rounded up to LOW + HIGH, powers of two of 16 at least, where that is less than one power of two."""
    one = power_of_two(max(d, 16))
    if one <= 64 or d == one:
        return one, 0
    low = one // 2
    high = power_of_two(max(d - low, 16))
    return (low, high) if low + high < one else (one, 0)


def power_of_two(number: int) -> int:
    """The smallest power of two that is no less."""
    return 1 << (number - 1).bit_length()


def splits(queries: int, n: int, tile: Tile, multiprocessors: int) -> int:
    """Ranges of keys, so that few queries keep the device busy too."""
    blocks = -(-queries // tile.queries)
    return max(1, min(-(-PROGRAMS * multiprocessors // blocks), n // LEAST_KEYS))


def range_of_keys(n: int, parts: int, tile: Tile) -> int:
    """Keys of a range: a multiple of the tile's."""
    return -(-n // (parts * tile.keys)) * tile.keys


def fastest(tiles, seconds_of) -> tuple[Tile, str]:
    """The tile with the fewest seconds; those that do not compile or fit are passed over, and counted."""
    timed, failed = [], []
    start = time.perf_counter()
    for tile in tiles + (SMALLEST,):
        if timed and (tile == SMALLEST or time.perf_counter() - start > SEARCH):
            break
        try:
            timed.append((seconds_of(tile), tile))
        except Exception as error:  # a tile too large for this device is no failure of the peer
            failed.append(error)
    if not timed:
        raise failed[-1]
    tile = min(timed)[1]
    note = "tile %d queries x %d keys, %d warps, %d stages, the fastest of %d" % (*tile, len(timed))
    return tile, note + (" (%d do not fit)" % len(failed) if failed else "")
