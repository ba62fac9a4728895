"""Where an auxiliary variable lives: what it adds, what it answers, how it decays.

A *description* (`Dense`, `CountSketch`, ...) is small and frozen; its ``allocate`` makes the live
store. Live stores carry their semantics in NumPy, to be read and to be trusted; the kernels run
the same arithmetic on the same arrays, faster.
"""

from sketchlab.stores.bucket_mean import BucketMean
from sketchlab.stores.cells import CellStore
from sketchlab.stores.count_min import CountMinSketch
from sketchlab.stores.count_sketch import CountSketch
from sketchlab.stores.dense import Dense
from sketchlab.stores.description import Clean, Description, Store
from sketchlab.stores.head_tail import HeadTail
from sketchlab.stores.quantized import Quantized
from sketchlab.stores.rank1 import Rank1, Rank1SVD
from sketchlab.stores.row_wise import RowWise
from sketchlab.stores.rows import coalesce
from sketchlab.stores.sm3 import SM3

__all__ = [
    "SM3",
    "BucketMean",
    "CellStore",
    "Clean",
    "CountMinSketch",
    "CountSketch",
    "Dense",
    "Description",
    "HeadTail",
    "Quantized",
    "Rank1",
    "Rank1SVD",
    "RowWise",
    "Store",
    "coalesce",
]
