"""The names of diagnoses as features, and their split."""

import sys

import numpy as np
import pytest

from analysis.lab.errors import UsageError
from analysis.problems import icd
from sketchlab.hashing import buckets, hash_constants

NAMES = ["Cholera", "ab", "aaaa aaaa", "", "Rosenmüller fossa", "CHOLERA"]


def naive_trigrams(name):
    """Features of one name: a dict from column to value, from the definition."""
    raw = f" {name.lower()} ".encode()
    codes = {raw[i] * 65536 + raw[i + 1] * 256 + raw[i + 2] for i in range(len(raw) - 2)}
    constants = hash_constants(icd.FEATURE_SEED, 1)
    columns = {int(buckets([code], constants, icd.FEATURES)[0, 0]) for code in codes}
    return {column: 1 / np.sqrt(len(columns)) for column in columns}


def test_features_are_the_set_of_hashed_trigrams():
    features = icd.trigrams(NAMES)
    assert features.shape == (len(NAMES), icd.FEATURES) and features.dtype == np.float32
    for row, name in enumerate(NAMES):
        begin, end = features.indptr[row : row + 2]
        found = dict(zip(features.indices[begin:end].tolist(), features.data[begin:end]))
        expected = naive_trigrams(name)
        assert found.keys() == expected.keys()
        assert all(found[key] == pytest.approx(value) for key, value in expected.items())
    lengths = np.sqrt((features.toarray() ** 2).sum(axis=1))
    assert lengths == pytest.approx([1, 1, 1, 0, 1, 1])


def test_names_share_no_trigram_across_their_border():
    one, other = icd.trigrams(["abc", "xyz"]), icd.trigrams(["abc"])
    assert one[[0]].indices.tolist() == other[[0]].indices.tolist()


@pytest.fixture
def task():
    descriptions = [f"disease number {i}" for i in range(40)]
    terms = [f"other name {i} of {i % 40}" for i in range(97)] + ["Disease NUMBER 3"] * 3
    labels = [i % 40 for i in range(97)] + [3, 3, 3]
    return icd.build("made up", descriptions, terms, labels), descriptions, terms, labels


def test_descriptions_train_and_a_share_of_the_terms_is_held_out(task):
    made, descriptions, terms, _ = task
    assert made.classes == 40
    np.testing.assert_array_equal(made.labels["train"][:40], np.arange(40))
    expected = icd.trigrams(descriptions)
    assert abs(made.features["train"][:40] - expected).max() == 0
    for split, share in icd.SHARES.items():
        assert 0 < share * len(terms) - len(made.labels[split]) + 1 <= 4
    assert made.summary()["train"] == len(made.labels["train"]) == 40 + 60


def test_every_held_out_name_keeps_its_class_and_is_new(task):
    made, descriptions, terms, labels = task
    right = {tuple(naive_trigrams(term)): label for term, label in zip(terms, labels)}
    trained = {tuple(sorted(naive_trigrams(name))) for name in descriptions}
    for split in icd.SHARES:
        for row, label in enumerate(made.labels[split]):
            columns = sorted(made.features[split][[row]].indices.tolist())
            match = [right[key] for key in right if sorted(key) == columns]
            assert match == [label]
            assert tuple(columns) not in trained


def test_split_is_always_the_same(task):
    made, *names = task
    again = icd.build("made up", *names)
    for split in icd.SPLITS:
        np.testing.assert_array_equal(made.labels[split], again.labels[split])
    assert again.digest == made.digest
    assert icd.build("made up", names[0], names[1][::-1], names[2]).digest != made.digest


def test_queries_are_taken_at_even_distances(task):
    made = task[0]
    features, labels = made.queries("test", 5)
    assert features.shape[0] == len(labels) == 5
    assert labels[0] == made.labels["test"][0] and labels[-1] == made.labels["test"][-1]
    assert len(made.queries("test")[1]) == len(made.labels["test"])


def test_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "simple_icd_10_cm", None)
    icd.load.cache_clear()
    with pytest.raises(UsageError, match=r"pip install sketchlab\[data\]"):
        icd.load()
    icd.load.cache_clear()


@pytest.mark.slow
def test_the_package_has_the_codes_and_terms_that_are_spoken_of():
    made = icd.load()
    assert made.classes == 47_200
    held_out = sum(len(made.labels[split]) for split in icd.SHARES)
    trained_terms = len(made.labels["train"]) - made.classes
    assert held_out > 4_900 and 12_400 < held_out + trained_terms <= 12_589
    assert 20 < made.features["test"].nnz / len(made.labels["test"]) < 60
