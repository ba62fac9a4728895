"""A claim of the theory as something that can be run: settings, a measurement, a verdict.

A claim is turned into the `Experiment` that the runner knows by `Claim.experiment`, so that it is
kept, resumed and reported like every other run of the laboratory.
"""

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from analysis.lab.intervals import REFUTED
from analysis.lab.study import Experiment, Options, Table

#: The largest chance that a run of all claims gives any wrong interval.
FAMILYWISE_ERROR = 0.05
# Runs that a note names.
_NAMED = 5


def claim_error():
    """One claim's share of `FAMILYWISE_ERROR`: there are as many shares as claims.

    A claim is a family of comparisons. Each of its intervals is made at this level divided by
    their number (Bonferroni).
    """
    from analysis.checks import CLAIMS  # which imports this module

    return FAMILYWISE_ERROR / len(CLAIMS)


class Finding(NamedTuple):
    """What a check found, in plain JSON values.

    Attributes
    ----------
    verdict : str
        ``"holds"``, ``"refuted"`` or ``"undecided"``.
    measured, bound : float or None
        The left side and the right side, in the case where they are closest.
    interval : list of two floats, or None
        Confidence interval of `measured`.
    draws : int
        Independent draws (of hash functions, unless the note says otherwise).
    comparisons : int
        Intervals that the verdict rests on, made at the level of the claim's error divided by
        their number.
    note : str
        One line: what was measured, and what else it showed.
    curves : dict
        What a figure needs.
    """

    verdict: str
    measured: float | None
    bound: float | None
    interval: list | None
    draws: int
    comparisons: int
    note: str
    curves: dict


@dataclass(frozen=True)
class Claim:
    """One statement, and how it is checked.

    Parameters
    ----------
    name, statement, source : str
    expected : str
        The verdict that the theory, as mended here, predicts.
    sizes : dict of str to dict
        For ``"tiny"`` (tests), ``"quick"`` and ``"full"``: what `runs` takes.
    runs : callable
        ``runs(**size)`` lists plain settings, one for each run, in any process.
    measure : callable
        ``measure(settings, sequence)`` returns plain JSON values; `sequence` is the run's own
        `numpy.random.SeedSequence`, from which everything random must be drawn.
    judge : callable
        ``judge(measurements)`` returns a `Finding` from a list of (settings, result).
    duration : dict of str to str
    given : callable, optional
        ``given(options) -> (recorded, inputs)`` for a claim about what a user gives: `recorded`
        joins every run's settings, and `measure` takes `inputs` as a third argument.
    """

    name: str
    statement: str
    source: str
    expected: str
    sizes: dict
    runs: Callable
    measure: Callable
    judge: Callable
    duration: dict = field(default_factory=dict)
    given: Callable | None = None

    def settings(self, mode, seed, recorded=None):
        """Settings of all runs, each with the seed and its own number."""
        return [
            {**run, "claim": self.name, "seed": seed, "cell": number, **(recorded or {})}
            for number, run in enumerate(self.runs(**self.sizes[mode]))
        ]

    def measure_one(self, settings, inputs):
        """Make one run; everything random follows from its recorded settings.

        A result that is not finite is kept as ``{"diverged": places}``, to be judged, not raised.
        """
        key = (zlib.crc32(self.name.encode()), settings["cell"])
        sequence = np.random.SeedSequence(settings["seed"], spawn_key=key)
        with np.errstate(over="ignore", invalid="ignore"):
            result = self.measure(settings, sequence, *inputs)
        places = _not_finite(result)
        return {"diverged": places} if places else result

    def verdict(self, measurements):
        """Judge all runs; a claim about numbers is refuted by runs that gave none."""
        diverged = [pair for pair in measurements if "diverged" in pair[1]]
        return _divergence(diverged, len(measurements)) if diverged else self.judge(measurements)

    def find(self, mode="quick", seed=0):
        """Make all runs in this process and judge them."""
        recorded, inputs = self._given(Options())
        runs = self.settings(mode, seed, recorded)
        return self.verdict([(run, self.measure_one(run, inputs)) for run in runs])

    def experiment(self):
        """The claim as the runner knows experiments."""
        return Experiment(
            name=self.name,
            title=self.statement,
            source=self.source,
            duration=self.duration,
            configure=self._configure,
            runs=self._runs,
            measure=self.measure_one,
            summarise=self._summarise,
            present=self._present,
            expected=self.expected,
        )

    def _configure(self, options):
        recorded, inputs = self._given(options)
        return {
            "mode": options.mode,
            "size": self.sizes[options.mode],
            "seed": options.seed,
            "given": recorded,
        }, inputs

    def _given(self, options):
        """What a user gave: to be recorded, and the further arguments of `measure`."""
        if self.given is None:
            return {}, ()
        recorded, inputs = self.given(options)
        return recorded, (inputs,)

    def _runs(self, configuration):
        return self.settings(configuration["mode"], configuration["seed"], configuration["given"])

    def _summarise(self, configuration, result_of):
        runs = self._runs(configuration)
        finding = self.verdict([(run, result_of(run)) for run in runs])
        return {
            "name": self.name,
            "statement": self.statement,
            "source": self.source,
            "expected": self.expected,
            **finding._asdict(),
            "error": claim_error(),
            "seed": configuration["seed"],
        }

    def _present(self, configuration, summary):
        title = f"{self.name}: {self.statement}"
        origin = f"{self.source}; {configuration['mode']}, seed {configuration['seed']}."
        rows = [(*row(summary), configuration["mode"])]
        return Table(title, COLUMNS, rows, [f"{summary['note']}.", origin])


