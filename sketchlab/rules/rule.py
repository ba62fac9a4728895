"""What all update rules share: decoupled weight decay."""

from dataclasses import dataclass, field
from typing import ClassVar

__all__ = ["Rule"]


@dataclass(frozen=True)
class Rule:
    """The hyper-parameters of an optimizer, and what follows from them.

    Every step is x ← x − lr·weight_decay·x − change: decoupled weight decay (Loshchilov & Hutter
    2019), then the change that the rule takes from the parameters. A rule adds the fields of its
    hyper-parameters, its `moments`, `recursions` and `scalars`.

    Parameters
    ----------
    weight_decay : float
    """

    #: The moments that the rule keeps, see `sketchlab.rules.moments`.
    moments: ClassVar[tuple] = ()

    weight_decay: float = field(default=0.0, kw_only=True)

    def recursions(self):
        """(keep, gain) of each moment x ← keep·x + gain·u."""
        return ()

    def scalars(self, lr, step):
        """Numbers of step `step` (counted from 1); the first is lr·weight_decay."""
        raise NotImplementedError
