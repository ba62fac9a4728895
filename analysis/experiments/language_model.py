"""Language modelling on real text: sketched against exact state, for four families.

A log-bilinear model (`analysis.problems.log_bilinear`) whose two tables are updated sparsely; the
position weights, 512 numbers, are trained densely by an exact optimizer of the same family.
The learning rate of every variant, exact or sketched, is chosen with the same effort: the same
number of tries (`analysis.training.rates`) from the family's base, each one shorter run that is
judged on validation text. The rate falls linearly to zero during a run.
"""

import math
import statistics
from typing import NamedTuple

from analysis.errors import UsageError
from analysis.experiment import Experiment, Table
from analysis.problems import corpus as text
from analysis.training import rates
from analysis.training.language import measure
from analysis.training.variants import BY_NAME, COMPRESSION, DEPTH, VARIANTS

DIM = 128
BATCH = 256
SAMPLES = 600
REPLICATES = 3
FIRST_TRIES = len(rates.first_rates(1.0))
BASE_RATES = {"Momentum": 1.0, "Adagrad": 0.1, "Adam": 4e-3, "RMSprop": 4e-3}


class Mode(NamedTuple):
    """How much is done: steps of a run and of a try, tries for the rate, words evaluated."""

    steps: int
    sweep_steps: int
    tries: int
    validation_words: int | None
    test_words: int | None


FULL = Mode(12_000, 3_000, 6, 20_000, None)
QUICK = Mode(800, 300, 5, 5_000, 10_000)


