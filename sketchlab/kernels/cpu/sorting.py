"""Stable sorting of small integers, by which rows and cells are grouped in linear time.

NumPy's stable sort of 64-bit integers compares; a radix sort over as many bits as the keys have
is several times faster and allocates nothing.
"""

from numba.extending import register_jitable

__all__ = ["RADIX", "group_starts", "next_group", "sort_stably"]

_DIGIT_BITS = 11
RADIX = 1 << _DIGIT_BITS


@register_jitable
def sort_stably(keys, bits, order, spare, counts):
    """Fill `order` (k,) with the positions of `keys` (k,) in ascending, stable order.

    `bits` is the number of bits of the largest key; `spare` (k,) and `counts` (RADIX,) are
    scratch.
    """
    for i in range(keys.size):
        order[i] = i
    for shift in range(0, bits, _DIGIT_BITS):
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
def group_starts(keys, order, starts):
    """Where each group of equal keys starts in `order`; returns the number of groups.

    `starts` (k + 1,) ends with k behind the last group.
    """
    groups = 0
    for e in range(order.size):
        if e == 0 or keys[order[e]] != keys[order[e - 1]]:
            starts[groups] = e
            groups += 1
    starts[groups] = order.size
    return groups


@register_jitable
def next_group(keys, order, e):
    """The first place from `e` on at which a group starts, or the end of `order`."""
    while 0 < e < order.size and keys[order[e]] == keys[order[e - 1]]:
        e += 1
    return e
