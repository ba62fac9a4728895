"""What the runner needs to know of an experiment: one `Experiment` a file, in `experiments/`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple


class Options(NamedTuple):
    """What the command line asks for; every experiment takes from it what it understands."""

    quick: bool = False
    seed: int = 0
    corpus: str | None = None
    steps: int | None = None


class Table(NamedTuple):
    """A result as text: a title, column names, rows of strings and notes below them."""

    title: str
    columns: tuple
    rows: list
    notes: list


@dataclass(frozen=True)
class Experiment:
    """One table or figure: how to set it up, what to run, and how to sum it up.

    Settings and configurations are plain JSON values. A *cell* is one independent run, and its
    settings say everything that its result depends on: equal settings are never run twice.

    Parameters
    ----------
    name, title, source : str
        The name on the command line, one line on what it shows, and where that comes from.
    duration : dict of str to str
        Typical time on two cores, for ``"quick"`` and ``"full"``.
    configure : callable
        ``configure(options) -> (configuration, inputs)``; `inputs` reach the cells but are not
        recorded (a path, for example, in place of which the configuration holds a digest).
    stages : callable
        ``stages(configuration, result_of)`` yields lists of cells' settings. A later list may
        depend on the results of the earlier ones, ``result_of(settings)``.
    measure : callable
        ``measure(settings, inputs) -> result``, in a worker process.
    summarise : callable
        ``summarise(configuration, result_of) -> summary``, once every cell is done.
    present : callable
        ``present(configuration, summary) -> Table``.
    cost : callable
        ``cost(settings)``: how long a cell takes, in any unit.
    workload : callable
        ``workload(configuration)``: the costs of all cells, and their number.
    on_request : bool
        Whether it runs only when it is named, because it needs a special machine.
    expected : str, optional
        The verdict that a claim should get; None for an experiment, which gives no verdict.
    """

    name: str
    title: str
    source: str
    configure: Callable
    stages: Callable
    measure: Callable
    summarise: Callable
    present: Callable
    cost: Callable
    workload: Callable
    duration: dict = field(default_factory=dict)
    on_request: bool = False
    expected: str | None = None


def total(cost, cells):
    """The workload of cells that are all known beforehand: their costs, and their number."""
    return sum(map(cost, cells)), len(cells)


def listed(configuration):
    """The cells of a configuration that holds their settings."""
    return configuration["cells"]


def one_at_a_time(cost, cells=listed):
    """What an experiment says of cells that are known beforehand and must run alone.

    Because nothing else may run meanwhile, or because two might not fit into memory.

    Parameters
    ----------
    cost : callable
        As of an `Experiment`.
    cells : callable
        ``cells(configuration)``: the settings of all cells.

    Returns
    -------
    dict
        ``stages``, ``cost`` and ``workload`` of an `Experiment`.
    """
    return {
        "stages": lambda configuration, _: ([settings] for settings in cells(configuration)),
        "cost": cost,
        "workload": lambda configuration: total(cost, cells(configuration)),
    }
