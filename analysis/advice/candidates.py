"""The stores that are advised and compared, by name, and how optimizers combine them.

A new store is one entry of `FIRST` or `SECOND`; for Adam, which keeps both moments, it also needs
the pairs that it is to be tried in.
"""

from collections.abc import Callable
from types import MappingProxyType
from typing import NamedTuple

import sketchlab as sl
from sketchlab.stores import Description

CLIP = MappingProxyType({"clip": "feasible"})


class Store(NamedTuple):
    """How a moment can be kept: ``describe(compression)``, which only sketches make use of."""

    describe: Callable[[float], Description]
    sized: bool = True


class Way(NamedTuple):
    """A way for an optimizer to keep its state; without compression, one of no sketch has it."""

    family: str
    names: dict
    options: dict = MappingProxyType({})

    @property
    def name(self):
        """The names of the stores, first moment first."""
        clip = ", clip" if self.options else ""
        return " / ".join(self.names.values()) + clip

    @property
    def sized(self):
        """Whether the bytes can be chosen."""
        return any(STORES[moment][name].sized for moment, name in self.names.items())

    def describe(self, compression):
        """The description of each moment; their hash functions differ."""
        return {
            moment: STORES[moment][name].describe(compression).with_seed(seed)
            for seed, (moment, name) in enumerate(self.names.items())
        }


def _count_min(decay, conservative=False):
    return lambda times: sl.CountMinSketch(
        compression=times, decay=decay, conservative=conservative
    )


def _count_sketch(decay, **more):
    return lambda times: sl.CountSketch(compression=times, decay=decay, **more)


def _head_tail(tail, **more):
    return lambda times: sl.HeadTail(head=0.75, tail=tail(times), **more)


def _fixed(description):
    return Store(lambda _: description, sized=False)


EXACT = _fixed(sl.Dense(decay="lazy"))

#: Of a first moment, which has either sign.
FIRST = {
    "exact": EXACT,
    "8 bit": _fixed(sl.Quantized(signed=True)),
    "count-sketch lazy": Store(_count_sketch("lazy")),
    "count-sketch global": Store(_count_sketch("global")),
    "count-sketch weighted": Store(_count_sketch("global", row_weights=True)),
    "count-sketch shrunken": Store(_count_sketch("global", shrink=True)),
    "head-tail global": Store(_head_tail(_count_sketch("global"))),
    "head-tail weighted": Store(_head_tail(_count_sketch("global"), row_weights=True)),
}

#: Of a second moment, which is not negative.
SECOND = {
    "exact": EXACT,
    "8 bit": _fixed(sl.Quantized(signed=False)),
    "count-min lazy": Store(_count_min("lazy")),
    "count-min bucket": Store(_count_min("bucket")),
    "count-min global": Store(_count_min("global")),
    "count-min conservative": Store(_count_min("global", True)),
    "bucket mean": Store(lambda times: sl.BucketMean(compression=times)),
    "head-tail conservative": Store(_head_tail(_count_min("global", True))),
    "row-wise": _fixed(sl.RowWise(decay="global")),
    "rank-1": _fixed(sl.Rank1(decay="global")),
    "rank-1 lazy": _fixed(sl.Rank1(decay="lazy")),
    "SM3": _fixed(sl.SM3(decay="global")),
}

STORES = {"m": FIRST, "v": SECOND}

_PAIRS = (
    ("exact", "exact"),
    ("exact", "rank-1"),
    ("exact", "count-min lazy"),
    ("exact", "count-min conservative"),
    ("8 bit", "8 bit"),
    ("8 bit", "rank-1 lazy", CLIP),
    ("8 bit", "count-min lazy", CLIP),
    ("head-tail weighted", "rank-1", CLIP),
    ("head-tail weighted", "count-min conservative", CLIP),
    ("head-tail weighted", "head-tail conservative", CLIP),
    ("count-sketch weighted", "count-min conservative", CLIP),
    ("count-sketch shrunken", "rank-1", CLIP),
    ("count-sketch shrunken", "count-min conservative", CLIP),
    ("count-sketch lazy", "count-min lazy"),
    ("count-sketch global", "count-min global"),
)


def _of_one_moment(family, moment):
    return tuple(Way(family, {moment: name}) for name in STORES[moment])


#: For each optimizer the ways that are tried, exact state first.
WAYS = {
    "Adam": tuple(Way("Adam", {"m": m, "v": v}, *clip) for m, v, *clip in _PAIRS),
    "RMSprop": _of_one_moment("RMSprop", "v"),
    "Adagrad": _of_one_moment("Adagrad", "v"),
    "Momentum": _of_one_moment("Momentum", "m"),
}
