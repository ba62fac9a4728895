"""Adam (Kingma & Ba 2015; sketched: Spring et al. 2019, Algorithm 4)."""

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from sketchlab.rules.arithmetic import ratio, root
from sketchlab.rules.feasible import largest_ratio, within
from sketchlab.rules.moments import FIRST, SECOND
from sketchlab.rules.rule import Rule

__all__ = ["AdamRule", "AdamScalars", "ClippedAdamScalars", "change", "clipped_change"]


class AdamScalars(NamedTuple):
    """Numbers of one step, in the dtype of the table."""

    weight_decay: float  # lr·weight_decay
    rate: float  # lr / (1 − beta1ᵗ)
    root_correction: float  # 1 / √(1 − beta2ᵗ), of √v: v itself could overflow
    eps: float


class ClippedAdamScalars(NamedTuple):
    """Numbers of one step whose directions are clipped."""

    weight_decay: float
    rate: float
    root_correction: float
    eps: float
    limit: float  # of (1 − beta1ᵗ)·m̃/√ṽ


def change(h, g, m, v):
    """What a step takes from a parameter."""
    return ratio(h.rate * m, root(v) * h.root_correction + h.eps)


def clipped_change(h, g, m, v):
    """The same with directions kept to what exact moments can reach."""
    return h.rate * within(ratio(m, root(v) * h.root_correction + h.eps), h.limit)


@dataclass(frozen=True)
class AdamRule(Rule):
    """m ← beta1·m + (1−beta1)·g;  v ← beta2·v + (1−beta2)·g²;  x ← x − lr·m̃/(√ṽ + eps).

    m̃ and ṽ are the bias-corrected moments m/(1−beta1ᵗ) and v/(1−beta2ᵗ). With the forms of both
    given (see `feasible.largest_ratio`), m̃/√ṽ is clipped to what exact moments can reach.
    """

    betas: tuple
    eps: float
    clipped_forms: tuple | None = None
    moments: ClassVar[tuple] = (FIRST, SECOND)

    def recursions(self):
        """(keep, gain) of each moment x ← keep·x + gain·u."""
        return tuple((beta, 1.0 - beta) for beta in self.betas)

    def scalars(self, lr, step):
        """Numbers of step `step` (counted from 1)."""
        beta1, beta2 = self.betas
        m_correction = 1.0 - beta1**step
        root_correction = 1.0 / math.sqrt(1.0 - beta2**step)
        numbers = lr * self.weight_decay, lr / m_correction, root_correction, self.eps
        if self.clipped_forms is None:
            return AdamScalars(*numbers)
        limit = m_correction * largest_ratio(self.betas, step, *self.clipped_forms)
        return ClippedAdamScalars(*numbers, limit)
