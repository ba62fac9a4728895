"""What a step on the CPU is to show (design), judged from the rows of the speed experiment.

Every target is a figure of one run: a ratio to a contender of the same run, a share of that
run's copy, or the growth from one size of a run to another.
"""

from itertools import pairwise
from typing import NamedTuple

from analysis.timing.cpu_contenders import (
    CHECKED,
    FOUR_BYTES,
    SPARSE_ADAM,
    in_two_bytes,
)
from analysis.timing.plan import BASE, COMPACT, TWO_BYTES
from analysis.timing.sums import OURS

EXACT, GLOBAL, LAZY = "Adam exact", "Adam CS-MV global", "Adam CS-MV lazy"
RMSPROP = "RMSprop CMS global"
#: Adam with stores smaller than sketches: how many times exact Adam's time it may take.
_COMPACT = dict(zip(COMPACT, (1.5, 1.5, 2.5, 2.5)))
#: Growth from one size to the next is judged where a step takes this many times the smallest's.
ABOVE_FIXED = 4


class Target(NamedTuple):
    """A figure and the bound that it is to keep; `value` None where it was not measured."""

    name: str
    value: float | None
    bound: float | None
    at_least: bool = False
    unit: str = ""

    @property
    def reached(self):
        """Whether the bound is kept; None without a figure or a bound."""
        if self.value is None or self.bound is None:
            return None
        return self.value >= self.bound if self.at_least else self.value <= self.bound


def judge(rows):
    """Return every target, as a dict with ``reached``, from the rows of a summary."""
    find = _Rows(rows)
    found = [
        *_beside_torch(find),
        *_bandwidth(find),
        *_beside_plain(find),
        *_conservative(find),
        *_compact(find),
        *_two_bytes(find),
        *_dense(find),
        *_finite_check(find),
        *_growth_with_rows(find),
        _linear(find, "k"),
        _linear(find, "d"),
        *_unique(find),
        *_small(find),
    ]
    return [target._asdict() | {"reached": target.reached} for target in found]


class _Rows:
    """The rows of a summary, found by part, contender and shape."""

    def __init__(self, rows):
        self.rows = rows

    def value(self, field, part, contender, shape=BASE):
        """A field of one row, or None where there is no such row or it has none."""
        wanted = {"part": part, "contender": contender, **dict(zip(("n", "dim", "k"), shape))}
        for row in self.rows:
            if all(row[name] == value for name, value in wanted.items()):
                return row.get(field)
        return None

    def ratio(self, contender, to, part="base"):
        """One contender's time over another's, of the medians in a part; None without either."""
        times = [row["ms"] for name in (contender, to) for row in self.sweep(part, name)]
        return times[0] / times[1] if len(times) == 2 else None

    def sweep(self, part, contender):
        """All rows of a contender in a part."""
        return [row for row in self.rows if (row["part"], row["contender"]) == (part, contender)]


def _beside_torch(find):
    for name, bound in ((GLOBAL, 0.4), (RMSPROP, 0.25)):
        value = find.value("of_torch", "base", name)
        yield Target(f"{name}, time over that of {SPARSE_ADAM}", value, bound)
        if name == GLOBAL:  # no bound of its own: given beside it
            lazy = find.value("of_torch", "base", LAZY)
            yield Target(f"{LAZY}, the same, for comparison", lazy, None)


def _bandwidth(find):
    wide, many = (BASE[0], 1024, BASE[2]), (10**6, BASE[1], 100_000)
    for name, part, shape, bound in (
        (GLOBAL, "base", BASE, 70),
        (GLOBAL, "d", wide, 70),
        (LAZY, "base", BASE, 60),
        (EXACT, "base", BASE, 75),
        (EXACT, "k", many, 80),
    ):
        share = find.value("of_copy", part, name, shape)
        title = f"{name}, d = {shape[1]:,}, k = {shape[2]:,}: part of the copy's bandwidth"
        yield Target(title, None if share is None else 100 * share, bound, True, "%")


def _beside_plain(find):
    for name in (GLOBAL, "Adam CS-MV conservative", RMSPROP, "RMSprop CMS conservative"):
        value = find.value("of_plain", "base", name)
        yield Target(f"{name}, time over that of plain (lazy)", value, 1.3)


def _conservative(find):
    for family, global_form in (("Adam CS-MV", GLOBAL), ("RMSprop CMS", RMSPROP)):
        name = f"{family} conservative"
        yield Target(f"{name}, time over that of {global_form}", find.ratio(name, global_form), 1.3)


def _compact(find):
    for name, bound in _COMPACT.items():
        yield Target(f"{name}, time over that of {EXACT}", find.ratio(name, EXACT), bound)


def _two_bytes(find):
    for name in FOUR_BYTES:
        value = find.value("of_four bytes", TWO_BYTES, in_two_bytes(name))
        yield Target(f"{name}, cells of two bytes: time over that with four", value, 1)


def _dense(find):
    for name, bound in ((GLOBAL, 2.5), (RMSPROP, 2)):
        value = find.ratio(name, EXACT, "dense")
        yield Target(f"{name}, dense step: time over that of {EXACT}", value, bound)


def _finite_check(find):
    value = find.value("of_unchecked", "finite check", CHECKED)
    if value is not None:
        yield Target(f"{CHECKED}, time over that without the check of gradients", value, 1.05)


def _growth_with_rows(find):
    for dim in (256, 64):
        shape = (10**7, dim, BASE[2])
        for field, begin in (("of_first", "1e5"), ("of_previous", "1e6")):
            value = find.value(field, "n", GLOBAL, shape)
            yield Target(f"{GLOBAL}, d = {dim}: time at n = 1e7 over n = {begin}", value, 1.2)


def _linear(find, part):
    """The largest departure from time ∝ size between neighbours, upwards or downwards.

    Neighbours are judged if the smaller one takes at least `ABOVE_FIXED` times what the smallest
    size of the sweep takes: there the fixed cost of a step is at most about a quarter of it.
    """
    name = {"k": "k", "d": "dim"}[part]
    rows = sorted(find.sweep(part, GLOBAL), key=lambda row: row[name])
    judged = [
        (small, large)
        for small, large in pairwise(rows)
        if small["ms"] >= ABOVE_FIXED * rows[0]["ms"]
    ]
    if not judged:
        return Target(f"{GLOBAL}: time per {part} between neighbouring sizes", None, 1.3)
    per_size = {
        (small[name], large[name]): large["of_previous"] * small[name] / large[name]
        for small, large in judged
    }
    sizes, worst = max(per_size.items(), key=lambda item: max(item[1], 1 / item[1]))
    title = (
        f"{GLOBAL}: time per {part} between neighbouring sizes from {judged[0][0][name]:,} to "
        f"{judged[-1][1][name]:,}, worst where it {'rises' if worst > 1 else 'falls'} "
        f"({sizes[0]:,} to {sizes[1]:,})"
    )
    return Target(title, max(worst, 1 / worst), 1.3)


def _unique(find):
    for row in find.sweep("unique rows", OURS):
        title = f"unique rows, d = {row['dim']}: torch's time over ours"
        value = 1 / row["of_torch"] if "of_torch" in row else None
        yield Target(title, value, 3, True)


def _small(find):
    for name, bound in ((GLOBAL, 30), (EXACT, 20)):
        for dim, k, title in ((1, 1, "overhead"), (64, 1, "overhead"), (64, 63, "the whole step")):
            ms = find.value("ms", "small", name, (BASE[0], dim, k))
            title = f"{name}, k = {k}, d = {dim}: {title}"
            yield Target(title, None if ms is None else 1e3 * ms, bound, unit="µs")
