"""The paper's own kind of model: an LSTM language model, sketched against exact state.

One LSTM layer between two large tables (`analysis.problems.lstm`, `analysis.training.recurrent`);
validation perplexity along every run, test perplexity at its end. The paper's sketches are in the
form of its algorithms (``lazy``). Its rank-1 factorisation of the signed momentum is left out:
sums of rows and columns hold non-negative values only.
"""

import statistics

import sketchlab as sl
from analysis.lab.study import Table
from analysis.theory.published import PERPLEXITY, TABLES
from analysis.training import comparison, recurrent
from analysis.training.variants import BY_NAME, COMPRESSION, DEPTH, Variant

_RANK_1 = sl.Rank1(decay="global")

VARIANTS = (
    BY_NAME["Momentum exact (lazy)"],
    BY_NAME["Momentum CS (paper: lazy)"],
    BY_NAME["Adagrad exact (lazy)"],
    BY_NAME["Adagrad CMS (every form: nothing decays)"],
    Variant("Adagrad", "LR-NMF", "nothing decays", v=_RANK_1),
    BY_NAME["Adam exact (lazy)"],
    BY_NAME["Adam CS-MV (paper: lazy)"],
    BY_NAME["Adam CS-V (paper: lazy)"],
    Variant("Adam", "LR-NMF-V", "global", m=sl.Dense(decay="lazy"), v=_RANK_1),
    BY_NAME["RMSprop exact (lazy)"],
    BY_NAME["RMSprop CMS (paper: lazy)"],
    BY_NAME["RMSprop CMS conservative (linear: global)"],
)

#: The paper's tables for a family, and the name there of what they call otherwise.
PUBLISHED = {
    "Momentum": (("3",), {}),
    "Adagrad": (("6",), {"CMS": "CS"}),
    "Adam": (("4", "9"), {}),
    "RMSprop": (("7",), {}),
}


#: How much is done: segments of a run and of a try, tries, words evaluated and watched.
SIZES = {
    "full": {
        "steps": 700,
        "sweep_steps": 500,
        "tries": 4,
        "replicates": 3,
        "validation_words": 10_000,
        "test_words": 10_000,
        "watched_words": 1_000,
    },
    "quick": {
        "steps": 120,
        "sweep_steps": 40,
        "tries": 3,
        "replicates": 3,
        "validation_words": 2_000,
        "test_words": 4_000,
        "watched_words": 400,
    },
}


def _curve(_, results):
    return {"curve": mean_curve([run["curve"] for run in results if not run["diverged"]])}


def mean_curve(curves):
    """Return epochs with mean and deviation of the validation perplexity over some runs."""
    if not curves:
        return []
    points = []
    for epoch, *seen in zip(curves[0]["epoch"], *(curve["perplexity"] for curve in curves)):
        seen = [perplexity for perplexity in seen if perplexity is not None]
        mean = round(statistics.fmean(seen), 2) if seen else None
        std = round(statistics.stdev(seen), 2) if len(seen) > 1 else None
        points.append({"epoch": epoch, "mean": mean, "std": std})
    return points


def present(configuration, summary):
    """Return the table of perplexities, with the paper's beside them."""
    common = configuration["common"]
    words = min(configuration["test_words"], common["corpus"]["test"])
    seen = common["batch"] * common["segment"]
    notes = [
        f"{configuration['replicates']} seeds, {configuration['steps']:,} segments of "
        f"{common['batch']} × {common['segment']} words; {common['corpus']['name']}, vocabulary "
        f"{common['corpus']['vocabulary']:,}, one LSTM layer of {common['width']}, "
        f"d = {common['dim']}; full softmax over {words:,} words of the test split.",
        f"Epochs: {configuration['steps'] * seen / common['corpus']['train']:.2f}; validation "
        f"perplexity over {configuration['watched_words']:,} words after a fifth of them, half "
        "and all.",
        f"Sketches: {COMPRESSION}x smaller, depth {DEPTH}. State: optimizer state of the embedding "
        "and softmax tables. To exact: perplexity against the family's exact (lazy) state.",
        "Paper: the same of its tables (number in brackets), on other data, larger models and, for "
        "RMSprop, a Transformer-XL. Its LR-NMF of the signed momentum (Table 3: "
        f"{TABLES['3'].of(PERPLEXITY)['LR-NMF']:g}) has no counterpart: ours holds non-negative "
        "values only.",
        f"Rates: {configuration['tries']} tries on one seed, {configuration['sweep_steps']:,} "
        "segments each, and known to a factor of two: a few per cent either way decide nothing.",
        *comparison.edge_note(summary["rows"]),
    ]
    columns = ("optimizer", "state", "form", "first rate", "validation", "test perplexity")
    columns += ("to exact", "paper", "state, MB")
    return Table(EXPERIMENT.title, columns, [_row(row) for row in summary["rows"]], notes)


def _row(row):
    return (
        row["family"],
        row["state"],
        row["form"],
        comparison.rate_text(row),
        _on_the_way(row["curve"]),
        comparison.score_text(row),
        "" if row["score_to_exact"] is None else _percent(row["score_to_exact"]),
        published(row["family"], row["state"]),
        f"{row['state_bytes'] / 1e6:.2f}",
    )


def _on_the_way(curve):
    """Perplexities after a fifth of the steps, half of them and all."""
    if not curve:
        return ""
    chosen = (curve[len(curve) // 5 - 1], curve[len(curve) // 2 - 1], curve[-1])
    return " → ".join("?" if point["mean"] is None else f"{point['mean']:.0f}" for point in chosen)


def published(family, state):
    """The paper's perplexities against exact for a way of keeping state, as text; '' if none."""
    numbers, names = PUBLISHED[family]
    found = []
    for number in numbers:
        perplexities = TABLES[number].of(PERPLEXITY)
        if (name := names.get(state, state)) in perplexities:
            ratio = perplexities[name] / perplexities["exact"]
            found.append(f"{_percent(ratio)} ({number})")
    return ", ".join(found)


def _percent(ratio):
    return f"{100 * (ratio - 1):+.1f} %"


EXPERIMENT = comparison.experiment_on(
    recurrent,
    VARIANTS,
    sizes=SIZES,
    least=recurrent.POINTS,
    more=_curve,
    name="recurrent-language-model",
    title="LSTM language model on real text: perplexity against optimizer state",
    source="Spring et al. 2019, Tables 3, 4, 6 and 9, on another text and a smaller model",
    duration={"quick": "1 min", "full": "6 min"},
    present=present,
)
