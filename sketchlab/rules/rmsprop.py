"""RMSprop as the paper uses it: Adam with beta1 = 0, no first moment kept, bias-corrected."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from sketchlab.rules.moments import SECOND

__all__ = ["RMSpropRule", "RMSpropScalars", "make_update"]


class RMSpropScalars(NamedTuple):
    """Numbers of one step, in the dtype of the table."""

    lr: float
    v_correction: float  # 1 / (1 − betaᵗ)
    eps: float


def make_update(sqrt):
    """The scalar rule over a square root that fits the target (NumPy's or the math module's)."""

    def rmsprop(h, x, g, m, v):
        return x - h.lr * g / (sqrt(v * h.v_correction) + h.eps)

    return rmsprop


@dataclass(frozen=True)
class RMSpropRule:
    """v ← beta·v + (1−beta)·g²;  x ← x − lr·g/(√(v/(1−betaᵗ)) + eps)."""

    beta: float
    eps: float
    moments: ClassVar = (SECOND,)

    def recursions(self):
        """(keep, gain) of each moment x ← keep·x + gain·u."""
        return ((self.beta, 1.0 - self.beta),)

    def scalars(self, lr, step):
        """Numbers of step `step` (counted from 1)."""
        return RMSpropScalars(lr, 1.0 / (1.0 - self.beta**step), self.eps)
