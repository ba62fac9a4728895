"""The command line of the figures: ``python -m figures [NAME …]``.

Exit codes: 0 all drawn; 2 bad input, or results that are missing or damaged, one line for each;
130 interrupted by Ctrl-C.
"""

import argparse
import subprocess
import sys

from analysis.lab.errors import UsageError
from figures import FIGURES, ON_REQUEST
from figures.common.reading import MissingResult, missing
from figures.common.writing import write


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise UsageError(f"{message} (see {self.prog} --help)")


def main(arguments=None):
    """Draw what is asked for and return the exit code."""
    try:
        options = _parser().parse_args(arguments)
        if options.list:
            return _list()
        chosen = _chosen(options.names)
        if not options.names:
            chosen = list(_possible(chosen, options.results))
        if options.run_missing:
            _run_missing(chosen, options.results)
        return _draw(chosen, options)
    except UsageError as error:
        return _complain(error)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _parser():
    parser = _Parser(prog="python -m figures", description="Draws figures from recorded results.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    parser.add_argument("--list", action="store_true", help="what can be drawn, and from what")
    parser.add_argument("--results", default="results", metavar="DIR", help="default: results")
    parser.add_argument(
        "--out", default="build/figures", metavar="DIR", help="default: %(default)s"
    )
    parser.add_argument("--no-pdf", action="store_true", help="write PNG only")
    parser.add_argument(
        "--run-missing",
        action="store_true",
        help="first run, in their quick form, the experiments that have no results yet",
    )
    return parser


def _list():
    for figure in FIGURES.values():
        print(f"{figure.name}: {figure.title}\n    from {', '.join(figure.needs)}")
    return 0


def _chosen(names):
    known = FIGURES | ON_REQUEST
    for name in names:
        if name not in known:
            raise UsageError(f"unknown figure {name!r}: known are {', '.join(known)}")
    return [known[name] for name in (names and known) or FIGURES if not names or name in names]


def _possible(chosen, results):
    """Yield figures but those that lack results which only an extra can make; say which."""
    for figure in chosen:
        if figure.extra and (names := missing(results, figure.needs)):
            print(
                f"left out: {figure.name}, as there are no results of {', '.join(names)} (extra "
                f"{figure.extra})",
                file=sys.stderr,
            )
        else:
            yield figure


def _run_missing(chosen, results):
    """Let the laboratory make what is missing, each alone: one that fails stops no other."""
    for name in missing(results, [name for figure in chosen for name in figure.needs]):
        command = ["-m", "analysis", "run", name, "--quick", "--out", results]
        print(f"python {' '.join(command)}", file=sys.stderr)
        subprocess.run([sys.executable, *command], check=False, stdout=subprocess.DEVNULL)


def _draw(chosen, options):
    """Draw all that can be drawn, then complain of the rest."""
    absent, code = {}, 0
    formats = ("png",) if options.no_pdf else ("png", "pdf")
    for figure in chosen:
        try:
            paths = write(figure, options.results, options.out, formats)
            print(*paths)
        except MissingResult as error:
            absent |= dict.fromkeys(error.names)
        except UsageError as error:
            code = _complain(error)
    if absent:
        code = _complain(MissingResult(absent, options.results))
    return code


def _complain(error):
    print(f"error: {error}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
