"""One run of sparse logistic regression with Zipf features, with any optimizer.

The parameters are one column, so a store can save memory only by letting rows share it. Samples
are fixed by the seed alone; a target is drawn anew at every visit, with the probability that the
planted model gives it, and judged is the expected log loss of samples that training never sees.
The rate falls linearly to zero during a run.
"""

from functools import lru_cache

import numpy as np

from analysis.problems.linear_models import SparseLogistic
from analysis.training import optimizers as make

BASE_RATES = {"Momentum": 16.0, "Adam": 0.12, "RMSprop": 0.12}
BATCH = 64


def constants():
    """What all runs have in common, as plain values."""
    return {"rows": 10_000, "samples": 20_000, "features": 20, "exponent": 1.1, "magnitude": 3.0}


def settings(plan, variant, learning_rate, replicate):
    """Return the settings of a run: of a try, judged on validation samples, for replicate 0.

    `plan` has the steps of a run and of a try, the seed and, under ``common``, the `constants`.
    """
    trying = replicate == 0
    return {
        **variant.settings(),
        "learning_rate": learning_rate,
        "steps": plan["sweep_steps" if trying else "steps"],
        "split": "validation" if trying else "test",
        "seed": plan["seed"],
        "replicate": replicate,
        **plan["common"],
    }


def cost(settings):
    """Time of a run, in steps."""
    return settings["steps"]


def measure(settings, _=None):
    """Train once and return the log loss (``score``), its floor, the bytes of state and the losses.

    A run has diverged when in the end it predicts worse than a fair coin.
    """
    problem = _problem(*(settings[name] for name in ("seed", *constants())))
    entropy = np.random.SeedSequence(settings["seed"], spawn_key=(settings["replicate"],))
    order, hashing = entropy.spawn(2)
    table = np.zeros((problem.size, 1), np.float32)
    seeds = iter(hashing.generate_state(len(settings["stores"])).tolist())
    optimizer = make.optimizer(settings, table, seeds)
    parts = _parts(settings["samples"])
    with np.errstate(over="ignore", invalid="ignore"):  # a diverging run is reported, not warned of
        losses = _train(settings, problem, optimizer, parts["train"], np.random.default_rng(order))
        loss = _loss(problem, table, parts[settings["split"]])
    return {
        "score": loss if np.isfinite(loss) else None,
        "diverged": not loss <= np.log(2),
        "floor": _loss(problem, problem.planted[:, None], parts[settings["split"]]),
        "state_bytes": optimizer.nbytes,
        "losses": [round(value, 4) if np.isfinite(value) else None for value in losses],
    }


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


def _train(settings, problem, optimizer, samples, generator):
    """Take the steps; return the validation loss after each 2 %."""
    steps, held_out = settings["steps"], _parts(settings["samples"])["validation"]
    part = max(1, steps // 50)
    losses = []
    for step in range(1, steps + 1):
        optimizer.lr = settings["learning_rate"] * (1 - (step - 1) / steps)
        chosen = samples[generator.integers(len(samples), size=problem.batch)]
        rows, gradients = problem.batch_gradient(optimizer.table, chosen, generator)
        optimizer.step(gradients, rows=rows)
        if step % part == 0 or step == steps:
            losses.append(_loss(problem, optimizer.table, held_out))
    return losses
