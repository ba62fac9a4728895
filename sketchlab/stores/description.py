"""What all descriptions of stores share: checks, serialisation, and the warning about size."""

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from sketchlab.annotations import Self, Zeros
from sketchlab.errors import ConfigurationError, StoreSizeWarning
from sketchlab.hashing import MAX_ROWS
from sketchlab.stores.live import LiveStore
from sketchlab.validation import FLOATS, checked_count, checked_number

__all__ = [
    "CELLS",
    "Clean",
    "Description",
    "Live",
    "Store",
    "check_description",
    "check_pairing",
    "decay_with_weights",
]


#: How the numbers of cells are kept: as the variable's, or as what is named.
CELLS = (None, "bfloat16")

#: The live store that a description makes.
Live = TypeVar("Live", bound=LiveStore, covariant=True)


@dataclass(frozen=True)
class Clean:
    """Multiply a sketch by `factor` at the end of every `every`-th step.

    A count-min sketch only overestimates, which slows learning; cleaning lets it forget
    (Spring et al. 2019, §4; their MegaFace runs: 0.2 for Adam, 0.5 for Adagrad, every 125).

    Parameters
    ----------
    factor : float
        From 0 to 1.
    every : int
        Steps between cleanings, at least 1.

    Examples
    --------
    >>> Clean(factor=0.2, every=125)
    Clean(factor=0.2, every=125)
    """

    factor: float
    every: int

    def __post_init__(self):
        object.__setattr__(self, "factor", checked_number("clean.factor", self.factor, 0, 1))
        object.__setattr__(self, "every", checked_count("clean.every", self.every, 1))


@dataclass(frozen=True)
class Description(Generic[Live]):
    """How an auxiliary variable is kept: small, frozen, comparable, printable, serialisable."""

    #: True where the store can hold values of either sign.
    signed: ClassVar[bool] = True
    #: Why the store cannot live on a device, and what to use there; None where it can.
    host_only: ClassVar[str | None] = None
    #: Fields that files name only where they are set: those from before they existed stay readable.
    added_later: ClassVar[tuple[str, ...]] = ()

    def _live(self, n, dim, dtype, zeros):
        """The store itself, allocated and zero."""
        raise ConfigurationError(
            f"{type(self).__name__} does not define _live(n, dim, dtype, zeros), which makes its "
            "live store"
        )

    def allocate(
        self, n: int, dim: int, dtype: DTypeLike = np.float32, *, zeros: Zeros = np.zeros
    ) -> Live:
        """Make a store of zeros for a variable of n rows and `dim` columns.

        Parameters
        ----------
        n : int
            Rows of the variable, from 1 to 2**32.
        dim : int
            Columns, at least 1.
        dtype : dtype
            float32 or float64.
        zeros : callable
            Makes the store's arrays from their shape and dtype: where the store lives.

        Returns
        -------
        live store
            With ``update``, ``query``, ``scale``, ``merge``, ``table`` and ``nbytes``.

        Raises
        ------
        ConfigurationError
            If a size or the dtype is out of range.

        Warns
        -----
        StoreSizeWarning
            If the store holds more numbers than the n·dim of the exact variable.
        """
        n = checked_count("n", n, 1, MAX_ROWS)
        dim = checked_count("dim", dim, 1)
        if np.dtype(dtype) not in FLOATS:
            raise ConfigurationError(f"dtype={dtype!r}: give numpy.float32 or numpy.float64")
        store = self._live(n, dim, np.dtype(dtype), zeros)
        exact = n * dim * store.dtype.itemsize
        if store.nbytes > exact:
            warnings.warn(
                f"{self!r} takes {store.nbytes} bytes for a variable of {n} x {dim}, more than "
                f"the {exact} bytes of the exact one: use Dense(), or a smaller width or depth",
                StoreSizeWarning,
                stacklevel=2,
            )
        return store

    def with_seed(self, seed: int) -> Self:
        """The same description with other hash functions; itself where nothing is hashed.

        Examples
        --------
        >>> from sketchlab import CountSketch, Dense
        >>> CountSketch(depth=5).with_seed(7) == CountSketch(depth=5, seed=7)
        True
        >>> Dense().with_seed(7)
        Dense(decay='lazy', row_weights=False, cells=None)
        """
        return replace(self, seed=seed) if hasattr(self, "seed") else self  # type: ignore[call-arg]

    def to_dict(self) -> dict[str, Any]:
        """The description as plain strings and numbers, for files; see `from_dict`."""
        fields = asdict(self)
        for name in self.added_later:
            if not fields[name]:
                del fields[name]
        return {"kind": type(self).__name__, **fields}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "Description[Any]":
        """The description that `to_dict` wrote.

        Examples
        --------
        >>> from sketchlab import CountSketch
        >>> CountSketch.from_dict(CountSketch(depth=5).to_dict()) == CountSketch(depth=5)
        True
        """
        fields = dict(plain)
        kinds = {kind.__name__: kind for kind in _descendants(Description)}
        name = fields.pop("kind", None)
        if name not in kinds:
            known = ", ".join(sorted(kinds))
            raise ConfigurationError(f"kind={name!r} names no store: known are {known}")
        if fields.get("clean"):
            fields["clean"] = Clean(**fields["clean"])
        if "tail" in fields:
            fields["tail"] = Description.from_dict(fields["tail"])
        return kinds[name](**fields)


#: Any description, as an optimizer takes it.
Store: TypeAlias = Description[LiveStore]


def decay_with_weights(decay, row_weights):
    """The decay of a store: as given, else ``"lazy"``, or ``"global"`` where rows have weights."""
    if row_weights and decay not in (None, "global"):
        raise ConfigurationError(
            f'decay={decay!r} with row_weights=True: row weights correct decay="global", use it '
            "or leave row_weights=False"
        )
    return decay or ("global" if row_weights else "lazy")


def _descendants(cls):
    """All classes derived from `cls`."""
    for child in cls.__subclasses__():
        yield child
        yield from _descendants(child)


def check_description(name, description):
    """Refuse what is not the description of a store."""
    if not isinstance(description, Description):
        raise ConfigurationError(
            f"{name}={description!r}: give a store such as sketchlab.Dense() or "
            "sketchlab.CountSketch()"
        )


def check_pairing(name, moment, description):
    """Refuse a description that cannot keep a moment of the optimizer `name`."""
    check_description(moment.name, description)
    if not moment.squared and not description.signed:
        raise ConfigurationError(
            f"{moment.name}={description!r}: {type(description).__name__} holds non-negative "
            f"values, {name}'s {moment.name} is signed: use CountSketch or Dense"
        )
    if moment.squared and getattr(description, "shrink", False):
        raise ConfigurationError(
            f"{moment.name}={description!r}: shrink=True takes the noise of a first moment towards "
            f"0, {name}'s {moment.name} must not come near it: use CountMinSketch, or shrink=False"
        )
