"""What a user writes, as a type checker sees it: `make lint` checks this file, nothing runs it."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import assert_type

import sketchlab as sl
from sketchlab.stores.count_sketch import CountSketchStore
from sketchlab.stores.live import LiveStore


def optimizers(table: NDArray[np.float32], grads: NDArray[np.float32], path: Path) -> None:
    m, v = sl.CountSketch(compression=5, seed=0), sl.CountMinSketch(conservative=True)
    opt = sl.Adam(table, lr=1e-3, betas=(0.9, 0.999), m=m, v=v, clip="feasible", weight_decay=0.1)
    assert_type(opt.step(grads, rows=[3, 9]), None)
    opt.step(grads, rows=np.array([3, 9]))
    opt.step(np.zeros_like(table))
    assert_type(opt.nbytes, int)
    assert_type(opt.lr, float)
    opt.lr = 5e-4
    opt.betas = (0.8, 0.99)
    opt.weight_decay = 0.1
    state = opt.state_dict()
    assert_type(state, dict[str, Any])
    opt.load_state_dict(state)
    opt.save(path)
    opt.load("run.npz")
    assert_type(opt.m, LiveStore | Any)
    assert_type(opt.m.query([3]), NDArray[Any] | Any)

    sl.SGD(table, 0.1, backend="reference", check_finite=True)
    sl.Momentum(table, 0.1, nesterov=True, m=sl.HeadTail(tail=m, rows="frequent"))
    sl.Adagrad(table, 0.1, v=sl.SM3())
    sl.RMSprop(table, lr=0.1, v=sl.Rank1(decay="global"))
    stores = [sl.Dense(), sl.Quantized(), sl.RowWise(), sl.BucketMean(), sl.Rank1SVD()]
    for store in stores:
        sl.Momentum(table, 0.1, m=store)


def sketches() -> None:
    description = sl.CountSketch(width=64, depth=5, decay="global", clean=sl.Clean(0.2, every=125))
    assert_type(description.with_seed(3), sl.CountSketch)
    sketch = description.allocate(n=10**6, dim=2)
    assert_type(sketch, CountSketchStore)
    sketch.update([3, 5], [[1.0, 2.0], [3.0, 4.0]])
    assert_type(sketch.query([3]), NDArray[Any])
    assert_type(sketch.scale(0.5).merge(sketch).fold(), CountSketchStore)
    assert_type(sketch.buckets([3]), NDArray[Any])
    assert_type(sketch.signs([3]), NDArray[Any])
    assert_type(sketch.table, NDArray[Any])
    assert_type(sketch.nbytes, int)


def errors(error: sl.InputError) -> sl.SketchlabError | ValueError:
    return error
