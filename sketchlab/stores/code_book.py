"""The numbers that a byte stands for in a quantised store: dense near one, reaching far down.

A dynamic code (Dettmers et al. 2022): the leading one-bit of a magnitude's code says its power of
ten, the bits below it a linear fraction within that power. There are 2**e codes with the leading
bit at place e, evenly spaced over (10**(e − E − 1), 10**(e − E)], E being the highest place; code 0
is zero. Unlike in the published book, a fraction is the upper end of its part and not the middle:
so the largest magnitude is exactly one, with either sign.
"""

from functools import cache

import numpy as np

__all__ = ["CODES", "SIGN", "code_book", "code_lines"]

#: How many codes a byte has.
CODES = 256

#: The bit of a signed code that stands for minus.
SIGN = np.uint8(128)


@cache
def code_book(signed, dtype):
    """The numbers of all 256 codes; read-only."""
    top = _top(signed)
    powers = [10.0 ** (e - top) * (0.1 + 0.9 * _fractions(e)) for e in range(top + 1)]
    book = np.concatenate([[0.0], *powers])
    return _frozen(np.concatenate([book, 0.0 - book]) if signed else book, dtype)


@cache
def code_lines(signed, dtype):
    """Slopes and offsets (E + 1, 2) of code against magnitude, place by place; read-only.

    Slopes fall from each place to the next and the lines meet at codes, so that the code of a
    magnitude is the lowest of all its lines, rounded; see `arithmetic.nearest_code`.
    """
    top = _top(signed)
    count, width = 2.0 ** np.arange(top + 1), 0.9 * 10.0 ** np.arange(-top, 1)
    lines = np.stack([count / width, count - 1 - count / 9], axis=1)
    lines[0] = 10.0**top, 0.0  # from zero to the first code
    return _frozen(lines, dtype)


def _top(signed):
    """The highest place of a magnitude."""
    return 6 if signed else 7


def _fractions(place):
    return np.arange(1, 2**place + 1) / 2**place


def _frozen(array, dtype):
    array = array.astype(dtype)
    array.setflags(write=False)
    return array
