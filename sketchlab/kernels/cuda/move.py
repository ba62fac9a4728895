"""The kernel in which a step ends: moments read, rule applied, parameters moved, all fused."""

from sketchlab.kernels.cuda.active import gradient_at, row_at
from sketchlab.kernels.cuda.loops import column_step, first_column, first_row, row_step
from sketchlab.kernels.cuda.views import moment_at
from sketchlab.kernels.rule import update
from sketchlab.rules import usable

__all__ = ["move"]


def move(h, table, active, items, grads, first, second):
    """Move the parameters of every active row by the rule that `h` names.

    `first` and `second` are the views of m and v; nothing of either is stored but what belongs to
    the row alone.
    """
    zero = table.dtype.type(0)
    for i in range(first_row(), items, row_step()):
        row = row_at(active, i)
        if row >= 0:
            for c in range(first_column(), table.shape[1], column_step()):
                g = gradient_at(active, grads, i, c)
                m = moment_at(first, i, row, c, g)
                v = usable(True, moment_at(second, i, row, c, g), zero)
                table[row, c] = update(h, table[row, c], g, m, v)
