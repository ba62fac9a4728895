"""From a recorded stream to a trained model, the example of docs/choosing.md.

``.venv/bin/python -m tests.pytorch.choosing record | train``

Which of the 500 most frequent words comes next is predicted from the eight words before it, in the
text that the laboratory trains on (extra ``data``). ``record`` trains for 5 % of the steps with
exact state and writes the gradients of the embedding; ``train`` compares stores for it.
"""

import argparse

import numpy as np
import torch

import sketchlab as sl
import sketchlab.torch as slt
from analysis.problems import corpus

WORDS, CLASSES, DIM, BATCH, STEPS = 8, 500, 64, 256, 1000
STREAM = "gradients.npz"
RATES = (1e-2, 3e-2, 1e-1)
STORES = {
    "exact": {},
    "8 bit / rank-1 lazy, clip": {"m": sl.Quantized(), "v": sl.Rank1(), "clip": "feasible"},
    "8 bit / count-min lazy, clip": {
        "m": sl.Quantized(),
        "v": sl.CountMinSketch(compression=8.2, seed=1),
        "clip": "feasible",
    },
    "head-tail weighted / rank-1, clip": {
        "m": sl.HeadTail(tail=sl.CountSketch(compression=2.9), row_weights=True),
        "v": sl.Rank1(decay="global"),
        "clip": "feasible",
    },
    "count-sketch lazy / count-min lazy": {
        "m": sl.CountSketch(compression=5.2),
        "v": sl.CountMinSketch(compression=5.2, seed=1),
    },
}


class Examples:
    """Contexts and the words that follow them, of a part of the text."""

    def __init__(self, text, split):
        places = text.positions[split]
        places = places[(text.tokens[places] < CLASSES) & (places >= WORDS)]
        self.tokens, self.places = torch.from_numpy(text.tokens.astype(np.int64)), places

    def at(self, chosen):
        """Contexts (b, words) and targets (b,)."""
        places = torch.from_numpy(self.places[chosen])
        return self.tokens[places[:, None] - torch.arange(WORDS, 0, -1)], self.tokens[places]


class Model(torch.nn.Module):
    """The mean of the embeddings, and a linear layer."""

    def __init__(self, words):
        super().__init__()
        self.embedding = torch.nn.EmbeddingBag(words, DIM, sparse=True)
        self.head = torch.nn.Linear(DIM, CLASSES)

    def forward(self, contexts):
        """Scores (b, classes)."""
        return self.head(self.embedding(contexts))


def train(text, stores, lr, steps=STEPS, record=None):
    """Train once; the validation loss and the bytes of the embedding's state."""
    torch.manual_seed(0)
    generator, examples = np.random.default_rng(0), Examples(text, "train")
    model = Model(len(text.words))
    groups = [
        {"params": [model.embedding.weight], **stores},
        {"params": list(model.head.parameters())},
    ]
    opt = slt.Adam(groups, lr=lr)
    recording = record and slt.record(model.embedding.weight, record, steps=steps)
    for step in range(steps):
        for group in opt.param_groups:
            group["lr"] = lr * (1 - step / STEPS)
        contexts, targets = examples.at(generator.integers(len(examples.places), size=BATCH))
        opt.zero_grad()
        torch.nn.functional.cross_entropy(model(contexts), targets).backward()
        opt.step()
    if recording:
        recording.close()
    held_out = Examples(text, "validation")
    with torch.no_grad():
        contexts, targets = held_out.at(np.arange(0, len(held_out.places), 10))
        loss = torch.nn.functional.cross_entropy(model(contexts), targets)
    return loss.item(), opt.state_bytes().parameters[0].kept


def main(what):
    """Record the stream, or train with every store at every rate."""
    text = corpus.load(None)
    if what == "record":
        train(text, {}, 3e-3, STEPS // 20, STREAM)
        print(f"{STREAM}: {STEPS // 20} steps, {len(text.words)} x {DIM}")
        return
    for name, stores in STORES.items():
        found = [train(text, stores, lr) for lr in RATES]
        losses = " ".join(f"{loss:.3f}" for loss, _ in found)
        best, rate = min((loss, rate) for (loss, _), rate in zip(found, RATES))
        print(f"{name}: {found[0][1]:,} bytes, loss {best:.3f} at {rate:g} ({losses})", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("record", "train"))
    main(parser.parse_args().what)
