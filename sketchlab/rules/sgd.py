"""Stochastic gradient descent: no auxiliary variable."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

__all__ = ["SGDRule", "SGDScalars", "make_update"]


class SGDScalars(NamedTuple):
    """Numbers of one step, in the dtype of the table."""

    lr: float


def make_update(sqrt):
    """The scalar rule; `sqrt` is unused, every rule is made alike."""

    def sgd(h, x, g, m, v):
        return x - h.lr * g

    return sgd


@dataclass(frozen=True)
class SGDRule:
    """x ← x − lr·g."""

    moments: ClassVar = ()

    def recursions(self):
        """No moments, no recursions."""
        return ()

    def scalars(self, lr, step):
        """Numbers of step `step` (counted from 1)."""
        return SGDScalars(lr)
