"""The tables of parameters that are asked about: from shapes, a TOML file, or a torch module."""

from pathlib import Path
from typing import NamedTuple

from analysis.lab.errors import UsageError

_NUMBERS = {"rows": int, "dim": int, "touched": (int, float), "exponent": (int, float)}


class Table(NamedTuple):
    """A table of parameters, and what is known of its gradients.

    Attributes
    ----------
    rows, dim : int
    touched : float, optional
        Rows that a step touches; all of them where it is not given.
    exponent : float
        a, where the mean square of the i-th largest row is ∝ i^(−a).
    name : str
        An expression in Python: ``table``, or ``model.embedding.weight``.
    """

    rows: int
    dim: int
    touched: float | None = None
    exponent: float = 1.0
    name: str = "table"

    @property
    def size(self):
        """Numbers of parameters."""
        return self.rows * self.dim

    def checked(self):
        """Return the table.

        Raises
        ------
        UsageError
            If a number is out of range.
        """
        for field, least in (("rows", 1), ("dim", 1), ("exponent", 0)):
            if not getattr(self, field) >= least:
                raise UsageError(
                    f"{self.name}: {field}={getattr(self, field)}: must be at least {least}"
                )
        if self.touched is not None and not 0 < self.touched <= self.rows:
            raise UsageError(
                f"{self.name}: touched={self.touched}: must be more than 0 and at most the "
                f"{self.rows} rows"
            )
        return self


def tables_of(source):
    """Return the checked tables of a `Table`, a sequence of them, or a torch module."""
    if isinstance(source, Table):
        source = [source]
    elif hasattr(source, "named_parameters"):
        source = _parameters(source)
    tables = [table.checked() for table in source]
    if not tables:
        raise UsageError("there are no tables of parameters to advise on")
    return tables


def _parameters(model):
    """A table for every parameter that is trained, seen as rows along its first dimension."""
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and parameter.numel():
            rows = parameter.shape[0] if parameter.ndim else 1
            yield Table(rows, parameter.numel() // rows, name=_expression(name))


def _expression(name):
    """``model.0.weight`` is no Python: numbers are indices."""
    parts = (f"[{part}]" if part.isdigit() else f".{part}" for part in name.split("."))
    return f"model{''.join(parts)}"


def read_tables(path):
    """Return the options and the tables of a TOML file.

    Returns
    -------
    options : dict
        ``optimizer`` and ``budget``, where the file has them.
    tables : list of Table

    Raises
    ------
    UsageError
        If the file cannot be read, or an entry is unknown, missing or no number.
    """
    try:
        import tomllib
    except ModuleNotFoundError:
        raise UsageError(
            f"{path}: TOML files need Python 3.11 or newer; give --rows and --dim"
        ) from None
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from None
    entries = content.pop("table", None)
    if not isinstance(entries, list) or not entries:
        raise UsageError(f"{path} has no [[table]] with rows and dim")
    if unknown := set(content) - {"optimizer", "budget"}:
        raise UsageError(
            f"{path}: unknown {', '.join(sorted(unknown))}; known are optimizer, budget, [[table]]"
        )
    named = [{"name": f"tables[{number}]"} | entry for number, entry in enumerate(entries)]
    return content, [_entry(path, entry) for entry in named]


def _entry(path, entry):
    name = entry["name"]
    if unknown := set(entry) - set(Table._fields):
        known = ", ".join(Table._fields)
        raise UsageError(f"{path}: {name}: unknown {', '.join(sorted(unknown))}; known are {known}")
    for field, kind in _NUMBERS.items():
        if field in ("rows", "dim") and field not in entry:
            raise UsageError(f"{path}: {name}: {field} is missing")
        if field in entry and (
            isinstance(entry[field], bool) or not isinstance(entry[field], kind)
        ):
            raise UsageError(f"{path}: {name}: {field}={entry[field]!r} is not a number as needed")
    return Table(**entry)
