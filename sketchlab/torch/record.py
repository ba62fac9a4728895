"""Gradients of a run, written down for studies on a user's own model."""

import atexit
import warnings
from pathlib import Path

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from sketchlab import streams
from sketchlab.annotations import FilePath
from sketchlab.errors import InputError
from sketchlab.validation import checked_count

__all__ = ["Recording", "record"]


class Recording:
    """A recording in progress; `record` starts it.

    Attributes
    ----------
    taken : int
        Steps recorded so far.
    nbytes : int
        What they take uncompressed.
    """

    def __init__(self, parameter, path, steps, max_bytes):
        self._parameter, self._path = parameter, _checked_path(path)
        self._steps = checked_count("steps", steps, 1)
        self._max_bytes = checked_count("max_bytes", max_bytes, 1)
        self._rows, self._values, self._dense = [], [], []
        self.nbytes = 0
        self._hook = register_optimizer_step_post_hook(self._seen)
        atexit.register(self.close)

    @property
    def taken(self) -> int:
        """Steps recorded so far."""
        return len(self._rows)

    def _seen(self, optimizer, args, kwargs):
        """Take down the gradient of a step of any optimizer that moves the parameter."""
        groups = optimizer.param_groups
        moved = any(self._parameter is one for group in groups for one in group["params"])
        if not moved or self._parameter.grad is None:
            return
        rows, values, dense = _rows_and_values(self._parameter)
        grown = self.nbytes + rows.nbytes + values.nbytes
        if grown > self._max_bytes:
            warnings.warn(
                f"{self._path}: recorded {self.taken} of {self._steps} steps, the next one would "
                f"exceed max_bytes={self._max_bytes}",
                stacklevel=2,
            )
            self.close()
            return
        self.nbytes = grown
        self._rows.append(rows)
        self._values.append(values)
        self._dense.append(dense)
        if self.taken == self._steps:
            self.close()

    def close(self) -> None:
        """Stop, and write what was recorded; a second call does nothing.

        Raises
        ------
        CheckpointError
            If the file cannot be written; an older one is left as it was.
        """
        if self._hook is None:
            return
        self._hook.remove()
        self._hook = None
        atexit.unregister(self.close)
        shape = tuple(self._parameter.shape)
        streams.write(self._path, shape, self._rows, self._values, self._dense)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


def _checked_path(path):
    """Find out now, not after the last step, that there is no such folder."""
    path = Path(path).resolve()
    if not path.parent.is_dir():
        raise InputError(f"path={str(path)!r}: there is no folder {path.parent}, make it first")
    return path


def record(
    parameter: torch.Tensor, path: FilePath, steps: int, *, max_bytes: int = 2**30
) -> Recording:
    """Write down the gradients that a parameter sees in the steps of its optimizer.

    Any optimizer of PyTorch will do, this package's or others. A gradient is taken as the step saw
    it: accumulated, unscaled and clipped. They are kept in memory and written, whole or not at all,
    after the last step, when `max_bytes` are reached, by ``close()``, or when the program ends.

    The file is an .npz that ``numpy.load`` reads; step s has the entries ``offsets[s]`` up to
    ``offsets[s + 1]`` of rows and values:

    ======= ==================== ==============================================================
    format  str                  ``"sketchlab-gradients-1"``
    shape   (ndim,)              of the parameter; columns are all dimensions but the first
    offsets (steps+1,)           int64, where the entries of each step begin
    dense   (steps,)             bool: whether it was dense; rows of zeros are left out
    rows    (entries,)           int64; of a sparse gradient as they came, equal ones not summed
    values  (entries, columns)   float32, or float64 for such a parameter
    ======= ==================== ==============================================================

    Parameters
    ----------
    parameter : Tensor
    path : str or Path
    steps : int
        Steps to record; those in which the parameter has no gradient do not count.
    max_bytes : int
        Of rows and values, uncompressed. The step that would exceed it is not recorded any more.

    Returns
    -------
    Recording
        With ``close()``; also a context manager.

    Examples
    --------
    >>> import numpy as np, torch, sketchlab.torch as slt, tempfile, pathlib
    >>> table = torch.nn.Embedding(10, 2, sparse=True)
    >>> opt = slt.SGD(table.parameters(), lr=0.1)
    >>> path = pathlib.Path(tempfile.mkdtemp(), "gradients.npz")
    >>> with slt.record(table.weight, path, steps=2):
    ...     for words in ([3, 3], [5]):
    ...         opt.zero_grad()
    ...         table(torch.tensor(words)).sum().backward()
    ...         opt.step()
    >>> with np.load(path) as recorded:
    ...     print(recorded["offsets"], recorded["rows"], recorded["values"].shape)
    [0 2 3] [3 3 5] (3, 2)
    """
    return Recording(parameter, path, steps, max_bytes)


def _rows_and_values(parameter):
    """Rows (k,) and values (k, columns) of a gradient, copied to the host, and if it is dense."""
    gradient = parameter.grad.detach().cpu()
    dtype = torch.float64 if gradient.dtype == torch.float64 else torch.float32
    if gradient.is_sparse:
        rows, values = gradient._indices()[0], gradient._values()
        values = values.reshape(len(rows), -1)
    else:
        values = gradient.reshape(len(gradient) if gradient.ndim else 1, -1)
        rows = (values != 0).any(dim=1).nonzero()[:, 0]
        values = values[rows]
    return rows.numpy().copy(), values.to(dtype).numpy().copy(), not gradient.is_sparse
