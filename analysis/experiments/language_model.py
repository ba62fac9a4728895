"""Language modelling on real text: sketched against exact state, for four families.

A log-bilinear model (`analysis.problems.log_bilinear`, `analysis.training.language`). The learning
rate of every variant, exact or sketched, is chosen with the same effort
(`analysis.training.comparison`); a try is shorter than a run.
"""

from analysis.lab.study import Table
from analysis.training import comparison, language
from analysis.training.variants import COMPRESSION, DEPTH, VARIANTS

#: How much is done: steps of a run and of a try, tries for the rate, words evaluated.
SIZES = {
    "full": {
        "steps": 12_000,
        "sweep_steps": 3_000,
        "tries": 6,
        "replicates": 3,
        "validation_words": 20_000,
        "test_words": None,
    },
    "quick": {
        "steps": 800,
        "sweep_steps": 300,
        "tries": 5,
        "replicates": 3,
        "validation_words": 5_000,
        "test_words": 10_000,
    },
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
        *comparison.edge_note(summary["rows"]),
    ]
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
    VARIANTS,
    sizes=SIZES,
    name="language-model",
    title="Log-bilinear language model on real text: test perplexity against optimizer state",
    source="Spring et al. 2019, Tables 3 and 4, on another text and a smaller model",
    duration={"quick": "3 min", "full": "45 min"},
    present=present,
)
