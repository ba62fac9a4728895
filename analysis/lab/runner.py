"""Runs an experiment's cells, keeps every finished one, and goes on where an earlier call ended."""

import sys
import time
from concurrent.futures import as_completed

from tqdm import tqdm

from analysis.lab.provenance import provenance
from analysis.lab.results import Record


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
        Runs the cells: the pool of `analysis.lab.pool`, or any other with this interface.
    progress : bool
        Whether to draw a bar, with the time left, on stderr.

    Returns
    -------
    dict
        The study as it stands in the result file.
    """
    record = Record(folder, experiment)
    if record.warning:
        print(record.warning, file=sys.stderr)
    call = _Call(experiment, inputs, record, record.study(configuration))
    done = []
    with _bar(experiment, configuration, progress) as bar:
        for cells in experiment.stages(configuration, record.result_of):
            call.finish(cells, executor, bar)
            done.extend(cells)
    study = call.study
    study["summary"] = experiment.summarise(configuration, record.result_of)
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
        self.reused = 0
        self._clock = time.perf_counter()
        self.save()

    def save(self):
        now = time.perf_counter()
        self.study["seconds"] = round(self.study["seconds"] + now - self._clock, 3)
        self._clock = now
        self.record.save()

    def finish(self, cells, executor, bar):
        """Run the cells that have no result yet; keep each as soon as it is finished."""
        missing = []
        for settings in cells:
            if self.record.result_of(settings) is None:
                missing.append(settings)
            else:
                self.reused += 1
                bar.skip(self.experiment.cost(settings))
        futures = {
            executor.submit(timed, self.experiment.measure, settings, self.inputs): settings
            for settings in missing
        }
        for future in as_completed(futures):
            result, seconds = future.result()
            self.record.add_run(futures[future], result, seconds, self.made_by)
            self.save()
            bar.advance(self.experiment.cost(futures[future]))


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
