"""Types of what callers hand in and get back; for editors and type checkers, never at run time."""

from collections.abc import Callable
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Array",
    "Clip",
    "DType",
    "Decay",
    "FilePath",
    "OnDevice",
    "Rows",
    "Self",
    "Table",
    "Values",
    "Zeros",
]

if TYPE_CHECKING:
    from typing_extensions import Self
else:  # in the standard library from Python 3.11 on
    Self = Any


class OnDevice(Protocol):
    """An array in the memory of a GPU, as CuPy, PyTorch and numba-cuda have it."""

    @property
    def __cuda_array_interface__(self) -> Any: ...

    @property
    def shape(self) -> Any:
        """As NumPy's."""


Array: TypeAlias = NDArray[Any]
Table: TypeAlias = NDArray[np.floating[Any]] | OnDevice
Rows: TypeAlias = ArrayLike | OnDevice
Values: TypeAlias = ArrayLike | OnDevice
Decay: TypeAlias = Literal["lazy", "global", "bucket"]
Clip: TypeAlias = Literal["feasible"] | None
FilePath: TypeAlias = str | PathLike[str]
DType: TypeAlias = np.dtype[Any]
#: Makes an array of zeros from its shape and dtype, as `numpy.zeros` does.
Zeros: TypeAlias = Callable[[tuple[int, ...], DType], Array]
