"""The experiments that compare stores on several tasks: small runs, tables and judgements."""

import warnings

import pytest

import sketchlab as sl
from analysis.experiments import EXPERIMENTS, head_tail, pareto, shrunken_moment
from analysis.lab.report import terminal
from analysis.lab.study import Options
from analysis.training import logistic, tasks
from analysis.training.variants import Variant
from sketchlab.errors import StoreSizeWarning

VARIANTS = {
    "head-tail": lambda _: head_tail.VARIANTS,
    "pareto": pareto.variants,
    "shrunken-moment": shrunken_moment.variants,
}


@pytest.fixture(params=VARIANTS)
def experiment(request):
    return EXPERIMENTS[request.param]


@pytest.fixture
def options(corpus_file):
    return Options(quick=True, corpus=str(corpus_file), steps=2)


def made_up(score_of):
    def result_of(settings):
        score = score_of(settings)
        return {"score": score, "diverged": score is None, "state_bytes": 1000}

    return result_of


def test_every_part_has_its_exact_baselines_and_distinct_names(experiment):
    for mode in ("quick", "full"):
        for variants in VARIANTS[experiment.name](mode).values():
            names = [variant.name for variant in variants]
            assert len(set(names)) == len(names)
            exact = {variant.family for variant in variants if variant.baseline}
            assert exact == {variant.family for variant in variants}


def test_workload_is_what_the_stages_run(experiment, options):
    configuration, _ = experiment.configure(options)
    result_of = made_up(lambda settings: 100 + settings["learning_rate"])
    cells = [cell for stage in experiment.stages(configuration, result_of) for cell in stage]
    seconds, number = experiment.workload(configuration)
    assert number == len(cells)
    assert seconds == pytest.approx(sum(map(experiment.cost, cells)))


def test_tables_name_every_variant_and_hide_no_divergence(experiment, options):
    configuration, _ = experiment.configure(options)
    score = made_up(lambda settings: None if settings["replicate"] == 2 else 100.0)
    summary = experiment.summarise(configuration, score)
    text = terminal(experiment.present(configuration, summary))
    rows = [row for part in summary["parts"].values() for row in part]
    assert text.count("(1 diverged)") == len(rows)
    for row in rows:
        assert any(row["state"] in line and row["form"] in line for line in text.splitlines())
    summary = experiment.summarise(configuration, made_up(lambda settings: None))
    text = terminal(experiment.present(configuration, summary))
    assert text.count(" diverged ") >= len(rows)


@pytest.mark.parametrize(
    "variant",
    {
        variant.name: variant
        for variants in VARIANTS.values()
        for part in variants("quick").values()
        for variant in part
    }.values(),
    ids=lambda variant: variant.name,
)
def test_every_variant_takes_steps(variant):
    plan = {"steps": 5, "sweep_steps": 5, "seed": 0, "common": logistic.constants()}
    plan["common"] |= {"rows": 300, "samples": 200, "features": 5}
    settings = {"task": "logistic", **logistic.settings(plan, variant, 0.01, 1)}
    settings["options"] |= {"backend": "reference"}  # nothing to compile
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StoreSizeWarning)  # one column: a number a row is much
        result = tasks.measure(settings, None)
        assert result == tasks.measure(settings, None)
    assert (result["state_bytes"] > 0) == bool(settings["stores"]) and "losses" not in result


def test_logistic_learns_and_sees_a_store_that_forgets_as_worse():
    plan = {"steps": 400, "sweep_steps": 400, "seed": 0, "common": logistic.constants()}
    plan["common"] |= {"rows": 500, "samples": 1000}
    exact = Variant("Momentum", "exact", "lazy", m=sl.Dense())
    broken = Variant("Momentum", "broken", "", m=sl.CountSketch(width=2, clean=sl.Clean(0.0, 1)))
    results = [logistic.measure(logistic.settings(plan, each, 2.0, 1)) for each in (exact, broken)]
    good, bad = (result["score"] for result in results)
    assert results[0]["floor"] < good < 0.62 and bad > good + 0.005
    assert results[0]["losses"][-1] < results[0]["losses"][0]


def test_logistic_reports_divergence():
    plan = {"steps": 50, "sweep_steps": 50, "seed": 0, "common": logistic.constants()}
    plan["common"] |= {"rows": 500, "samples": 1000}
    exact = Variant("Momentum", "exact", "lazy", m=sl.Dense())
    for rate in (1e5, 1e38):
        assert logistic.measure(logistic.settings(plan, exact, rate, 1))["diverged"]


def judged(options, off, state_bytes):
    """Targets where every variant is `off` times as bad as exact state."""

    def result_of(settings):
        exact = settings["variant"].endswith("exact (lazy)")
        score = 100.0 + settings["replicate"]
        return {
            "score": score if exact else off * score,
            "diverged": False,
            "state_bytes": 1000 if exact else state_bytes,
        }

    configuration, _ = head_tail.EXPERIMENT.configure(options)
    summary = head_tail.EXPERIMENT.summarise(configuration, result_of)
    notes = head_tail.EXPERIMENT.present(configuration, summary).notes
    return [target["holds"] for target in summary["targets"]], "\n".join(notes)


@pytest.mark.parametrize(
    ("off", "state_bytes", "holds"),
    [
        (1.01, 100, [True] * 5),
        (1.025, 100, [True, False, False, False, False]),  # RMSprop's target is looser
        (1.04, 100, [False] * 5),
        (1.01, 200, [True, False, False, False, False]),
        (1.01, 300, [False] * 5),
    ],
)
def test_targets_are_judged_by_quality_and_by_bytes(options, off, state_bytes, holds):
    verdicts, notes = judged(options, off, state_bytes)
    assert verdicts == holds
    assert notes.count(": holds.") == sum(holds)
    assert notes.count(": does not hold.") == len(holds) - sum(holds)


def test_pareto_marks_what_nothing_beats(options):
    def result_of(settings):
        small = "count-min lazy" in settings["variant"]
        poor = "rank-1" in settings["variant"]
        return {
            "score": 120.0 if poor else 110.0 if small else 100.0,
            "diverged": False,
            "state_bytes": 10 if small else 50 if poor else 1000,
        }

    configuration, _ = pareto.EXPERIMENT.configure(options)
    rows = pareto.EXPERIMENT.summarise(configuration, result_of)["parts"]["language"]
    dominated = {row["variant"]: row["dominated"] for row in rows}
    assert dominated["RMSprop rank-1 ()"]
    assert not dominated["RMSprop count-min lazy (5x)"]
    assert not dominated["RMSprop exact (lazy)"]
