"""Which code made a figure: the versions that matter and the git revision."""

import platform
import subprocess
from pathlib import Path

import numba
import numpy
import scipy

import sketchlab

_ROOT = Path(__file__).resolve().parents[2]
_CODE = ("sketchlab", "analysis")


def provenance():
    """Return the versions and the revision as plain strings."""
    return {
        "revision": _revision(),
        "versions": {
            "python": platform.python_version(),
            "numpy": numpy.__version__,
            "scipy": scipy.__version__,
            "numba": numba.__version__,
            "sketchlab": sketchlab.__version__,
        },
    }


def _revision():
    """Return the commit, marked when the code was changed since, or "unknown" without git."""
    commit = _git("rev-parse", "HEAD")
    if not commit:
        return "unknown"
    return commit + ("-dirty" if _git("status", "--porcelain", "--", *_CODE) else "")


def _git(*arguments):
    try:
        answer = subprocess.run(
            ["git", *arguments], cwd=_ROOT, capture_output=True, text=True, check=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip()
