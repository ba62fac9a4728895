"""Text in three parts: a folder's files, the words that are kept, and streams."""

import numpy as np
import pytest

from analysis.lab.errors import UsageError
from analysis.problems import corpus, split_text
from analysis.problems.split_text import Text, streams, thinned

WIKITEXT = ("wiki.train.tokens", "wiki.valid.tokens", "wiki.test.tokens")


def folder_of(tmp_path, names=WIKITEXT, sizes=(3_000, 200, 150)):
    """Lines of two words, one of which is the same in all lines of a file."""
    for name, size in zip(names, sizes, strict=True):
        lines = (f"{name} w{number % 50}" for number in range(size))
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    "names",
    [
        WIKITEXT,
        ("train.txt", "valid.txt", "test.txt"),
        ("ptb.train.txt", "ptb.valid.txt", "ptb.test.txt"),
        ("TRAIN", "Validation.txt", "test"),
    ],
)
def test_files_are_known_by_their_names(tmp_path, names):
    (tmp_path / "README.md").write_text("not one of them, though it says: train valid test")
    (tmp_path / "trained.txt").write_text("nor is this")
    sizes = split_text.load(str(folder_of(tmp_path, names))).summary()
    assert (sizes["train"], sizes["validation"], sizes["test"]) == (9_000, 600, 450)


def test_words_are_those_of_the_files_and_ends_of_lines(tmp_path):
    text = split_text.load(str(folder_of(tmp_path)))
    assert text.vocabulary == 50 + 3 + 2  # <eos> and <unk>, which these files do not have
    one = text.parts["test"]
    assert one[2] == 0  # <eos>, the most frequent word of all
    assert (one[2::3] == 0).all() and len(set(one[::3])) == 1
    assert text.unknown == text.vocabulary - 1
    counts = np.bincount(np.concatenate(list(text.parts.values())), minlength=text.vocabulary)
    assert (np.diff(counts) <= 0).all()


def test_own_unknown_words_are_one_with_those_of_a_smaller_vocabulary(tmp_path):
    folder = folder_of(tmp_path)
    with open(folder / WIKITEXT[0], "a") as file:
        file.write("<unk> " * 10_000)
    text = split_text.load(str(folder))
    assert text.unknown == 0
    assert set(text.cut(vocabulary=5).parts["train"]) <= set(range(5))


@pytest.mark.parametrize("part", range(3))
def test_missing_part_is_named(tmp_path, part):
    (folder_of(tmp_path) / WIKITEXT[part]).unlink()
    with pytest.raises(UsageError, match=f"has no {corpus.SPLITS[part]} file: it needs one for"):
        split_text.load(str(tmp_path))


def test_two_files_for_a_part_are_refused(tmp_path):
    (folder_of(tmp_path) / "wiki.test.raw").write_text("x")
    with pytest.raises(UsageError, match=r"2 test files \(wiki.test.raw, wiki.test.tokens\)"):
        split_text.load(str(tmp_path))


@pytest.mark.parametrize("part", range(3))
def test_too_small_a_part_is_refused(tmp_path, part):
    sizes = [3_000, 200, 150]
    sizes[part] = 10
    with pytest.raises(UsageError, match=f"the {corpus.SPLITS[part]} file of .* 30 words, at"):
        split_text.load(str(folder_of(tmp_path, sizes=sizes)))


def test_binary_part_is_refused(tmp_path):
    (folder_of(tmp_path) / WIKITEXT[1]).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="is not UTF-8 text"):
        split_text.load(str(tmp_path))


def test_digest_is_of_all_parts(tmp_path):
    digests = set()
    for changed in (None, *WIKITEXT):
        folder = folder_of(tmp_path)
        if changed:
            with open(folder / changed, "a") as file:
                file.write("more\n")
        split_text.load.cache_clear()
        digests.add(split_text.load(str(folder)).digest)
    assert len(digests) == 4


def test_file_is_divided_as_everywhere(corpus_file):
    text, whole = split_text.load(str(corpus_file)), corpus.load(str(corpus_file))
    assert text.vocabulary == len(whole.words)
    for name, places in whole.positions.items():
        np.testing.assert_array_equal(text.parts[name], whole.tokens[places])


def text_of(*parts):
    parts = {name: np.array(part, np.int32) for name, part in zip("ab", parts, strict=False)}
    return Text("made", "", 10, 3, parts)


def test_rare_words_become_unknown():
    text = text_of([0, 5, 9, 3, 4])
    assert text.cut(vocabulary=5).parts["a"].tolist() == [0, 3, 3, 3, 4]
    assert text.cut(vocabulary=3).parts["a"].tolist() == [0, 2, 2, 2, 2]
    assert text.cut(vocabulary=3).unknown == 2
    assert text.cut(vocabulary=11) == text.cut()


def test_parts_are_cut_apart():
    text = text_of(range(10), range(10)).cut(a=4)
    assert len(text.parts["a"]) == 4 and len(text.parts["b"]) == 10


def test_what_is_kept_of_a_part_comes_from_all_over():
    words = np.arange(100_000)
    kept = thinned(words, 7_000)
    assert len(kept) == 7_000 and kept[0] == 0 and kept[3 * 2000] > 90_000
    assert (np.diff(kept) == 1).sum() == 7_000 - 4
    np.testing.assert_array_equal(thinned(words, 30), words[:30])
    assert thinned(words, None) is words and thinned(words, 10**6) is words


def test_streams_are_stretches_of_the_text():
    assert streams(np.arange(11), 3).tolist() == [[0, 3, 6], [1, 4, 7], [2, 5, 8]]
