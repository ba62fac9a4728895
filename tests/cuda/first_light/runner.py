"""Takes steps one after the other, whatever becomes of each, and keeps what they say."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

__all__ = ["run", "summary"]

_ROOT = Path(__file__).parents[3]


def run(steps, folder, report=print):
    """Take all steps; Ctrl-C ends the one that runs, and the rest is not begun.

    Parameters
    ----------
    steps : list of Step
    folder : path
        Gets ``NAME.log`` of each step, and ``summary.json`` anew after each.
    report : callable
        Is given a line for each step.

    Returns
    -------
    list of dict
        Of each step that was taken: name, title, outcome, seconds, and the last line of its log.
    """
    folder, taken = Path(folder), []
    folder.mkdir(parents=True, exist_ok=True)
    for step in steps:
        found = _take(step, folder)
        taken.append(found)
        (folder / "summary.json").write_text(json.dumps(taken, indent=1) + "\n")
        report(_line(found))
        if found["outcome"] == "interrupted":
            break
    return taken


def summary(taken, steps, folder):
    """Lines about all steps: what failed and where to read on."""
    lines = ["", *map(_line, taken)]
    left = [step.name for step in steps[len(taken) :]]
    if left:
        lines.append(f"not begun: {', '.join(left)}")
    failed = [one["name"] for one in taken if one["outcome"] not in ("passed", "skipped")]
    passed = sum(one["outcome"] == "passed" for one in taken)
    end = f"{passed} of {len(steps)} steps passed"
    if failed:
        end += "; look at " + ", ".join(f"{name}.log" for name in failed)
    return [*lines, f"{end}; everything is in {folder}"]


def _line(found):
    said = f": {found['says']}" if found["says"] and found["outcome"] != "passed" else ""
    took = f"{found['seconds']:6.1f} s"
    return f"{found['outcome']:11} {took}  {found['name']:10} {found['title']}{said}"


def _take(step, folder):
    start = time.monotonic()
    outcome, says = ("skipped", step.missing) if step.missing else _outcome(step, folder)
    taken = {"name": step.name, "title": step.title, "outcome": outcome, "says": says}
    return taken | {"seconds": round(time.monotonic() - start, 1), "command": step.command}


def _outcome(step, folder):
    path = folder / f"{step.name}.log"
    with open(path, "wb") as log:
        # its own session: what it has started ends with it
        process = subprocess.Popen(
            step.command, cwd=_ROOT, stdout=log, stderr=log, start_new_session=True
        )
        try:
            code = process.wait(step.seconds)
            outcome = "passed" if code == 0 else "failed"
        except subprocess.TimeoutExpired:
            outcome = f"over {step.seconds} s"
        except KeyboardInterrupt:
            outcome = "interrupted"
        if process.poll() is None:
            _end(process)
    return outcome, _last_line(path)


def _end(process):
    """End a step, gently first, so that it may write what it has."""
    for how, patience in ((signal.SIGINT, 10), (signal.SIGKILL, 10)):
        try:
            os.killpg(process.pid, how)
            process.wait(patience)
            return
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            return


def _last_line(path):
    lines = path.read_text(errors="replace").split("\n")
    return next((line.strip()[:200] for line in reversed(lines) if line.strip()), "")
