"""The running averages of gradients that update rules keep: what each adds, and how it is read.

Every rule of the field keeps sums or decayed averages of g or of g². This module is the one place
that says which; a rule names its moments, a store keeps them.
"""

from typing import NamedTuple

__all__ = ["FIRST", "LARGEST", "SECOND", "Moment"]


class Moment(NamedTuple):
    """One auxiliary variable of a rule.

    Attributes
    ----------
    name : str
        The keyword and attribute by which optimizers know it: ``"m"``, ``"v"``, ``"v_max"``.
    squared : bool
        False: a signed average of g. True: a non-negative average of g².
    largest: bool
        True: no average, but the largest value that the moment before it in the rule has answered.
        A maximum is not linear: only an exact store keeps it.
    """

    name: str
    squared: bool
    largest: bool = False


FIRST = Moment("m", squared=False)
SECOND = Moment("v", squared=True)
LARGEST = Moment("v_max", squared=True, largest=True)
