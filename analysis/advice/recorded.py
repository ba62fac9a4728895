"""Recorded comparisons of stores, as they can be taken up again: what trained, and how it ended."""

from analysis.advice.evidence import Evidence, comparisons
from analysis.lab.results import read
from analysis.training.loop import plain
from analysis.training.optimizers import described

#: What the settings of a run say of how it was judged.
_JUDGED = ("split", "evaluated_words", "watched_words", "queries", "replicate", "variant")


def groups_of(folder, names):
    """Yield the variants of each family of every comparison, with what training exact state is.

    Parameters
    ----------
    folder : Path
        Of results.
    names : sequence of str
        Experiments whose comparisons are taken up.

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
        yield from _groups(read(folder / f"{name}.json"), evidence)


def _groups(content, evidence):
    name = content["name"]
    (study,) = (one for one in content["studies"] if one["configuration"]["mode"] == "full")
    for task, source, rows in comparisons(name, study):
        plan = study["configuration"].get("parts", {}).get(source.partition(": ")[2])
        steps = (plan or study["configuration"])["steps"]
        runs = [
            run["settings"]
            for run in content["runs"]
            if run["settings"]["replicate"] == 1
            and run["settings"]["steps"] == steps
            and run["settings"].get("task", task) == task
        ]
        settings = {one["variant"]: one for one in runs}
        for family in dict.fromkeys(row["family"] for row in rows):
            mine = [row for row in rows if row["family"] == family]
            sketched = [row for row in mine if not _is_exact(settings[row["variant"]])]
            exact = settings[f"{family} exact (lazy)"]
            yield {
                "source": source,
                "task": task,
                "family": family,
                "steps": steps,
                "exact": {key: value for key, value in exact.items() if key not in _JUDGED}
                | {"task": task},
                "rows": [_row(row, settings[row["variant"]], task, evidence) for row in sketched],
            }


def _is_exact(settings):
    return all(store["kind"] == "Dense" for store in settings["stores"].values())


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
