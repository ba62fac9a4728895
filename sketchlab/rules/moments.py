"""The running averages of gradients that update rules keep: what each adds, and how it is read.

Every rule of the field keeps sums or decayed averages of g or of g². This module is the one place
that says which; a rule names its moments, a store keeps them.
"""

from typing import NamedTuple

from numba.extending import register_jitable

from sketchlab.rules.arithmetic import higher

__all__ = ["FIRST", "SECOND", "Moment", "usable"]


class Moment(NamedTuple):
    """One auxiliary variable of a rule.

    Attributes
    ----------
    name : str
        The keyword and attribute by which optimizers know it, ``"m"`` or ``"v"``.
    squared : bool
        False: a signed average of g. True: a non-negative average of g².
    """

    name: str
    squared: bool


FIRST = Moment("m", squared=False)
SECOND = Moment("v", squared=True)


@register_jitable
def usable(squared, estimate, zero):
    """A store's answer as a rule may use it: a second moment is never below zero.

    A count-sketch, and a count-min sketch with ``lazy`` or ``bucket`` decay, can answer with a
    negative second moment, of which no square root can be taken. `zero` is of the estimate's type.
    """
    return higher(estimate, zero) if squared else estimate
