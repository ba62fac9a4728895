"""State in and out: one flat dict of plain arrays, numbers and strings; files without pickle.

Everything is compared before anything is taken over, so that a state which does not fit leaves
the optimizer as it was.
"""

import json
import os
import zipfile
from pathlib import Path

import numpy as np

from sketchlab.errors import CheckpointError

__all__ = ["FORMAT", "collect", "read", "restore", "write"]

#: Version of the layout below; another one is refused.
FORMAT = "sketchlab-state-1"
#: The hash family: a state made with other hash functions means nothing here.
HASH = "multiply-shift, splitmix64, 4 draws a depth"


def _identity(optimizer, stores):
    """What must be equal for a state to mean the same, as strings."""
    described = {
        "format": FORMAT,
        "hash": HASH,
        "optimizer": optimizer.name,
        "rule": repr(optimizer.rule),
        "shape": repr(tuple(map(int, optimizer.table.shape))),
        "dtype": optimizer.dtype.name,
    }
    for name, store in stores.items():
        described[f"{name}.description"] = json.dumps(store.description.to_dict())
        described[f"{name}.signature"] = json.dumps(store.signature())
    return described


def collect(optimizer, stores):
    """The state of an optimizer; its arrays are the live ones, not copies.

    Parameters
    ----------
    optimizer : Optimizer
    stores : dict of live stores

    Returns
    -------
    dict
    """
    state = _identity(optimizer, stores)
    state.update(lr=optimizer.lr, step_count=optimizer.step_count)
    for name, store in stores.items():
        state.update({f"{name}.{key}": value for key, value in store.state().items()})
    return state


def restore(optimizer, stores, state):
    """Let an optimizer go on from a state.

    Raises
    ------
    CheckpointError
        If the state does not fit; the optimizer then keeps the state that it had.
    """
    here = collect(optimizer, stores)
    found = state.get("format") if isinstance(state, dict) else type(state).__name__
    if found != FORMAT:
        raise CheckpointError(
            f"format is {found!r}, this version reads {FORMAT!r}: give what state_dict() or "
            "save() of the same version made"
        )
    for key, mine in _identity(optimizer, stores).items():
        if key in state and state[key] != mine:
            raise CheckpointError(
                f"the state belongs to another configuration: {key} is {state[key]!r} there and "
                f"{mine!r} here; build the optimizer as it was when the state was taken"
            )
    missing, foreign = sorted(set(here) - set(state)), sorted(set(state) - set(here))
    if missing or foreign:
        raise CheckpointError(
            f"the state is not complete for {optimizer!r}: missing {missing}, unknown {foreign}"
        )
    for key, mine in here.items():
        _check_kind(key, state[key], mine)
    for name, store in stores.items():
        store.restore({key: state[f"{name}.{key}"] for key in store.state()})
    optimizer.lr = state["lr"]
    optimizer.step_count = state["step_count"]


def _check_kind(key, value, mine):
    """Refuse a value that is not of the same kind, shape and dtype as the optimizer's own."""
    if isinstance(mine, (str, int)):
        needed, fits = type(mine).__name__, type(value) is type(mine)
        fits = fits and (isinstance(mine, str) or value >= 0)
    elif isinstance(mine, float):
        needed, fits = "a finite number", isinstance(value, float) and np.isfinite(value)
        fits = fits and (key != "lr" or value >= 0)
    else:
        needed = f"an array {tuple(mine.shape)} of {mine.dtype}"
        fits = isinstance(value, np.ndarray)
        fits = fits and (value.shape, value.dtype) == (tuple(mine.shape), mine.dtype)
    if not fits:
        raise CheckpointError(f"{key} in the state is damaged: {needed} is needed")


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
    path = Path(path).resolve()
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            np.savez(file, **{key: np.asarray(value) for key, value in state.items()})
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise CheckpointError(
            f"cannot write {path}: {error.strerror or error}; what was there is unchanged, free "
            "some space or choose another place"
        ) from error
    finally:
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
    except CheckpointError:
        raise
    except OSError as error:
        raise CheckpointError(
            f"cannot read {path}: {error.strerror or error}; give a file that save() wrote"
        ) from error
    except Exception as error:  # damaged bytes make zipfile and numpy raise almost anything
        raise CheckpointError(
            f"{path} is truncated, damaged or not a sketchlab checkpoint ({error}): use another one"
        ) from error


def _plain(array):
    """Numbers and strings as Python has them; arrays as they are."""
    return array.item() if array.ndim == 0 else array
