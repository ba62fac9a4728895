"""AMSGrad (Reddi, Kale & Kumar 2018, Algorithm 2), bias-corrected as Adam is."""

from dataclasses import dataclass
from typing import ClassVar

from sketchlab.rules import adam
from sketchlab.rules.moments import FIRST, LARGEST, SECOND

__all__ = ["AMSGradRule", "AMSGradScalars", "change"]


class AMSGradScalars(adam.AdamScalars):
    """Numbers of one step, in the dtype of the table: Adam's."""


def change(h, g, m, v, v_max):
    """What a step takes from a parameter: Adam's change with the largest v so far."""
    return adam.change(h, g, m, v_max)


@dataclass(frozen=True)
class AMSGradRule(adam.AdamRule):
    """Adam with v_max ← max(v_max, v) in the place of v in the change."""

    moments: ClassVar[tuple] = (FIRST, SECOND, LARGEST)

    def recursions(self):
        """(keep, gain) of each moment x ← keep·x + gain·u; v_max, which has none, stays."""
        return *super().recursions(), (1.0, 1.0)

    def scalars(self, lr, step):
        """Numbers of step `step` (counted from 1)."""
        return AMSGradScalars(*super().scalars(lr, step))
