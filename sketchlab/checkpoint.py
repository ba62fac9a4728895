"""State in and out: one flat dict of plain arrays, numbers and strings; files without pickle.

Everything is compared before anything is taken over, so that a state which does not fit leaves
the optimizer as it was.
"""

import json
import math
import os
import zipfile
from dataclasses import asdict
from numbers import Integral, Real
from pathlib import Path

import numpy as np

from sketchlab.errors import CheckpointError

__all__ = ["FORMAT", "checked", "collect", "read", "write"]

#: Version of the layout below; another one is refused.
FORMAT = "sketchlab-state-2"
#: The hash family: a state made with other hash functions means nothing here.
HASH = "multiply-shift, splitmix64, 4 draws a depth"


def _identity(optimizer, stores):
    """What must be equal for a state to mean the same, as strings."""
    described = {
        "format": FORMAT,
        "hash": HASH,
        "optimizer": optimizer.name,
        "rule": json.dumps(asdict(optimizer.rule)),
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


def checked(optimizer, stores, state):
    """A state as an optimizer takes it over, when all of it fits.

    Parameters
    ----------
    optimizer : Optimizer
    stores : dict of live stores
    state : dict
        As `collect` made it, or as another library gave it back: an array may be a tensor in host
        memory or a nested list, a number NumPy's or an array of one, text an array of one.

    Returns
    -------
    lr : float
    step_count : int
    parts : list of dict
        What each store restores.

    Raises
    ------
    CheckpointError
        If the state does not fit.
    """
    here = collect(optimizer, stores)
    state = {key: _plain(value) for key, value in state.items()} if _is_dict(state) else state
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
    fitting = {key: _fitting(key, state[key], mine) for key, mine in here.items()}
    parts = [
        {key: fitting[f"{name}.{key}"] for key in store.state()} for name, store in stores.items()
    ]
    return fitting["lr"], fitting["step_count"], parts


def _is_dict(state):
    return isinstance(state, dict) and all(isinstance(key, str) for key in state)


def _fitting(key, value, mine):
    """A value of a state in the optimizer's own kind, refused where something would be lost."""
    if isinstance(mine, str):
        needed, fits = "text", isinstance(value, str)
    elif isinstance(mine, Integral):
        needed, fits = "a whole number, at least 0", _is_number(value) and value == int(value) >= 0
        value = int(value) if fits else value
    elif isinstance(mine, Real):
        low = 0 if key == "lr" else -math.inf
        needed, fits = "a finite number", _is_number(value) and value >= low
        value = float(value) if fits else value
    else:
        needed = f"an array {tuple(mine.shape)} of {mine.dtype}"
        value = _as_array(value, mine.dtype)
        fits = value is not None and value.shape == tuple(mine.shape)
    if not fits:
        raise CheckpointError(f"{key} in the state is damaged: {needed} is needed")
    return value


def _is_number(value):
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _as_array(value, dtype):
    """An array of that dtype, None where `value` is none and cannot become one without loss."""
    try:
        array = np.asarray(value)
        if isinstance(value, list):  # it has lost its dtype
            narrow = array.astype(dtype)
            return narrow if np.array_equal(narrow, array, equal_nan=True) else None
    except (TypeError, ValueError, RuntimeError):
        return None
    return array.astype(dtype, copy=False) if array.dtype.newbyteorder("=") == dtype else None


def write(path, state, *, compressed=False):
    """Write a state to a file, whole or not at all.

    Parameters
    ----------
    path : str or Path
    state : dict
    compressed : bool

    Raises
    ------
    CheckpointError
        If the file cannot be written; an older one is left as it was.
    """
    path = Path(path).resolve()
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    save = np.savez_compressed if compressed else np.savez
    try:
        with open(temporary, "wb") as file:
            save(file, **{key: np.asarray(value) for key, value in state.items()})
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


def _plain(value):
    """Numbers and text as Python has them, also from arrays and tensors of one; others as given."""
    return value.item() if getattr(value, "ndim", None) == 0 else value
