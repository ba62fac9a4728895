"""Which stores fit a budget, what they are predicted to cost, and which of them to take."""

import math
from pathlib import Path

import sketchlab as sl
from analysis.advice.candidates import WAYS
from analysis.advice.choices import Advice, Choice, Predicted, TableAdvice
from analysis.advice.evidence import Evidence
from analysis.advice.sizes import budget_of, bytes_of, fitting, smallest
from analysis.advice.tables import tables_of
from analysis.lab.errors import UsageError
from analysis.theory.prediction import StoreMap
from analysis.theory.traffic import least_bytes

#: Of the bytes of all tables, what one must have to be worth a store.
WORTH = 0.01
#: Tables of fewer numbers are kept exactly, as `sketchlab.torch` does.
MIN_NUMEL = 4096
#: How moments decay where the caller does not say otherwise: the optimizers' own defaults.
KEEP = {
    "Adam": {"m": 0.9, "v": 0.999},
    "RMSprop": {"v": 0.999},
    "Momentum": {"m": 0.9},
    "Adagrad": {"v": 1.0},
}


def advise(source, optimizer="Adam", budget=None, *, results="results", without=()):
    """Say which stores fit a budget of bytes, and which to take.

    Stores are ranked by what training with them cost in the runs that the laboratory recorded
    (`analysis.advice.evidence`), those without a recorded run last, by the maps' errors.

    Parameters
    ----------
    source : Table, list of Table, or torch.nn.Module
    optimizer : {"Adam", "RMSprop", "Momentum", "Adagrad"}
        Capitals do not matter.
    budget : int or str
        Bytes of state of all tables together, or a text such as ``"650MB"``.
    results : path
        Folder with recorded runs.
    without : container of str
        Tasks whose recorded runs are not to count.

    Returns
    -------
    Advice

    Raises
    ------
    UsageError
        If a table, the optimizer or the budget cannot be used; if the budget is below what the
        smallest stores need.

    Examples
    --------
    >>> from analysis.advice.tables import Table
    >>> advice = advise(Table(rows=793_471, dim=256), "adam", "650MB")
    >>> advice.total <= 650_000_000
    True
    """
    adviser = _Adviser(optimizer_of(optimizer), Path(results), without)
    tables, budget = tables_of(source), budget_of(budget)
    return Advice(adviser.family, budget, adviser.all(tables, budget))


def optimizer_of(name):
    """Return an optimizer's name as the library has it.

    Raises
    ------
    UsageError
        If it is unknown.
    """
    known = {family.lower(): family for family in WAYS}
    if str(name).lower() not in known:
        raise UsageError(f"optimizer {name!r}: known are {', '.join(known)}")
    return known[str(name).lower()]


class _Adviser:
    def __init__(self, family, results, without):
        self.family, self.without = family, without
        self.evidence = Evidence(results)
        self.maps = {
            "m": (sl.CountSketch, StoreMap.read(results / "first-moment-map.json")),
            "v": (sl.CountMinSketch, StoreMap.read(results / "store-map.json")),
        }

    def all(self, tables, budget):
        """Advice for every table: small ones are exact, the others share what is left alike."""
        exact = [self._exact(table) for table in tables]
        if sum(exact) <= budget:
            return [self.table(*pair, *pair[1:]) for pair in zip(tables, exact)]
        small = [
            len(tables) > 1 and (table.size < MIN_NUMEL or size < WORTH * sum(exact))
            for table, size in zip(tables, exact)
        ]
        kept = sum(size for size, is_small in zip(exact, small) if is_small)
        least = sum(self._least(table) for table, is_small in zip(tables, small) if not is_small)
        if budget < kept + least:
            raise UsageError(
                f"budget {budget:,} bytes: {self.family} needs at least {kept + least:,} bytes for "
                + (
                    f"{tables[0].rows:,} rows"
                    if len(tables) == 1
                    else f"these {len(tables)} tables"
                )
                + "; give that much, or use SGD, which keeps no state"
            )
        free, large = budget - kept - least, sum(exact) - kept
        return [
            self.table(table, size, size)
            if is_small
            else self.table(table, size, self._least(table) + int(free * size / large))
            for table, size, is_small in zip(tables, exact, small)
        ]

    def _exact(self, table):
        return sum(bytes_of(self._ways()[0].describe(1), table.rows, table.dim).values())

    def _ways(self):
        return WAYS[self.family]

    def _least(self, table):
        return min(smallest(way, table.rows, table.dim) for way in self._ways())

    def table(self, table, exact, budget):
        """Advice for one table within its own budget."""
        choices = [
            self._choice(way, table, exact, compression)
            for way in self._ways()
            if (compression := fitting(way, table.rows, table.dim, budget)) is not None
        ]
        useful = [one for one in choices if one.total < exact or one.is_exact]
        return TableAdvice(table, exact, budget, sorted(useful, key=_rank))

    def _choice(self, way, table, exact, compression):
        stores = way.describe(compression)
        sizes = bytes_of(stores, table.rows, table.dim)
        ratio = exact / sum(sizes.values())
        kept_exactly = self._ways()[0].describe(1)
        steps = [
            least_bytes(kept.values(), table.rows, table.dim, table.touched)
            for kept in (stores, kept_exactly)
        ]
        return Choice(
            way,
            compression if way.sized else None,
            stores,
            sizes,
            ratio,
            {name: self._predicted(name, store, table) for name, store in stores.items()},
            self.evidence.of(way.family, stores, way.options, ratio, self.without),
            steps[0] / steps[1],
        )

    def _predicted(self, moment, store, table):
        """The map's answer for a plain sketch; None for stores that it does not have."""
        kind, known = self.maps[moment]
        if isinstance(store, sl.Dense):
            return Predicted(0.0, 0.0, True)
        form, keep = _form(store), KEEP[self.family][moment]
        plain = type(store) is kind and form in known.stores
        if not plain or store != _plain_sketch(kind, store) or keep == 1:
            return None
        place = {
            "load": max(1.0, table.rows / store.width_for(table.rows)),
            "keep": keep,
            "touched": (table.touched or table.rows) / table.rows,
            "exponent": table.exponent,
        }
        nearest = known.nearest(**place)
        return Predicted(known.errors(**nearest)[form], known.doubt.get(form), nearest == place)


#: Options of a sketch that the maps know beside its decay, and how they call such a store.
_MAPPED = {"conservative": "conservative", "shrink": "shrunken"}


def _form(store):
    """What the maps call a sketch."""
    named = [name for option, name in _MAPPED.items() if getattr(store, option, False)]
    return named[0] if named else store.decay


def _plain_sketch(kind, store):
    """A sketch of that size without any option but those that the maps know."""
    options = {option: True for option in _MAPPED if getattr(store, option, False)}
    return kind(
        depth=3,
        width=store.width,
        compression=store.compression,
        decay=store.decay,
        seed=store.seed,
        **options,
    )


def _rank(choice):
    """Exact state where it fits, then by recorded cost, then by predicted error, then by bytes."""
    if choice.is_exact:
        return (0, 0.0, choice.total)
    if choice.trained and math.isfinite(choice.trained.mean):
        return (1, choice.trained.mean, choice.total)
    errors = [error.error if error else math.inf for error in choice.errors.values()]
    return (3 if choice.trained else 2, sum(errors), choice.total)
