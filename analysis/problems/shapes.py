"""The tables of parameters behind the paper's measurements, and how it kept their state.

Shapes from Spring et al. (2019). Where the paper does not give one, `assumed` says what stands in
its place.
"""

from typing import NamedTuple

import numpy as np

import sketchlab as sl


class Layer(NamedTuple):
    """A table of n rows and `dim` columns; `dense` when a step's gradient has all of its rows."""

    n: int
    dim: int
    dense: bool = False


class Case(NamedTuple):
    """One table of the paper.

    Attributes
    ----------
    number, task : str
        As in `analysis.theory.published`.
    layers : tuple of Layer
    states : dict of str to dict
        For each row of the published table, a description for every moment that is kept. The first
        is what the others are compared with.
    assumed : str
        What the paper leaves open, empty if nothing.
    """

    number: str
    task: str
    layers: tuple
    states: dict
    assumed: str = ""

    def state_bytes(self, name):
        """Bytes of auxiliary state, from the stores themselves; no memory is taken."""
        return sum(
            description.allocate(layer.n, layer.dim, zeros=untouched).nbytes
            for description in self.states[name].values()
            for layer in self.layers
        )

    def parameter_bytes(self):
        """Bytes of the layers in float32."""
        return sum(4 * layer.n * layer.dim for layer in self.layers)


def untouched(shape, dtype):
    """An array that has the size of zeros of this shape, and takes the memory of one number."""
    return np.broadcast_to(np.zeros((), dtype), shape)


EXACT, CS, CMS, NMF = sl.Dense(), sl.CountSketch(), sl.CountMinSketch(), sl.Rank1()

LM1B = (Layer(793_471, 256), Layer(793_471, 256))
AMAZON = (Layer(80_000, 1024), Layer(20_000, 1024, dense=True))

CASES = (
    Case(
        "5",
        "ImageNet, ResNet-18",
        (Layer(11_689_512, 1, dense=True),),
        {"RMSprop": {"v": EXACT}, "CMS": {"v": CMS}, "SGD": {}},
        "the compression is taken to be 5",
    ),
    Case(
        "6",
        "Wikitext-103, LSTM, Adagrad",
        (Layer(267_735, 256), Layer(267_735, 256)),
        {"exact": {"v": EXACT}, "CS": {"v": CMS}, "LR-NMF": {"v": NMF}},
        "the compression is taken to be 5",
    ),
    Case(
        "7",
        "LM1B, Transformer-XL, RMSprop",
        (Layer(793_471, 256),),
        {"exact": {"v": EXACT}, "CMS": {"v": CMS}, "LR-NMF": {"v": NMF}},
        "one table of the vocabulary, of 256 columns, is taken for both ends of the model",
    ),
    Case(
        "8",
        "LM1B, LSTM, Adam",
        LM1B,
        {
            "exact": {"m": EXACT, "v": EXACT},
            "CS-MV": {"m": CS, "v": CMS},
            "CS-V": {"m": EXACT, "v": CMS},
            "LR-NMF-V": {"m": EXACT, "v": NMF},
        },
    ),
    Case(
        "10",
        "Amazon, one MACH classifier",
        AMAZON,
        {
            "Adam": {"m": EXACT, "v": EXACT},
            "CS-V": {"v": sl.CountMinSketch(compression=100)},
        },
    ),
)
