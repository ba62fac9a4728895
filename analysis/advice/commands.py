"""The commands of the laboratory that give advice: ``advise``, ``record`` and ``replay``."""

import json
import math
import subprocess
import sys
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from analysis.advice import early, recorded, replays, report
from analysis.advice.advise import advise, optimizer_of
from analysis.advice.candidates import WAYS
from analysis.advice.sizes import budget_of
from analysis.advice.stream import Stream
from analysis.advice.tables import Table, read_tables
from analysis.lab.errors import UsageError
from analysis.lab.executors import executor
from analysis.lab.report import terminal
from analysis.lab.runner import run
from sketchlab import streams
from sketchlab.errors import CheckpointError

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

    command = commands.add_parser("record", help="the first gradients of one of our own tasks")
    command.add_argument("task", choices=early.TASKS, metavar="TASK", help=" | ".join(early.TASKS))
    command.add_argument("--optimizer", default="adam", metavar=_OPTIMIZERS, help="default: adam")
    command.add_argument("--steps", type=int, metavar="N", help="default: 5 %% of the training's")
    command.add_argument("--table", type=int, default=0, metavar="I", help="default: the first, 0")
    command.add_argument("--results", default="results", metavar="DIR", help="default: results")
    command.add_argument("--corpus", metavar="PATH", help="as of run")
    command.add_argument("--out", metavar="FILE", help="default: build/streams/TASK.npz")
    command.set_defaults(command=_record)

    command = commands.add_parser("replay", help="all stores along a recorded stream of gradients")
    command.add_argument("stream", metavar="STREAM.npz", help="see docs/choosing.md")
    command.add_argument("--optimizer", default="adam", metavar=_OPTIMIZERS, help="default: adam")
    command.add_argument(
        "--compressions",
        nargs="+",
        type=float,
        default=list(replays.COMPRESSIONS),
        metavar="C",
        help="sizes of the stores that can be sized; default: 5 20 100",
    )
    command.add_argument("--budget", metavar="SIZE", help="recommend a store within these bytes")
    command.add_argument("--jobs", type=int, metavar="N", help="processes (default: one a core)")
    command.add_argument("--out", metavar="DIR", help="default: build/replay/STREAM")
    command.set_defaults(command=_replay)


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


def _record(options):
    family = optimizer_of(options.optimizer)
    settings = recorded.exact_of(Path(options.results), options.task, family)
    settings |= {"replicate": 1}
    steps = early.share_of(settings) if options.steps is None else options.steps
    if steps < 1:
        raise UsageError(f"--steps {steps}: must be at least 1")
    path = Path(options.out or Path("build/streams", f"{options.task}.npz"))
    shapes, gradients = early.begin(settings, {"corpus": options.corpus})
    if not 0 <= options.table < len(shapes):
        raise UsageError(f"--table {options.table}: {options.task} has {len(shapes)}, from 0")
    bar = tqdm(islice(gradients, steps), total=steps, desc="training", unit=" steps", leave=False)
    taken = [step[options.table].nonzero() for step in bar]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        streams.write(path, shapes[options.table], *zip(*taken))
    except (OSError, CheckpointError) as error:
        raise UsageError(f"cannot write {path}: {error}") from None
    shape = " x ".join(f"{size:,}" for size in shapes[options.table])
    print(f"{path}: {len(taken)} steps of {options.task}, {family} exact, table {shape}")
    return 0


def _replay(options):
    family = optimizer_of(options.optimizer)
    budget = None if options.budget is None else budget_of(options.budget)
    for each in options.compressions:
        if not 1 <= each < math.inf:
            raise UsageError(f"--compressions {each:g}: must be at least 1")
    stream = Stream(options.stream)
    with tqdm(total=stream.steps, desc="reading", unit=" steps", leave=False) as bar:
        facts = stream.facts(lambda step: bar.update())
    asked = replays.configuration(stream, facts, family, options.compressions, budget)
    folder = Path(options.out or Path("build/replay", stream.path.stem))
    with executor("local", options.jobs) as workers:
        study = run(replays.EXPERIMENT, asked, {"path": str(stream.path)}, folder, workers)
    print(terminal(replays.EXPERIMENT.present(asked, study["summary"])))
    print(f"\nAll numbers: {folder / 'replay.json'}", flush=True)
    # drawn by the figures, which read results and which the laboratory does not import
    drawing = ["-m", "figures", "replay", "--results", folder, "--out", folder, "--no-pdf"]
    return subprocess.run([sys.executable, *map(str, drawing)], check=False).returncode


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
