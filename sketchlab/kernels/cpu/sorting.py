"""Stable sorting of small integers, by which rows are grouped in linear time.

A value and its place among the values are one number of 64 bits, sorted by the value's bits alone.
NumPy's stable sort compares; a radix sort over as many bits as the values have is several times
faster, allocates nothing, and its passes can be split among threads.
"""

import numpy as np
from numba.extending import register_jitable

__all__ = [
    "DIGIT_BITS",
    "RADIX",
    "VALUE",
    "bits_of",
    "count_digits",
    "first_places",
    "key_of",
    "move_digits",
    "place_of",
    "starts_group",
    "value_of",
]

VALUE = 32  # the bit from which on a key is the value, below it is the place
DIGIT_BITS = 11
RADIX = 1 << DIGIT_BITS


@register_jitable
def key_of(value, place):
    """A value and its place in one number."""
    return (np.uint64(value) << np.uint64(VALUE)) | np.uint64(place)


@register_jitable
def value_of(key):
    """The value in a key."""
    return np.int64(key >> np.uint64(VALUE))


@register_jitable
def place_of(key):
    """The place in a key."""
    return np.int64(key & np.uint64((1 << VALUE) - 1))


@register_jitable
def starts_group(keys, e):
    """Whether another value begins at place `e` of the sorted keys."""
    return e == 0 or value_of(keys[e]) != value_of(keys[e - 1])


@register_jitable
def bits_of(count):
    """Bits of the largest number below `count`."""
    bits = 0
    while (count - 1) >> bits > 0:
        bits += 1
    return bits


@register_jitable
def digit_of(key, shift):
    """The digit of a key (uint64) that begins at bit `shift`."""
    return np.int64((key >> np.uint64(shift)) & np.uint64(RADIX - 1))


@register_jitable
def count_digits(keys, shift, start, stop, counts):
    """How often each digit occurs among the keys from `start` to `stop`."""
    for digit in range(RADIX):
        counts[digit] = 0
    for e in range(start, stop):
        counts[digit_of(keys[e], shift)] += 1


@register_jitable
def first_places(counts, parts):
    """Turn the counts (parts, RADIX) of consecutive parts into where each puts its first key."""
    place = 0
    for digit in range(RADIX):
        for p in range(parts):
            count = counts[p, digit]
            counts[p, digit] = place
            place += count


@register_jitable
def move_digits(keys, target, shift, start, stop, places):
    """Move the keys from `start` to `stop` to where their digits belong."""
    for e in range(start, stop):
        digit = digit_of(keys[e], shift)
        target[places[digit]] = keys[e]
        places[digit] += 1
