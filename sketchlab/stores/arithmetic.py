"""The arithmetic of stores, as scalar functions: written once and run by every backend.

A store works on *cells*: row i of a variable lives in `depth` cells, each a run of `dim` numbers.
These functions say what a step does to an estimate or to a cell; the loops are elsewhere. They
take the complement ``keep_less_one`` = keep − 1 ready-made, because a Python literal next to a
float32 turns compiled arithmetic into float64.
"""

from numba.extending import register_jitable

__all__ = [
    "active_cell",
    "conservative_target",
    "contribution",
    "higher",
    "lazy_change",
    "lower",
    "median_of_three",
    "outer_estimate",
    "own_cell",
]


@register_jitable
def contribution(squared, gain, value):
    """What a value adds to a variable, gain·u: with u the value, or its square.

    The square is formed as (gain·value)·value, so that a large value does not overflow before it
    is scaled.
    """
    if squared:
        return gain * value * value
    return gain * value


@register_jitable
def lazy_change(estimate, contribution, keep_less_one):
    """What Algorithms 2–4 add to each cell of a touched row: (keep − 1)·x̂ + gain·u."""
    return keep_less_one * estimate + contribution


@register_jitable
def active_cell(cell, active_rows, keep_less_one):
    """A cell decayed once by each of the active rows in it, all reading it before any writes.

    The ``bucket`` decay of the released kernels: cell + K·(keep − 1)·cell for K active rows.
    """
    return cell + active_rows * keep_less_one * cell


@register_jitable
def own_cell(cell, contribution, keep_less_one):
    """A cell after the step of one row alone: the exact variable, lazily decayed.

    It is also what a row of a sketch with ``bucket`` decay is answered: each of its cells with
    its own update and no other row's (the released kernels). The median and the minimum keep
    order, so that it is the same whether it is taken of the cells or of their combination.
    """
    return cell + keep_less_one * cell + contribution


@register_jitable
def conservative_target(estimate, contribution):
    """What the cells of a row must at least hold after a conservative step: x̂ + gain·u."""
    return estimate + contribution


@register_jitable
def lower(a, b):
    """The smaller of two scalars (a plain comparison: it vectorises, ``min`` does not)."""
    return a if a < b else b


@register_jitable
def higher(a, b):
    """The larger of two scalars; `lower` and `higher` of a pair are the pair, sorted."""
    return b if a < b else a


@register_jitable
def median_of_three(a, b, c):
    """The middle one of three scalars."""
    return higher(lower(a, b), lower(higher(a, b), c))


@register_jitable
def outer_estimate(row_sum, column_sum, total):
    """What a rank-one store answers: row sum · column sum / total (Shazeer & Stern 2018)."""
    return row_sum * (column_sum / total)
