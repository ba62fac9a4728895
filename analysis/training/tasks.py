"""The tasks that stores are compared on, and studies that have a part on each of several.

A part of a study is a *plan*, plain values: its ``task``, how much is done, and the ``base_rates``
from which learning rates are searched.
"""

from functools import partial
from types import ModuleType
from typing import NamedTuple

from analysis.lab.errors import UsageError
from analysis.lab.study import Experiment, Table
from analysis.training import comparison, language, logistic, mach, quadratic


class Task(NamedTuple):
    """A task: its module, with ``constants``, ``settings``, ``measure`` and ``cost``.

    `score` is what its score measures, `form` how it is written, and `unit` the seconds, on one
    core, of a cost of one.
    """

    module: ModuleType
    title: str
    score: str
    form: str
    unit: float


TASKS = {
    "language": Task(language, "language model", "test perplexity", "{:.1f}", 4e-3),
    "mach": Task(mach, "MACH", "1 - Recall@100 of test names", "{:.4f}", 1.1e-2),
    "logistic": Task(logistic, "logistic regression", "test log loss, nats", "{:.4f}", 4e-4),
    "quadratic": Task(quadratic, "quadratic", "f over f at the start", "{:.3g}", 4e-4),
}


#: Short parts, for studies of many variants; and what their quick form changes.
SHORT = {
    "language": {
        "task": "language",
        "steps": 2_000,
        "validation_words": 10_000,
        "test_words": 25_000,
    },
    "mach": {
        "task": "mach",
        "steps": 400,
        "validation_queries": 1_000,
        "test_queries": None,
        "base_rates": {"Adam": 0.032, "RMSprop": 0.032},
        "common": {"classifiers": 1},
    },
}
QUICK = {
    "language": {"steps": 60, "validation_words": 1_000, "test_words": 2_000},
    "mach": {"steps": 15, "validation_queries": 200, "test_queries": 200},
}


def plans(parts, options):
    """Return parts of a study with what they have from their tasks and from the command line.

    Tries are as long as runs: the rate that is best for fewer steps is too high for more, and by
    how much differs between stores.

    Parameters
    ----------
    parts : dict of str to dict
        For each part its task and how much is done; ``base_rates``, and under ``common`` what
        else is not the task's own.
    options : analysis.lab.study.Options
        Its steps, where given, are those of every part.

    Raises
    ------
    UsageError
        If the steps are less than one.
    """
    steps = options.steps
    if steps is not None:
        if steps < 1:
            raise UsageError(f"--steps {steps}: must be at least 1")
        parts = {name: part | {"steps": steps} for name, part in parts.items()}
    return {
        name: {
            "base_rates": TASKS[part["task"]].module.BASE_RATES,
            "seed": options.seed,
            **part,
            "sweep_steps": part["steps"],
            "common": TASKS[part["task"]].module.constants(options.corpus) | part.get("common", {}),
        }
        for name, part in parts.items()
    }


def measure(settings, inputs):
    """Make a run of any task; of hundreds of runs, the curves along the way are not kept."""
    result = TASKS[settings["task"]].module.measure(settings, inputs)
    return {name: value for name, value in result.items() if name != "losses"}


def cost(settings):
    """Seconds of a run of any task, about."""
    task = TASKS[settings["task"]]
    return task.module.cost(settings) * task.unit


def _settings(plan, variant, learning_rate, replicate):
    module = TASKS[plan["task"]].module
    return {"task": plan["task"], **module.settings(plan, variant, learning_rate, replicate)}


def experiment(
    variants, sizes, *, also=lambda rows_of: {}, remarks=lambda summary: (), present=None, **rest
):
    """Return an experiment that has a `Comparison` on each of several tasks.

    Parameters
    ----------
    variants : callable
        ``variants(mode)``: for each part its variants.
    sizes : dict of str to dict
        For ``"quick"`` and ``"full"``: ``tries``, ``replicates`` and the ``parts``, see `plans`.
    also : callable
        ``also(rows_of)``: what else the summary has, from the rows of every part.
    remarks : callable
        ``remarks(summary)``: lines that stand below the table of all parts, after `notes`.
    present, **rest
        As of `analysis.lab.study.Experiment`.
    """

    def configure(options):
        size = sizes[options.mode]
        parts = plans(size["parts"], options)
        return size | {"mode": options.mode, "parts": parts}, {"corpus": options.corpus}

    def planned(configuration):
        effort = configuration["tries"], configuration["replicates"]
        of_part = variants(configuration["mode"])
        return {
            name: comparison.Comparison(
                of_part[name], plan["base_rates"], *effort, partial(_settings, plan)
            )
            for name, plan in configuration["parts"].items()
        }

    def stages(configuration, result_of):
        return comparison.stages_together(planned(configuration).values(), result_of)

    def summarise(configuration, result_of):
        rows_of = {name: part.rows(result_of) for name, part in planned(configuration).items()}
        return {"parts": rows_of} | also(rows_of)

    def plain_table(configuration, summary):
        lines = [
            (plan, row)
            for name, plan in configuration["parts"].items()
            for row in summary["parts"][name]
        ]
        about = [*notes(configuration, [row for _, row in lines]), *remarks(summary)]
        return Table(rest["title"], COLUMNS, [table_row(*line) for line in lines], about)

    def workload(configuration):
        return comparison.workload_together(planned(configuration).values(), cost)

    return Experiment(
        configure=configure,
        stages=stages,
        measure=measure,
        summarise=summarise,
        present=present or plain_table,
        cost=cost,
        workload=workload,
        **rest,
    )


COLUMNS = ("task", *comparison.COLUMNS)


def table_row(plan, row):
    """Return a row of `Comparison.rows` as text under `COLUMNS`."""
    task = TASKS[plan["task"]]
    steps = f"{task.title}, {plan['steps']:,} steps"
    return (steps, *comparison.table_row(row, task.form))


def notes(configuration, rows):
    """Return what a reader must know of the runs: how many, and what is scored."""
    yield (
        f"{configuration['replicates']} seeds and {configuration['tries']} tries for the learning "
        "rate of every row; a try is as long as a run. To exact: the score over that of the "
        "family's exact (lazy) state; ratio: its bytes over this one's."
    )
    for name in dict.fromkeys(plan["task"] for plan in configuration["parts"].values()):
        yield f"{TASKS[name].title}: the score is {TASKS[name].score}, lower is better."
    yield from comparison.edge_note(rows)
