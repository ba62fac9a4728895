"""State in and out: one flat dict of plain arrays, numbers and strings; files without pickle.

Everything is compared before anything is taken over, so that a state which does not fit leaves
the optimizer as it was.
"""

import json
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from sketchlab.errors import CheckpointError

__all__ = ["FORMAT", "collect", "read", "restore", "write"]

#: Version of the layout below; another one is refused.
FORMAT = "sketchlab-state-1"
#: The hash family: a state made with other hash functions means nothing here.
HASH = "multiply-shift, splitmix64, 4 draws a depth"


def _identity(optimizer):
    """What must be equal for a state to mean the same, as strings."""
    described = {
        "format": FORMAT,
        "hash": HASH,
        "optimizer": optimizer.name,
        "rule": repr(optimizer.rule),
        "shape": repr(tuple(map(int, optimizer.table.shape))),
        "dtype": optimizer.table.dtype.name,
    }
    for name, store in optimizer._stores.items():
        described[f"{name}.description"] = json.dumps(store.description.to_dict())
        described[f"{name}.signature"] = json.dumps(store.signature())
    return described


def collect(optimizer):
    """See `Optimizer.state_dict`."""
    state = {**_identity(optimizer), "lr": optimizer.lr, "step_count": optimizer.step_count}
    for name, store in optimizer._stores.items():
        state.update({f"{name}.{key}": value for key, value in store.state().items()})
    return state


def restore(optimizer, state):
    """See `Optimizer.load_state_dict`."""
    here = collect(optimizer)
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        found = state.get("format") if isinstance(state, dict) else type(state).__name__
        raise CheckpointError(f"not a state of this version: format is {found!r}, not {FORMAT!r}")
    missing = sorted(set(here) - set(state))
    foreign = sorted(set(state) - set(here))
    if missing or foreign:
        raise CheckpointError(
            f"the state does not fit {optimizer!r}: missing {missing}, not known here {foreign}"
        )
    for key, mine in _identity(optimizer).items():
        if state[key] != mine:
            raise CheckpointError(
                f"the state belongs to another configuration: {key} is {state[key]!r} there and "
                f"{mine!r} here; build the optimizer as it was when the state was taken"
            )
    checked = {key: _checked(key, state[key], mine) for key, mine in here.items()}
    for name, store in optimizer._stores.items():
        store.restore({key: checked[f"{name}.{key}"] for key in store.state()})
    optimizer.lr = checked["lr"]
    optimizer.step_count = checked["step_count"]


def _checked(key, value, mine):
    """The value, when it is of the same kind, shape and dtype as the optimizer's own."""
    if isinstance(mine, np.ndarray):
        fits = isinstance(value, np.ndarray) and (value.shape, value.dtype) == (
            mine.shape,
            mine.dtype,
        )
    elif isinstance(mine, str):
        fits = isinstance(value, str)
    elif isinstance(mine, int):
        fits = isinstance(value, int) and value >= 0
    else:
        fits = isinstance(value, float) and np.isfinite(value)
    if not fits:
        raise CheckpointError(f"{key} in the state is damaged: it does not fit {_kind(mine)}")
    return value


def _kind(value):
    if isinstance(value, np.ndarray):
        return f"an array {value.shape} of {value.dtype}"
    return type(value).__name__


def write(path, state):
    """Write a state to a file, whole or not at all.

    Parameters
    ----------
    path : str or Path
    state : dict

    Raises
    ------
    CheckpointError
        If the file cannot be written; an older one is left as it was.
    """
    path = Path(path)
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", suffix=".tmp", delete=False
        ) as file:
            temporary = Path(file.name)
            np.savez(file, **{key: np.asarray(value) for key, value in state.items()})
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise CheckpointError(
            f"cannot write {path}: {error.strerror or error}; nothing was changed there"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def read(path):
    """Read a state that `write` wrote.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    dict

    Raises
    ------
    CheckpointError
        If the file is missing, truncated, damaged, or not such a file.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged:
            raise CheckpointError(f"{path} is damaged in {damaged}: use another checkpoint")
        with np.load(path, allow_pickle=False) as arrays:
            return {key: _plain(arrays[key]) for key in arrays.files}
    except FileNotFoundError:
        raise CheckpointError(f"{path} does not exist: give a file that save() wrote") from None
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from error
    except (zipfile.BadZipFile, ValueError, KeyError, EOFError) as error:
        raise CheckpointError(
            f"{path} is truncated or not a sketchlab checkpoint ({error}): use another one"
        ) from error


def _plain(array):
    """Numbers and strings as Python has them; arrays as they are."""
    return array.item() if array.ndim == 0 else array
