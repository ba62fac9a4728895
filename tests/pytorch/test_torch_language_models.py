"""The laboratory's language models in PyTorch: gradients, and what a run of one does."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

import sketchlab.torch as slt
from analysis.experiments import wikitext_lstm as experiment
from analysis.lab.study import Options
from analysis.problems import lstm_model
from analysis.problems.lstm_model import LanguageModel
from analysis.training import neural, wikitext

BY_NAME = {variant.name: variant for variant in experiment.VARIANTS}
SMALL = {"dim": 12, "width": 16, "layers": 2, "dropout": 0.1, "batch": 8, "segment": 20}


def model_of(dropout=0.0, decoded=7):
    torch.manual_seed(0)
    return LanguageModel(50, 6, 5, 2, dropout, decoded)


def words_of(length, batch=4):
    return torch.from_numpy(np.random.default_rng(length).integers(0, 50, (length, batch)))


def whole_loss(model, words, state=None):
    """The mean loss with all logits at once, and the state, as a textbook has it."""
    hidden, state = model.lstm(model.embedding(words[:-1]), state)
    return functional.cross_entropy(model.decoder(hidden).flatten(0, 1), words[1:].flatten()), state


def test_gradients_of_parts_are_those_of_the_whole():
    model, words = model_of(), words_of(10)
    loss, _ = whole_loss(model, words)
    loss.backward()
    wanted = {name: each.grad.to_dense().clone() for name, each in model.named_parameters()}
    model.zero_grad()
    found, _ = lstm_model.backward(model, words[:-1], words[1:], None)
    assert found == pytest.approx(loss.item(), rel=1e-6)
    assert model.embedding.weight.grad.is_sparse
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad.to_dense(), wanted[name], rtol=1e-4, atol=1e-7)


def test_state_is_carried_and_gradients_are_not():
    model, words = model_of(), words_of(21)
    (first, one), (second, two) = lstm_model.segments(words, 10)
    _, state = lstm_model.backward(model, first, one, None)
    assert not any(each.requires_grad for each in state)
    found, _ = lstm_model.backward(model, second, two, state)
    _, held = whole_loss(model, words[:11])
    wanted, _ = whole_loss(model, words[10:], held)
    assert found == pytest.approx(wanted.item(), rel=1e-6)


def test_segments_cover_everything_once():
    words = words_of(24)
    parts = list(lstm_model.segments(words, 10))
    assert [len(part) for part, _ in parts] == [10, 10, 3]
    torch.testing.assert_close(torch.cat([part for part, _ in parts]), words[:-1])
    torch.testing.assert_close(torch.cat([targets for _, targets in parts]), words[1:])


def test_perplexity_is_of_the_whole_and_without_dropout():
    model, words = model_of(dropout=0.5), words_of(24)
    found = lstm_model.perplexity(model, words, 10)
    assert model.training
    loss, _ = whole_loss(model.eval(), words)
    assert found == pytest.approx(math.exp(loss.item()), rel=1e-5)


@pytest.fixture(scope="module")
def setting(corpus_file):
    """Return a function that makes settings of small runs, and the text that goes with them."""
    configuration, inputs = experiment.EXPERIMENT.configure(
        Options(quick=True, corpus=str(corpus_file))
    )

    def make(name, **changes):
        variant = BY_NAME[name]
        rate = changes.pop("learning_rate", configuration["base_rates"][variant.family])
        made = wikitext.settings(configuration, variant, rate, changes.pop("replicate", 1))
        return made | SMALL | {"epochs": 2} | changes

    return make, wikitext.text_of(configuration["words"], inputs["corpus"])


@pytest.mark.parametrize("name", BY_NAME)
def test_every_variant_learns_and_says_what_it_keeps(setting, name):
    make, text = setting
    result = neural.measure(make(name), text)
    curve = result["curve"]
    assert not result["diverged"] and result["score"] < text.vocabulary / 2
    assert curve["loss"][-1] < curve["loss"][0] and len(curve["perplexity"]) == 2
    exact = text.vocabulary * SMALL["dim"] * 4
    weights = 4 * text.vocabulary
    variant = BY_NAME[name]
    shares = {"Dense": exact, "Rank1": (text.vocabulary + SMALL["dim"]) * 4}
    kept = [store for store in (variant.m, variant.v) if store is not None]
    state = sum(shares.get(type(s).__name__) or exact / s.compression for s in kept)
    state += weights * sum(getattr(store, "row_weights", False) for store in kept)
    assert result["state_bytes"] == pytest.approx(state, rel=0.06)


def test_a_run_follows_from_its_settings_alone(setting):
    make, text = setting
    name = "Adam CS-MV (paper: lazy)"
    first = neural.measure(make(name), text)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    assert neural.measure(make(name), text) == first
    assert torch.equal(torch.get_rng_state(), before)
    for change in ({"replicate": 2}, {"seed": 1}):
        assert neural.measure(make(name, **change), text)["score"] != first["score"]


def test_gradients_are_those_that_the_steps_take(setting, monkeypatch):
    """The embedding's, clipped, in every step of all epochs; the training goes on beside."""
    make, text = setting
    settings, seen = make("Adam exact (lazy)"), []
    embedding_optimizer = neural.embedding_optimizer

    def watched(*arguments):
        made = embedding_optimizer(*arguments)
        (parameter,) = made.param_groups[0]["params"]
        made.register_step_pre_hook(lambda *_: seen.append(parameter.grad.to_dense().clone()))
        return made

    monkeypatch.setattr(neural, "embedding_optimizer", watched)
    curve = neural.measure(settings, text)["curve"]
    wanted = list(seen)
    found = list(neural.gradients(settings, text))
    assert len(found) == len(wanted) == wikitext.steps(settings) > 10
    for ((rows, values),), gradient in zip(found, wanted, strict=True):
        assert (np.diff(rows) > 0).all()
        dense = np.zeros(gradient.shape, np.float32)
        dense[rows] = values
        np.testing.assert_array_equal(dense, gradient.numpy())
    assert curve["loss"][-1] < curve["loss"][0]
    lost = make("Momentum exact (lazy)", learning_rate=3e38)
    assert len(list(neural.gradients(lost, text))) < 10


