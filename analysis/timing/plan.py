"""What the speed experiment times: its parts, each one or more runs, largest tables last.

A run is a process in which all contenders take turns on all shapes: whatever is to be compared
is in one run. A shape is (rows n of the table, columns d, active rows k; None: a dense step).
"""

from typing import NamedTuple

from analysis.timing.cpu_contenders import (
    CHECKED,
    CONTENDERS,
    FAMILIES,
    FOUR_BYTES,
    SPARSE_ADAM,
    UNCHECKED,
    in_two_bytes,
    needs_torch,
)
from analysis.timing.sums import SUMMERS
from analysis.timing.turns import COPIED, PARTS
from sketchlab import Dense

TWO_BYTES = "two bytes"
BASE = (200_000, 256, 4_096)
SWEPT = (
    "Adam exact", "Adam CS-MV global", "Adam CS-MV lazy", "RMSprop CMS global", SPARSE_ADAM,
)  # fmt: skip
_REPEATS = {"quick": 15, "full": 30}
_BASE_REPEATS = 50  # of the full form
_FEWER = {"quick": 10, "full": 20}
_SMALL_STEPS = 20  # one after the other
_ZIPF = (680_000, 10**6)  # rows of a table and draws, of which a fifth are distinct


class Run(NamedTuple):
    """One process; see `analysis.timing.cpu_steps.measure` for what the fields mean."""

    part: str
    contenders: tuple
    shapes: list
    repeats: int
    kind: str = "steps"
    block: int = 1
    threads: int | None = None  # None: as many as the machine has cores
    copied: int = COPIED

    def without(self, tables):
        """The run without the shapes of some tables (n, d)."""
        return self._replace(shapes=[one for one in self.shapes if one[:2] not in tables])

    def settings(self, configuration):
        """Return what determines the results, of the contenders that can be had here."""
        torch = configuration["torch"]
        return {
            "part": self.part,
            "kind": self.kind,
            "contenders": [name for name in self.contenders if torch or not needs_torch(name)],
            "shapes": [list(shape) for shape in self.shapes],
            "repeats": self.repeats,
            "block": self.block,
            "copied": self.copied,
            "threads": self.threads or configuration["threads"],
            "torch": torch,
            "wait_policy": configuration["wait_policy"],
            "seed": configuration["seed"],
        }


def runs(mode, cores):
    """Return all runs of a mode, "quick" or "full", on a machine with as many cores."""
    return [
        *_base(mode),
        _two_bytes(mode),
        *_dense(mode),
        *_by_threads(mode, cores),
        *_finite_check(mode),
        *_small(mode),
        *_unique(mode),
        *_by_columns(mode),
        *_by_active_rows(mode),
        *_by_rows(mode),
    ]


#: Adam with stores smaller than sketches.
COMPACT = (
    "Adam rank-1 global V", "Adam row-wise global V", "Adam SM3 global V", "Adam 8 bit MV global",
)  # fmt: skip
#: What stands for all where there is no time for all.
_MAIN = (
    "SGD exact", "Momentum exact", "Momentum CS global", "Adagrad exact", "Adagrad CMS global",
    "RMSprop exact", "RMSprop CMS lazy", "RMSprop CMS global", "RMSprop CMS conservative",
    "Adam exact", "Adam CS-MV lazy", "Adam CS-MV bucket", "Adam CS-MV global",
    "Adam CS-MV conservative", SPARSE_ADAM, "torch.optim.Adagrad",
)  # fmt: skip


def _base(mode):
    """Every optimizer with every store; a run for each optimizer."""
    if mode == "quick":
        return [Run("base", (*_MAIN, *COMPACT), [BASE], _REPEATS[mode])]
    return [Run("base", _family(family), [BASE], _BASE_REPEATS) for family in FAMILIES]


def _family(family):
    ours = [f"{family} {name}" for name in FAMILIES[family]]
    torch = {CONTENDERS[name].yardsticks["sparse torch"] for name in ours}
    return (*ours, *sorted({SPARSE_ADAM} | torch))


def _two_bytes(mode):
    """Cells of two bytes beside as many of four."""
    both = tuple(kind for name in FOUR_BYTES for kind in (name, in_two_bytes(name)))
    return Run(TWO_BYTES, both, [BASE], _BASE_REPEATS if mode == "full" else _REPEATS[mode])


