"""Contenders take turns, each after a copy larger than the caches; and what is kept of the times.

What is timed is then memory, not what the step before left in the cache, and a disturbance of the
machine strikes all alike: ratios are of times of the same turn, and their median is kept. The copy
drives out the program, too, and fetching it again takes a few tenths of a millisecond, more than a
small step; so each contender takes a rehearsal between the copy and the step, on a table of a few
rows that it has for nothing else.
"""

import time
from collections.abc import Callable
from itertools import count
from typing import NamedTuple

import numba
import numpy as np

COPIED = 2**28  # bytes that one copy reads, and as many that it writes
PARTS = 4  # of the array that is copied from and to, so that a copy reads nothing from the cache
WARM_UP = 3  # turns that compile, allocate and fill, and are not counted
QUARTILES = (0.25, 0.5, 0.75)


class Entry(NamedTuple):
    """A contender on one shape.

    ``prepare(turn)`` gives the function that is timed; ``rehearse()`` runs the same program on
    other data.
    """

    name: str
    shape: tuple
    prepare: Callable
    rehearse: Callable


def take(entries, repeats, copy, block=1):
    """Milliseconds of every entry and of the copy before it, in every turn.

    Parameters
    ----------
    entries : list of Entry
    repeats : int
        Turns.
    copy : callable
        From `copier`.
    block : int
        Steps of an entry one after the other, of which the median counts. With more than one, it
        is what a step takes whose data are in the cache.

    Returns
    -------
    times, copies : ndarray, (entries, repeats)
    """
    times, copies = np.empty((2, len(entries), WARM_UP + repeats))
    for turn in range(WARM_UP + repeats):
        for place, entry in enumerate(entries):
            run = entry.prepare(turn)
            copies[place, turn] = _milliseconds(copy)
            entry.rehearse()
            times[place, turn] = np.median([_milliseconds(run) for _ in range(block)])
    return times[:, WARM_UP:], copies[:, WARM_UP:]


def digest(entries, times, copies, yardsticks):
    """What is kept: quartiles, and medians of ratios to others of the same turn.

    Parameters
    ----------
    entries : list of Entry
    times, copies : ndarray, (entries, turns)
    yardsticks : callable
        ``yardsticks(entry)``: names of the contenders of its shape that it is set beside, by what
        they are to it.

    Returns
    -------
    list of dict
        ``of_copy``: the time over that of the copy. ``of``: the time over each yardstick's that
        took part. ``of_first`` and ``of_previous``: over that of the same contender on the first
        shape and on the one before, where it has been on one.
    """
    place = {(entry.name, entry.shape): number for number, entry in enumerate(entries)}
    kept, earlier = [], {}
    for entry, ours, copy in zip(entries, times, copies, strict=True):
        found = {
            what: _ratio(ours, times[place[name, entry.shape]])
            for what, name in yardsticks(entry).items()
            if name != entry.name and (name, entry.shape) in place
        }
        before = earlier.setdefault(entry.name, [])
        grown = {"of_first": before[0], "of_previous": before[-1]} if before else {}
        before.append(ours)
        kept.append(
            {
                "contender": entry.name,
                "n": entry.shape[0],
                "dim": entry.shape[1],
                "k": entry.shape[2],
                "quartiles_ms": [rounded(value) for value in np.quantile(ours, QUARTILES)],
                "of_copy": _ratio(ours, copy),
                "of": found,
                **{what: _ratio(ours, other) for what, other in grown.items()},
            }
        )
    return kept


def copy_gb_per_s(copies, copied):
    """Bandwidth of copies, bytes read and bytes written, by their median time."""
    return rounded(2 * copied / (np.median(copies) * 1e-3) / 1e9)


def rounded(value):
    """Four digits, which is more than timings are good for."""
    return float(f"{value:.4g}")


def copier(copied):
    """A function that copies this many bytes, by all threads, other ones at each call.

    Writing may go past the cache: what drives out its content is what is read, and only if that
    was not there before.
    """
    parts = np.ones((PARTS, copied // 8))
    number = count()

    def copy():
        source = next(number) % PARTS
        _copy_in_parallel(parts[source], parts[source - PARTS // 2])

    return copy


@numba.njit(parallel=True, cache=True)
def _copy_in_parallel(source, target):
    for i in numba.prange(len(source)):
        target[i] = source[i]


def _milliseconds(run):
    start = time.perf_counter()
    run()
    return 1e3 * (time.perf_counter() - start)


def _ratio(times, others):
    return rounded(np.median(times / others))
