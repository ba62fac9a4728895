"""Stable sorting of small integers, by which rows and cells are grouped in linear time.

NumPy's stable sort of 64-bit integers compares; a radix sort over as many bits as the keys have
is several times faster and allocates nothing.
"""

import numpy as np
from numba.extending import register_jitable

__all__ = [
    "DIGIT_BITS",
    "RADIX",
    "bits_of",
    "count_digits",
    "first_places",
    "move_digits",
    "next_group",
    "sort_stably",
]

DIGIT_BITS = 11
RADIX = 1 << DIGIT_BITS


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


@register_jitable
def sort_stably(keys, bits, order, spare, counts):
    """Fill `order` (k,) with the positions of `keys` (k,) in ascending, stable order.

    `bits` is the number of bits of the largest key; `spare` (k,) and `counts` (RADIX,) are
    scratch.
    """
    for i in range(keys.size):
        order[i] = i
    for shift in range(0, bits, DIGIT_BITS):
        for digit in range(RADIX):
            counts[digit] = 0
        for i in range(keys.size):
            counts[(keys[i] >> shift) & (RADIX - 1)] += 1
        start = 0
        for digit in range(RADIX):
            count = counts[digit]
            counts[digit] = start
            start += count
        for e in range(keys.size):
            i = order[e]
            digit = (keys[i] >> shift) & (RADIX - 1)
            spare[counts[digit]] = i
            counts[digit] += 1
        for e in range(keys.size):
            order[e] = spare[e]


@register_jitable
def next_group(keys, order, e):
    """The first place from `e` on at which a group starts, or the end of `order`."""
    while 0 < e < order.size and keys[order[e]] == keys[order[e - 1]]:
        e += 1
    return e
