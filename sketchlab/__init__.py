"""sketchlab: the reference implementation of count-sketch optimizer state.

Momentum, Adagrad, RMSprop and Adam with their auxiliary variables kept exactly, in count-sketch
or count-min tensors, or as rank-one factors (Spring, Kyrillidis, Mohan, Shrivastava, ICML 2019).

Examples
--------
>>> import numpy as np, sketchlab as sl
>>> table = np.zeros((10_000, 8), np.float32)
>>> opt = sl.Adam(table, lr=1e-3, m=sl.CountSketch(seed=0), v=sl.CountMinSketch(seed=1))
>>> opt.step(np.ones((2, 8), np.float32), rows=np.array([3, 9_999]))
>>> table[[3, 4], 0]
array([-0.001,  0.   ], dtype=float32)
"""

from sketchlab.errors import (
    BackendError,
    CheckpointError,
    ConfigurationError,
    InputError,
    SketchlabError,
    StoreSizeWarning,
    TornStepError,
)
from sketchlab.optim import SGD, Adagrad, Adam, AMSGrad, Momentum, RMSprop
from sketchlab.stores import (
    SM3,
    BucketMean,
    Clean,
    CountMinSketch,
    CountSketch,
    Dense,
    HeadTail,
    Quantized,
    Rank1,
    Rank1SVD,
    RowWise,
)

__version__ = "0.1.0"

__all__ = [
    "SGD",
    "SM3",
    "AMSGrad",
    "Adagrad",
    "Adam",
    "BackendError",
    "BucketMean",
    "CheckpointError",
    "Clean",
    "ConfigurationError",
    "CountMinSketch",
    "CountSketch",
    "Dense",
    "HeadTail",
    "InputError",
    "Momentum",
    "Quantized",
    "RMSprop",
    "Rank1",
    "Rank1SVD",
    "RowWise",
    "SketchlabError",
    "StoreSizeWarning",
    "TornStepError",
]


def __dir__():
    return [*__all__, "__doc__", "__version__"]
