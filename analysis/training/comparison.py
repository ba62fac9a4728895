"""Variants of optimizers on one task, compared with equal effort for each.

The learning rate of every variant, exact or sketched, is chosen by the same number of tries
(`analysis.training.rates`) from the base of its family, each judged on validation data. Then every
variant runs at its best rate with other seeds, judged on test data.
"""

import math
import statistics
from collections.abc import Callable
from functools import partial
from itertools import chain, zip_longest
from typing import NamedTuple

from analysis.lab.study import Experiment, MissingRun, Table
from analysis.training import rates

FIRST_TRIES = len(rates.first_rates(1.0))


def _nothing(*_):
    return {}


class Comparison(NamedTuple):
    """What is compared, and how much is done for each.

    Parameters
    ----------
    variants : sequence of `analysis.training.variants.Variant`
    base_rates : dict of str to float
        For each family, the rate where every search begins.
    tries, replicates : int
        Runs of each variant in search of its rate (3 at least), and runs at the chosen rate.
    settings : callable
        ``settings(variant, learning_rate, replicate)`` of one run; replicate 0 is a try, and used
        for nothing else. The run's result has a ``score`` (lower is better), ``diverged`` and
        ``state_bytes``.
    more : callable
        ``more(variant, results)``: what else a row has, from the results of the variant's runs.
    """

    variants: tuple
    base_rates: dict
    tries: int
    replicates: int
    settings: Callable
    more: Callable = _nothing

    def stages(self, result_of):
        """Yield lists of settings: the tries, each after what was learnt before, then the runs.

        A variant goes no further where the result of a try is missing.
        """
        searches = [self._search(variant, result_of) for variant in self.variants]
        yield [next(search) for search in searches for _ in range(FIRST_TRIES)]
        for _ in range(self.tries - FIRST_TRIES):
            yield list(_possible(next, searches))
        best = partial(self._best, result_of=result_of)
        chosen = list(_possible(best, self.variants))
        yield [self.settings(*each, replicate) for replicate in self._finals() for each in chosen]

    def rows(self, result_of):
        """Return, for every variant, its tries, scores and bytes, and how it compares to exact."""
        rows = [self._row(variant, result_of) for variant in self.variants]
        exact = {
            variant.family: row
            for variant, row in zip(self.variants, rows, strict=True)
            if variant.baseline
        }
        if alone := {row["family"] for row in rows} - exact.keys():
            raise ValueError(f"{alone} have no variant exact (lazy), which others are compared to")
        for row in rows:
            base = exact[row["family"]]
            kept = row["state_bytes"]
            row["exact_to_state"] = base["state_bytes"] / kept if kept else None
            known = row["mean"] is not None and base["mean"]
            row["score_to_exact"] = row["mean"] / base["mean"] if known else None
        return rows

    def workload(self, cost):
        """Return the cost of all runs, and their number."""
        total = 0
        for variant in self.variants:
            rate = self.base_rates[variant.family]
            total += self.tries * cost(self.settings(variant, rate, 0))
            total += self.replicates * cost(self.settings(variant, rate, 1))
        return total, len(self.variants) * (self.tries + self.replicates)

    def _finals(self):
        return range(1, self.replicates + 1)

    def _search(self, variant, result_of):
        """Generate the settings of a variant's tries."""
        tried = {}
        first = rates.first_rates(self.base_rates[variant.family])
        for number in range(self.tries):
            rate = (
                first[number] if number < FIRST_TRIES else rates.next_rate(_judge(tried, result_of))
            )
            tried[rate] = self.settings(variant, rate, 0)
            yield tried[rate]

    def _best(self, variant, result_of):
        """Return a variant and its best rate."""
        return variant, rates.best_rate(self._searched(variant, result_of))

    def _searched(self, variant, result_of):
        """Return the scores of a finished search, by rising rate."""
        tried = {tried["learning_rate"]: tried for tried in self._search(variant, result_of)}
        return dict(sorted(_judge(tried, result_of).items()))

    def _row(self, variant, result_of):
        tried = self._searched(variant, result_of)
        chosen = rates.best_rate(tried)
        results = [result_of(self.settings(variant, chosen, number)) for number in self._finals()]
        finished = [result["score"] for result in results if not result["diverged"]]
        return {
            "variant": variant.name,
            "family": variant.family,
            "state": variant.state,
            "form": variant.form,
            "learning_rate": chosen,
            "rate_at_edge": chosen in (min(tried), max(tried)),
            "tries": [
                {"learning_rate": rate, "score": score if score < math.inf else None}
                for rate, score in tried.items()
            ],
            "scores": [None if result["diverged"] else result["score"] for result in results],
            "diverged": len(results) - len(finished),
            "mean": statistics.fmean(finished) if finished else None,
            "std": statistics.stdev(finished) if len(finished) > 1 else None,
            "state_bytes": results[0]["state_bytes"],
            **self.more(variant, results),
        }


