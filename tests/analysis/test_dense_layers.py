"""The digits' splits, and the table of dense layers; runs are in tests/pytorch."""

import builtins

import numpy as np
import pytest

from analysis.experiments import dense_layers as experiment
from analysis.lab.errors import UsageError
from analysis.lab.report import terminal
from analysis.lab.study import Options
from analysis.problems import digits as data

pytest.importorskip("sklearn", reason="scikit-learn of the extra `data` is not installed")


def test_splits_deal_every_digit_once():
    splits = data.split(np.random.default_rng(3))
    sizes = {name: len(samples.labels) for name, samples in splits.items()}
    assert sum(sizes.values()) == len(data.load().labels) == 1797
    assert {name: round(size / 1797, 2) for name, size in sizes.items()} == data.SPLITS
    pixels = np.concatenate([samples.pixels for samples in splits.values()])
    assert pixels.sum() == pytest.approx(data.load().pixels.sum(), rel=1e-5)
    assert (pixels >= 0).all() and (pixels <= 1).all() and pixels.dtype == np.float32


def test_missing_package_is_said_in_one_line(monkeypatch):
    importing = builtins.__import__

    def without_sklearn(name, *rest):
        if name.startswith("sklearn"):
            raise ImportError(name)
        return importing(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_sklearn)
    data.load.cache_clear()
    with pytest.raises(UsageError, match=r"pip install sketchlab\[data\]"):
        experiment.EXPERIMENT.configure(Options(quick=True))


def test_summary_and_table():
    configuration, _ = experiment.EXPERIMENT.configure(Options(quick=True))

    def result_of(settings):
        score = 0.1 + 0.01 * settings["replicate"]
        return {"score": score, "diverged": False, "state_bytes": 1000}

    summary = experiment.EXPERIMENT.summarise(configuration, result_of)
    assert [row["variant"] for row in summary["rows"]] == [v.variant.name for v in experiment.VIEWS]
    text = terminal(experiment.present(configuration, summary))
    assert text.count("88.0 ± 1.0") == len(experiment.VIEWS)


def test_quick_and_full_differ_in_size_alone():
    quick, full = (
        experiment.EXPERIMENT.configure(Options(quick=quick))[0] for quick in (True, False)
    )
    assert quick.keys() == full.keys()
    assert quick["replicates"] >= 3 and full["replicates"] >= 3
