"""The LM1B set-up in PyTorch: the sampled loss, what is kept of which part, and what a run does."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

import sketchlab.torch as slt
from analysis.experiments import lm1b_lstm as experiment
from analysis.lab.study import Options
from analysis.problems import sampled_softmax as oracle
from analysis.problems.sampled_lstm import SampledModel
from analysis.training import lm1b, sampled, wikitext

BY_NAME = {variant.name: variant for variant in experiment.VARIANTS}
EXACT, PAPER = "Adam exact (lazy)", "Adam CS-MV (paper: lazy)"
SMALL = {"dim": 8, "width": 12, "batch": 8, "segment": 10, "samples": 30, "epochs": 2}
DIM, WORDS = 6, 40


def model_of():
    torch.manual_seed(0)
    biases = np.random.default_rng(1).standard_normal(WORDS).astype(np.float32)
    return SampledModel(biases, DIM, 9, decoded=7)


def test_sampled_loss_and_its_gradients_are_those_of_numpy():
    generator, model = np.random.default_rng(2), model_of()
    proposal = oracle.LogUniform(WORDS)
    targets = generator.integers(WORDS, size=25)
    features = generator.standard_normal((25, DIM)).astype(np.float32)
    negatives = proposal.negatives(generator, 20)
    expected = proposal.log_expected(targets, 20)
    assert np.isin(negatives.words, targets).any()  # some are left out somewhere
    table = model.output.weight.detach().numpy().copy()
    ones = np.ones((25, 1), np.float32)
    wanted = oracle.sampled_loss(table, np.hstack([features, ones]), targets, expected, negatives)

    given = torch.from_numpy(features).requires_grad_()
    loss = model.sampled_loss(
        given,
        torch.from_numpy(targets),
        torch.from_numpy(expected).float(),
        torch.from_numpy(negatives.words),
        torch.from_numpy(negatives.correction).float(),
    )
    loss.backward()
    assert loss.item() == pytest.approx(wanted.loss, rel=1e-5)
    np.testing.assert_allclose(given.grad.numpy(), wanted.hidden, rtol=1e-4, atol=1e-7)
    whole = np.zeros_like(table)
    np.add.at(whole, wanted.softmax.rows, wanted.softmax.values)
    assert model.output.weight.grad.is_sparse
    found = model.output.weight.grad.to_dense().numpy()
    np.testing.assert_allclose(found, whole, rtol=1e-4, atol=1e-7)


def test_whole_loss_is_that_of_all_words():
    model = model_of()
    features, targets = torch.randn(20, DIM), torch.randint(WORDS, (10, 2))
    scores = features @ model.output.weight[:, :DIM].T + model.output.weight[:, DIM]
    wanted = functional.cross_entropy(scores, targets.flatten(), reduction="sum")
    torch.testing.assert_close(sum(model.losses(features, targets)), wanted)


def test_features_are_as_wide_as_the_embedding():
    features, (output, cell) = model_of()(torch.zeros(5, 3, dtype=torch.int64))
    assert features.shape == (15, DIM) and output.shape[2] == DIM and cell.shape[2] == 9


@pytest.fixture(scope="module")
def setting(corpus_file):
    """Return a function that makes settings of small runs, and the text that goes with them."""
    configuration, inputs = experiment.EXPERIMENT.configure(
        Options(quick=True, corpus=str(corpus_file))
    )

    def make(name, replicate=1, sketched=lm1b.TABLES, **changes):
        rate = changes.pop("learning_rate", 1e-2)
        made = lm1b.settings(configuration, BY_NAME[name], rate, replicate, sketched)
        return made | SMALL | changes

    return make, wikitext.text_of(configuration["words"], inputs["corpus"])


@pytest.mark.parametrize("name", BY_NAME)
def test_every_variant_learns_and_says_what_it_keeps(setting, name):
    make, text = setting
    result = sampled.measure(make(name), text)
    assert not result["diverged"] and result["score"] < text.vocabulary / 2
    assert result["curve"]["loss"][-1] < result["curve"]["loss"][0]
    assert result["steps"] == lm1b.steps(make(name)) == 240
    rows, columns = text.vocabulary, 2 * SMALL["dim"] + 1
    shares = {"Dense": rows * columns, "Rank1": 2 * rows + columns}
    variant = BY_NAME[name]
    kept = [store for store in (variant.m, variant.v) if store is not None]
    numbers = sum(shares.get(type(s).__name__) or rows * columns / s.compression for s in kept)
    numbers += 2 * rows * sum(getattr(store, "row_weights", False) for store in kept)
    gates = 4 * 12
    numbers += 2 * (gates * (8 + 8 + 2) + 12 * 8)
    assert result["state_bytes"] == pytest.approx(4 * numbers, rel=0.06)


def test_a_run_follows_from_its_settings_alone(setting):
    make, text = setting
    first = sampled.measure(make(PAPER), text)
    torch.manual_seed(5)
    assert sampled.measure(make(PAPER), text) == first
    for change in ({"replicate": 2}, {"seed": 1}):
        assert sampled.measure(make(PAPER, **change), text)["score"] != first["score"]


def test_ways_to_sketch_begin_alike_and_see_the_same(setting):
    make, text = setting
    runs = [
        sampled.measure(make(PAPER, sketched=parts, learning_rate=1e-12), text)
        for parts in (("embedding",), lm1b.TABLES, lm1b.PARTS)
    ]
    runs.append(sampled.measure(make(EXACT, learning_rate=1e-12), text))
    assert all(run["curve"] == runs[0]["curve"] for run in runs)
    assert all(run["active_rows"] == runs[0]["active_rows"] for run in runs)


@pytest.mark.parametrize(
    "sketched", [("embedding",), ("output",), ("embedding", "output"), lm1b.PARTS]
)
def test_what_is_sketched_is_what_the_settings_say(setting, sketched):
    make, text = setting
    model = SampledModel(np.zeros(text.vocabulary, np.float32), 32, 64)
    (hashing,) = np.random.SeedSequence(0).spawn(1)
    made = list(sampled.optimizers(make(PAPER, sketched=sketched), model, hashing))
    held = [id(one) for each in made for group in each.param_groups for one in group["params"]]
    assert sorted(held) == sorted(id(parameter) for parameter in model.parameters())
    kinds = {}
    for each in made:
        if isinstance(each, slt.Optimizer):
            for _, parameter, kept in each.kept():
                kinds[id(parameter)] = type(kept.moments["m"]).__name__
    for name, parameter in model.named_parameters():
        part = name.split(".")[0]
        small = part == "layers" and parameter.numel() < sampled.MIN_NUMEL
        wanted = "CountSketchStore" if part in sketched and not small else "DenseStore"
        if part != "layers" or part in sketched:
            assert kinds[id(parameter)] == wanted, name
        else:
            assert id(parameter) not in kinds  # PyTorch's own Adam


def test_tables_have_hash_functions_of_their_own(setting):
    make, text = setting
    model = SampledModel(np.zeros(text.vocabulary, np.float32), 8, 12)
    (hashing,) = np.random.SeedSequence(0).spawn(1)
    (kept, *_) = sampled.optimizers(make(PAPER), model, hashing)
    seeds = [store.description.seed for _, _, one in kept.kept() for store in one.moments.values()]
    assert len(set(seeds)) == 4


def run_of(setting, **changes):
    make, text = setting
    settings = make(EXACT, **changes)
    order, hashing = np.random.SeedSequence(0).spawn(2)
    torch.manual_seed(0)
    return sampled._Run(settings, text, torch.device("cpu"), order, hashing)


def test_rate_falls_linearly_to_zero(setting, monkeypatch):
    run, rates = run_of(setting), []
    move = run._move

    def watched():
        move()
        rates.append([each.param_groups[0]["lr"] for each in run.optimizers])

    monkeypatch.setattr(run, "_move", watched)
    run.result()
    steps = len(rates)
    assert rates == [[pytest.approx(1e-2 * (1 - step / steps))] * 2 for step in range(steps)]


def test_modules_are_clipped_apart(setting, monkeypatch):
    run, seen = run_of(setting, clip_norm=1e-3, epochs=1), []

    def watched():
        seen.append(
            [
                math.sqrt(sum(float(p.grad.to_dense().square().sum()) for p in part.parameters()))
                for part in (run.model.embedding, run.model.layers, run.model.output)
            ]
        )
        raise InterruptedError

    monkeypatch.setattr(run, "_move", watched)
    with pytest.raises(InterruptedError):
        run.result()
    assert seen[0] == pytest.approx([1e-3] * 3, rel=1e-2)


def test_active_rows_are_distinct_rows_of_a_step(setting):
    run = run_of(setting, epochs=1)
    words = run.parts["train"]
    run.result()
    lengths = [len(words[at : at + 10][: len(words) - 1 - at].unique()) for at in
               range(0, len(words) - 1, 10)]  # fmt: skip
    assert run.active["embedding"] == sum(lengths)
    assert run.active["output"] > run.active["embedding"]


def test_test_text_is_for_runs(setting):
    make, text = setting
    tried = sampled.measure(make(EXACT, replicate=0), text)
    assert tried["score"] == tried["curve"]["perplexity"][-1]
    run = sampled.measure(make(EXACT), text)
    assert run["score"] != run["curve"]["perplexity"][-1]


def test_divergence_is_reported(setting):
    make, text = setting
    assert sampled.measure(make(EXACT, learning_rate=1e30), text)["diverged"]


def test_gradients_are_those_that_the_steps_take(setting, monkeypatch):
    """Both tables', clipped, in every step of all epochs; the training goes on beside."""
    make, text = setting
    settings, seen = make("Adam exact (lazy)"), []
    move = sampled._Run._move

    def watched(run):
        tables = (getattr(run.model, name).weight.grad.to_dense() for name in lm1b.TABLES)
        seen.append([gradient.clone() for gradient in tables])
        move(run)

    monkeypatch.setattr(sampled._Run, "_move", watched)
    sampled.measure(settings, text)
    wanted = list(seen)
    found = list(sampled.gradients(settings, text))
    assert len(found) == len(wanted) == lm1b.steps(settings)
    for tables, dense in zip(found, wanted, strict=True):
        for (rows, values), shape, gradient in zip(tables, lm1b.shapes(settings), dense):
            whole = np.zeros(shape, np.float32)
            whole[rows] = values
            np.testing.assert_array_equal(whole, gradient.numpy())
