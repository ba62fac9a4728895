"""The table of docs/theory.md, from the recorded results: python tests/analysis/theory_table.py."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from mutants import CATCHES  # noqa: E402

from analysis.checks import CLAIMS  # noqa: E402
from figures.common.reading import finished  # noqa: E402

HEAD = "| statement | source | verdict | tightness | mutants it notices |\n|---|---|---|---|---|"


def table(folder=ROOT / "results"):
    """The claims, one a line: statement, source, verdict, tightness, mutants."""
    return "\n".join([HEAD, *(_line(name, finished(folder, name)) for name in CLAIMS)])


def _line(name, study):
    claim = CLAIMS[name]
    ratios = study and study.summary["curves"].get("tightness")
    return "| {} |".format(
        " | ".join(
            [
                f"`{name}`: {claim.statement}",
                claim.source,
                study.summary["verdict"] if study else "not run",
                f"{ratios[0]:.3g}, {ratios[1]:.3g}" if ratios else "",
                "; ".join(CATCHES[name]),
            ]
        ).replace("||", "‖")
    )


if __name__ == "__main__":
    print(table())
