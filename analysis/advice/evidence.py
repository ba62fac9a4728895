"""What training with a store cost, by the runs that the laboratory has recorded.

Every recorded comparison of variants counts: each of its rows has the score of a store, found with
the same effort as exact state's, over exact state's. A store at another size than the recorded ones
is interpolated between its neighbours, linearly in the logarithms.
"""

import json
import math
from collections import defaultdict
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np

from analysis.lab.errors import UsageError
from analysis.training.optimizers import described
from sketchlab.errors import SketchlabError

#: The task of each experiment that has only one; where it has parts, these name theirs. Not among
#: them is dense-layers: its scores are errors of a few per cent, whose ratios are mostly noise.
TASKS = {
    "cleaning": "language",
    "extreme-classification": "mach",
    "language-model": "language",
    "lm1b-lstm": "lm1b-lstm",
    "wikitext-lstm": "wikitext-lstm",
}
#: Parts that do not count: how far a quadratic falls is told in powers of ten.
_NOT_TASKS = ("quadratic",)
#: Of a description: what says how large it is, and which hash functions it has, not what it is.
_SIZE = ("compression", "width", "seed")
#: A store that is recorded at one size is known to that much more of its compression.
_REACH = 1.25


class Trained(NamedTuple):
    """Scores over exact state's: the mean over tasks, the worst of them, and which they are."""

    mean: float
    worst: float
    tasks: tuple


def form_of(family, stores, options):
    """Return a text that tells ways of keeping state apart, whatever their size."""
    kept = {moment: _unsized(store.to_dict()) for moment, store in stores.items()}
    return json.dumps([family, kept, dict(options)], sort_keys=True)


def _unsized(fields):
    return {
        name: _unsized(value) if isinstance(value, dict) else value
        for name, value in fields.items()
        if name not in _SIZE
    }


class Evidence:
    """All recorded trainings of a folder of results.

    Attributes
    ----------
    points : dict
        ``points[form][task][training]`` is a list of pairs: bytes of exact state over those of the
        store, and its score over exact state's, infinite where a run diverged.
    """

    def __init__(self, folder="results"):
        self.points = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
        for path in sorted(Path(folder).glob("*.json")):
            self._take(path)

    def _take(self, path):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            studies = [study for study in content["studies"] if study["summary"]]
            for study in studies:
                if study["configuration"].get("mode") != "quick":
                    for task, training, rows in comparisons(content["name"], study):
                        stores = {
                            run["settings"]["variant"]: run["settings"] for run in content["runs"]
                        }
                        for row in rows:
                            self._add(task, training, row, stores[row["variant"]])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"cannot read the recorded trainings in {path} ({type(error).__name__}: {error}): "
                "restore the file or give another --results"
            ) from None

    def _add(self, task, training, row, settings):
        try:
            form = form_of(settings["family"], described(settings), settings["options"])
        except SketchlabError:  # made for one experiment, and no store of the library
            return
        score = math.inf if row["diverged"] else row["score_to_exact"]
        self.points[form][task][training].append((row["exact_to_state"], score))

    def of(self, family, stores, options, ratio, without=()):
        """Return what a way of keeping state cost at a size, or None where that was not recorded.

        Parameters
        ----------
        family : str
        stores : dict of str to Description
        options : dict
        ratio : float
            Bytes of exact state over those of the way. It does not matter for ways without a
            sketch: their bytes follow from the shape alone.
        without : container of str
            Tasks that are not to count.
        """
        found = {}
        if not any(
            hasattr(store, "compression") or hasattr(store, "tail") for store in stores.values()
        ):
            ratio = None
        for task, trainings in self.points.get(form_of(family, stores, options), {}).items():
            scores = [_at(points, ratio) for points in trainings.values()]
            known = [score for score in scores if score is not None]
            if known and task not in without:
                found[task] = fmean(known)
        if not found:
            return None
        mean, worst = math.exp(fmean(found.values())), math.exp(max(found.values()))
        return Trained(mean, worst, tuple(found))


def comparisons(name, study):
    """Yield the task, name and rows of every comparison that a study has.

    Rows without any bytes of state have no ratio to exact state's, and are left out.
    """
    summary, plans = study["summary"], study["configuration"].get("parts", {})
    found = [
        (plan["task"], f"{name}: {part}", summary["parts"][part])
        for part, plan in plans.items()
        if plan["task"] not in _NOT_TASKS
    ]
    if name in TASKS:
        found.append((TASKS[name], name, summary["rows"]))
    for task, training, rows in found:
        yield task, training, [row for row in rows if row["exact_to_state"]]


def _at(points, ratio):
    """The logarithm of a score at a ratio of bytes; None beyond the recorded ones."""
    if ratio is None:
        return fmean(math.log(score) for _, score in points)
    ratios, scores = zip(*sorted(points))
    if ratio > _REACH * ratios[-1]:
        return None
    with np.errstate(invalid="ignore"):  # beside an infinite score
        score = float(np.interp(math.log(ratio), np.log(ratios), np.log(scores)))
    return math.inf if math.isnan(score) else score
