"""Where a thread starts and how far it jumps: grid-stride loops over rows, columns and items.

``for i in range(first_row(), rows, row_step())`` and inside it ``for c in range(first_column(),
dim, column_step())`` visit everything whatever the sizes: no row count, dimension or grid has to
be a multiple of another. Neighbouring threads have neighbouring columns.
"""

import numpy as np
from numba.extending import register_jitable

from sketchlab.kernels.cuda.driver import cuda, device, simulated
from sketchlab.rules.arithmetic import higher

__all__ = [
    "THREADS",
    "WARP",
    "column_step",
    "first_column",
    "first_item",
    "first_row",
    "item_step",
    "items_of_part",
    "largest_of_column",
    "largest_of_row",
    "row_step",
    "sum_of_column",
    "sum_of_row",
    "wait_for_grid",
    "wait_for_row",
]

#: Threads of a block; numbers of shared memory that the reductions below take.
THREADS = 256
#: Threads that run together.
WARP = 32

_TOP = np.uint32(1 << 31)
_ONE, _NOTHING = np.uint32(1), np.uint32(0)


@device
def first_row():
    """First row of this thread."""
    return cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y


@device
def row_step():
    """Rows that the whole grid takes at once."""
    return cuda.gridDim.x * cuda.blockDim.y


@device
def first_column():
    """First column of this thread."""
    return cuda.threadIdx.x


@device
def column_step():
    """Columns that a block takes at once."""
    return cuda.blockDim.x


@device
def first_item():
    """First item of this thread, in a loop over one dimension."""
    return cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x


@device
def item_step():
    """Items that the whole grid takes at once."""
    return cuda.gridDim.x * cuda.blockDim.x


@device
def wait_for_grid(arrived):
    """Wait until all threads of the grid are here; what they wrote before can be read after.

    Only for kernels whose blocks all run at the same time. `arrived` is a counter of one uint32,
    0 at first: every block adds 1, but the first, which adds what turns the top bit. The bits below
    are 0 again when all have come, so that the counter is never reset. Other threads of a block
    wait at its barrier, not at the counter.
    """
    cuda.syncthreads()
    blocks = cuda.gridDim.x
    if blocks > 1:
        seen = cuda.shared.array(2, np.uint32)
        leader = cuda.threadIdx.x == 0 and cuda.threadIdx.y == 0
        if leader:
            cuda.threadfence()
            share = _ONE
            if cuda.blockIdx.x == 0:
                share = np.uint32(_TOP - np.uint32(blocks - 1))
            seen[0] = cuda.atomic.add(arrived, 0, share)
        waiting = True
        while waiting:
            if leader:
                seen[1] = cuda.atomic.add(arrived, 0, _NOTHING)
            cuda.syncthreads()
            waiting = (seen[0] ^ seen[1]) < _TOP
            cuda.syncthreads()
        cuda.threadfence()


@device
def items_of_part(items, part, count):
    """Where a part of the items begins and ends, of `count` parts that are nearly equal."""
    return items * part // count, items * (part + 1) // count


def _wait_for_warp():
    cuda.syncwarp()


def _wait_for_block():
    cuda.syncthreads()


# the simulator knows no warps
_of_warp = device(_wait_for_block if simulated() else _wait_for_warp)


@device
def wait_for_row():
    """Wait for the threads that are side by side; all threads of a block take part."""
    if cuda.blockDim.x <= WARP:
        _of_warp()
    else:
        cuda.syncthreads()


@register_jitable
def _sum(a, b):
    return a + b


def _of_row(join):
    def reduce(shared, value):
        x, across = cuda.threadIdx.x, cuda.blockDim.x
        t = cuda.threadIdx.y * across + x
        shared[t] = value
        wait_for_row()
        half = across // 2
        while half > 0:
            if x < half:
                shared[t] = join(shared[t], shared[t + half])
            wait_for_row()
            half //= 2
        result = shared[t - x]
        wait_for_row()
        return result

    return device(reduce)


#: ``sum_of_row(shared, value)``: the sum over the threads that are side by side, and the largest of
#: their values. All threads of a block take part. `shared` has `THREADS` numbers.
sum_of_row, largest_of_row = _of_row(_sum), _of_row(higher)


def _of_column(join):
    def reduce(shared, value):
        x, y, across = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockDim.x
        shared[y * across + x] = value
        cuda.syncthreads()
        result = shared[x]
        for other in range(1, cuda.blockDim.y):
            result = join(result, shared[other * across + x])
        cuda.syncthreads()
        return result

    return device(reduce)


#: The same over the threads that are below each other.
sum_of_column, largest_of_column = _of_column(_sum), _of_column(higher)
