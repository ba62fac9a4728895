"""The commands of the laboratory that give advice: ``advise`` and ``replay``."""

import json
from pathlib import Path

from analysis.advice import report
from analysis.advice.advise import advise
from analysis.advice.candidates import WAYS
from analysis.advice.tables import Table, read_tables
from analysis.lab.errors import UsageError
from analysis.lab.report import terminal

_OPTIMIZERS = " | ".join(name.lower() for name in WAYS)


def add_to(commands):
    """Add the commands to the subparsers of ``python -m analysis``."""
    command = commands.add_parser("advise", help="which stores fit a budget, from shapes alone")
    command.add_argument("file", nargs="?", metavar="TABLES.toml", help="or --rows and --dim")
    command.add_argument("--rows", type=int, metavar="N", help="rows of the table")
    command.add_argument("--dim", type=int, metavar="D", help="columns of the table")
    command.add_argument("--touched", type=float, metavar="K", help="rows a step; default: all")
    command.add_argument(
        "--exponent",
        type=float,
        metavar="A",
        help="the mean square of the i-th largest row is proportional to i^-A; default: 1",
    )
    command.add_argument("--optimizer", metavar=_OPTIMIZERS, help="default: adam")
    command.add_argument("--budget", metavar="SIZE", help="bytes of state in all, such as 650MB")
    command.add_argument("--results", default="results", metavar="DIR", help="default: results")
    command.add_argument("--json", metavar="FILE", help="write everything to a file as well")
    command.set_defaults(command=_advise)


def _advise(options):
    given, tables = _asked(options)
    budget = options.budget or given.get("budget")
    if budget is None:
        raise UsageError("--budget SIZE is missing: bytes of state in all, 650MB for example")
    optimizer = options.optimizer or given.get("optimizer", "adam")
    advice = advise(tables, optimizer, budget, results=options.results)
    for table in report.tables(advice):
        print(terminal(table), end="\n\n")
    print(*report.conclusion(advice), sep="\n")
    if options.json:
        _write(options.json, advice.plain())
    return 0


def _asked(options):
    """What a TOML file says beside its tables, and the tables that are asked about."""
    shape = {name: getattr(options, name) for name in ("rows", "dim", "touched", "exponent")}
    shape = {name: value for name, value in shape.items() if value is not None}
    if options.file is not None:
        if shape:
            raise UsageError(f"--{next(iter(shape))} beside {options.file}: put it into the file")
        return read_tables(options.file)
    for name in ("rows", "dim"):
        if name not in shape:
            raise UsageError(f"--{name} is missing: give --rows and --dim, or a TOML file")
    return {}, [Table(**shape)]


def _write(path, content):
    # infinite is no number of JSON: a score of runs that diverged
    text = json.dumps(content, indent=1).replace("Infinity", "null")
    try:
        Path(path).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