def _dense(mode):
    ours = [name for name in _MAIN if not needs_torch(name)]
    ours += COMPACT[:3]
    if mode == "quick":
        ours = ["Adam exact", "Adam CS-MV global", "RMSprop CMS global", "Adagrad exact"]
    torch = {CONTENDERS[name].yardsticks["dense torch"] for name in ours} | {"torch.optim.Adam"}
    shape = (100_000 if mode == "full" else 50_000, 64, None)
    return [Run("dense", (*ours, *sorted(torch)), [shape], _FEWER[mode])]


def threads_part(count):
    """The name of the part on as many threads."""
    return "1 thread" if count == 1 else f"{count} threads"


def _by_threads(mode, cores):
    """The base shape on 1, 2, 4, … threads, as far as there are cores; all of them is the base."""
    contenders, count = _MAIN if mode == "full" else SWEPT, 1
    while count < cores:
        yield Run(threads_part(count), contenders, [BASE], _REPEATS[mode], threads=count)
        count *= 2


def _finite_check(mode):
    """What the check of gradients costs; quick alone, as the runs of the full form are stored."""
    if mode == "quick":
        yield Run("finite check", (CHECKED, UNCHECKED), [BASE], 4 * _REPEATS[mode])


def _small(mode):
    """Steps one after the other: what they take beside moving data."""
    many = (1, 16, 63) if mode == "full" else (1, 63)
    shapes = [(BASE[0], dim, k) for dim in (1, 64) for k in many]
    return [Run("small", ("SGD exact", *SWEPT), shapes, _FEWER[mode], block=_SMALL_STEPS)]


def _unique(mode):
    n, k = _ZIPF
    shapes = [(n, dim, k) for dim in ((1, 16, 64) if mode == "full" else (16,))]
    return [Run("unique rows", tuple(SUMMERS), shapes, _FEWER[mode] // 2, kind="sums")]


def _by_columns(mode):
    dims = (1, 4, 16, 64, 256, 1024) if mode == "full" else (1, 256, 1024)
    n, _, k = BASE
    return [Run("d", SWEPT, [(n, dim, k) for dim in dims], _FEWER[mode])]


def _by_active_rows(mode):
    """On a table five times larger, so that the most active rows are still a tenth of it."""
    n, dim = 10**6, BASE[1]
    many = (1, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 100_000)
    few = (1, 256, 4_096, 16_384)
    return [Run("k", SWEPT, [(n, dim, k) for k in (many if mode == "full" else few)], _FEWER[mode])]


def _by_rows(mode):
    """What takes exact state is left out where it would take 20 GB and more."""

    def run(contenders, dim, sizes):
        return Run("n", contenders, [(n, dim, BASE[2]) for n in sizes], _REPEATS[mode])

    if mode == "quick":
        return [run(SWEPT[1:4], 256, (10**5, 10**6))]
    sizes = (10**5, 10**6, 10**7)
    return [
        run(SWEPT, 1, (*sizes, 10**8)),
        run(SWEPT, 64, sizes),
        run((SWEPT[0], SWEPT[4]), 256, sizes[:2]),
        run((SWEPT[2],), 256, sizes),
        run((SWEPT[1], SWEPT[3]), 256, sizes),
    ]


def too_large(runs, available):
    """Return the tables that do not fit into memory.

    Parameters
    ----------
    runs : list of Run
    available : int or None
        Bytes; None: whatever is asked for.

    Returns
    -------
    list of dict
        ``cell`` (its place in the list), ``part``, ``n``, ``dim``, ``bytes`` of the run with it.
    """
    found = []
    for place, run in enumerate(runs):
        while run.shapes and available is not None and needed(run) > available:
            n, dim, _ = max(run.shapes, key=lambda shape: shape[0] * shape[1])
            table = {"part": run.part, "n": n, "dim": dim, "bytes": needed(run)}
            found.append({"cell": place} | table)
            run = run.without([(n, dim)])
    return found


def needed(run):
    """Bytes that a run takes: tables, state (a quarter of a table if not exact), scratch."""
    tables = {shape[:2] for shape in run.shapes}
    steps = sum((n if k is None else k) * dim for n, dim, k in run.shapes)
    share = 1.0  # the parameters
    if run.kind == "steps":
        stores = [store for name in run.contenders for store in CONTENDERS[name].stores]
        share += sum(1 if isinstance(store, Dense) else 0.25 for store in stores)
    numbers = share * sum(n * dim for n, dim in tables)
    numbers += 3 * len(run.contenders) * steps  # sums of gradients, changes
    return int(4 * numbers + PARTS * COPIED + 0.4e9)  # and the program
