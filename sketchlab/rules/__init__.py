"""Update rules: pure scalar arithmetic, written once and run by every backend.

A rule is a frozen dataclass of its hyper-parameters that says which moments it keeps, the
recursion x ← keep·x + gain·u of each, and the numbers of a step. Its arithmetic is a function
``update(h, x, g, m, v)`` of scalars, made over a square root: ``numpy.sqrt`` for arrays,
``math.sqrt`` for compiled code. The type of `h`, a NamedTuple, names the rule, so that a kernel
can choose the function by the type of its argument.
"""

from sketchlab.rules import adagrad, adam, momentum, rmsprop, sgd
from sketchlab.rules.adagrad import AdagradRule
from sketchlab.rules.adam import AdamRule
from sketchlab.rules.feasible import WEIGHTED, check_feasible
from sketchlab.rules.moments import FIRST, SECOND, Moment, added, usable
from sketchlab.rules.momentum import MomentumRule
from sketchlab.rules.rmsprop import RMSpropRule
from sketchlab.rules.sgd import SGDRule

__all__ = [
    "FIRST",
    "SECOND",
    "WEIGHTED",
    "AdagradRule",
    "AdamRule",
    "Moment",
    "MomentumRule",
    "RMSpropRule",
    "SGDRule",
    "added",
    "check_feasible",
    "updates",
    "usable",
]

_MAKERS = {
    sgd.SGDScalars: sgd.make_update,
    momentum.MomentumScalars: momentum.make_update,
    adagrad.AdagradScalars: adagrad.make_update,
    rmsprop.RMSpropScalars: rmsprop.make_update,
    rmsprop.ClippedRMSpropScalars: rmsprop.make_clipped_update,
    adam.AdamScalars: adam.make_update,
    adam.ClippedAdamScalars: adam.make_clipped_update,
}


def updates(sqrt):
    """Every rule's update function over the given square root, by the type of its scalars."""
    return {scalars: make(sqrt) for scalars, make in _MAKERS.items()}
