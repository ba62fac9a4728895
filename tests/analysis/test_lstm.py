"""The LSTM's gradients, its memory and its perplexity, against slow and plain ways to get them."""

import numpy as np
import pytest

from analysis.problems import corpus
from analysis.problems import lstm as model
from analysis.problems.sampled_softmax import LogUniform, Negatives

SIZE, DIM, WIDTH, STREAMS, LENGTH, SAMPLES = 30, 4, 5, 3, 6, 20


@pytest.fixture
def segment():
    """Parameters in float64, a state to begin from, and a segment in which words repeat."""
    generator = np.random.default_rng(3)
    counts = generator.integers(1, 50, SIZE)
    parameters = model.initialise(generator, counts, DIM, WIDTH, np.float64)
    for array in parameters:
        array += 0.3 * generator.standard_normal(array.shape)
    state = model.State(*generator.standard_normal((2, STREAMS, WIDTH)))
    proposal = LogUniform(SIZE)
    words = proposal.draw(generator, (LENGTH + 1) * STREAMS).reshape(LENGTH + 1, STREAMS)
    targets = words[1:]
    negatives = proposal.negatives(generator, SAMPLES)
    assert np.isin(targets, negatives.words).any() and len(negatives.words) < SAMPLES
    assert len(np.unique(words[:-1])) < words[:-1].size
    expected = proposal.log_expected(targets, SAMPLES)
    return parameters, (model.Streams(words[:-1], targets), state, expected, negatives)


def dense(parameters, gradients):
    """Spread the sparse gradients over whole tables."""
    tables = [np.zeros_like(array) for array in parameters]
    tables[0][gradients.embedding.rows] = gradients.embedding.values
    tables[1][gradients.softmax.rows] = gradients.softmax.values
    tables[2] += gradients.layer
    return tables


def largest_error(gradient_function, parameters, inputs, step=1e-5):
    """Compare every entry of the gradients with a central difference of the loss."""
    error, given = 0.0, dense(parameters, gradient_function(parameters, *inputs)[0])
    for array, expected in zip(parameters, given, strict=True):
        for place in np.ndindex(array.shape):
            kept, losses = array[place], []
            for moved in (kept + step, kept - step):
                array[place] = moved
                losses.append(model.gradients(parameters, *inputs)[0].loss)
            array[place] = kept
            error = max(error, abs((losses[0] - losses[1]) / (2 * step) - expected[place]))
    return error


def test_gradients_match_finite_differences(segment):
    assert largest_error(model.gradients, *segment) < 1e-8


def _without_bias(gradients):
    layer = gradients.layer.copy()
    layer[-1] = 0
    return gradients._replace(layer=layer)


def _swapped_gates(gradients):
    candidate, enter, keep, leave = np.split(gradients.layer, 4, axis=1)
    return gradients._replace(layer=np.concatenate([candidate, keep, enter, leave], axis=1))


def _slightly_too_long(gradients):
    values = 1.001 * gradients.embedding.values
    return gradients._replace(embedding=gradients.embedding._replace(values=values))


def _neighbouring_rows(gradients):
    rows = (gradients.softmax.rows + 1) % SIZE
    return gradients._replace(softmax=gradients.softmax._replace(rows=rows))


@pytest.mark.parametrize(
    "spoil", [_without_bias, _swapped_gates, _slightly_too_long, _neighbouring_rows]
)
def test_finite_differences_find_a_wrong_gradient(segment, spoil):
    def broken(*arguments):
        found, state = model.gradients(*arguments)
        return spoil(found), state

    assert largest_error(broken, *segment) > 1e-5


def test_finite_differences_find_a_gradient_that_does_not_reach_back(segment, monkeypatch):
    parameters, (text, *inputs) = segment
    whole = model.backward

    def one_word_at_a_time(parameters, trace, output_gradient):
        parts = []
        for t in range(LENGTH):
            between = [array[t : t + 2] for array in (trace.outputs, trace.cells)]
            inputs, active, squashed = (
                array[t : t + 1] for array in (trace.inputs, trace.activations, trace.squashed)
            )
            alone = model.Trace(inputs, active, *between, squashed)
            parts.append(whole(parameters, alone, output_gradient[t : t + 1]))
        return np.concatenate(parts)

    monkeypatch.setattr(model, "backward", one_word_at_a_time)
    assert largest_error(model.gradients, parameters, (text, *inputs)) > 1e-5


