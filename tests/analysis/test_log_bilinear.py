"""The model's gradients, its sampled loss, its proposal and its perplexity."""

import numpy as np
import pytest
from scipy import stats

from analysis.problems import corpus
from analysis.problems import log_bilinear as model

SIZE, DIM, BATCH, SAMPLES = 30, 5, 12, 20


@pytest.fixture
def batch():
    """Parameters in float64 and one batch in which words repeat and negatives hit targets."""
    generator = np.random.default_rng(3)
    counts = generator.integers(1, 50, SIZE)
    parameters = model.initialise(generator, counts, DIM, np.float64)
    for array in parameters:
        array += 0.3 * generator.standard_normal(array.shape)
    proposal = model.LogUniform(SIZE)
    contexts = generator.integers(0, SIZE, (BATCH, corpus.CONTEXT))
    targets = proposal.draw(generator, BATCH)
    negatives = proposal.negatives(generator, SAMPLES)
    assert np.isin(targets, negatives.words).any() and len(negatives.words) < SAMPLES
    return parameters, (contexts, targets, proposal.log_expected(targets, SAMPLES), negatives)


def dense(parameters, gradients):
    """Spread the sparse gradients over whole tables."""
    tables = [np.zeros_like(array) for array in parameters]
    np.add.at(tables[0], *gradients.embedding)
    np.add.at(tables[1], *gradients.softmax)
    tables[2] += gradients.position
    return tables


def largest_error(gradient_function, parameters, inputs, step=1e-5):
    """Compare every entry of the gradients with a central difference of the loss."""
    error = 0.0
    for array, given in zip(parameters, dense(parameters, gradient_function(parameters, *inputs))):
        for place in np.ndindex(array.shape):
            kept, losses = array[place], []
            for moved in (kept + step, kept - step):
                array[place] = moved
                losses.append(model.gradients(parameters, *inputs).loss)
            array[place] = kept
            error = max(error, abs((losses[0] - losses[1]) / (2 * step) - given[place]))
    return error


def test_gradients_match_finite_differences(batch):
    assert largest_error(model.gradients, *batch) < 1e-8


def _without_position(gradients):
    return gradients._replace(position=0 * gradients.position)


def _target_twice(gradients):
    values = gradients.softmax.values.copy()
    values[0] *= 2
    return gradients._replace(softmax=gradients.softmax._replace(values=values))


def _neighbouring_rows(gradients):
    rows = (gradients.embedding.rows + 1) % SIZE
    return gradients._replace(embedding=gradients.embedding._replace(rows=rows))


def _slightly_too_long(gradients):
    values = 1.001 * gradients.embedding.values
    return gradients._replace(embedding=gradients.embedding._replace(values=values))


@pytest.mark.parametrize(
    "spoil", [_without_position, _target_twice, _neighbouring_rows, _slightly_too_long]
)
def test_finite_differences_find_a_wrong_gradient(batch, spoil):
    def broken(*arguments):
        return spoil(model.gradients(*arguments))

    assert largest_error(broken, *batch) > 1e-5


def test_loss_over_all_words_is_that_of_the_full_softmax(batch):
    parameters, (contexts, targets, _, _) = batch
    everything = model.Negatives(np.arange(SIZE), np.zeros(SIZE))
    loss = model.gradients(parameters, contexts, targets, np.zeros(BATCH), everything).loss
    assert loss == pytest.approx(_slow_loss(parameters, contexts, targets), rel=1e-12)


def _slow_loss(parameters, contexts, targets):
    """The full softmax's mean loss, word by word."""
    losses = []
    for context, target in zip(contexts, targets):
        hidden = sum(parameters.embedding[w] * c for w, c in zip(context, parameters.position))
        scores = [row[:-1] @ hidden + row[-1] for row in parameters.softmax]
        losses.append(np.log(np.sum(np.exp(scores))) - scores[target])
    return np.mean(losses)


def test_equal_negatives_weigh_as_much_as_separate_ones(batch):
    parameters, (contexts, targets, expected, _) = batch
    proposal = model.LogUniform(SIZE)
    drawn = proposal.draw(np.random.default_rng(9), SAMPLES)
    separate = model.Negatives(drawn, -proposal.log_expected(drawn, SAMPLES))
    joined = proposal.negatives(np.random.default_rng(9), SAMPLES)
    one, other = (
        model.gradients(parameters, contexts, targets, expected, negatives)
        for negatives in (separate, joined)
    )
    assert len(joined.words) < len(drawn)
    assert one.loss == pytest.approx(other.loss, rel=1e-12)
    for a, b in zip(dense(parameters, one), dense(parameters, other)):
        np.testing.assert_allclose(a, b, atol=1e-14)


def _chi_square_p(probabilities, drawn):
    observed = np.bincount(drawn, minlength=len(probabilities))
    return stats.chisquare(observed, probabilities * len(drawn)).pvalue


def test_proposal_draws_what_its_probabilities_say():
    proposal = model.LogUniform(200)
    assert proposal.probabilities.sum() == pytest.approx(1)
    drawn = proposal.draw(np.random.default_rng(1), 1_000_000)
    assert _chi_square_p(proposal.probabilities, drawn) > 1e-3
    assert _chi_square_p(np.roll(proposal.probabilities, 1), drawn) < 1e-12
    two_percent_off = proposal.probabilities * np.where(np.arange(200) < 10, 1.02, 1)
    assert _chi_square_p(two_percent_off / two_percent_off.sum(), drawn) < 1e-3


def test_perplexity_is_the_exponential_of_the_full_loss(corpus_file):
    text = corpus.load(str(corpus_file))
    generator = np.random.default_rng(0)
    parameters = model.initialise(generator, np.ones(len(text.words)), DIM, np.float64)
    for array in parameters:
        array += generator.standard_normal(array.shape)
    places = text.sample("test", 37)
    slow = np.exp(_slow_loss(parameters, *text.windows(places)))
    for block in (1, 10, 512):
        assert model.perplexity(parameters, text, places, block) == pytest.approx(slow, rel=1e-10)


def test_untrained_biases_predict_by_frequency(corpus_file):
    text = corpus.load(str(corpus_file))
    counts = np.bincount(text.tokens[text.positions["train"]], minlength=len(text.words))
    parameters = model.initialise(np.random.default_rng(0), counts, DIM)
    parameters.embedding[:] = 0
    places = text.positions["train"]
    share = counts[counts > 0] / counts.sum()
    entropy = -np.sum(share * np.log(share))
    assert model.perplexity(parameters, text, places) == pytest.approx(np.exp(entropy), rel=1e-2)
