"""The numbers that a byte stands for in a quantised store: dense near one, reaching far down.

A dynamic code (Dettmers 2016; Dettmers et al. 2022): the leading one-bit of a magnitude's code
says its power of ten, the bits below it a linear fraction within that power. Of the codes with
their leading bit at place e there are 2**e, evenly spaced over (10^(e-E)/10, 10^(e-E)], E being
the highest place; code 0 is zero. Unlike the published book, fractions end at the power of ten
instead of in the middle between two marks: then the largest magnitude is exactly one, with either
sign.
"""

from functools import cache

import numpy as np

__all__ = ["SIGN", "code_book", "half_gap", "middles"]

#: The bit of a signed code that stands for minus.
SIGN = 128


@cache
def magnitudes(signed):
    """Magnitudes of codes 0, 1, 2, ..., ascending from 0 to 1: 128 of a signed book, else 256."""
    places = 7 if signed else 8
    powers = [
        10.0 ** (e - places + 1) * (0.1 + 0.9 * np.arange(1, 2**e + 1) / 2**e)
        for e in range(places)
    ]
    return np.concatenate([[0.0], *powers])


@cache
def code_book(signed, dtype):
    """The number of each of the 256 codes; read-only."""
    book = magnitudes(signed)
    if signed:
        book = np.concatenate([book, 0.0 - book])
    return _frozen(book.astype(dtype))


@cache
def middles(signed, dtype):
    """Between code p and code p + 1: magnitudes above go to p + 1; read-only."""
    book = magnitudes(signed)
    return _frozen(((book[1:] + book[:-1]) / 2).astype(dtype))


def half_gap(signed):
    """The largest distance of a magnitude in [0, 1] from the nearest code."""
    return float(np.diff(magnitudes(signed)).max() / 2)


def _frozen(array):
    array.setflags(write=False)
    return array
