"""Where a thread starts and how far it jumps: grid-stride loops over rows, columns and items.

``for i in range(first_row(), rows, row_step())`` and inside it ``for c in range(first_column(),
dim, column_step())`` visit everything whatever the sizes: no row count, dimension or grid has to
be a multiple of another. Neighbouring threads have neighbouring columns.
"""

from sketchlab.kernels.cuda.driver import cuda, device

__all__ = ["column_step", "first_column", "first_item", "first_row", "item_step", "row_step"]


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
