"""What is timed: the library's optimizers with every store, and PyTorch's.

A contender is made for a table, ``contender.make(table)``, which gives ``prepare(rows, grads)``
(rows None: a dense step), which gives a function that takes the step. Only that is timed.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

import sketchlab as sl

COMPRESSION, DEPTH = 5, 3
LR = 1e-3
SPARSE_ADAM = "torch.optim.SparseAdam"
#: What looking for infinities and NaN costs: the same optimizer with and without.
CHECKED = "Adam CS-MV global"
UNCHECKED = f"{CHECKED}, unchecked"


class Contender(NamedTuple):
    """`stores` say what a step must move at least; `yardsticks` are those it is set beside.

    ``exact``: the same optimizer with exact state; ``plain``: the same sketch, lazily decayed;
    ``four bytes``: the same stores with as many numbers, of four bytes;
    ``sparse torch`` and ``dense torch``: PyTorch's, for a sparse or dense step; ``unchecked``: the
    same optimizer without the check of gradients.
    """

    make: Callable
    stores: tuple = ()
    yardsticks: dict | None = None


def _sketch(kind, decay):
    if decay == "conservative":
        decay, more = "global", {"conservative": True}
    else:
        more = {}
    return kind(compression=COMPRESSION, depth=DEPTH, decay=decay, **more)


def _cs(decay):
    return _sketch(sl.CountSketch, "global" if decay == "conservative" else decay)


def _cms(decay):
    return _sketch(sl.CountMinSketch, decay)


def _byte(decay, signed=True):
    return sl.Quantized(decay=decay, signed=signed)


_EXACT = {"exact": sl.Dense(), "exact global": sl.Dense(decay="global")}
_LINEAR, _FORMS = ("lazy", "global"), ("lazy", "bucket", "global", "conservative")

#: How a signed variable can be kept, and how a non-negative one.
SIGNED = {
    **_EXACT,
    **{f"CS {decay}": _cs(decay) for decay in _FORMS[:3]},
    **{f"head-tail {decay}": sl.HeadTail(tail=_cs(decay)) for decay in _FORMS[:3]},
    **{f"8 bit {decay}": _byte(decay) for decay in _LINEAR},
}
SQUARED = {
    **_EXACT,
    **{f"CMS {decay}": _cms(decay) for decay in _FORMS},
    **{f"head-tail {decay}": sl.HeadTail(tail=_cms(decay)) for decay in _FORMS},
    **{f"rank-1 {decay}": sl.Rank1(decay=decay) for decay in _LINEAR},
    **{f"row-wise {decay}": sl.RowWise(decay=decay) for decay in _LINEAR},
    "SM3 global": sl.SM3(),
    **{f"8 bit {decay}": _byte(decay, signed=False) for decay in _LINEAR},
    "mean global": sl.BucketMean(compression=COMPRESSION, depth=DEPTH),
}


def _adam_pairs():
    """How both variables of Adam are kept: both exact, both compressed, or v alone."""
    for name, store in _EXACT.items():
        yield name, (store, store)
    for decay in _FORMS:
        yield f"CS-MV {decay}", (_cs(decay), _cms(decay))
        yield (
            f"head-tail MV {decay}",
            (sl.HeadTail(tail=_cs(decay)), sl.HeadTail(tail=_cms(decay))),
        )
    for decay in _LINEAR:
        yield f"8 bit MV {decay}", (_byte(decay), _byte(decay, signed=False))
    for name, store in SQUARED.items():
        if name not in _EXACT:
            m = _EXACT["exact" if store.decay == "lazy" else "exact global"]
            # the paper's name for an exact m and a count-min v
            yield name.replace("CMS", "CS-V") if "CMS" in name else f"{name} V", (m, store)


#: The stores of every optimizer, by name, in the order of the rule's variables.
FAMILIES = {
    "SGD": {"exact": ()},
    "Momentum": {name: (store,) for name, store in SIGNED.items()},
    "Adagrad": {name: (store,) for name, store in SQUARED.items()},
    "RMSprop": {name: (store,) for name, store in SQUARED.items()},
    "Adam": dict(_adam_pairs()),
}
MOMENTS = {"SGD": "", "Momentum": "m", "Adagrad": "v", "RMSprop": "v", "Adam": "mv"}

#: PyTorch's counterparts; the dense ones in their fused form, the faster one, where there is any.
_SPARSE_TORCH = {"SGD": "torch.optim.SGD", "Adagrad": "torch.optim.Adagrad"}
_DENSE_TORCH = {
    "SGD": "torch.optim.SGD, fused",
    "Momentum": "torch.optim.SGD with momentum, fused",
    "Adagrad": "torch.optim.Adagrad, fused",
    "RMSprop": "torch.optim.RMSprop",
    "Adam": "torch.optim.Adam, fused",
}


#: What is timed with cells of two bytes, too.
FOUR_BYTES = (
    "Momentum CS global", "RMSprop exact", "RMSprop CMS global", "RMSprop CMS conservative",
    "Adam exact", "Adam CS-MV lazy", "Adam CS-MV global",
)  # fmt: skip


def in_two_bytes(name):
    """The name of a contender with cells of two bytes."""
    return f"{name}, 2 bytes"


def _in_two_bytes(store):
    """The store with as many numbers of two bytes: a sketch of half the size."""
    smaller = {} if isinstance(store, sl.Dense) else {"compression": 2 * store.compression}
    return replace(store, cells="bfloat16", **smaller)


def _ours(family, stores, **options):
    """A contender of the library."""

    def make(table):
        seeded = [store.with_seed(seed) for seed, store in enumerate(stores)]
        opt = getattr(sl, family)(table, LR, **dict(zip(MOMENTS[family], seeded)), **options)
        for store in filter(None, (opt.m, opt.v)):
            for array in store.state().values():
                _touch(array)
        return lambda rows, grads: lambda: opt.step(grads, rows=rows)

    return make


def _touch(array):
    """Write to every page of an array, lest the first steps pay for getting memory."""
    if isinstance(array, np.ndarray):
        flat = array.reshape(-1)
        flat[:: 4096 // array.itemsize] = flat[:: 4096 // array.itemsize]


def _torch(optimizer, **options):
    """A contender of PyTorch, on the same parameters; sparse gradients come coalesced."""

    def make(table):
        import torch

        parameter = torch.nn.Parameter(torch.from_numpy(table))
        opt = getattr(torch.optim, optimizer)([parameter], lr=LR, **options)

        def prepare(rows, grads):
            parameter.grad = None
            if rows is None:
                gradient = torch.from_numpy(grads)
            else:
                gradient = torch.sparse_coo_tensor(
                    torch.from_numpy(rows)[None],
                    torch.from_numpy(grads),
                    table.shape,
                    is_coalesced=True,
                )
            parameter.grad = gradient
            return opt.step

        return prepare

    return make


def _library():
    for family, kept in FAMILIES.items():
        for name, stores in kept.items():
            yardsticks = {
                "exact": f"{family} exact",
                "sparse torch": _SPARSE_TORCH.get(family, SPARSE_ADAM),
                "dense torch": _DENSE_TORCH[family],
            }
            for form in ("conservative", "global"):
                plain = name.replace(form, "lazy")
                if name.endswith(form) and plain in kept:
                    yardsticks["plain"] = f"{family} {plain}"
            if f"{family} {name}" == CHECKED:
                yardsticks["unchecked"] = UNCHECKED
            yield f"{family} {name}", Contender(_ours(family, stores), stores, yardsticks)


def _two_bytes():
    for name in FOUR_BYTES:
        family, kept = name.split(" ", 1)
        stores = tuple(map(_in_two_bytes, FAMILIES[family][kept]))
        yield in_two_bytes(name), Contender(_ours(family, stores), stores, {"four bytes": name})


_ONE = (sl.Dense(),)
CONTENDERS = dict([*_library(), *_two_bytes()]) | {
    UNCHECKED: Contender(
        _ours("Adam", FAMILIES["Adam"]["CS-MV global"], check_finite=False),
        FAMILIES["Adam"]["CS-MV global"],
        {},
    ),
    SPARSE_ADAM: Contender(_torch("SparseAdam"), 2 * _ONE),
    "torch.optim.SGD": Contender(_torch("SGD")),
    "torch.optim.SGD, fused": Contender(_torch("SGD", fused=True)),
    "torch.optim.SGD with momentum, fused": Contender(
        _torch("SGD", momentum=0.9, fused=True), _ONE
    ),
    "torch.optim.Adagrad": Contender(_torch("Adagrad"), _ONE),
    "torch.optim.Adagrad, fused": Contender(_torch("Adagrad", fused=True), _ONE),
    "torch.optim.RMSprop": Contender(_torch("RMSprop"), _ONE),
    "torch.optim.Adam": Contender(_torch("Adam"), 2 * _ONE),
    "torch.optim.Adam, fused": Contender(_torch("Adam", fused=True), 2 * _ONE),
}


def needs_torch(name):
    """Whether a contender is PyTorch's."""
    return name.startswith("torch")
