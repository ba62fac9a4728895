"""The file form of a recorded stream of gradients; PyTorch is not needed."""

import numpy as np

from sketchlab import checkpoint

#: Version of the layout of a file.
FORMAT = "sketchlab-gradients-1"


def write(path, shape, rows, values, dense):
    """Write the gradients of some steps as an .npz file, whole or not at all.

    Parameters
    ----------
    path : str or Path
    shape : tuple of int
        Of the parameter; columns are all dimensions but the first.
    rows : list of ndarray of int64, (k,)
        Of each step; of a dense gradient without those that are zero.
    values : list of ndarray, (k, columns)
    dense : list of bool
        Whether the gradient of each step was dense.

    Raises
    ------
    CheckpointError
        If the file cannot be written; an older one is left as it was.
    """
    columns = int(np.prod(shape[1:], dtype=np.int64))
    arrays = {
        "format": FORMAT,
        "shape": np.array(shape, np.int64),
        "offsets": np.cumsum([0, *map(len, rows)]),
        "dense": np.array(dense, np.bool_),
        "rows": np.concatenate(rows) if rows else np.empty(0, np.int64),
        "values": np.concatenate(values) if values else np.empty((0, columns), np.float32),
    }
    checkpoint.write(path, arrays, compressed=True)