def _not_finite(result):
    """Names of a result's entries that hold a number that is not finite."""
    if isinstance(result, list):
        result = dict(enumerate(result))
    return [str(name) for name, entry in result.items() if not _finite(entry)]


def _finite(entry):
    if isinstance(entry, dict | list | tuple):
        return all(map(_finite, entry.values() if isinstance(entry, dict) else entry))
    return not isinstance(entry, float) or math.isfinite(entry)


def _divergence(diverged, count):
    """The finding where runs diverged: which, and what of them."""
    shown = "; ".join(
        f"run {settings['cell']} ({', '.join(result['diverged'])})"
        for settings, result in diverged[:_NAMED]
    )
    more = f"; and {len(diverged) - _NAMED} more" if len(diverged) > _NAMED else ""
    return Finding(
        verdict=REFUTED,
        measured=None,
        bound=None,
        interval=None,
        draws=count,
        comparisons=0,
        note=f"{len(diverged)} of {count} runs gave numbers that are not finite: {shown}{more}",
        curves={"diverged": [{"settings": s, **result} for s, result in diverged]},
    )


def table(studies):
    """One table of several claims' finished studies, what each showed below it."""
    summaries = [study["summary"] for study in studies]
    right = sum(summary["verdict"] == summary["expected"] for summary in summaries)
    notes = [f"{summary['name']}: {summary['note']}." for summary in summaries]
    errors = [summary["error"] for summary in summaries if "error" in summary]
    return Table(
        f"Claims: {right} of {len(summaries)} with the expected verdict",
        COLUMNS,
        [(*row(study["summary"]), study["configuration"]["mode"]) for study in studies],
        [
            *notes,
            f"Each claim's intervals miss with probability {max(errors, default=0):.3g} at most; "
            f"any of these claims' with {sum(errors):.2g} at most. (!): not the expected verdict.",
        ],
    )


COLUMNS = ("claim", "verdict", "expected", "measured", "bound", "interval", "draws", "size")


def row(summary):
    """One line of the table of claims, but for the size of its study."""
    surprise = "" if summary["verdict"] == summary["expected"] else " (!)"
    return (
        summary["name"],
        summary["verdict"] + surprise,
        summary["expected"],
        _number(summary["measured"]),
        _number(summary["bound"]),
        "" if summary["interval"] is None else "–".join(map(_number, summary["interval"])),
        f"{summary['draws']:,}",
    )


def _number(value):
    return "" if value is None else f"{value:.3g}"
