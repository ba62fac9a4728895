"""The head of a head-and-tail store: which rows are in it, and how often rows are touched."""

from numba.extending import register_jitable

from sketchlab.kernels.compile import kernel

__all__ = ["count_touches", "place_in_head"]


@kernel(parallel=False)
def count_touches(rows, touches):
    """Count one more touch of each row."""
    for row in rows:
        touches[row] += 1


@register_jitable
def place_in_head(heads, residents, row):
    """The cell of a row in the head, -1 of a row that is not there."""
    if residents.shape[1] == 0:
        return row if row < heads else -1
    low, high = 0, heads
    while low < high:
        middle = (low + high) // 2
        if residents[0, middle] < row:
            low = middle + 1
        else:
            high = middle
    return residents[1, low] if low < heads and residents[0, low] == row else -1
