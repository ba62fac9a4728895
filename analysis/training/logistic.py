"""One run of sparse logistic regression with Zipf features, with any optimizer.

The parameters are one column, so a store can save memory only by letting rows share it. Samples
are fixed by the seed alone; a target is drawn anew at every visit, with the probability that the
planted model gives it, and judged is the expected log loss of samples that training never sees.
The rate falls linearly to zero during a run.
"""

from functools import lru_cache

import numpy as np

from analysis.problems.linear_models import SparseLogistic
from analysis.problems.sampled_softmax import Sparse
from analysis.training.loop import Begun, may_diverge, optimizers_of, plain, sequences, train
from analysis.training.variants import settings_of

BASE_RATES = {"Momentum": 16.0, "Adam": 0.12, "RMSprop": 0.12}
BATCH = 64


def constants(_=None):
    """What all runs have in common, as plain values."""
    return {"rows": 10_000, "samples": 20_000, "features": 20, "exponent": 1.1, "magnitude": 3.0}


def settings(plan, variant, learning_rate, replicate):
    """Return the settings of a run: of a try, judged on validation samples, for replicate 0.

    `plan` has the steps of a run and of a try, the seed and, under ``common``, the `constants`.
    """
    steps = plan["steps" if replicate else "sweep_steps"]
    return settings_of(plan, variant, learning_rate, replicate) | {"steps": steps}


def cost(settings):
    """Time of a run, in steps."""
    return settings["steps"]


def begin(settings, _=None):
    """Return the run of some settings before its first step."""
    problem = _problem_of(settings)
    order, hashing = sequences(settings, 2)
    table = np.zeros((problem.size, 1), np.float32)
    optimizers = optimizers_of(settings, hashing, [table])
    train, generator = _parts(settings["samples"])["train"], np.random.default_rng(order)

    def gradient():
        """Without the batch's loss, which is not needed and would take as long again."""
        chosen = train[generator.integers(len(train), size=problem.batch)]
        return 0.0, Sparse(*problem.batch_gradient(table, chosen, generator))

    return Begun((table,), optimizers, gradient, tables=1)


@may_diverge()
def measure(settings, _=None):
    """Train once and return the log loss (``score``), its floor, the bytes of state and the losses.

    The losses are those of the validation samples after each 2 %. A run has diverged when in the
    end it predicts worse than a fair coin.
    """
    problem, parts = _problem_of(settings), _parts(settings["samples"])
    (table,), optimizers, gradient, _ = begin(settings)
    steps, losses = settings["steps"], []
    for step in train(optimizers, gradient, steps, settings["learning_rate"]):
        if step.number % max(1, steps // 50) == 0 or step.number == steps:
            losses.append(_loss(problem, table, parts["validation"]))
    loss = _loss(problem, table, parts[settings["split"]])
    return {
        "score": loss if np.isfinite(loss) else None,
        "diverged": not loss <= np.log(2),
        "floor": _loss(problem, problem.planted[:, None], parts[settings["split"]]),
        "state_bytes": optimizers[0].nbytes,
        "losses": [plain(value, 4) for value in losses],
    }


def _problem_of(settings):
    return _problem(*(settings[name] for name in ("seed", *constants())))


@lru_cache(maxsize=2)
def _problem(seed, rows, samples, features, exponent, magnitude):
    generator = np.random.default_rng([seed, 2])
    return SparseLogistic(
        rows, samples, features, exponent, generator, batch=BATCH, magnitude=magnitude
    )


def _parts(samples):
    """Numbers of the samples to train on, to validate and to test with."""
    tenth = samples // 10
    train, validation, test = np.split(np.arange(samples), [samples - 2 * tenth, samples - tenth])
    return {"train": train, "validation": validation, "test": test}


def _loss(problem, x, chosen):
    return float(problem.losses(problem.matrix[chosen] @ x[:, 0], chosen).mean())
