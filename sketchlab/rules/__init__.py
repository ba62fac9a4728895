"""Update rules: pure scalar arithmetic, written once and run by every backend.

A rule is a frozen dataclass of its hyper-parameters that says which moments it keeps, the
recursion x ← keep·x + gain·u of each, and the numbers of a step. Its arithmetic is a function
``change(h, g, m, v)``, what a step takes from a parameter, of arrays or of compiled scalars (see
`arithmetic`). The type of `h`, a NamedTuple, names the rule, so that a kernel can choose the
function by the type of its argument.
"""

from numba.extending import register_jitable

from sketchlab.rules import adagrad, adam, momentum, rmsprop, sgd
from sketchlab.rules.adagrad import AdagradRule
from sketchlab.rules.adam import AdamRule
from sketchlab.rules.feasible import SHRUNKEN, WEIGHTED, check_feasible
from sketchlab.rules.moments import FIRST, SECOND, Moment, usable
from sketchlab.rules.momentum import MomentumRule
from sketchlab.rules.rmsprop import RMSpropRule
from sketchlab.rules.rule import Rule
from sketchlab.rules.sgd import SGDRule

__all__ = [
    "FIRST",
    "SECOND",
    "SHRUNKEN",
    "UPDATES",
    "WEIGHTED",
    "AdagradRule",
    "AdamRule",
    "Moment",
    "MomentumRule",
    "RMSpropRule",
    "Rule",
    "SGDRule",
    "check_feasible",
    "usable",
]

_CHANGES = {
    sgd.SGDScalars: sgd.change,
    momentum.MomentumScalars: momentum.change,
    adagrad.AdagradScalars: adagrad.change,
    rmsprop.RMSpropScalars: rmsprop.change,
    rmsprop.ClippedRMSpropScalars: rmsprop.clipped_change,
    adam.AdamScalars: adam.change,
    adam.ClippedAdamScalars: adam.clipped_change,
}


def _update(change):
    change = register_jitable(change)

    def update(h, x, g, m, v):
        return x - h.weight_decay * x - change(h, g, m, v)

    return update


#: Every rule's ``update(h, x, g, m, v)``, the parameter after a step, by the type of `h`.
UPDATES = {scalars: _update(change) for scalars, change in _CHANGES.items()}
