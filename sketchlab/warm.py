"""Compile the CPU kernels and keep them on disk: ``python -m sketchlab.warm``.

For images and CI, whose later processes then start in less than a second. The kernels go where the
first step of an optimizer would put them; ``NUMBA_CACHE_DIR`` names another place.
"""

import argparse
import time
from itertools import product

import numpy as np

import sketchlab as sl
from sketchlab.kernels.compile import KERNELS, cache_folders

__all__ = ["OPTIMIZERS", "warm"]

OPTIMIZERS = ("SGD", "Momentum", "Adagrad", "RMSprop", "Adam", "AMSGrad")
#: Stores with a kernel of their own.
_OTHERS = sl.Rank1(), sl.SM3(), sl.HeadTail(tail=sl.CountMinSketch(width=2), rows="frequent")
_MANY = 1 << 14


def warm(optimizers=OPTIMIZERS, dtypes=("float32",), seen=lambda line: None, cells=None):
    """Take small steps that need all kernels of some optimizers.

    Parameters
    ----------
    optimizers : sequence of str
    dtypes : sequence of {"float32", "float64"}
        Of tables and gradients.
    seen : callable
        ``seen(line)`` is told of every optimizer that is done.
    cells : {None, "bfloat16"}
        Of the stores that can have them; those of two bytes need tables of float32.

    Returns
    -------
    int
        How many kernels were compiled, and not found on disk.
    """
    before = _compiled()
    for dtype in dtypes:
        for name in optimizers:
            began, known = time.perf_counter(), _compiled()
            for optimizer in _of(name, dtype, cells):
                _take_steps(optimizer)
            seconds = time.perf_counter() - began
            seen(f"{name}, {dtype}: {_compiled() - known} kernels compiled, {seconds:.1f} s")
    return _compiled() - before


def _compiled():
    return sum(sum(kernel.stats.cache_misses.values()) for kernel in KERNELS)


def _kinds(cells):
    """A store of each kind for which kernels are compiled, see `kernels.cpu.views.by_kind`."""
    exact = sl.Dense(cells=cells)
    m, v = sl.CountSketch(width=2, cells=cells), sl.CountMinSketch(width=2, cells=cells)
    return {"m": (exact, m, sl.Quantized()), "v": (exact, v, sl.RowWise())}


def _of(name, dtype, cells):
    """An optimizer with every combination of kinds of stores."""
    make, table, kinds = getattr(sl, name), np.zeros((64, 2), dtype), _kinds(cells)
    moments = [moment.name for moment in make(table, 0.1).rule.moments if moment.name in kinds]
    for stores in product(*(kinds[moment] for moment in moments)):
        yield make(table, 0.1, **dict(zip(moments, stores)))
    if name == "RMSprop" and cells is None:
        for store in _OTHERS:
            yield make(table, 0.1, v=store)


def _take_steps(optimizer):
    """Of all rows; of some in order, and in any order, repeated; of enough for all threads."""
    for rows in (range(64), [1, 3], [3, 1, 3], np.zeros(_MANY, np.int64)):
        optimizer.step(np.ones((len(rows), 2), optimizer.dtype), rows=rows)
    optimizer.step(np.ones_like(optimizer.table))


def main(arguments=None):
    """Compile what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m sketchlab.warm", description=__doc__)
    parser.add_argument(
        "optimizers", nargs="*", metavar="OPTIMIZER", help=f"of {', '.join(OPTIMIZERS)}; all"
    )
    parser.add_argument(
        "--dtypes", nargs="+", choices=("float32", "float64"), default=["float32"], metavar="DTYPE"
    )
    parser.add_argument(
        "--cells",
        choices=("bfloat16",),
        help="for stores of such cells instead",
    )
    options = parser.parse_args(arguments)
    if options.cells and options.dtypes != ["float32"]:
        parser.error(f"--cells {options.cells} needs tables of float32, leave --dtypes out")
    if unknown := set(options.optimizers) - set(OPTIMIZERS):
        parser.error(f"unknown {', '.join(sorted(unknown))}: known are {', '.join(OPTIMIZERS)}")
    count = warm(options.optimizers or OPTIMIZERS, options.dtypes, print, options.cells)
    print(f"{count} kernels compiled; kept in {cache_folders()[0]}")


if __name__ == "__main__":
    main()
