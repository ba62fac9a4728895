"""Recorded comparisons of stores, as they can be taken up again: what trained, and how it ended."""

from analysis.advice import early
from analysis.advice.evidence import Evidence, comparisons
from analysis.lab.errors import UsageError
from analysis.lab.results import read
from analysis.training.loop import plain
from analysis.training.optimizers import described

#: Experiments that compare stores on tasks whose training can be taken up again.
SOURCES = (
    "pareto",
    "head-tail",
    "language-model",
    "extreme-classification",
    "shrunken-moment",
    "wikitext-lstm",
)
#: Others that have trainings of a task with exact state.
ALSO = {"gap-against-steps": "lm1b-lstm", "lm1b-lstm": "lm1b-lstm"}
#: What the settings of a run say of how it was judged.
_JUDGED = ("split", "evaluated_words", "watched_words", "queries", "replicate", "variant")


def groups_of(folder, names):
    """Yield the variants of each family of every comparison, with what training exact state is.

    Parameters
    ----------
    folder : Path
        Of results.
    names : sequence of str
        Experiments whose comparisons are taken up, those that have been run to the end.

    Yields
    ------
    dict
        ``source``, ``task``, ``family`` and ``steps`` of the comparison; ``exact``, the settings of
        a run with exact state at the rate that was best for it; and ``rows``, the variants: their
        ``stores`` and ``options``, final ``score`` (None where a run diverged), bytes of exact
        state over theirs, and what the store cost ``elsewhere``, on other tasks (None if unknown).
    """
    evidence = Evidence(folder)
    for name in names:
        if (path := folder / f"{name}.json").exists():
            yield from _groups(read(path), evidence)


def exact_of(folder, task, family):
    """Return the settings of a recorded training with exact state, as in `groups_of`.

    Raises
    ------
    UsageError
        If no training of that task with that optimizer is recorded.
    """
    known = {}
    for group in groups_of(folder, SOURCES):
        known.setdefault((group["task"], group["family"]), group["exact"])
    for name, other in ALSO.items():
        if (path := folder / f"{name}.json").exists():
            for settings in _exact_runs(read(path)):
                known.setdefault((other, settings["family"]), settings | {"task": other})
    if (task, family) not in known:
        there = ", ".join(f"{one} ({of.lower()})" for one, of in known)
        raise UsageError(
            f"{folder} has no finished training of {task!r} with {family} and exact state: known "
            f"are {there}; the experiments {', '.join((*SOURCES, *ALSO))} make them"
        )
    return known[task, family]


def _exact_runs(content):
    """Settings of runs with exact state that are no tries, the longest first."""
    runs = [run["settings"] for run in content["runs"]]
    runs = [
        one
        for one in runs
        if one["replicate"] == 1 and one["variant"] == f"{one['family']} exact (lazy)"
    ]
    return sorted(runs, key=lambda one: -one["epochs"])


def _groups(content, evidence):
    name = content["name"]
    finished = [study for study in content["studies"] if study["summary"]]
    (study,) = (one for one in finished if one["configuration"]["mode"] == "full")
    for task, source, rows in comparisons(name, study):
        plan = study["configuration"].get("parts", {}).get(source.partition(": ")[2])
        steps = (plan or study["configuration"]).get("steps")
        runs = [
            run["settings"]
            for run in content["runs"]
            if run["settings"]["replicate"] == 1
            and run["settings"].get("steps") == steps
            and run["settings"].get("task", task) == task
        ]
        settings = {one["variant"]: one for one in runs}
        for family in dict.fromkeys(row["family"] for row in rows):
            mine = [row for row in rows if row["family"] == family]
            exact = settings[f"{family} exact (lazy)"] | {"task": task}
            sketched = [row for row in mine if _compares(settings[row["variant"]], exact)]
            yield {
                "source": source,
                "task": task,
                "family": family,
                "steps": early.steps_of(exact),
                "exact": {key: value for key, value in exact.items() if key not in _JUDGED},
                "rows": [_row(row, settings[row["variant"]], task, evidence) for row in sketched],
            }


def _compares(settings, exact):
    """Whether a variant keeps the moments that exact state has, and not all of them exactly."""
    stores = settings["stores"]
    is_exact = all(store["kind"] == "Dense" for store in stores.values())
    return not is_exact and stores.keys() == exact["stores"].keys()


def _row(row, settings, task, evidence):
    """A variant as it was recorded, and what its store cost on other tasks."""
    way = settings["family"], described(settings), settings["options"]
    elsewhere = evidence.of(*way, row["exact_to_state"], without=(task,))
    return {
        "variant": row["variant"],
        "stores": settings["stores"],
        "options": settings["options"],
        "exact_to_state": row["exact_to_state"],
        "score": None if row["diverged"] else row["mean"],
        # rounded: it is a part of a configuration, which has to be the same on every machine
        "elsewhere": plain(elsewhere.mean, 6) if elsewhere else None,
    }
