"""Heavy-ball momentum and its Nesterov form (Spring et al. 2019, Algorithm 2)."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from sketchlab.rules.moments import FIRST
from sketchlab.rules.rule import Rule

__all__ = ["MomentumRule", "MomentumScalars", "change"]


class MomentumScalars(NamedTuple):
    """Numbers of one step, in the dtype of the table."""

    weight_decay: float  # lr·weight_decay
    gradient_rate: float  # lr for Nesterov, else 0
    momentum_rate: float  # lr·momentum for Nesterov, else lr


def change(h, g, m):
    """What a step takes from a parameter."""
    return h.gradient_rate * g + h.momentum_rate * m


@dataclass(frozen=True)
class MomentumRule(Rule):
    """m ← momentum·m + g;  x ← x − lr·m, or x ← x − lr·(g + momentum·m) for Nesterov's."""

    momentum: float
    nesterov: bool
    moments: ClassVar = (FIRST,)

    def recursions(self):
        """(keep, gain) of each moment x ← keep·x + gain·u."""
        return ((self.momentum, 1.0),)

    def scalars(self, lr, step):
        """Numbers of step `step` (counted from 1)."""
        decay = lr * self.weight_decay
        if self.nesterov:
            return MomentumScalars(decay, lr, lr * self.momentum)
        return MomentumScalars(decay, 0.0, lr)