def test_variants_of_a_replicate_begin_alike_and_see_the_same_text(setting):
    make, text = setting
    curves = [
        neural.measure(make(name, learning_rate=1e-12), text)["curve"]
        for name in ("Adam exact (lazy)", "Adam CS-MV (paper: lazy)", "Adam no M (exact, lazy)")
    ]
    assert curves[0] == curves[1] == curves[2]


def test_embedding_alone_is_sketched(setting):
    make, text = setting
    (hashing,) = np.random.SeedSequence(0).spawn(1)
    settings = make("Adam CS-MV (paper: lazy)")
    model = LanguageModel(text.vocabulary, 12, 16, 2, 0.1)
    kept = neural.embedding_optimizer(settings, model.embedding.parameters(), hashing)
    (stores,) = [kept.stores(parameter) for parameter in model.embedding.parameters()]
    assert {name: type(store).__name__ for name, store in stores.items()} == {
        "m": "CountSketchStore",
        "v": "CountMinStore",
    }
    assert stores["m"].description.seed != stores["v"].description.seed
    others = neural.exact_optimizer(settings, model.others())
    assert type(others) is torch.optim.Adam
    held = {id(one) for each in (kept, others) for one in each.param_groups[0]["params"]}
    assert held == {id(parameter) for parameter in model.parameters()}


def test_what_drops_the_first_moment(setting):
    make, _ = setting
    made = {}
    for name in ("Adam no M (exact, lazy)", "Momentum no M (SGD)", "Momentum CS (paper: lazy)"):
        table = torch.nn.Parameter(torch.zeros(400, 12))
        sequence = np.random.SeedSequence(0)
        made[name] = neural.embedding_optimizer(make(name), [table], sequence)
    rmsprop, sgd, momentum = made.values()
    assert type(rmsprop) is slt.RMSprop and type(sgd) is slt.SGD
    assert sgd.param_groups[0]["lr"] == pytest.approx(10 * momentum.param_groups[0]["lr"])
    assert momentum.param_groups[0]["nesterov"] and momentum.param_groups[0]["momentum"] == 0.9


def scripted(monkeypatch, perplexities):
    """Let the validation perplexity be given ones, and the test's that of the last epoch's."""
    given, seen = iter(perplexities), []

    def perplexity(run, part):
        seen.append((part, run.model.decoder.bias.detach().clone()))
        return next(given) if part == "validation" else 50.0

    monkeypatch.setattr(neural._Run, "_perplexity", perplexity)
    return seen


def test_rate_falls_when_validation_is_no_better_and_the_best_is_tested(setting, monkeypatch):
    make, text = setting
    seen = scripted(monkeypatch, [90.0, 80.0, 85.0, 80.0, 70.0, 75.0, 99.0, 99.0])
    result = neural.measure(make("Adam exact (lazy)", epochs=8, cuts=None), text)
    first = result["curve"]["rate"][0]
    falls = [first / rate for rate in result["curve"]["rate"]]
    assert falls == pytest.approx([1, 1, 1, 4, 16, 16, 64, 256])
    assert result["score"] == 50.0
    bias = [bias for _, bias in seen]
    assert seen[-1][0] == "test" and torch.equal(bias[-1], bias[4])
    assert not torch.equal(bias[-1], bias[-2])


def test_training_ends_with_its_cuts(setting, monkeypatch):
    make, text = setting
    scripted(monkeypatch, [90.0, 95.0, 95.0, 80.0, 95.0, 95.0])
    result = neural.measure(make("Adam exact (lazy)", epochs=9, cuts=3), text)
    assert result["curve"]["epoch"] == [1, 2, 3, 4, 5]


def test_rate_that_falls_is_every_optimizers(setting, monkeypatch):
    make, text = setting
    runs = []
    monkeypatch.setattr(neural._Run, "_perplexity", lambda run, part: runs.append(run) or 1.0)
    neural.measure(make("Momentum no M (SGD)", epochs=2, cuts=None), text)
    embedding, others = (each.param_groups[0]["lr"] for each in runs[0].optimizers)
    assert embedding == pytest.approx(10 * others) and others == pytest.approx(2.5 / 4)


def test_a_try_is_scored_on_validation_text(setting):
    make, text = setting
    result = neural.measure(make("Adam exact (lazy)", replicate=0), text)
    assert result["score"] == min(result["curve"]["perplexity"])


@pytest.mark.parametrize("rate", [1e4, 1e30])
@pytest.mark.parametrize("name", ["Momentum exact (lazy)", "Momentum CS (paper: lazy)"])
def test_divergence_is_reported(setting, name, rate):
    make, text = setting
    result = neural.measure(make(name, learning_rate=rate, clip_norm=1e30), text)
    assert result["diverged"]


def test_gradients_are_clipped(setting):
    make, text = setting
    name = "Momentum exact (lazy)"
    still, clipped, moved = (
        neural.measure(make(name, **changes), text)["curve"]["loss"][-1]
        for changes in ({"learning_rate": 1e-12}, {"clip_norm": 1e-9}, {})
    )
    assert clipped == pytest.approx(still, abs=2e-4) and moved < still - 0.05
