"""What formulas need beyond sums and products: of NumPy arrays, and of compiled scalars.

Called from Python, these functions are NumPy's, for arrays and scalars alike. In compiled code each
is a scalar function in its place, of a form that every target compiles and that loops over columns
vectorise. A formula over them is therefore written once for all backends.
"""

import math

import numpy as np
from numba.extending import overload

__all__ = ["higher", "lower", "ratio", "root"]


def root(x):
    """The square root of an estimate of a second moment, 0 where that is below zero.

    A count-sketch, and a count-min sketch with ``lazy`` or ``bucket`` decay, can answer with a
    negative second moment.
    """
    return np.sqrt(np.maximum(x, 0))


@overload(root)
def _compile_root(x):
    zero = np.dtype(x.name).type(0)

    def compiled(x):
        return math.sqrt(higher(x, zero))  # CUDA does not compile NumPy's

    return compiled


def ratio(a, d):
    """a/d for d ≥ 0, and 0 where d is 0.

    A second moment of zero, a total or a weight of zero says that nothing was added, or that what
    was added has underflowed: it gives no scale to divide by. A NaN stays a NaN.
    """
    quotient = np.zeros(np.broadcast_shapes(np.shape(a), np.shape(d)), np.result_type(a, d))
    return np.divide(a, d, out=quotient, where=d != 0)[()]


@overload(ratio)
def _compile_ratio(a, d):
    def compiled(a, d):
        # the division comes first, on every path, so that loops over columns vectorise
        quotient = a / d
        return d if d == 0 else quotient

    return compiled


def lower(a, b):
    """The smaller of two numbers."""
    return np.minimum(a, b)


@overload(lower)
def _compile_lower(a, b):
    def compiled(a, b):
        return a if a < b else b  # a plain comparison vectorises, ``min`` does not

    return compiled


def higher(a, b):
    """The larger of two numbers; `lower` and `higher` of a pair are the pair, sorted."""
    return np.maximum(a, b)


@overload(higher)
def _compile_higher(a, b):
    def compiled(a, b):
        return b if a < b else a

    return compiled
