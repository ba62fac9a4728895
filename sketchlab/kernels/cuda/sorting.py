"""A stable radix sort on the device, in one launch: it groups equal rows, and the rows of a cell.

Keys that ascend already are only written down; the device finds that out itself, so that the host
never waits. Else a pass over `DIGIT_BITS` bits counts the digits of every block's share in shared
memory, adds up the counts of all blocks before, and moves the keys. The order of equal keys is that
in which they came, so it is always the same. The blocks wait for each other between the parts of a
pass; where there are few keys, one block does it all.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sketchlab.kernels.cuda.arguments import Array, Number
from sketchlab.kernels.cuda.driver import cuda, device
from sketchlab.kernels.cuda.loops import wait_for_grid
from sketchlab.kernels.numba_private import by_type

__all__ = ["KEYS", "RADIX", "RowKeys", "Sorter", "key_at", "sort"]

DIGIT_BITS = 8
RADIX = 1 << DIGIT_BITS
_OF_ONE_BLOCK = 2048  # keys that one block sorts faster than several that wait for each other
_LANES = 32  # keys that are ranked among each other
_GROUPS = 8  # of so many keys in a block's tile: 256 threads
_TILE = _GROUPS * _LANES
_BUNCH = 16  # counters that are added up by one thread
_BUNCHES = RADIX // _BUNCH


class RowKeys(NamedTuple):
    """Keys are rows of any integer type; invalid ones count as n."""

    rows: object  # (k,)
    n: int


def _row_key(source, e):
    row = np.int64(source.rows[e])
    return row if 0 <= row < source.n else np.int64(source.n)


#: How each kind of source gives a key; other modules add theirs.
KEYS: dict[type, Callable] = {RowKeys: _row_key}


@by_type(KEYS)
def key_at(source, e):
    """Key number e of a source."""


class Sorter:
    """Sorts keys at every step, see `sort`; its memory grows with their number.

    Parameters
    ----------
    run : Launcher
    scratch : Scratch
    name : str
        Of what is sorted.
    source : NamedTuple
        See `key_at`.
    bits : int
        Of the largest key.

    Attributes
    ----------
    keys, order : Array
        What comes out, (size,).
    turn : Number
        Which sort it is, counted from 1.
    repeated : memory of int64, (1,)
        Holds `turn` if some keys are equal.
    """

    def __init__(self, run, scratch, name, source, bits):
        self._run, self._scratch, self._name = run, scratch, name
        self.keys, self.order = Array(np.int64, 1), Array(np.int64, 1)
        self._both, self._counts = [Array(np.int64, 2) for _ in range(2)], Array(np.int32, 1)
        self._size, self.turn = Number(np.int64), Number(np.int64)
        self._unsorted, self.repeated = (run.zeros((1,), np.int64) for _ in range(2))
        self._kernel = run.prepare(
            sort,
            source,
            self._size,
            np.int64(-(-bits // DIGIT_BITS)),
            *self._both,
            self._counts,
            self._unsorted,
            self.repeated,
            self.turn,
            run.arrived,
            together=True,
        )

    def resize(self, size):
        """Get ready to sort so many keys."""
        blocks = max(1, min(-(-size // _OF_ONE_BLOCK), self._run.together))
        array = self._scratch.array
        for both, first, what in zip(self._both, (self.keys, self.order), ("keys", "order")):
            memory = array(f"sorted {what} of {self._name}", (2, size), np.int64)
            both.set(memory)
            first.set(memory[0])
        self._counts.set(array("digits", (blocks * RADIX,), np.int32))
        self._size.set(size)
        self._kernel.in_blocks(blocks)

    def __call__(self):
        """Sort."""
        self.turn.set(self.turn.value + 1)
        self._kernel()


def sort(source, size, passes, keys, order, counts, unsorted, repeated, turn, arrived):
    """Sort the keys of a source into ``keys[0]``, and their numbers into ``order[0]``.

    Parameters
    ----------
    source : NamedTuple
    size, passes : int
    keys, order : arrays of int64, (2, size)
    counts : array of int32, (blocks · RADIX,)
    unsorted, repeated : arrays of int64, (1,)
        Left at `turn`, a number that no earlier launch had, if the keys do not ascend, and if some
        are equal.
    turn : int
    arrived : array of uint32, (1,)
        See `wait_for_grid`.
    """
    block, blocks = cuda.blockIdx.x, cuda.gridDim.x
    begin, end = size * block // blocks, size * (block + 1) // blocks
    for e in range(begin + cuda.threadIdx.x, end, cuda.blockDim.x):
        key = key_at(source, e)
        keys[0, e] = key
        order[0, e] = e
        if e > 0:
            before = key_at(source, e - 1)
            if before > key:
                unsorted[0] = turn
            elif before == key:
                repeated[0] = turn
    wait_for_grid(arrived)
    if unsorted[0] != turn:
        return
    counters = cuda.shared.array(RADIX, np.int32)
    for p in range(passes):
        # the last pass ends in row 0; the first reads the source, so that it may write there, too
        there = (passes - p + 1) % 2
        count_digits(source, keys, 1 - there, p, begin, end, counters, counts)
        wait_for_grid(arrived)
        find_places(counts, counters)
        move_keys(source, keys, order, there, p, begin, end, counters)
        wait_for_grid(arrived)
    for e in range(begin + cuda.threadIdx.x, end, cuda.blockDim.x):
        if e > 0 and keys[0, e - 1] == keys[0, e]:
            repeated[0] = turn


@device
def key_of_pass(source, keys, here, p, e):
    """Key number e as pass p finds it."""
    return key_at(source, e) if p == 0 else keys[here, e]


@device
def digit_of(key, p):
    """The digit that pass p sorts by."""
    return (key >> (p * DIGIT_BITS)) & (RADIX - 1)


@device
def count_digits(source, keys, here, p, begin, end, counters, counts):
    """How often each digit comes in this block's share, in ``counts``."""
    t, threads = cuda.threadIdx.x, cuda.blockDim.x
    for digit in range(t, RADIX, threads):
        counters[digit] = 0
    cuda.syncthreads()
    for e in range(begin + t, end, threads):
        cuda.atomic.add(counters, digit_of(key_of_pass(source, keys, here, p, e), p), 1)
    cuda.syncthreads()
    for digit in range(t, RADIX, threads):
        counts[cuda.blockIdx.x * RADIX + digit] = counters[digit]