def configure(options):
    """Return the configuration that the options ask for, and the path of the text."""
    mode = QUICK if options.quick else FULL
    if options.steps is not None:
        if options.steps < 1:
            raise UsageError(f"--steps {options.steps}: give at least 1")
        shorter = max(1, options.steps * mode.sweep_steps // mode.steps)
        mode = mode._replace(steps=options.steps, sweep_steps=shorter)
    corpus = text.load(options.corpus)
    configuration = mode._asdict() | {
        "mode": "quick" if options.quick else "full",
        "base_rates": BASE_RATES,
        "replicates": REPLICATES,
        "seed": options.seed,
        "common": {
            "corpus": corpus.summary(),
            "dim": DIM,
            "batch": BATCH,
            "samples": SAMPLES,
        },
    }
    return configuration, {"corpus": options.corpus}


def stages(configuration, result_of):
    """Yield the tries of the sweep, each after what was learnt before, and then the runs."""
    sweeps = [_sweep(configuration, variant, result_of) for variant in VARIANTS]
    yield [next(sweep) for sweep in sweeps for _ in range(FIRST_TRIES)]
    for _ in range(configuration["tries"] - FIRST_TRIES):
        yield [next(sweep) for sweep in sweeps]
    yield [
        _final(configuration, variant, replicate, result_of)
        for replicate in range(1, configuration["replicates"] + 1)
        for variant in VARIANTS
    ]


def _sweep(configuration, variant, result_of):
    """Generate the settings of a variant's tries; replicate 0 is used for nothing else."""
    tried = {}
    first = rates.first_rates(configuration["base_rates"][variant.family])
    for number in range(configuration["tries"]):
        rate = first[number] if number < FIRST_TRIES else rates.next_rate(_scores(tried, result_of))
        tried[rate] = _settings(
            configuration,
            variant,
            learning_rate=rate,
            steps=configuration["sweep_steps"],
            replicate=0,
            split="validation",
            evaluated_words=configuration["validation_words"],
        )
        yield tried[rate]


def _scores(tried, result_of):
    """Return the perplexity of each tried rate, infinite where training diverged."""
    results = {rate: result_of(settings) for rate, settings in tried.items()}
    return {
        rate: math.inf if result["diverged"] else result["perplexity"]
        for rate, result in results.items()
    }


def _swept(configuration, variant, result_of):
    """Return the scores of a finished sweep, by rising rate."""
    sweep = _sweep(configuration, variant, result_of)
    tried = {settings["learning_rate"]: settings for settings in sweep}
    return dict(sorted(_scores(tried, result_of).items()))


def _final(configuration, variant, replicate, result_of):
    return _settings(
        configuration,
        variant,
        learning_rate=rates.best_rate(_swept(configuration, variant, result_of)),
        steps=configuration["steps"],
        replicate=replicate,
        split="test",
        evaluated_words=configuration["test_words"],
    )


def _settings(configuration, variant, **rest):
    stores = {
        name: store.to_dict() for name in "mv" if (store := getattr(variant, name)) is not None
    }
    for store in stores.values():
        store.pop("seed", None)  # drawn anew for every replicate
    return {
        "variant": variant.name,
        "stores": stores,
        "seed": configuration["seed"],
        **rest,
        **configuration["common"],
    }


def summarise(configuration, result_of):
    """Return the sweeps and, for every variant, its perplexities and bytes of state."""
    rows = [_summary(configuration, variant, result_of) for variant in VARIANTS]
    exact = {row["family"]: row["state_bytes"] for row in rows if BY_NAME[row["variant"]].baseline}
    for row in rows:
        row["exact_to_state"] = exact[row["family"]] / row["state_bytes"]
    return {"rows": rows}


def _summary(configuration, variant, result_of):
    sweep = _swept(configuration, variant, result_of)
    chosen = rates.best_rate(sweep)
    replicates = range(1, configuration["replicates"] + 1)
    results = [result_of(_final(configuration, variant, r, result_of)) for r in replicates]
    finished = [result["perplexity"] for result in results if not result["diverged"]]
    return {
        "variant": variant.name,
        "family": variant.family,
        "state": variant.state,
        "form": variant.form,
        "learning_rate": chosen,
        "rate_at_edge": chosen in (min(sweep), max(sweep)),
        "sweep": [
            {"learning_rate": rate, "validation_perplexity": score if score < math.inf else None}
            for rate, score in sweep.items()
        ],
        "perplexities": [result["perplexity"] for result in results],
        "diverged": len(results) - len(finished),
        "mean": statistics.fmean(finished) if finished else None,
        "std": statistics.stdev(finished) if len(finished) > 1 else None,
        "state_bytes": results[0]["state_bytes"],
    }


def present(configuration, summary):
    """Return the table of test perplexities."""
    common, words = configuration["common"], configuration["test_words"]
    evaluated = "the whole test split" if words is None else f"{words:,} words of the test split"
    notes = [
        f"{configuration['replicates']} seeds, {configuration['steps']:,} steps of "
        f"{common['batch']} words; {common['corpus']['name']}, vocabulary "
        f"{common['corpus']['vocabulary']:,}, d = {common['dim']}; full softmax over {evaluated}.",
        f"Sketches: {COMPRESSION}x smaller, depth {DEPTH}. State: optimizer state of the embedding "
        "and softmax tables. Ratio: the family's exact (lazy) state over this one's.",
    ]
    if any(row["rate_at_edge"] for row in summary["rows"]):
        notes.append("*: the lowest or highest rate tried; a better one may lie beyond.")
    return Table(
        EXPERIMENT.title,
        ("optimizer", "state", "form", "first rate", "test perplexity", "state, MB", "ratio"),
        [_row(row) for row in summary["rows"]],
        notes,
    )


def _row(row):
    edge = "*" if row["rate_at_edge"] else ""
    return (
        row["family"],
        row["state"],
        row["form"],
        f"{row['learning_rate']:.2g}{edge}",
        _perplexity(row),
        f"{row['state_bytes'] / 1e6:.2f}",
        f"{row['exact_to_state']:.1f}",
    )


def _perplexity(row):
    if row["mean"] is None:
        return "diverged"
    spread = "" if row["std"] is None else f" ± {row['std']:.1f}"
    lost = f" ({row['diverged']} diverged)" if row["diverged"] else ""
    return f"{row['mean']:.1f}{spread}{lost}"


def cost(settings):
    """Time of a run, in steps; scoring 50 words takes about as long as one step."""
    return settings["steps"] + _evaluation(settings["evaluated_words"], settings["corpus"])


def workload(configuration):
    """Return the time of all runs, in steps, and their number."""
    corpus = configuration["common"]["corpus"]
    tried = configuration["tries"] * len(VARIANTS)
    finals = configuration["replicates"] * len(VARIANTS)
    each_try = configuration["sweep_steps"] + _evaluation(configuration["validation_words"], corpus)
    each_final = configuration["steps"] + _evaluation(configuration["test_words"], corpus)
    return tried * each_try + finals * each_final, tried + finals


def _evaluation(words, corpus):
    return (words or corpus["test"]) / 50


EXPERIMENT = Experiment(
    name="language-model",
    title="Log-bilinear language model on real text: test perplexity against optimizer state",
    source="Spring et al. 2019, Tables 3 and 4, on another text and a smaller model",
    duration={"quick": "3 min", "full": "45 min"},
    configure=configure,
    stages=stages,
    measure=measure,
    summarise=summarise,
    present=present,
    cost=cost,
    workload=workload,
)
