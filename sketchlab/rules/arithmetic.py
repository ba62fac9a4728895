"""What rules need beyond sums and products: once for arrays, once for compiled scalars."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba.extending import register_jitable

__all__ = ["ARRAYS", "SCALARS", "Arithmetic"]


class Arithmetic(NamedTuple):
    """The functions over which a rule is made.

    Attributes
    ----------
    sqrt : callable
    ratio : callable
        ``ratio(a, d)`` is a/d for d ≥ 0, and 0 where d is 0: a second moment of zero says that
        nothing was added to it, or that what was added has underflowed, and gives no scale to
        divide by. A NaN stays a NaN.
    """

    sqrt: Callable[[Any], Any]
    ratio: Callable[[Any, Any], Any]


def _array_ratio(a, d):
    quotient = np.zeros(np.broadcast_shapes(np.shape(a), np.shape(d)), np.result_type(a, d))
    return np.divide(a, d, out=quotient, where=d != 0)


@register_jitable
def _scalar_ratio(a, d):
    # the division comes first, on every path, so that loops over columns vectorise
    quotient = a / d
    return d if d == 0 else quotient


ARRAYS = Arithmetic(np.sqrt, _array_ratio)
SCALARS = Arithmetic(math.sqrt, _scalar_ratio)
