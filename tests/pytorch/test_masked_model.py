"""The masked language model in PyTorch: what it sees, what is hidden, and what a run does."""

import math

import numpy as np
import pytest
import torch

from analysis.experiments import masked_language_model as experiment
from analysis.lab.study import Options
from analysis.problems.masked_model import MaskedModel
from analysis.training import bert, masked, wikitext

BY_NAME = {variant.name: variant for variant in experiment.VARIANTS}
SMALL = {"dim": 16, "heads": 2, "layers": 2, "batch": 16, "length": 12, "epochs": 3}
CMS = "RMSprop CMS (paper: lazy)"


def model_of(vocabulary=30):
    torch.manual_seed(0)
    return MaskedModel(vocabulary, 8, 2, 2, 12)


def some(batch, length, vocabulary=30):
    generator = np.random.default_rng(0)
    words = torch.from_numpy(generator.integers(vocabulary, size=(batch, length)))
    return words, masked.hidden_places(words, 0.25, generator)


def test_hidden_words_are_not_seen_and_all_others_are():
    model = model_of()
    words, hidden = some(4, 12)
    before = model(words, hidden)
    assert before.shape == (int(hidden.sum()), 30)
    torch.testing.assert_close(model(torch.where(hidden, (words + 1) % 30, words), hidden), before)
    seen = torch.where(hidden, words, (words + 1) % 30)
    assert (model(seen, hidden) - before).abs().max() > 1e-3


def test_order_is_seen():
    model = model_of()
    words, hidden = some(1, 12)
    order = torch.arange(12)
    (at,) = (~hidden[0]).nonzero()[:2].T
    order[at] = order[at.flip(0)]
    assert words[0, at[0]] != words[0, at[1]]
    assert (model(words[:, order], hidden) - model(words, hidden)).abs().max() > 1e-4


def test_as_many_words_are_hidden_in_every_sequence():
    generator = np.random.default_rng(1)
    words = torch.zeros(500, 20, dtype=torch.int64)
    hidden = masked.hidden_places(words, 0.15, generator)
    assert (hidden.sum(1) == 3).all()
    counts = hidden.sum(0).numpy()  # 500 draws of probability 0.15: five deviations are 40
    assert np.abs(counts - 75).max() < 40
    assert masked.hidden_places(words[:2, :3], 0.15, generator).sum() == 2


def test_perplexity_is_of_hidden_words_and_always_of_the_same():
    model = model_of()
    words, _ = some(10, 12)
    settings = {"batch": 4, "hidden": 0.25}
    found = masked.perplexity(model, words, settings)
    assert masked.perplexity(model, words, settings) == found
    generator, losses = np.random.default_rng(0), []
    for part in (words[:4], words[4:8], words[8:]):
        hidden = masked.hidden_places(part, 0.25, generator)
        chances = model(part, hidden).softmax(1)[range(int(hidden.sum())), part[hidden]]
        losses += (-chances.log()).tolist()
    assert found == pytest.approx(math.exp(np.mean(losses)), rel=1e-5)


@pytest.fixture(scope="module")
def setting(corpus_file):
    """Return a function that makes settings of small runs, and the text that goes with them."""
    configuration, inputs = experiment.EXPERIMENT.configure(
        Options(quick=True, corpus=str(corpus_file))
    )

    def make(name, replicate=1, **changes):
        rate = changes.pop("learning_rate", 1e-2)
        return bert.settings(configuration, BY_NAME[name], rate, replicate) | SMALL | changes

    return make, wikitext.text_of(configuration["words"], inputs["corpus"])


@pytest.mark.parametrize("name", BY_NAME)
def test_every_variant_learns_and_says_what_it_keeps(setting, name):
    make, text = setting
    result = masked.measure(make(name), text)
    assert not result["diverged"] and result["losses"][-1] < result["losses"][0]
    settings = make(name)
    parameters = MaskedModel(text.vocabulary, 16, 2, 2, 12).parameters()
    exact = sum(parameter.numel() for parameter in parameters)
    variant = BY_NAME[name]
    moments = sum(store is not None for store in (variant.m, variant.v))
    if "exact" in name:
        assert result["state_bytes"] == 4 * exact * moments
    else:
        assert 4 * exact * moments / 30 < result["state_bytes"] < 4 * exact * moments
    assert settings["split"] == "test"


def test_matrices_are_kept_as_the_settings_say_and_small_ones_exactly(setting):
    make, _ = setting
    model = MaskedModel(5_000, 16, 2, 2, 12)
    (hashing,) = np.random.SeedSequence(0).spawn(1)
    optimizer = masked.optimizer_of(make(CMS), model.parameters(), hashing)
    kinds = {parameter: type(kept.moments["v"]).__name__ for _, parameter, kept in optimizer.kept()}
    assert len(kinds) == len(list(model.parameters()))
    for parameter, kind in kinds.items():
        assert kind == ("DenseStore" if parameter.numel() < 4096 else "CountMinStore")
    assert kinds[model.embedding.weight] == "CountMinStore"


def test_a_run_follows_from_its_settings_alone(setting):
    make, text = setting
    first = masked.measure(make(CMS), text)
    torch.manual_seed(5)
    assert masked.measure(make(CMS), text) == first
    for change in ({"replicate": 2}, {"seed": 1}):
        assert masked.measure(make(CMS, **change), text)["score"] != first["score"]


def test_variants_of_a_replicate_begin_alike_and_see_the_same(setting):
    make, text = setting
    runs = [masked.measure(make(name, learning_rate=1e-12), text) for name in list(BY_NAME)[:4]]
    assert all(run["losses"] == runs[0]["losses"] for run in runs)


def test_rate_falls_and_gradients_are_clipped(setting, monkeypatch):
    make, text = setting
    seen = []

    def step(optimizer):
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"]]
        norm = math.sqrt(sum(float(each.square().sum()) for each in gradients))
        seen.append((optimizer.param_groups[0]["lr"], norm))

    monkeypatch.setattr(masked.slt.RMSprop, "step", step)
    masked.measure(make(CMS, clip_norm=1e-3), text)
    rates, norms = zip(*seen)
    steps = len(rates)
    assert steps == 3 * (len(text.parts["train"]) // 12 // 16)
    assert rates == pytest.approx([1e-2 * (1 - number / steps) for number in range(steps)])
    assert norms == pytest.approx([1e-3] * steps, rel=2e-3)


def test_divergence_is_reported(setting):
    make, text = setting
    assert masked.measure(make("RMSprop exact (lazy)", learning_rate=1e30), text)["diverged"]
