"""Adam (Kingma & Ba 2015; sketched: Spring et al. 2019, Algorithm 4)."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from sketchlab.rules.moments import FIRST, SECOND

__all__ = ["AdamRule", "AdamScalars", "make_update"]


class AdamScalars(NamedTuple):
    """Numbers of one step, in the dtype of the table."""

    rate: float  # lr / (1 − beta1ᵗ)
    v_correction: float  # 1 / (1 − beta2ᵗ)
    eps: float


def make_update(sqrt):
    """The scalar rule over a square root that fits the target (NumPy's or the math module's)."""

    def adam(h, x, g, m, v):
        return x - h.rate * m / (sqrt(v * h.v_correction) + h.eps)

    return adam


@dataclass(frozen=True)
class AdamRule:
    """m ← beta1·m + (1−beta1)·g;  v ← beta2·v + (1−beta2)·g²;  x ← x − lr·m̃/(√ṽ + eps).

    m̃ and ṽ are the bias-corrected moments m/(1−beta1ᵗ) and v/(1−beta2ᵗ).
    """

    betas: tuple
    eps: float
    moments: ClassVar = (FIRST, SECOND)

    def recursions(self):
        """(keep, gain) of each moment x ← keep·x + gain·u."""
        return tuple((beta, 1.0 - beta) for beta in self.betas)

    def scalars(self, lr, step):
        """Numbers of step `step` (counted from 1)."""
        beta1, beta2 = self.betas
        return AdamScalars(lr / (1.0 - beta1**step), 1.0 / (1.0 - beta2**step), self.eps)