def stages_together(comparisons, result_of):
    """Yield the stages of several comparisons, the same stage of all of them at a time."""
    stages = (one.stages(result_of) for one in comparisons)
    for lists in zip_longest(*stages, fillvalue=()):
        yield list(chain(*lists))


def workload_together(comparisons, cost):
    """Return the cost of all runs of several comparisons, and their number."""
    costs, numbers = zip(*(one.workload(cost) for one in comparisons), strict=True)
    return sum(costs), sum(numbers)


def experiment_on(
    task, variants, *, settings=None, common=None, least=1, more=_nothing, also=_nothing, **rest
):
    """Return the experiment that compares variants on one task.

    Parameters
    ----------
    task : module
        With ``BASE_RATES``, ``settings``, ``measure``, ``cost`` and, unless `common` is given,
        ``constants(corpus)``.
    variants : sequence of Variant
    settings : callable, optional
        Instead of the task's.
    common : callable, optional
        ``common(options)``: what the configuration has beside the size and the rates.
    least : int
        Fewest steps of a run.
    more : callable
        See `Comparison`.
    also : callable
        ``also(rows)``: what else the summary has.
    **rest
        What else `analysis.lab.study.Experiment` takes; in the sizes are ``tries``, ``replicates``
        and what the task's settings ask for.
    """

    def configure(options):
        given = {"common": task.constants(options.corpus)} if common is None else common(options)
        size = options.sized(rest["sizes"], least)
        return size | {"base_rates": task.BASE_RATES, **given}, {"corpus": options.corpus}

    def planned(configuration):
        effort = (configuration[name] for name in ("base_rates", "tries", "replicates"))
        one = partial(settings or task.settings, configuration)
        return Comparison(variants, *effort, one, more)

    def summarise(configuration, result_of):
        rows = planned(configuration).rows(result_of)
        return {"rows": rows} | also(rows)

    def present(configuration, summary):
        notes = [_EFFORT.format(**configuration), *edge_note(summary["rows"])]
        return Table(rest["title"], COLUMNS, [table_row(row) for row in summary["rows"]], notes)

    defaults = {
        "configure": configure,
        "stages": lambda configuration, result_of: planned(configuration).stages(result_of),
        "measure": task.measure,
        "summarise": summarise,
        "present": present,
        "cost": task.cost,
        "workload": lambda configuration: planned(configuration).workload(task.cost),
    }
    return Experiment(**defaults | rest)


def _possible(function, arguments):
    """Yield the function's answers where no missing run is in the way, now or before."""
    for argument in arguments:
        try:
            yield function(argument)
        except (MissingRun, StopIteration):
            continue


def _judge(tried, result_of):
    """Return the score of each tried rate, infinite where training diverged."""
    results = {rate: result_of(settings) for rate, settings in tried.items()}
    return {
        rate: math.inf if result["diverged"] else result["score"]
        for rate, result in results.items()
    }


def rate_text(row):
    """A row's learning rate, starred where a better one may lie beyond those that were tried."""
    return f"{row['learning_rate']:.2g}{'*' if row['rate_at_edge'] else ''}"


def score_text(row, form="{:.1f}"):
    """A row's mean score with its deviation; it says what diverged."""
    if row["mean"] is None:
        return "diverged"
    spread = "" if row["std"] is None else f" ± {form.format(row['std'])}"
    lost = f" ({row['diverged']} diverged)" if row["diverged"] else ""
    return f"{form.format(row['mean'])}{spread}{lost}"


def accuracy_row(row):
    """A row whose scores are shares of errors, its mean and deviation as accuracy in percent."""
    mean = None if row["mean"] is None else 100 * (1 - row["mean"])
    std = None if row["std"] is None else 100 * row["std"]
    return row | {"mean": mean, "std": std}


def table_row(row, form="{:.4g}"):
    """A row as text under `COLUMNS`; `form` is that of its score."""
    off = row["score_to_exact"]
    return (
        row["family"],
        row["state"],
        row["form"],
        rate_text(row),
        score_text(row, form),
        "" if off is None else change_text(off),
        f"{row['state_bytes'] / 1e3:.1f}",
        "" if row["exact_to_state"] is None else f"{row['exact_to_state']:.1f}",
    )


def change_text(ratio):
    """A score over another as a change in per cent, or as a factor where it is tenfold and more."""
    return f"{ratio - 1:+.1%}" if ratio < 10 else f"{ratio:.2g} times"


def edge_note(rows):
    """The note that explains a star, where a row has one."""
    return [EDGE_NOTE] if any(row["rate_at_edge"] for row in rows) else []


COLUMNS = ("optimizer", "state", "form", "rate", "score", "to exact", "state, kB", "ratio")
EDGE_NOTE = "*: the lowest or highest rate tried; a better one may lie beyond."
_EFFORT = (
    "{replicates} seeds and {tries} tries for the learning rate of every row. Score: lower is "
    "better. To exact: the score over that of the family's exact (lazy) state; ratio: its bytes "
    "over this one's."
)
