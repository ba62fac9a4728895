"""What a step costs on the host: kernels that it launches, and the time until all are launched.

``python -m tests.cuda.host_time`` on a machine with a GPU, whose own time is not counted as long as
launches do not have to wait for room in its queue. On an emulated GPU that launches nothing it is
the host's time alone.
"""

import statistics
import time
from collections import Counter
from unittest import mock

import numpy as np

import sketchlab as sl
from sketchlab.kernels.cuda import CUDA, driver
from sketchlab.kernels.cuda.launcher import Prepared

N, DIM, K = 100_000, 64, 4096
SIZES = 40  # numbers of rows that take turns
REPEATS = 400


def sketched(decay, **more):
    """Both moments of Adam in sketches."""
    return {"m": sl.CountSketch(decay=decay), "v": sl.CountMinSketch(decay=decay, **more)}


CASES = {
    "exact": ({}, False),
    "CS-MV lazy": (sketched("lazy"), False),
    "CS-MV global": (sketched("global"), False),
    "CS-MV bucket": (sketched("bucket"), False),
    "CS-MV global, conservative": (sketched("global", conservative=True), False),
    "CS-MV lazy, deterministic": (sketched("lazy"), True),
    "rank one v": ({"v": sl.Rank1()}, False),
    "SM3 v": ({"v": sl.SM3()}, False),
    "8 bits": ({"m": sl.Quantized(), "v": sl.Quantized(signed=False)}, False),
}


def batches(sizes):
    """Gradients and ascending rows on the device."""
    put = driver.cuda.to_device
    zeros = [np.zeros((size, DIM), np.float32) for size in sizes]
    return [(put(grads), put(np.arange(len(grads)))) for grads in zeros]


def microseconds(opt, given):
    """Median time of a step, those before it warmed up."""
    times = []
    for i in range(REPEATS):
        grads, rows = given[i % len(given)]
        start = time.perf_counter()
        opt.step(grads, rows=rows)
        times.append(time.perf_counter() - start)
        if i % SIZES == 0:
            driver.cuda.synchronize()
    return 1e6 * statistics.median(times[SIZES:])


def launches(opt, grads, rows):
    """How many kernels a step launches."""
    counted, launch = Counter(), Prepared.__call__

    def count(prepared):
        counted["launches"] += 1
        launch(prepared)

    with mock.patch.object(Prepared, "__call__", count):
        opt.step(grads, rows=rows)
    return counted["launches"]


def main():
    """Print the table."""
    print(f"Adam, n = {N}, d = {DIM}, k = {K}, ascending rows; µs on the host")
    print(f"{'stores':28}{'launches':>9}{'same k':>8}{'other k':>9}")
    same, other = batches([K]), batches(range(K, K + SIZES))
    for name, (stores, deterministic) in CASES.items():
        table = driver.cuda.to_device(np.zeros((N, DIM), np.float32))
        opt = sl.Adam(table, backend=CUDA(deterministic=deterministic), **stores)
        opt.step(*other[-1][:1], rows=other[-1][1])
        numbers = microseconds(opt, same), microseconds(opt, other)
        count = launches(opt, *same[0])
        print(f"{name:28}{count:>9}{numbers[0]:>8.0f}{numbers[1]:>9.0f}", flush=True)


if __name__ == "__main__":
    main()
