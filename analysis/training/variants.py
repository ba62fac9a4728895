"""The optimizers that are compared: a family, and how each keeps its auxiliary variables.

Three forms of a sketch are told apart by how touched rows decay: the paper's Algorithms 2-4
(``lazy``), the kernels that were released with it (``bucket``), and the linear sketch, for which
its theorem is proved (``global``). All sketches here have depth 3 and the same compression.
"""

from types import MappingProxyType
from typing import NamedTuple

import sketchlab as sl
from analysis.training.optimizers import plain
from sketchlab.stores import Description

COMPRESSION = 5
DEPTH = 3
PAPER, RELEASED, LINEAR = "paper", "released code", "linear"


class Variant(NamedTuple):
    """A way of keeping state. `m` and `v` are descriptions, None where the family has none.

    `form` names whose update it is; `state` is the name that the paper's tables use; `options`
    are further arguments of the optimizer.
    """

    family: str
    state: str
    form: str
    m: Description | None = None
    v: Description | None = None
    options: dict = MappingProxyType({})

    @property
    def name(self):
        return f"{self.family} {self.state} ({self.form})"

    @property
    def baseline(self):
        """Whether the family's state sizes are compared with this one's."""
        return self.state == "exact" and self.form == "lazy"

    def settings(self):
        """What a run's settings say of the optimizer, as plain values."""
        kept = {"m": self.m, "v": self.v}
        return {
            "variant": self.name,
            "family": self.family,
            "stores": {name: plain(store) for name, store in kept.items() if store is not None},
            "options": dict(self.options),
        }


def settings_of(plan, variant, learning_rate, replicate):
    """What the settings of a run have on every task.

    Replicate 0 is a try, judged on validation data. `plan` has the seed and, under ``common``,
    what all runs have in common.
    """
    return {
        **variant.settings(),
        "learning_rate": learning_rate,
        "split": "test" if replicate else "validation",
        "seed": plan["seed"],
        "replicate": replicate,
        **plan.get("common", {}),
    }


def _cs(decay):
    return sl.CountSketch(compression=COMPRESSION, depth=DEPTH, decay=decay)


def _cms(decay, conservative=False):
    return sl.CountMinSketch(
        compression=COMPRESSION, depth=DEPTH, decay=decay, conservative=conservative
    )


def shrunken(compression):
    """Adam with a shrunken first moment and a conservative second one, both so much smaller."""
    m = sl.CountSketch(compression=compression, depth=DEPTH, shrink=True)
    v = sl.CountMinSketch(compression=compression, depth=DEPTH, conservative=True)
    form = f"{LINEAR}: shrunken M, conservative, clip, {compression}x"
    return Variant("Adam", "CS-MV", form, m, v, {"clip": "feasible"})


_EXACT = sl.Dense(decay="lazy")
_CONSERVATIVE = _cms(None, True)

#: Adam with row weights in a linear sketch of the first moment, and a feasible clip.
WEIGHTED = Variant(
    "Adam",
    "CS-MV",
    f"{LINEAR}: row weights, conservative, clip",
    m=sl.CountSketch(compression=COMPRESSION, depth=DEPTH, row_weights=True),
    v=_CONSERVATIVE,
    options={"clip": "feasible"},
)
#: Adam that keeps no first moment of what is sketched, exactly and not.
WITHOUT_M = (
    Variant("Adam", "no M", "exact, lazy", v=_EXACT),
    Variant("Adam", "no M, CMS conservative", f"{LINEAR}: global", v=_CONSERVATIVE),
)
#: The second moment factorised, the first one exact.
FACTORISED = Variant("Adam", "LR-NMF-V", "global", m=_EXACT, v=sl.Rank1(decay="global"))

VARIANTS = (
    Variant("Momentum", "exact", "lazy", m=_EXACT),
    Variant("Momentum", "CS", f"{PAPER}: lazy", m=_cs("lazy")),
    Variant("Momentum", "CS", f"{RELEASED}: bucket", m=_cs("bucket")),
    Variant("Momentum", "CS", f"{LINEAR}: global", m=_cs("global")),
    Variant("Adagrad", "exact", "lazy", v=_EXACT),
    Variant("Adagrad", "CMS", "every form: nothing decays", v=_cms("lazy")),
    Variant("Adam", "exact", "lazy", m=_EXACT, v=_EXACT),
    Variant("Adam", "CS-MV", f"{PAPER}: lazy", m=_cs("lazy"), v=_cms("lazy")),
    Variant("Adam", "CS-MV", f"{RELEASED}: bucket", m=_cs("bucket"), v=_cms("bucket")),
    Variant("Adam", "CS-MV", f"{LINEAR}: global", m=_cs("global"), v=_cms("global")),
    Variant("Adam", "CS-V", f"{PAPER}: lazy", m=_EXACT, v=_cms("lazy")),
    Variant("Adam", "CS-V", f"{RELEASED}: bucket", m=_EXACT, v=_cms("bucket")),
    Variant("RMSprop", "exact", "lazy", v=_EXACT),
    Variant("RMSprop", "exact", "global", v=sl.Dense(decay="global")),
    Variant("RMSprop", "CMS", f"{PAPER}: lazy", v=_cms("lazy")),
    Variant("RMSprop", "CMS", f"{RELEASED}: bucket", v=_cms("bucket")),
    Variant("RMSprop", "CMS", f"{LINEAR}: global", v=_cms("global")),
    Variant("RMSprop", "CMS conservative", f"{LINEAR}: global", v=_cms("global", True)),
    Variant("RMSprop", "NMF rank-1", "global", v=sl.Rank1(decay="global")),
)

BY_NAME = {variant.name: variant for variant in VARIANTS}
