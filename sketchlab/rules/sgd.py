"""Stochastic gradient descent: no auxiliary variable."""

from dataclasses import dataclass
from typing import NamedTuple

from sketchlab.rules.rule import Rule

__all__ = ["SGDRule", "SGDScalars", "change"]


class SGDScalars(NamedTuple):
    """Numbers of one step, in the dtype of the table."""

    weight_decay: float  # lr·weight_decay
    lr: float


def change(h, g):
    """What a step takes from a parameter."""
    return h.lr * g


@dataclass(frozen=True)
class SGDRule(Rule):
    """x ← x − lr·g."""

    def scalars(self, lr, step):
        """Numbers of step `step` (counted from 1)."""
        return SGDScalars(lr * self.weight_decay, lr)
