"""The running averages of gradients that update rules keep: what each adds, and how it is read.

Every rule of the field keeps sums or decayed averages of g or of g². This module is the one place
that says which; a rule names its moments, a store keeps them.
"""

from typing import NamedTuple

__all__ = ["FIRST", "SECOND", "Moment"]


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
