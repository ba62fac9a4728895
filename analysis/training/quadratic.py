"""One run on a dense ill-conditioned quadratic, where momentum is essential, with any optimizer.

f(x) = ½ Σ λ_i‖x_i‖² over all rows, without noise, λ_i between 1 and 1/condition in a random order.
Every row moves at every step, so that a sketch's buckets hold as many live rows as they can. The
rate stays as it is.
"""

import numpy as np

from analysis.training.loop import Losses, may_diverge, optimizers_of, sequences, train
from analysis.training.variants import settings_of

BASE_RATES = {"Momentum": 0.5, "SGD": 0.5, "Adam": 0.01, "RMSprop": 0.01}


def constants(_=None):
    """What all runs have in common, as plain values."""
    return {"rows": 2_000, "dim": 16, "condition": 1_000}


def settings(plan, variant, learning_rate, replicate):
    """Return the settings of a run; a try, replicate 0, starts elsewhere."""
    return settings_of(plan, variant, learning_rate, replicate) | {"steps": plan["steps"]}


def cost(settings):
    """Time of a run, in steps."""
    return settings["steps"]


@may_diverge()
def measure(settings, _=None):
    """Train once and return f over f at the start (``score``), the bytes of state and the losses.

    A run has diverged when it ends above its start.
    """
    start, hashing = sequences(settings, 2)
    generator = np.random.default_rng(start)
    n, dim = settings["rows"], settings["dim"]
    curvature = generator.permutation(np.geomspace(1 / settings["condition"], 1, n))[:, None]
    table = generator.standard_normal((n, dim)).astype(np.float32)
    optimizers = optimizers_of(settings, hashing, [table])

    def loss():
        return float((curvature * np.square(table, dtype=float)).sum() / 2)

    def gradient():
        return loss(), (curvature * table).astype(np.float32)

    first, losses = loss(), Losses(settings["steps"], 50)
    for step in train(optimizers, gradient, settings["steps"]):
        losses.add(step._replace(loss=step.loss / first))
    score = loss() / first
    return {
        "score": score if np.isfinite(score) else None,
        "diverged": not score <= 1,
        "state_bytes": optimizers[0].nbytes,
        "losses": losses.plain(),
    }
