"""Stores that the library does not know: run by their own semantics, or refused."""

from dataclasses import dataclass

import numpy as np
import pytest

import sketchlab as sl
from sketchlab.kernels.cuda import plans
from sketchlab.stores import Description
from sketchlab.stores.arithmetic import contribution
from sketchlab.stores.live import LiveStore


class ExactStore(LiveStore):
    """The exact variable with lazy decay, in a few lines of NumPy."""

    def __init__(self, description, n, dim, dtype, zeros):
        super().__init__(description, n, dim, dtype)
        self.numbers = zeros((n, dim), dtype)

    nbytes = property(lambda self: self.numbers.nbytes)

    def advance(self, rows, values, keep, gain, squared=False):
        self.numbers[rows] *= self.dtype.type(keep)
        self.numbers[rows] += contribution(squared, gain, values)

    def estimate(self, rows):
        return self.numbers[rows]


class AnswersNothing(ExactStore):
    """A live store of which a method is missing."""

    estimate = LiveStore.estimate


class NoStore:
    """What is no live store at all."""

    def __init__(self, description, n, dim, dtype, zeros):
        self.dtype, self.nbytes, self.shared = dtype, 0, True


@dataclass(frozen=True)
class OtherStore(Description):
    """A description of any of these."""

    live: type = ExactStore
    decay: str = "lazy"

    def _live(self, n, dim, dtype, zeros):
        return self.live(self, n, dim, dtype, zeros)


@dataclass(frozen=True)
class MakesNothing(Description):
    """A description that makes no live store."""

    decay: str = "lazy"


REFUSED = {
    "a method is missing": (OtherStore(AnswersNothing), r"AnswersNothing does not define estimate"),
    "no live store": (OtherStore(NoStore), r"NoStore does not define advance"),
    "nothing is made": (MakesNothing(), r"MakesNothing does not define _live"),
}


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("case", REFUSED)
def test_a_store_that_cannot_take_a_step_is_refused(case, backend):
    """Before a step, and with the name of what is missing."""
    store, message = REFUSED[case]
    with pytest.raises(sl.ConfigurationError, match=message):
        sl.Adam(np.zeros((4, 2), np.float32), v=store, backend=backend)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_a_store_of_ones_own_runs_by_its_own_semantics(backend):
    rng, tables = np.random.default_rng(0), []
    grads, rows = rng.standard_normal((5, 3, 2)).astype(np.float32), [4, 0, 2]
    for store in (OtherStore(), sl.Dense()):
        table = np.ones((6, 2), np.float32)
        opt = sl.Adam(table, m=store, v=store, backend=backend)
        for each in grads:
            opt.step(each, rows=rows)
        tables.append(table)
    np.testing.assert_allclose(*tables, rtol=1e-5)


@pytest.mark.parametrize("live", [ExactStore, AnswersNothing, NoStore])
def test_cuda_has_a_plan_for_known_stores_only(live):
    """The check that the backend makes when it allocates; `device_battery` makes an optimizer."""
    store = OtherStore(live)._live(4, 2, np.dtype("f4"), np.zeros)
    with pytest.raises(sl.ConfigurationError, match=f'{live.__name__}: backend="cuda" has no k'):
        plans.check_known(store)


@pytest.mark.parametrize(
    "known",
    [
        sl.Dense(),
        sl.CountSketch(),
        sl.CountMinSketch(),
        sl.HeadTail(),
        sl.BucketMean(),
        sl.SM3(),
        sl.Rank1(),
        sl.RowWise(),
        sl.Quantized(),
    ],
    ids=repr,
)
def test_every_store_of_a_device_has_a_plan(known):
    plans.check_known(known.allocate(100, 4))
