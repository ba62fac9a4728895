"""A store driven along a stream of gradients beside exact state, and how far its updates are off.

An update is what a step of the library's own optimizer does to rows of zeros at a rate of one: the
rule, its bias correction and its clipping are the optimizer's. It is looked at on the rows that the
step reads. There are two exact states to compare with: the usual one, whose touched rows decay
(`lazy`), and the one that decays, and weighs rows, as the store itself does (`own`): what is
between the two is no error of the store, but training may feel it.
"""

import time
import warnings
from statistics import median

import numpy as np

import sketchlab as sl
from sketchlab.errors import StoreSizeWarning

REFERENCES = ("lazy", "own")


class Errors:
    """Sums over what was read, from which all errors follow; one for every group of rows.

    Rows are grouped by the steps that touch them in the whole stream: 1 to 9, 10 to 99, and so on.
    """

    GROUPS = 7

    def __init__(self):
        self.sums = {}

    def add(self, name, kept, exact, groups):
        """Take in what a store and exact state have for some rows, (k, dim) each.

        Returns
        -------
        bool
            Whether all of it is finite; otherwise nothing was taken in.
        """
        kept, exact = kept.astype(np.float64), exact.astype(np.float64)
        squares = {
            "kept": np.einsum("ij,ij->i", kept, kept),
            "exact": np.einsum("ij,ij->i", exact, exact),
            "product": np.einsum("ij,ij->i", kept, exact),
        }
        if not all(np.isfinite(values).all() for values in squares.values()):
            return False
        lengths = np.sqrt(squares["kept"] * squares["exact"])
        both = lengths > 0
        squares["cosines"] = np.divide(squares["product"], lengths, where=both, out=0 * lengths)
        squares["rows"] = np.ones(len(kept))
        sums = self.sums.setdefault(name, {one: np.zeros(self.GROUPS) for one in squares})
        for one, values in squares.items():
            sums[one] += np.bincount(groups, values, self.GROUPS)
        return True

    def of(self, name, group=slice(None)):
        """Return the errors of one quantity, over some groups of rows.

        Returns
        -------
        dict
            ``error``: ‖x̂ − x‖ over ‖x‖, all that was read together. ``cosine`` and ``length``:
            between x̂ and x, and of x̂ over x, so that error² = 1 − 2·cosine·length + length².
            ``shape``: the error that is left at the best rate, √(1 − cosine²), and one where the
            cosine is negative. ``row_shape``: one less the mean cosine of a row. ``rows``: how many
            rows were read, each in every step that touches it.
        """
        sums = {one: float(values[group].sum()) for one, values in self.sums[name].items()}
        kept, exact = np.sqrt(sums["kept"]), np.sqrt(sums["exact"])
        if not exact or not sums["rows"]:
            return None
        cosine = float(np.clip(sums["product"] / (kept * exact), -1, 1)) if kept else 0.0
        length = float(kept / exact)
        return {
            "error": float(np.sqrt(max(0.0, 1 - 2 * cosine * length + length**2))),
            "cosine": cosine,
            "length": length,
            "shape": float(np.sqrt(1 - max(0.0, cosine) ** 2)),
            "row_shape": 1 - sums["cosines"] / sums["rows"],
            "rows": int(sums["rows"]),
        }

    def by_touches(self, name):
        """Return the errors of one quantity for each group of rows that has any."""
        groups = (
            (number, self.of(name, slice(number, number + 1))) for number in range(self.GROUPS)
        )
        return [{"touched": 10**number} | errors for number, errors in groups if errors]


