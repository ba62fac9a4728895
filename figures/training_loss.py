"""Training loss of the language model along its epochs, exact and sketched."""

from figures.common import style
from figures.common.figure import Figure
from figures.common.stores import form_of, label_of

SHOWN = {
    "Adam": ("exact", "CS-MV", "CS-V"),
    "RMSprop": ("exact", "CMS", "CMS conservative", "NMF rank-1"),
}


def draw(study):
    page, panels = style.panels(3.8, rows=2, sharex=True, sharey=True)
    for axes, (family, states) in zip(panels, SHOWN.items()):
        rows = [row for row in study.summary["rows"] if row["family"] == family]
        rows = [row for row in rows if row["state"] in states and form_of(study, row) != "bucket"]
        for look, row in zip(style.LOOKS, rows):
            if runs := _losses(study, row):
                looks = look.line(marker="none", label=label_of(row))
                style.band(axes, _epochs(study.configuration, len(runs[0])), runs, **looks)
        axes.set(ylabel="training loss, nats")
        axes.legend()
    panels[-1].set_xlabel("epochs")
    return page


def _losses(study, row):
    """Losses along the runs of a variant, of those seeds that stayed finite."""
    runs = study.runs_of(
        variant=row["variant"],
        split="test",
        steps=study.configuration["steps"],
        corpus=study.configuration["common"]["corpus"],
    )
    return [run["losses"] for run in runs if None not in run["losses"]]


def _epochs(configuration, parts):
    """Ends of equal parts of a run, in passes over the training text."""
    common = configuration["common"]
    passes = configuration["steps"] * common["batch"] / common["corpus"]["train"]
    return [passes * part / parts for part in range(1, parts + 1)]


def caption(study):
    return (
        "Training loss (sampled softmax, means over a fiftieth of the run) of the language model, "
        f"mean of {study.configuration['replicates']} seeds with bands from lowest to highest, "
        "each variant at its own best learning rate, which falls linearly to zero. Above Adam, "
        "below RMSprop; the released bucket form is left out."
    )


FIGURE = Figure(
    "training-loss", "Training loss along the epochs", ("language-model",), draw, caption
)
