"""Adagrad (Spring et al. 2019, Algorithm 3)."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from sketchlab.rules.moments import SECOND

__all__ = ["AdagradRule", "AdagradScalars", "make_update"]


class AdagradScalars(NamedTuple):
    """Numbers of one step, in the dtype of the table."""

    lr: float
    eps: float


def make_update(sqrt):
    """The scalar rule over a square root that fits the target (NumPy's or the math module's)."""

    def adagrad(h, x, g, m, v):
        return x - h.lr * g / (sqrt(v) + h.eps)

    return adagrad


@dataclass(frozen=True)
class AdagradRule:
    """v ← v + g²;  x ← x − lr·g/(√v + eps)."""

    eps: float
    moments: ClassVar = (SECOND,)

    def recursions(self):
        """(keep, gain) of each moment x ← keep·x + gain·u."""
        return ((1.0, 1.0),)

    def scalars(self, lr, step):
        """Numbers of step `step` (counted from 1)."""
        return AdagradScalars(lr, self.eps)