@device
def find_places(counts, counters):
    """Where this block's first key of each digit belongs, into ``counters``."""
    totals = cuda.shared.array(RADIX, np.int32)
    bunches = cuda.shared.array(_BUNCHES, np.int32)
    t, threads = cuda.threadIdx.x, cuda.blockDim.x
    for digit in range(t, RADIX, threads):
        total = before = np.int32(0)
        for block in range(cuda.gridDim.x):
            if block == cuda.blockIdx.x:
                before = total
            total += counts[block * RADIX + digit]
        totals[digit], counters[digit] = total, before
    cuda.syncthreads()
    for bunch in range(t, _BUNCHES, threads):
        subtotal = np.int32(0)
        for digit in range(bunch * _BUNCH, (bunch + 1) * _BUNCH):
            subtotal += totals[digit]
        bunches[bunch] = subtotal
    cuda.syncthreads()
    for digit in range(t, RADIX, threads):
        start = counters[digit]
        for bunch in range(digit // _BUNCH):
            start += bunches[bunch]
        for other in range(digit // _BUNCH * _BUNCH, digit):
            start += totals[other]
        counters[digit] = start
    cuda.syncthreads()


@device
def move_keys(source, keys, order, there, p, begin, end, counters):
    """Put every key of this block's share where it belongs, tile by tile, a thread a key."""
    digits = cuda.shared.array(_TILE, np.int32)
    places = cuda.shared.array((_GROUPS, RADIX), np.int32)
    t, threads, here = cuda.threadIdx.x, cuda.blockDim.x, 1 - there
    group = t // _LANES
    for start in range(begin, end, threads):
        e, key, digit = start + t, np.int64(0), np.int64(-1)
        if e < end:
            key = key_of_pass(source, keys, here, p, e)
            digit = digit_of(key, p)
        digits[t] = digit
        for other in range(t, RADIX, threads):
            for g in range(_GROUPS):
                places[g, other] = 0
        cuda.syncthreads()
        # among the keys of its group: those before it, and whether it is the last of its digit
        rank, last = np.int32(0), True
        for other in range(group * _LANES, min((group + 1) * _LANES, threads)):
            if digits[other] == digit:
                if other < t:
                    rank += np.int32(1)
                elif other > t:
                    last = False
        if e < end and last:
            places[group, digit] = rank + np.int32(1)
        cuda.syncthreads()
        for other in range(t, RADIX, threads):
            place = counters[other]
            for g in range(_GROUPS):
                count = places[g, other]
                places[g, other] = place
                place += count
            counters[other] = place
        cuda.syncthreads()
        if e < end:
            place = places[group, digit] + rank
            keys[there, place] = key
            order[there, place] = e if p == 0 else order[here, e]
        cuda.syncthreads()
