"""The kernel in which a step ends: moments read, rule applied, parameters moved, all fused."""

from sketchlab.kernels.cuda.active import gradient_at, row_at
from sketchlab.kernels.cuda.loops import column_step, first_column, first_row, row_step
from sketchlab.kernels.cuda.views import moment_at, opened_at
from sketchlab.kernels.numba_private import in_turn
from sketchlab.kernels.rule import update

__all__ = ["move"]


views_at, moments_at = in_turn(opened_at), in_turn(moment_at)


def move(h, table, active, items, grads, views):
    """Move the parameters of every active row by the rule that `h` names.

    `views` are those of the rule's moments; nothing of any is stored but what belongs to the row
    alone.
    """
    for i in range(first_row(), items, row_step()):
        row = row_at(active, i)
        if row >= 0:
            for c in range(first_column(), table.shape[1], column_step()):
                # all is read before anything is written, see `opened_at`
                g, x = gradient_at(active, grads, i, c), table[row, c]
                moments = moments_at(views_at(views, 0, row, c), g, i, row, c, g)
                table[row, c] = update(h, x, g, *moments)