def slow_outputs(parameters, words, state):
    """One stream's outputs, gate by gate, from the equations of the layer."""

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    output, cell, outputs = *state, []
    for word in words:
        seen = np.concatenate([parameters.embedding[word], output, [1.0]])
        candidate, enter, keep, leave = np.split(seen @ parameters.layer, 4)
        cell = sigmoid(keep) * cell + sigmoid(enter) * np.tanh(candidate)
        output = sigmoid(leave) * np.tanh(cell)
        outputs.append(output)
    return np.array(outputs)


def slow_loss(parameters, text, state):
    """The full softmax's mean loss, stream by stream and word by word."""
    losses = []
    for k in range(text.words.shape[1]):
        outputs = slow_outputs(parameters, text.words[:, k], [part[k] for part in state])
        for output, target in zip(outputs, text.targets[:, k], strict=True):
            scores = [row[:-1] @ output + row[-1] for row in parameters.softmax]
            losses.append(np.log(np.sum(np.exp(scores))) - scores[target])
    return np.mean(losses)


def test_loss_over_all_words_is_that_of_the_full_softmax(segment):
    parameters, (text, state, expected, _) = segment
    everything = Negatives(np.arange(SIZE), np.zeros(SIZE))
    found, _ = model.gradients(parameters, text, state, 0 * expected, everything)
    assert found.loss == pytest.approx(slow_loss(parameters, text, state), rel=1e-12)


def test_state_is_carried_from_segment_to_segment(segment):
    parameters, (text, state, *_) = segment
    whole = model.forward(parameters, text.words, state)
    outputs, carried = [], state
    for part in text.segments(4):
        trace = model.forward(parameters, part.words, carried)
        outputs.append(trace.outputs[1:])
        carried = trace.state
    assert [len(part) for part in outputs] == [4, LENGTH - 4]
    np.testing.assert_allclose(np.concatenate(outputs), whole.outputs[1:], atol=1e-14)
    np.testing.assert_allclose(carried.cell, whole.state.cell, atol=1e-14)
    forgotten = model.forward(parameters, text.words[4:], model.rest(parameters, STREAMS))
    assert np.abs(forgotten.outputs[1:] - whole.outputs[5:]).max() > 1e-2


def test_gradients_hand_on_the_state_after_the_segment(segment):
    parameters, (text, state, *rest) = segment
    _, after = model.gradients(parameters, text, state, *rest)
    for k in range(STREAMS):
        outputs = slow_outputs(parameters, text.words[:, k], [part[k] for part in state])
        np.testing.assert_allclose(after.output[k], outputs[-1], atol=1e-14)


def test_later_words_and_other_streams_change_no_prediction(segment):
    parameters, (text, state, *_) = segment
    before = model.forward(parameters, text.words, state).outputs[1:]
    words = text.words.copy()
    words[3, 1] = (words[3, 1] + 1) % SIZE
    change = np.abs(model.forward(parameters, words, state).outputs[1:] - before).max(axis=2)
    assert (change[3:, 1] > 0).all()
    change[3:, 1] = 0
    assert (change == 0).all()


def test_streams_are_the_text_in_order():
    tokens = np.arange(100, 130)
    text = model.streams(tokens, np.arange(4, 30), 4)
    assert text.words.shape == text.targets.shape == (6, 4)
    np.testing.assert_array_equal(text.targets.T.ravel(), tokens[4:28])
    np.testing.assert_array_equal(text.words, text.targets - 1)
    np.testing.assert_array_equal(text.first(8).words, text.words[:2])
    np.testing.assert_array_equal(text.first(None).words, text.words)
    parts = text.segments(4)
    np.testing.assert_array_equal(np.concatenate([part.targets for part in parts]), text.targets)


def test_rows_are_summed_and_distinct():
    generator = np.random.default_rng(0)
    rows, values = generator.integers(0, 9, 40), generator.standard_normal((40, 3))
    distinct, sums = model.summed(model.Sparse(rows, values))
    expected = np.zeros((9, 3))
    np.add.at(expected, rows, values)
    np.testing.assert_array_equal(distinct, np.unique(rows))
    np.testing.assert_allclose(sums, expected[distinct], atol=1e-14)


@pytest.mark.parametrize("length", [1, 7, 1000])
def test_perplexity_is_the_exponential_of_the_full_loss(corpus_file, length):
    text = corpus.load(str(corpus_file))
    generator = np.random.default_rng(0)
    parameters = model.initialise(generator, np.ones(len(text.words)), DIM, WIDTH, np.float64)
    for array in parameters:
        array += generator.standard_normal(array.shape)
    read = model.streams(text.tokens, text.positions["test"], STREAMS).first(60)
    slow = np.exp(slow_loss(parameters, read, model.rest(parameters, STREAMS)))
    assert model.perplexity(parameters, read, length) == pytest.approx(slow, rel=1e-10)
