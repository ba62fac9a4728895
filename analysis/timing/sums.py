"""The contenders of the part `unique rows`: the gradients of equal rows are summed.

Each maker takes the number of rows of the table and gives ``prepare(rows, grads)``, which gives a
function that returns the distinct rows, ascending, and their sums; some rows must be equal.
"""

import numba
import numpy as np

from sketchlab.kernels.cpu import CPU

OURS, TORCH = "sketchlab", "torch, coalesce"


def _ours(n):
    backend, threads = CPU(), numba.get_num_threads()

    def prepare(rows, grads):
        def run():
            distinct, sums, _ = backend.coalesce(n, rows, grads, ascending=False, threads=threads)
            return distinct, sums

        return run

    return prepare


def _torch(n):
    import torch

    def prepare(rows, grads):
        rows, grads = torch.from_numpy(rows)[None], torch.from_numpy(grads)

        def run():
            # made anew, as it remembers that it has been coalesced
            made = torch.sparse_coo_tensor(rows, grads, (n, grads.shape[1])).coalesce()
            return made.indices()[0].numpy(), made.values().numpy()

        return run

    return prepare


def _numpy_add_at(n):
    def prepare(rows, grads):
        def run():
            distinct, place = np.unique(rows, return_inverse=True)
            summed = np.zeros((len(distinct), grads.shape[1]), grads.dtype)
            np.add.at(summed, place, grads)
            return distinct, summed

        return run

    return prepare


def _numpy_reduceat(n):
    def prepare(rows, grads):
        def run():
            order = np.argsort(rows, kind="stable")
            ordered = rows[order]
            starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
            return ordered[starts], np.add.reduceat(grads[order], starts, axis=0)

        return run

    return prepare


SUMMERS = {
    OURS: _ours,
    TORCH: _torch,
    "NumPy, unique and add.at": _numpy_add_at,
    "NumPy, sort and reduceat": _numpy_reduceat,
}
