"""What the runner needs to know of an experiment: one `Experiment` a file, in `experiments/`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from analysis.lab.errors import UsageError


class Options(NamedTuple):
    """What the command line asks for; every experiment takes from it what it understands."""

    quick: bool = False
    seed: int = 0
    corpus: str | None = None
    steps: int | None = None
    paper: bool = False

    @property
    def mode(self):
        """The key of what is asked for in an experiment's sizes."""
        if self.paper:
            return "paper"
        return "quick" if self.quick else "full"

    def refuse_steps(self, name):
        """Refuse steps for the experiment of a name, which counts epochs; `UsageError`."""
        if self.steps is not None:
            raise UsageError(f"--steps {self.steps}: {name} counts epochs, leave it out")

    def sized(self, sizes, least=1):
        """Return the size that is asked for, with mode and seed.

        Where the size has ``steps``, those of the command line replace them; ``sweep_steps``
        become fewer in the same proportion.

        Parameters
        ----------
        sizes : dict of str to dict
            For ``"quick"`` and ``"full"``.
        least : int
            The fewest steps that are possible.

        Raises
        ------
        UsageError
            If fewer are asked for.
        """
        size = dict(sizes[self.mode])
        if self.steps is not None and "steps" in size:
            if self.steps < least:
                raise UsageError(f"--steps {self.steps}: must be at least {least}")
            if "sweep_steps" in size:
                shorter = self.steps * size["sweep_steps"] // size["steps"]
                size["sweep_steps"] = max(least, shorter)
            size["steps"] = self.steps
        return size | {"mode": self.mode, "seed": self.seed}


class Table(NamedTuple):
    """A result as text: a title, column names, rows of strings and notes below them."""

    title: str
    columns: tuple
    rows: list
    notes: list


class MissingRun(LookupError):
    """A run that others depend on has no result."""


@dataclass(frozen=True)
class Experiment:
    """One table or figure: how to set it up, what to run, and how to sum it up.

    Settings and configurations are plain JSON values. The settings of a run say everything that
    its result depends on: equal settings are never run twice. All but the first four parameters
    have a default, for runs that do not depend on each other.

    Parameters
    ----------
    name, title, source : str
        The name on the command line, one line on what it shows, and where that comes from.
    measure : callable
        ``measure(settings, inputs) -> result``, in a worker process.
    sizes : dict of str to dict
        For ``"quick"`` and ``"full"``, and for ``"paper"`` where the published size can be asked
        for: how much is done.
    configure : callable
        ``configure(options) -> (configuration, inputs)``; `inputs` reach the runs but are not
        recorded (a path, for example, in place of which the configuration holds a digest).
        By default the size, mode and seed.
    runs : callable
        ``runs(configuration)``: the settings of all runs, where they are known beforehand; by
        default what the configuration holds under ``"cells"``.
    alone : bool
        Whether a run must be the only one, because nothing else may run meanwhile, or because
        two might not fit into memory.
    stages : callable
        ``stages(configuration, result_of)`` yields lists of settings. A later list may depend on
        the results of the earlier ones, ``result_of(settings)``, which raises `MissingRun` where
        there is none. By default all of `runs`.
    summarise : callable
        ``summarise(configuration, result_of) -> summary``, once every run is done. By default a
        row for each run: its settings and its result.
    present : callable
        ``present(configuration, summary) -> Table``. By default the summary's ``"rows"``.
    cost : callable
        ``cost(settings)``: how long a run takes, in any unit; by default all take the same.
    workload : callable
        ``workload(configuration)``: the costs of all runs, and their number; by default of
        `runs`.
    duration : dict of str to str
        Typical time on two cores, for ``"quick"`` and ``"full"``.
    on_request : bool
        Whether it runs only when it is named, because it needs a special machine.
    expected : str, optional
        The verdict that a claim should get; None for an experiment, which gives no verdict.
    """

    name: str
    title: str
    source: str
    measure: Callable
    sizes: dict = field(default_factory=lambda: {"quick": {}, "full": {}})
    configure: Callable | None = None
    runs: Callable = lambda configuration: configuration["cells"]
    alone: bool = False
    stages: Callable | None = None
    summarise: Callable | None = None
    present: Callable | None = None
    cost: Callable = lambda settings: 1
    workload: Callable | None = None
    duration: dict = field(default_factory=dict)
    on_request: bool = False
    expected: str | None = None

    def __post_init__(self):
        defaults = _Defaults(self.title, self.sizes, self.runs, self.alone, self.cost)
        for name in ("configure", "stages", "summarise", "present", "workload"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, getattr(defaults, name))


class _Defaults(NamedTuple):
    """What an `Experiment` does unless it says otherwise."""

    title: str
    sizes: dict
    runs: Callable
    alone: bool
    cost: Callable

    def configure(self, options):
        return options.sized(self.sizes), None

    def stages(self, configuration, _=None):
        runs = self.runs(configuration)
        yield from ([settings] for settings in runs) if self.alone else (runs,)

    def workload(self, configuration):
        runs = self.runs(configuration)
        return sum(map(self.cost, runs)), len(runs)

    def summarise(self, configuration, result_of):
        return {"rows": [run | result_of(run) for run in self.runs(configuration)]}

    def present(self, configuration, summary):
        """One column for each number or word that differs between the rows."""
        rows = [{name: _text(row[name]) for name in row if _short(row[name])} for row in
                summary["rows"]]  # fmt: skip
        names = dict.fromkeys(name for row in rows for name in row)
        columns = [
            name for name in names if not rows[1:] or len({row.get(name) for row in rows}) > 1
        ]
        alike = [f"{name} {rows[0].get(name)}" for name in names if name not in columns]
        lines = [tuple(row.get(name, "") for name in columns) for row in rows]
        notes = [f"All runs: {', '.join(alike)}."] if alike else []
        return Table(self.title, tuple(columns), lines, notes)


def _short(value):
    return value is None or isinstance(value, str | int | float)


def _text(value):
    return f"{value:.4g}" if isinstance(value, float) else str(value)
