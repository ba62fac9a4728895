"""The first half hour on a GPU, for a machine where nothing can be installed.

``python -m tests.cuda.first_light`` looks at everything that could be wrong, in the order of the
risk that it retires: versions, one kernel, results from small to large, streams,
``compute-sanitizer`` where there is one, launches, times on host and device, and speed beside
others. Each step is bounded in time, and the next goes on when one fails. JSON and logs are in one
folder; Ctrl-C keeps what is done.
"""

import argparse
import sys
from pathlib import Path

from analysis.timing import gpu_events
from tests.cuda.first_light.runner import run, summary
from tests.cuda.first_light.steps import steps

_INTERRUPTED = 130


def main(arguments=None):
    """Return the exit status: 0 where all steps passed or had to be left out."""
    known = [step.name for step in steps("")]
    parser = argparse.ArgumentParser(
        prog="python -m tests.cuda.first_light", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("--out", type=Path, default=Path("build/first-light"), metavar="FOLDER")
    parser.add_argument(
        "--only", nargs="+", choices=known, metavar="STEP", help=f"of {', '.join(known)}"
    )
    options = parser.parse_args(arguments)
    reason = gpu_events.why_no_gpu()
    if reason:
        print(f"first light: {reason}", file=sys.stderr)
        return 2
    wanted = [step for step in steps(options.out.resolve()) if step.name in (options.only or known)]
    taken = run(wanted, options.out, lambda line: print(line, flush=True))
    print("\n".join(summary(taken, wanted, options.out)))
    outcomes = {one["outcome"] for one in taken}
    if "interrupted" in outcomes:
        return _INTERRUPTED
    return int(bool(outcomes - {"passed", "skipped"}))


if __name__ == "__main__":
    sys.exit(main())
