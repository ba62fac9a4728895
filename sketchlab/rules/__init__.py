"""Update rules: pure scalar arithmetic, written once and run by every backend.

A rule is a frozen dataclass of its hyper-parameters that says which moments it keeps, the
recursion x ← keep·x + gain·u of each, and the numbers of a step. Its arithmetic is a function
``change(h, g, m, v)`` of scalars, what a step takes from a parameter, made over the functions of
`arithmetic.ARRAYS` or `arithmetic.SCALARS`. The type of `h`, a NamedTuple, names the rule, so that
a kernel can choose the function by the type of its argument.
"""

from numba.extending import register_jitable

from sketchlab.rules import adagrad, adam, momentum, rmsprop, sgd
from sketchlab.rules.adagrad import AdagradRule
from sketchlab.rules.adam import AdamRule
from sketchlab.rules.arithmetic import ARRAYS, SCALARS
from sketchlab.rules.feasible import WEIGHTED, check_feasible
from sketchlab.rules.moments import FIRST, SECOND, Moment, usable
from sketchlab.rules.momentum import MomentumRule
from sketchlab.rules.rmsprop import RMSpropRule
from sketchlab.rules.rule import Rule
from sketchlab.rules.sgd import SGDRule

__all__ = [
    "ARRAYS",
    "FIRST",
    "SCALARS",
    "SECOND",
    "WEIGHTED",
    "AdagradRule",
    "AdamRule",
    "Moment",
    "MomentumRule",
    "RMSpropRule",
    "Rule",
    "SGDRule",
    "check_feasible",
    "updates",
    "usable",
]

_MAKERS = {
    sgd.SGDScalars: sgd.make_change,
    momentum.MomentumScalars: momentum.make_change,
    adagrad.AdagradScalars: adagrad.make_change,
    rmsprop.RMSpropScalars: rmsprop.make_change,
    rmsprop.ClippedRMSpropScalars: rmsprop.make_clipped_change,
    adam.AdamScalars: adam.make_change,
    adam.ClippedAdamScalars: adam.make_clipped_change,
}


def updates(arithmetic):
    """Every rule's ``update(h, x, g, m, v)``, the parameter after a step, by the type of `h`."""
    return {scalars: _update(make(arithmetic)) for scalars, make in _MAKERS.items()}


def _update(change):
    change = register_jitable(change)

    def update(h, x, g, m, v):
        return x - h.weight_decay * x - change(h, g, m, v)

    return update
