"""Runs what is missing of an experiment, keeps every finished run, and goes on after an end."""

import sys
import time
from concurrent.futures import as_completed

from tqdm import tqdm

from analysis.lab.errors import LostRuns, UsageError
from analysis.lab.executors import lost_with_a_worker
from analysis.lab.provenance import provenance
from analysis.lab.results import Record
from analysis.lab.study import MissingRun


def run(experiment, configuration, inputs, folder, executor, *, progress=True):
    """Run what is missing of a study and return the study, summary included.

    Parameters
    ----------
    experiment : Experiment
    configuration, inputs
        What ``experiment.configure`` returned.
    folder : path
        Where the result file is.
    executor : concurrent.futures.Executor
        One of `analysis.lab.executors`, or any other with this interface.
    progress : bool
        Whether to draw a bar, with the time left, on stderr.

    Returns
    -------
    dict
        The study as it stands in the result file.

    Raises
    ------
    LostRuns
        If worker processes died. All other runs that do not depend on theirs are made first.
    UsageError
        If a run cannot be made here. A study of which no run is kept leaves nothing behind.
    """
    record = Record(folder, experiment)
    if record.warning:
        print(record.warning, file=sys.stderr)
    call = _Call(experiment, inputs, record, record.study(configuration))
    done = []
    with _bar(experiment, configuration, progress) as bar:
        try:
            for stage in experiment.stages(configuration, record.known):
                call.finish(stage, executor, bar)
                done.extend(stage)
        except MissingRun:
            if not call.lost:
                raise
        except UsageError:  # a package that the runs need is missing, for example
            if not call.kept:
                record.forget(call.study)
            raise
    if call.lost:
        raise LostRuns(_lost(experiment, configuration, call.lost))
    study = call.study
    study["summary"] = experiment.summarise(configuration, record.known)
    study["made_by"] = record.made_by(done)
    call.save()
    if call.reused:
        print(
            f"{experiment.name}: {call.reused} of {len(done)} runs were in {record.path} already; "
            "give another --out to run them again",
            file=sys.stderr,
        )
    return study


class _Call:
    """One call of `run`: what it works on, and the time that it adds to the study."""

    def __init__(self, experiment, inputs, record, study):
        self.experiment, self.inputs = experiment, inputs
        self.record, self.study = record, study
        self.made_by = provenance()
        self.reused, self.made, self.lost = 0, 0, []
        self._clock = time.perf_counter()
        self.save()

    @property
    def kept(self):
        """Whether anything of the study is in the file."""
        return bool(self.reused or self.made) or self.study["summary"] is not None

    def save(self):
        """Write the result file, with the time that has gone by."""
        now = time.perf_counter()
        self.study["seconds"] = round(self.study["seconds"] + now - self._clock, 3)
        self._clock = now
        self.record.save()

    def finish(self, stage, executor, bar):
        """Make the runs that have no result yet; keep each as soon as it is finished."""
        missing = []
        for settings in stage:
            if self.record.result_of(settings) is None:
                missing.append(settings)
            else:
                self.reused += 1
                bar.skip(self.experiment.cost(settings))
        lost = self._make(missing, executor, bar)
        # a worker that died may have had other runs in its queue; alone, only the cause is lost
        self.lost += [settings for settings in lost if self._make([settings], executor, bar)]

    def _make(self, missing, executor, bar):
        """Make some runs; return those whose worker died."""
        lost, died = [], lost_with_a_worker(executor)
        futures = {
            executor.submit(timed, self.experiment.measure, settings, self.inputs): settings
            for settings in missing
        }
        for future in as_completed(futures):
            settings = futures[future]
            try:
                self.record.add_run(settings, *future.result(), self.made_by)
            except died:
                lost.append(settings)
            else:
                self.made += 1
                self.save()
                bar.advance(self.experiment.cost(settings))
        return lost


def _lost(experiment, configuration, lost):
    """The line on runs whose workers died, naming each by its short settings."""
    _, number = experiment.workload(configuration)
    named = "; ".join(
        ", ".join(f"{name} {value}" for name, value in settings.items() if _short(value))
        for settings in lost
    )
    return (
        f"{experiment.name}: worker processes died (out of memory?), also when they had nothing "
        f"else to do, so that of {number} runs {len(lost)} and what depends on them are missing: "
        f"{named}. The others are kept; the same command makes the missing ones"
    )


def _short(value):
    return isinstance(value, int | float | str)


def timed(function, *arguments):
    """Return the function's answer and the seconds that it took."""
    start = time.perf_counter()
    answer = function(*arguments)
    return answer, time.perf_counter() - start


class _bar:
    """A progress bar that counts cost, so that its time left is right, and shows runs."""

    def __init__(self, experiment, configuration, visible):
        cost, self._cells = experiment.workload(configuration)
        self._name, self._done = experiment.name, 0
        self._bar = tqdm(
            total=cost,
            disable=not visible,
            smoothing=0,
            mininterval=0.5 if sys.stderr.isatty() else 10,
            bar_format="{desc} {percentage:3.0f}% |{bar:24}| {elapsed} gone, {remaining} left",
        )

    def __enter__(self):
        self._show()
        return self

    def __exit__(self, *_):
        self._bar.close()

    def advance(self, cost):
        """Count a finished run."""
        self._done += 1
        self._bar.update(cost)
        self._show()

    def skip(self, cost):
        """Count a run of an earlier call, without taking it for speed."""
        if not self._bar.disable:
            self._bar.initial += cost
        self.advance(cost)

    def _show(self):
        runs = f"{self._name}: {self._done}/{self._cells} runs"
        self._bar.set_description_str(runs, refresh=False)
