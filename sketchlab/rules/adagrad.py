"""Adagrad (Spring et al. 2019, Algorithm 3)."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from sketchlab.rules.arithmetic import ratio, root
from sketchlab.rules.moments import SECOND
from sketchlab.rules.rule import Rule

__all__ = ["AdagradRule", "AdagradScalars", "change"]


class AdagradScalars(NamedTuple):
    """Numbers of one step, in the dtype of the table."""

    weight_decay: float  # lr·weight_decay
    lr: float
    eps: float


def change(h, g, v):
    """What a step takes from a parameter."""
    return ratio(h.lr * g, root(v) + h.eps)


@dataclass(frozen=True)
class AdagradRule(Rule):
    """v ← v + g²;  x ← x − lr·g/(√v + eps)."""

    eps: float
    moments: ClassVar = (SECOND,)

    def recursions(self):
        """(keep, gain) of each moment x ← keep·x + gain·u."""
        return ((1.0, 1.0),)

    def scalars(self, lr, step):
        """Numbers of step `step` (counted from 1)."""
        return AdagradScalars(lr * self.weight_decay, lr, self.eps)
