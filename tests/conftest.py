"""Settings for all the tests, and the small text that the laboratory's tests train on."""

import os

# Threads that wait in a loop instead of asleep make test processes that share the cores ten times
# slower. Read when a threading layer starts, hence set before anything imports Numba.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import pytest
from hypothesis import settings

# The same examples at every run, and no time limit on one: the first may compile kernels.
settings.register_profile("reproducible", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("reproducible")


def _spelling(number):
    letters = "abcdefghijklmnopqrstuvwxyz"
    return "".join(letters[number // 26**place % 26] for place in range(3))


@pytest.fixture(scope="session")
def corpus_file(tmp_path_factory):
    """12,000 words, 400 distinct ones with Zipf frequencies, each predicting the next a little."""
    generator = np.random.default_rng(0)
    frequencies = 1 / np.arange(1, 401)
    drawn = generator.choice(400, size=12_000, p=frequencies / frequencies.sum())
    drawn[1::2] = (drawn[::2] * 7 + 1) % 400
    path = tmp_path_factory.mktemp("text") / "synthetic.txt"
    path.write_text(" ".join(map(_spelling, drawn)), encoding="utf-8")
    return path
