"""RMSprop as the paper uses it: Adam with beta1 = 0, no first moment kept, bias-corrected."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from sketchlab.rules.feasible import largest_ratio, within
from sketchlab.rules.moments import SECOND

__all__ = [
    "ClippedRMSpropScalars",
    "RMSpropRule",
    "RMSpropScalars",
    "make_clipped_update",
    "make_update",
]


class RMSpropScalars(NamedTuple):
    """Numbers of one step, in the dtype of the table."""

    lr: float
    v_correction: float  # 1 / (1 − betaᵗ)
    eps: float


class ClippedRMSpropScalars(NamedTuple):
    """Numbers of one step whose directions are clipped."""

    lr: float
    v_correction: float
    eps: float
    limit: float  # of g/√ṽ


def make_update(sqrt):
    """The scalar rule over a square root that fits the target (NumPy's or the math module's)."""

    def rmsprop(h, x, g, m, v):
        return x - h.lr * g / (sqrt(v * h.v_correction) + h.eps)

    return rmsprop


def make_clipped_update(sqrt):
    """The same with directions kept to what an exact moment can reach."""

    def clipped_rmsprop(h, x, g, m, v):
        return x - h.lr * within(g / (sqrt(v * h.v_correction) + h.eps), h.limit)

    return clipped_rmsprop


@dataclass(frozen=True)
class RMSpropRule:
    """v ← beta·v + (1−beta)·g²;  x ← x − lr·g/(√(v/(1−betaᵗ)) + eps).

    If `clipped`, the fraction is clipped to what an exact v can reach.
    """

    beta: float
    eps: float
    clipped: bool = False
    moments: ClassVar = (SECOND,)

    def recursions(self):
        """(keep, gain) of each moment x ← keep·x + gain·u."""
        return ((self.beta, 1.0 - self.beta),)

    def scalars(self, lr, step):
        """Numbers of step `step` (counted from 1)."""
        numbers = lr, 1.0 / (1.0 - self.beta**step), self.eps
        if not self.clipped:
            return RMSpropScalars(*numbers)
        return ClippedRMSpropScalars(*numbers, largest_ratio((0.0, self.beta), step, "lazy"))
