"""Times what a new process waits for before an optimizer's first step is done.

``python -m analysis.timing.cold_start SETTINGS`` prints one line of JSON. Nothing but the standard
library may be imported before the clock runs.
"""

import json
import os
import sys
import time

#: The optimizers whose first step is timed, made of the library and a table.
OPTIMIZERS = {
    "Adam CS-MV": lambda sl, table: sl.Adam(table, m=sl.CountSketch(), v=sl.CountMinSketch()),
    "RMSprop CMS": lambda sl, table: sl.RMSprop(table, 1e-3, v=sl.CountMinSketch()),
    "Adam exact": lambda sl, table: sl.Adam(table),
    "SGD": lambda sl, table: sl.SGD(table, 1e-3),
}


def measure(settings):
    """Seconds of the imports and of the first step, and how many kernels were compiled for it.

    Parameters
    ----------
    settings : dict
        ``optimizer``, its table's ``n`` and ``dim``, the number of rows ``k``, ``seed``, and
        ``cache``, the folder for kernels.

    Returns
    -------
    dict
        ``import_numba_s``; ``import_sketchlab_s``, on top of it; ``first_step_s``, from before the
        optimizer is made; the kernels ``compiled`` and ``loaded`` from the folder.
    """
    os.environ["NUMBA_CACHE_DIR"] = settings["cache"]
    begin = time.perf_counter()
    import numba  # noqa: F401

    numba_there = time.perf_counter()
    import sketchlab

    all_there = time.perf_counter()
    return {
        "import_numba_s": numba_there - begin,
        "import_sketchlab_s": all_there - numba_there,
        "first_step_s": _first_step(sketchlab, settings),
        **_kernels(),
    }


def _first_step(sketchlab, settings):
    """The rows of the step are in no order and some come twice: every kernel is needed."""
    import numpy as np

    rng = np.random.default_rng(settings["seed"])
    n, dim, k = (settings[name] for name in ("n", "dim", "k"))
    table = np.full((n, dim), 0.5, np.float32)
    grads = rng.standard_normal((k, dim), np.float32)
    rows = rng.integers(0, n, k)
    rows[-1] = rows[0]
    begin = time.perf_counter()
    OPTIMIZERS[settings["optimizer"]](sketchlab, table).step(grads, rows=rows)
    return time.perf_counter() - begin


def _kernels():
    from sketchlab.kernels.compile import KERNELS

    return {
        "compiled": sum(kernel.stats.cache_misses.total() for kernel in KERNELS),
        "loaded": sum(kernel.stats.cache_hits.total() for kernel in KERNELS),
    }


if __name__ == "__main__":
    print(json.dumps(measure(json.loads(sys.argv[1]))))
