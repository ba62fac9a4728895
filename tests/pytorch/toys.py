"""Small models and gradients that several tests use."""

import numpy as np
import torch

import sketchlab as sl
import sketchlab.torch as slt

ROWS, COLUMNS = 1200, 4

#: Both moments sketched, where an optimizer keeps them.
SKETCHED = {"m": sl.CountSketch(compression=5, seed=3), "v": sl.CountMinSketch(compression=5)}

#: Every optimizer with arguments that tests can share.
OPTIMIZERS = {
    "SGD": (slt.SGD, {"lr": 0.05}),
    "Momentum": (slt.Momentum, {"lr": 0.05, "momentum": 0.8}),
    "Nesterov": (slt.Momentum, {"lr": 0.05, "momentum": 0.8, "nesterov": True}),
    "Adagrad": (slt.Adagrad, {"lr": 0.05}),
    "RMSprop": (slt.RMSprop, {"lr": 0.05, "beta": 0.9}),
    "Adam": (slt.Adam, {"lr": 0.05, "betas": (0.8, 0.9)}),
    "AMSGrad": (slt.AMSGrad, {"lr": 0.05, "betas": (0.8, 0.9)}),
}


def sketches(cls):
    """`SKETCHED` as far as an optimizer keeps the moments."""
    return {name: store for name, store in SKETCHED.items() if name in cls.arguments}


def table(shape=(ROWS, COLUMNS), dtype=torch.float32, seed=0):
    """A parameter of normal numbers."""
    rng = np.random.default_rng(seed)
    return torch.nn.Parameter(torch.from_numpy(rng.normal(size=shape)).to(dtype))


def rows_and_values(step, shape=(ROWS, COLUMNS), count=40, seed=1):
    """Rows, equal ones among them, and their gradients, drawn for a step."""
    rng = np.random.default_rng([seed, step])
    rows = rng.integers(0, shape[0], count)
    return rows, rng.normal(size=(count, *shape[1:])).astype(np.float32)


def sparse(rows, values, like):
    """A sparse gradient of a parameter, not coalesced."""
    values = torch.from_numpy(values).to(like.dtype)
    indices = torch.from_numpy(np.asarray(rows, np.int64))[None]
    return torch.sparse_coo_tensor(indices, values, like.shape, check_invariants=True)


def dense(step, like, seed=2):
    """A dense gradient, drawn for a step."""
    rng = np.random.default_rng([seed, step])
    return torch.from_numpy(rng.normal(size=like.shape)).to(like.dtype)


def run(optimizer, parameters, steps, first=0):
    """Steps of drawn gradients: dense for parameters of one dimension, sparse for others."""
    for step in range(first, first + steps):
        for place, parameter in enumerate(parameters):
            if parameter.ndim == 1:
                parameter.grad = dense(step, parameter, seed=place)
            else:
                drawn = rows_and_values(step, parameter.shape, seed=place)
                parameter.grad = sparse(*drawn, parameter)
        optimizer.step()


class Tagger(torch.nn.Module):
    """Embedding, sparse, and a linear layer: the smallest model with a table."""

    def __init__(self, words=ROWS, dim=COLUMNS, sparse=True):
        super().__init__()
        self.embedding = torch.nn.Embedding(words, dim, sparse=sparse)
        self.head = torch.nn.Linear(dim, 3)

    def forward(self, words):
        """Scores of three classes for each word."""
        return self.head(self.embedding(words))


def tagger(cls=slt.Adam, seed=0, **options):
    """A `Tagger` and its optimizer, the table sketched."""
    torch.manual_seed(seed)
    model = Tagger()
    groups = [
        {"params": model.embedding.parameters(), **sketches(cls)},
        {"params": model.head.parameters()},
    ]
    return model, cls(groups, **{"lr": 0.01, **options})


def draw(words, generator, count=32):
    """Words of which some are much more frequent than others, as in a text."""
    return (words * torch.rand(count, generator=generator) ** 4).long()


def train(model, optimizer, steps, first=0):
    """Steps on words drawn for each step; the losses."""
    losses = []
    for step in range(first, first + steps):
        generator = torch.Generator().manual_seed(step)
        words = draw(model.embedding.num_embeddings, generator)
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(words), words % 3)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def assert_same_bits(ours, theirs):
    """Two iterables of tensors are equal."""
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one.detach(), other.detach())
