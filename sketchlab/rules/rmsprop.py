"""RMSprop as the paper uses it: Adam with beta1 = 0, no first moment kept, bias-corrected."""

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from sketchlab.rules.arithmetic import ratio, root
from sketchlab.rules.feasible import largest_ratio, within
from sketchlab.rules.moments import SECOND
from sketchlab.rules.rule import Rule

__all__ = [
    "ClippedRMSpropScalars",
    "RMSpropRule",
    "RMSpropScalars",
    "change",
    "clipped_change",
]


class RMSpropScalars(NamedTuple):
    """Numbers of one step, in the dtype of the table."""

    weight_decay: float  # lr·weight_decay
    lr: float
    root_correction: float  # 1 / √(1 − betaᵗ), of √v: v itself could overflow
    eps: float


class ClippedRMSpropScalars(NamedTuple):
    """Numbers of one step whose directions are clipped."""

    weight_decay: float
    lr: float
    root_correction: float
    eps: float
    limit: float  # of g/√ṽ


def change(h, g, v):
    """What a step takes from a parameter."""
    return ratio(h.lr * g, root(v) * h.root_correction + h.eps)


def clipped_change(h, g, v):
    """The same with directions kept to what an exact moment can reach."""
    return h.lr * within(ratio(g, root(v) * h.root_correction + h.eps), h.limit)


@dataclass(frozen=True)
class RMSpropRule(Rule):
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
        root_correction = 1.0 / math.sqrt(1.0 - self.beta**step)
        numbers = lr * self.weight_decay, lr, root_correction, self.eps
        if not self.clipped:
            return RMSpropScalars(*numbers)
        return ClippedRMSpropScalars(*numbers, largest_ratio((0.0, self.beta), step, "lazy"))