class Beside:
    """The optimizer of one table with a store, beside those of exact state.

    Parameters
    ----------
    shape : tuple
        Rows and columns.
    family : str
        Name of the optimizer.
    stores : dict of str to Description
    options : dict
        Further arguments of the optimizer.
    touches : ndarray of int, (rows,)
        In how many steps of the stream each row is touched; groups the errors.
    errors : Errors
        What is summed up; several tables may share one.
    """

    def __init__(self, shape, family, stores, options, touches, errors, dtype=np.float32):
        self.shape = shape
        self._scratch, self._errors = np.zeros(shape, dtype), errors
        self._groups = np.log10(np.maximum(touches, 1)).astype(np.int64)
        self.finite, self.seconds = True, {"kept": [], "exact": []}
        make = getattr(sl, family)

        def optimizer(stores, options):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", StoreSizeWarning)
                return make(self._scratch, 1.0, **options, **stores)

        self.kept = optimizer(stores, options)
        lazy = {name: sl.Dense(decay="lazy") for name in stores}
        own = {name: _exact_as(store) for name, store in stores.items()}
        self.exact = {"lazy": optimizer(lazy, {})}
        self.exact["own"] = self.exact["lazy"] if own == lazy else optimizer(own, {})

    def step(self, gradient):
        """Take one step with all of them; False, and no more steps, once the store diverged."""
        rows, values = gradient.rows, gradient.values
        if gradient.dense:
            full = np.zeros_like(self._scratch)
            np.add.at(full, rows, values)
            rows, values = np.arange(len(full)), full
        read = np.unique(rows)
        exact = {
            name: self._update(optimizer, rows, values, read, "exact")
            for name, optimizer in self.exact.items()
            if name == "lazy" or optimizer is not self.exact["lazy"]
        }
        exact.setdefault("own", exact["lazy"])
        with np.errstate(all="ignore"):  # a store may diverge: it is reported
            kept = self._update(self.kept, rows, values, read, "kept")
            self.finite = all([self._take(kept, exact, read), self._take_moments(read)])
        return self.finite

    def _update(self, optimizer, rows, values, read, whose):
        """The rows' update; the table is zero before and after."""
        began = time.perf_counter()
        optimizer.step(values, rows=rows)
        self.seconds[whose].append(time.perf_counter() - began)
        update = -self._scratch[read]
        self._scratch[read] = 0
        return update

    def _take(self, kept, exact, read):
        groups = self._groups[read]
        return all(
            self._errors.add(f"update, {name}", kept, update, groups)
            for name, update in exact.items()
        )

    def _take_moments(self, read):
        groups, finite = self._groups[read], []
        for name in ("m", "v"):
            store, own = getattr(self.kept, name), getattr(self.exact["own"], name)
            if store is not None:
                finite.append(self._errors.add(name, store.query(read), own.query(read), groups))
        return all(finite)


def _exact_as(store):
    """Exact state that decays as a store does; lazy where it is ``bucket``."""
    return sl.Dense(
        decay="global" if store.decay == "global" else "lazy",
        row_weights=getattr(store, "row_weights", False),
    )


def errors_of(errors, moments):
    """Return all that is reported: of the update against both exact states, and of each moment."""
    names = [*(f"update, {reference}" for reference in REFERENCES), *moments]
    return {name: errors.of(name) for name in names}


def replay(stream, family, stores, options=None, progress=iter):
    """Drive a store along a stream, beside exact state.

    Parameters
    ----------
    stream : analysis.advice.stream.Stream
    family : str
        Name of the optimizer: ``"Adam"``, ``"RMSprop"``, ``"Momentum"`` or ``"Adagrad"``.
    stores : dict of str to Description
        For each moment.
    options : dict, optional
        Further arguments of the optimizer.

    Returns
    -------
    dict
        ``errors`` (see `errors_of`; None where the store diverged), ``state_bytes``,
        ``exact_bytes``, and the median seconds of a step, ``seconds`` and ``exact_seconds``.
    """
    errors = Errors()
    beside = Beside(
        (stream.rows, stream.dim),
        family,
        stores,
        options or {},
        stream.touches(),
        errors,
        stream.dtype,
    )
    for gradient in progress(stream):
        if not beside.step(gradient):
            break
    return {
        "errors": errors_of(errors, stores) if beside.finite else None,
        "by_touches": errors.by_touches("update, own") if beside.finite else None,
        "diverged": not beside.finite,
        "state_bytes": beside.kept.nbytes,
        "exact_bytes": beside.exact["lazy"].nbytes,
        "seconds": median(beside.seconds["kept"]),
        "exact_seconds": median(beside.seconds["exact"]),
    }
