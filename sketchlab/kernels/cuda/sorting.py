"""A stable radix sort on the device: it groups equal rows, and the rows of a cell.

Each of `parts` threads owns a run of the keys and its own counters, so no atomics are needed and
the order is always the same. Keys that are in ascending order already are only copied; the device
finds that out itself, so that the host never waits. A pass over `DIGIT_BITS` bits reads and writes
32 bytes a key; a full sort takes ⌈bits / DIGIT_BITS⌉ passes of three launches.
"""

import numpy as np

from sketchlab.kernels.cuda.driver import cuda
from sketchlab.kernels.cuda.loops import first_item, item_step

__all__ = ["DIGIT_BITS", "RADIX", "buffers", "sort"]

DIGIT_BITS = 8
RADIX = 1 << DIGIT_BITS
_MOST_PARTS = 512
_BLOCK = 256  # threads of the block that adds up the counters


def buffers(scratch, name, size):
    """The scratch memory that a sort of `size` keys needs: keys, order, counters and a flag."""
    parts = max(1, min(size // 16, _MOST_PARTS))
    return (
        scratch.array(f"sorted keys of {name}", (size,), np.int64),
        scratch.array(f"sorted order of {name}", (size,), np.int64),
        scratch.array("digits", (RADIX * parts,), np.int64),
        scratch.array("unsorted", (1,), np.int64),
    )


def sort(run, scratch, name, keys, order, bits):
    """Sort keys and what belongs to them.

    Parameters
    ----------
    run : Launcher
    scratch : Scratch
        Of device arrays.
    name : str
        Of what is sorted; the result stays until the next sort under that name.
    keys, order : device arrays of int64, (size,)
        Overwritten.
    bits : int
        Of the largest key.

    Returns
    -------
    keys, order
        Sorted; in the arrays given or in scratch.
    """
    size = int(keys.size)
    *other, counts, unsorted = buffers(scratch, name, size)
    parts = int(counts.size) // RADIX
    here = keys, order
    run.block(clear, unsorted)
    run.flat(note_disorder, size, keys, unsorted)
    for shift in range(0, bits, DIGIT_BITS):
        run.flat(count_digits, parts, here[0], shift, counts, parts, unsorted)
        run.block(running_sum, counts, unsorted)
        run.flat(place, max(parts, size), *here, shift, counts, parts, *other, unsorted)
        here, other = other, here
    return here


def clear(unsorted):
    """Set the flag to 0: no key is known to be smaller than the one before it."""
    if first_item() == 0:
        unsorted[0] = 0


def note_disorder(keys, unsorted):
    """Leave 1 where any key is smaller than the one before it."""
    for e in range(first_item() + 1, keys.size, item_step()):
        if keys[e - 1] > keys[e]:
            unsorted[0] = 1


def count_digits(keys, shift, counts, parts, unsorted):
    """How often each digit comes in each part, (RADIX, parts)."""
    if unsorted[0] == 0:
        return
    for p in range(first_item(), parts, item_step()):
        for digit in range(RADIX):
            counts[digit * parts + p] = 0
        for e in range(keys.size * p // parts, keys.size * (p + 1) // parts):
            counts[((keys[e] >> shift) & (RADIX - 1)) * parts + p] += 1


def running_sum(counts, unsorted):
    """Turn counts into the sums of those before them; one block."""
    partial = cuda.shared.array(_BLOCK, np.int64)
    t, threads = cuda.threadIdx.x, cuda.blockDim.x
    begin, end = counts.size * t // threads, counts.size * (t + 1) // threads
    subtotal = 0
    if unsorted[0] != 0:
        for e in range(begin, end):
            subtotal += counts[e]
    partial[t] = subtotal
    cuda.syncthreads()
    if unsorted[0] != 0:
        start = 0
        for before in range(t):
            start += partial[before]
        for e in range(begin, end):
            count = counts[e]
            counts[e] = start
            start += count


def place(keys, order, shift, counts, parts, new_keys, new_order, unsorted):
    """Put every key where its digit belongs, those of equal digits in the order they had."""
    if unsorted[0] == 0:
        for e in range(first_item(), keys.size, item_step()):
            new_keys[e] = keys[e]
            new_order[e] = order[e]
        return
    for p in range(first_item(), parts, item_step()):
        for e in range(keys.size * p // parts, keys.size * (p + 1) // parts):
            counter = ((keys[e] >> shift) & (RADIX - 1)) * parts + p
            new_keys[counts[counter]] = keys[e]
            new_order[counts[counter]] = order[e]
            counts[counter] += 1
