"""The optimizers for PyTorch: `torch.optim.Optimizer` subclasses over the same rules and stores.

How a moment is kept is an option of a parameter group, exact where none is given. Needs PyTorch
(``pip install 'sketchlab[torch]'``); nothing else in sketchlab imports this package.

Examples
--------
>>> import torch, sketchlab as sl, sketchlab.torch as slt
>>> model = torch.nn.Sequential(torch.nn.Embedding(50_000, 8, sparse=True), torch.nn.Linear(8, 1))
>>> sketched = {"m": sl.CountSketch(compression=5), "v": sl.CountMinSketch(compression=5)}
>>> groups = [{"params": model[0].parameters(), **sketched}, {"params": model[1].parameters()}]
>>> opt = slt.Adam(groups, lr=1e-3)
>>> model(torch.tensor([3, 49_999])).sum().backward()
>>> opt.step()
>>> sizes = opt.state_bytes()
>>> sizes.kept, sizes.exact
(640008, 3200072)
"""

from sketchlab.torch.clip import clip_grad_norm_
from sketchlab.torch.optim import SGD, Adagrad, Adam, AMSGrad, Momentum, Optimizer, RMSprop
from sketchlab.torch.record import record
from sketchlab.torch.stores import parameter_seed

__all__ = [
    "SGD",
    "AMSGrad",
    "Adagrad",
    "Adam",
    "Momentum",
    "Optimizer",
    "RMSprop",
    "clip_grad_norm_",
    "parameter_seed",
    "record",
]
