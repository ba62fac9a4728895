"""The result file of an experiment: one JSON file, replaced as a whole after every finished run.

It holds *runs*, each with the settings that determine it, and *studies*, one for each
configuration: when it is complete, its summary; the time it took; the code that made its runs.
"""

import json
import os
import tempfile
from pathlib import Path

from analysis.lab.errors import UsageError
from analysis.lab.study import MissingRun

FORMAT = 1


def key_of(settings):
    """Return the canonical text of JSON-ready settings; equal settings have equal texts."""
    return json.dumps(settings, sort_keys=True, allow_nan=False)


class Record:
    """The runs and studies of one experiment, kept in ``<folder>/<name>.json``.

    A file that cannot be read is set aside under another name, never overwritten; `warning` then
    says so.

    Raises
    ------
    UsageError
        If the folder cannot be made or written to.
    """

    def __init__(self, folder, experiment):
        self.path = _writable(Path(folder)) / f"{experiment.name}.json"
        self.header = {
            "name": experiment.name,
            "title": experiment.title,
            "source": experiment.source,
        }
        self.warning = None
        self._runs, self._studies = {}, {}
        if self.path.exists():
            try:
                self._take(read(self.path))
            except ValueError as error:
                aside = _set_aside(self.path)
                self.warning = f"{self.path} is damaged ({error}): kept as {aside.name}, made anew"

    def result_of(self, settings):
        """Return the result of a finished run, or None."""
        run = self._runs.get(key_of(settings))
        return run and run["result"]

    def known(self, settings):
        """Return the result of a finished run; `MissingRun` where there is none."""
        result = self.result_of(settings)
        if result is None:
            raise MissingRun(key_of(settings))
        return result

    def add_run(self, settings, result, seconds, made_by):
        """Take in a finished run, to be written by the next `save`."""
        run = {"settings": settings, "result": result, "seconds": round(seconds, 3)}
        self._runs[key_of(settings)] = run | {"made_by": made_by}

    def study(self, configuration):
        """Return the study of a configuration (a dict to be filled in), made if there is none."""
        fresh = {"configuration": configuration, "seconds": 0.0, "summary": None}
        return self._studies.setdefault(key_of(configuration), fresh)

    def forget(self, study):
        """Drop a study of which no run can be made here; a file with nothing else goes, too."""
        del self._studies[key_of(study["configuration"])]
        if self._studies or self._runs:
            self.save()
        else:
            self.path.unlink(missing_ok=True)

    def made_by(self, cells):
        """Return the distinct origins of some finished runs."""
        origins = {}
        for settings in cells:
            origin = self._runs[key_of(settings)]["made_by"]
            origins[key_of(origin)] = origin
        return list(origins.values())

    def save(self):
        """Write a new file beside the old one and let it take the old one's place."""
        content = self.header | {
            "format": FORMAT,
            "studies": list(self._studies.values()),
            "runs": list(self._runs.values()),
        }
        text = json.dumps(content, indent=1, allow_nan=False) + "\n"
        beside = self.path.with_name(self.path.name + ".tmp")
        try:
            with open(beside, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, self.path)
        finally:
            beside.unlink(missing_ok=True)

    def _take(self, content):
        if content["name"] != self.header["name"]:
            raise ValueError(f"it belongs to {content['name']}")
        self._runs = {key_of(run["settings"]): run for run in content["runs"]}
        self._studies = {key_of(study["configuration"]): study for study in content["studies"]}


def read(path):
    """Return the content of a result file; ValueError says what is wrong with it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise ValueError("not text") from None
    except json.JSONDecodeError:
        raise ValueError("not valid JSON") from None
    if not isinstance(content, dict) or "format" not in content:
        raise ValueError("not a result file")
    if content["format"] != FORMAT:
        raise ValueError(f"format {content['format']!r}, where this version reads {FORMAT}")
    runs, studies = content.get("runs"), content.get("studies")
    if not _all_hold(runs, "settings", "result", "made_by"):
        raise ValueError("a run is incomplete")
    if not _all_hold(studies, "configuration", "summary", "seconds"):
        raise ValueError("a study is incomplete")
    return content


def _all_hold(entries, *names):
    return isinstance(entries, list) and all(
        isinstance(entry, dict) and all(name in entry for name in names) for entry in entries
    )


def _writable(folder):
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise UsageError(f"cannot write results to {folder}: {error.strerror}") from None


def _set_aside(path):
    number = 1
    while (aside := path.with_name(f"{path.stem}.damaged-{number}.json")).exists():
        number += 1
    path.rename(aside)
    return aside
