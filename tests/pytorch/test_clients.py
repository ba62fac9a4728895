"""Clients as their users write them: train, stop, resume, with scaler, scheduler and checkpoint.

Each learns a task that its own code draws, better than a guess; and stopped in the middle and
resumed in a new process's objects it ends in the same bits.
"""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from toys import assert_same_bits

import sketchlab as sl
import sketchlab.torch as slt

STEPS = 60


class WordModel(nn.Module):
    """A word-level LSTM language model; its softmax layer gets dense gradients."""

    words, dim = 800, 16

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(self.words, self.dim, sparse=True)
        self.lstm = nn.LSTM(self.dim, self.dim, batch_first=True)
        self.softmax = nn.Linear(self.dim, self.words)

    def loss(self, step):
        """Of a text in which most words follow from the one before."""
        rng = np.random.default_rng(step)
        text = np.empty((8, 13), np.int64)
        text[:, 0] = rng.zipf(1.5, 8) % self.words
        for place in range(1, 13):
            fresh = rng.zipf(1.5, 8) % self.words
            text[:, place] = np.where(rng.random(8) < 0.1, fresh, (3 * text[:, place - 1] + 1) % 40)
        text = torch.from_numpy(text)
        states, _ = self.lstm(self.embedding(text[:, :-1]))
        return cross_entropy(self.softmax(states).flatten(0, 1), text[:, 1:].flatten())

    def groups(self):
        """Both tables sketched, the LSTM exact."""
        sketched = {"m": sl.CountSketch(), "v": sl.CountMinSketch()}
        return [
            {"params": self.embedding.parameters(), **sketched},
            {"params": self.softmax.parameters(), "v": sl.Rank1()},
            {"params": self.lstm.parameters()},
        ]

    guess = np.log(40)


class BagClassifier(nn.Module):
    """Texts as bags of words, by an embedding bag."""

    words, classes = 2000, 4

    def __init__(self):
        super().__init__()
        self.bag = nn.EmbeddingBag(self.words, 8, mode="mean", sparse=True)
        self.head = nn.Linear(8, self.classes)

    def loss(self, step):
        """Of bags with words of their class, and others."""
        rng = np.random.default_rng(step)
        labels = rng.integers(0, self.classes, 24)
        lengths = rng.integers(3, 9, 24)
        words = [
            np.where(
                rng.random(n) < 0.7, label + 4 * rng.integers(0, 20, n), rng.integers(0, 2000, n)
            )
            for label, n in zip(labels, lengths)
        ]
        offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        found = self.bag(torch.from_numpy(np.concatenate(words)), torch.from_numpy(offsets))
        return cross_entropy(self.head(found), torch.from_numpy(labels))

    def groups(self):
        """The table's first moment in a head of exact rows and a sketch."""
        head = sl.HeadTail(tail=sl.CountSketch(), row_weights=True)
        v = sl.CountMinSketch(decay="global")
        return [
            {"params": self.bag.parameters(), "m": head, "v": v, "clip": "feasible"},
            {"params": self.head.parameters(), "weight_decay": 0.01},
        ]

    guess = np.log(classes)


class TwoTowers(nn.Module):
    """Users and items as vectors whose product says if they fit."""

    users, items = 1500, 900

    def __init__(self):
        super().__init__()
        self.user = nn.Embedding(self.users, 8, sparse=True)
        self.item = nn.Embedding(self.items, 8, sparse=True)
        self.project = nn.Linear(8, 8)
        for table in (self.user, self.item):
            nn.init.normal_(table.weight, std=0.5)

    def loss(self, step):
        """Of pairs that fit if both numbers are even or both odd."""
        rng = np.random.default_rng(step)
        user, item = rng.integers(0, 60, 64), rng.integers(0, 60, 64)
        fits = torch.from_numpy(((user + item) % 2 == 0).astype(np.float32))
        users = self.project(self.user(torch.from_numpy(user)))
        scores = (users * self.item(torch.from_numpy(item))).sum(dim=1)
        return binary_cross_entropy_with_logits(scores, fits)

    def groups(self):
        """Two tables of one group, so of one description and different hashes."""
        tables = [*self.user.parameters(), *self.item.parameters()]
        return [
            {"params": tables, "v": sl.CountMinSketch(decay="bucket")},
            {"params": self.project.parameters()},
        ]

    guess = np.log(2)


class Run:
    """A model, its optimizer, scaler and scheduler."""

    def __init__(self, model):
        torch.manual_seed(0)
        self.model = model()
        self.opt = slt.Adam(self.model.groups(), lr=0.03)
        self.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**8, growth_interval=20)
        self.rates = torch.optim.lr_scheduler.OneCycleLR(self.opt, 0.05, total_steps=STEPS + 1)
        self.losses = []

    def parts(self):
        return self.model, self.opt, self.scaler, self.rates

    def train(self, first, last):
        for step in range(first, last):
            self.opt.zero_grad()
            loss = self.model.loss(step)
            self.scaler.scale(loss).backward()
            self.scaler.unscale_(self.opt)
            slt.clip_grad_norm_(self.model.parameters(), 5.0)
            self.scaler.step(self.opt)
            self.scaler.update()
            self.rates.step()
            self.losses.append(loss.item())

    def save(self, path):
        torch.save([part.state_dict() for part in self.parts()], path)

    def load(self, path):
        for part, state in zip(self.parts(), torch.load(path, weights_only=True), strict=True):
            part.load_state_dict(state)


@pytest.mark.parametrize("model", [WordModel, BagClassifier, TwoTowers])
def test_a_client_learns_and_resumes_to_the_same_bits(model, tmp_path):
    straight = Run(model)
    straight.train(0, STEPS)
    assert np.mean(straight.losses[-10:]) < 0.9 * model.guess
    sizes = straight.opt.state_bytes()
    assert sizes.kept < 0.75 * sizes.exact

    stopped = Run(model)
    stopped.train(0, STEPS // 2)
    stopped.save(tmp_path / "checkpoint.pt")
    resumed = Run(model)
    resumed.load(tmp_path / "checkpoint.pt")
    resumed.train(STEPS // 2, STEPS)
    assert_same_bits(resumed.model.parameters(), straight.model.parameters())
    assert stopped.losses + resumed.losses == straight.losses
