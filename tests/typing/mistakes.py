"""Mistakes that a type checker finds; `make lint` fails where one of them is no longer found."""

import numpy as np
from numpy.typing import NDArray

import sketchlab as sl


def mistakes(table: NDArray[np.float32], counts: NDArray[np.int64]) -> None:
    opt = sl.Adam(table, lr=1e-3)
    sl.Adam(counts)  # type: ignore[arg-type]
    sl.Adam([[0.0]])  # type: ignore[arg-type]
    sl.Adam(table, m=sl.CountSketch)  # type: ignore[arg-type]
    sl.Adam(table, m="count-sketch")  # type: ignore[arg-type]
    sl.Adam(table, clip="feasable")  # type: ignore[arg-type]
    sl.Adam(table, beta=0.9)  # type: ignore[call-arg]
    sl.SGD(table)  # type: ignore[call-arg]
    opt.lr = "fast"  # type: ignore[assignment]
    opt.learning_rate = 1e-3  # type: ignore[attr-defined]
    opt.nbytes = 0  # type: ignore[misc]
    opt.step()  # type: ignore[call-arg]
    opt.save(3)  # type: ignore[arg-type]
    opt.m.scale("half")  # type: ignore[arg-type]
    sl.CountSketch(decay="slow")  # type: ignore[arg-type]
    sl.Dense(decay="bucket")  # type: ignore[arg-type]
    sl.CountSketch(widht=5)  # type: ignore[call-arg]
    sl.Dense().allocate(n=10, dim=2).fold()  # type: ignore[attr-defined]
    sl.CountSketch().allocate(10)  # type: ignore[call-arg]
    sl.CountSketsh()  # type: ignore[attr-defined]
