"""What advice is made of: the choices for a table, for all tables, and all of it as data."""

from typing import NamedTuple

import sketchlab as sl
from analysis.advice import code
from analysis.advice.candidates import Way
from analysis.advice.evidence import Trained
from analysis.advice.tables import Table


class Predicted(NamedTuple):
    """Error of a moment by the map of stores, in octaves.

    `doubt` is how far off the map is in the median, and `inside` whether it was measured there;
    where it was not, the error is that of the nearest place that it was.
    """

    error: float
    doubt: float | None
    inside: bool


class Choice(NamedTuple):
    """A way of keeping state, at the size that fits.

    `compression` is None where the way has none. `bytes` and `errors` are by moment; an error is
    None where no map has the store. `traffic` is the least bytes of a step over exact state's.
    """

    way: Way
    compression: float | None
    stores: dict
    bytes: dict
    ratio: float
    errors: dict
    trained: Trained | None
    traffic: float

    @property
    def total(self):
        """Bytes of all moments."""
        return sum(self.bytes.values())

    @property
    def is_exact(self):
        """Whether it is exact state."""
        return all(isinstance(store, sl.Dense) for store in self.stores.values())

    def plain(self):
        """Everything as JSON."""
        return {
            "stores": {moment: store.to_dict() for moment, store in self.stores.items()},
            "options": dict(self.way.options),
            "bytes": self.bytes,
            "total": self.total,
            "ratio": self.ratio,
            "compression": self.compression,
            "errors": {moment: error and error._asdict() for moment, error in self.errors.items()},
            "trained": self.trained and self.trained._asdict(),
            "traffic": self.traffic,
        }


class TableAdvice(NamedTuple):
    """A table, the bytes of its exact state, its share of the budget, and choices, best first."""

    table: Table
    exact: int
    budget: int
    choices: list

    @property
    def best(self):
        """The choice that is recommended."""
        return self.choices[0]

    @property
    def kept_exactly(self):
        """Whether exact state is recommended."""
        return self.best.is_exact


class Advice(NamedTuple):
    """What `advise` answers: a `TableAdvice` for every table."""

    optimizer: str
    budget: int
    tables: list

    @property
    def total(self):
        """Bytes of what is recommended, for all tables."""
        return sum(one.best.total for one in self.tables)

    @property
    def numpy(self):
        """Lines of Python that make the optimizer of each table, after ``import sketchlab as sl``.

        The rate is where a search for it may begin.
        """
        return [
            code.numpy_line(self.optimizer, one.best.stores, one.best.way.options, one.table.name)
            for one in self.tables
        ]

    @property
    def torch(self):
        """The line that makes the optimizer in PyTorch, after ``import sketchlab.torch as slt``."""
        groups = [(one.table.name, one.best.stores, one.best.way.options) for one in self.tables]
        return code.torch_line(self.optimizer, groups)

    def plain(self):
        """Everything as JSON."""
        return {
            "optimizer": self.optimizer,
            "budget": self.budget,
            "total": self.total,
            "numpy": self.numpy,
            "torch": self.torch,
            "tables": [
                {
                    "table": one.table._asdict(),
                    "exact": one.exact,
                    "budget": one.budget,
                    "choices": [choice.plain() for choice in one.choices],
                }
                for one in self.tables
            ],
        }
