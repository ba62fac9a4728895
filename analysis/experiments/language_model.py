"""Language modelling on real text: sketched against exact state, for four families.

A log-bilinear model (`analysis.problems.log_bilinear`, `analysis.training.language`). The learning
rate of every variant, exact or sketched, is chosen with the same effort
(`analysis.training.comparison`); a try is shorter than a run.
"""

from typing import NamedTuple

from analysis.lab.errors import UsageError
from analysis.lab.study import Table
from analysis.training import comparison, language
from analysis.training.variants import COMPRESSION, DEPTH, VARIANTS

REPLICATES = 3


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
    configuration = mode._asdict() | {
        "mode": "quick" if options.quick else "full",
        "base_rates": language.BASE_RATES,
        "replicates": REPLICATES,
        "seed": options.seed,
        "common": language.constants(options.corpus),
    }
    return configuration, {"corpus": options.corpus}


def _comparison(configuration):
    return comparison.Comparison.planned(VARIANTS, language.settings, configuration)


def summarise(configuration, result_of):
    """Return, for every variant, its tries, its perplexities and its bytes of state."""
    return {"rows": _comparison(configuration).rows(result_of)}


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
        notes.append(comparison.EDGE_NOTE)
    return Table(
        EXPERIMENT.title,
        ("optimizer", "state", "form", "first rate", "test perplexity", "state, MB", "ratio"),
        [_row(row) for row in summary["rows"]],
        notes,
    )


def _row(row):
    return (
        row["family"],
        row["state"],
        row["form"],
        comparison.rate_text(row),
        comparison.score_text(row),
        f"{row['state_bytes'] / 1e6:.2f}",
        f"{row['exact_to_state']:.1f}",
    )


EXPERIMENT = comparison.experiment_on(
    language,
    _comparison,
    name="language-model",
    title="Log-bilinear language model on real text: test perplexity against optimizer state",
    source="Spring et al. 2019, Tables 3 and 4, on another text and a smaller model",
    duration={"quick": "3 min", "full": "45 min"},
    configure=configure,
    summarise=summarise,
    present=present,
)
