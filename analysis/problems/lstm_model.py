"""The LSTM language model of the paper's experiments, in PyTorch.

Embedding, LSTM layers and a linear decoder over the whole vocabulary, with dropout between them
(Zaremba et al. 2014). As in the released code gradients of the embedding alone are sparse.
"""

import math

import torch
from torch import nn
from torch.nn import functional

INITIAL = 0.1


class LanguageModel(nn.Module):
    """Words to features, and a decoder to be applied to them; words are (length, batch).

    Parameters
    ----------
    vocabulary, dim, width, layers : int
        Words, columns of the embedding, units of a layer, and layers.
    dropout : float
    decoded : int
        Places that are decoded at a time: fewer logits stay in the cache, and take less memory.
    """

    def __init__(self, vocabulary, dim, width, layers, dropout, decoded=175):
        super().__init__()
        self.decoded = decoded
        self.embedding = nn.Embedding(vocabulary, dim, sparse=True)
        self.lstm = nn.LSTM(dim, width, layers, dropout=dropout if layers > 1 else 0.0)
        self.decoder = nn.Linear(width, vocabulary)
        self.dropout = nn.Dropout(dropout)
        for weight in (self.embedding.weight, self.decoder.weight):
            nn.init.uniform_(weight, -INITIAL, INITIAL)
        nn.init.zeros_(self.decoder.bias)

    def forward(self, words, state=None):
        """Return features (length · batch, width) and the state to go on from."""
        features, state = self.lstm(self.dropout(self.embedding(words)), state)
        return self.dropout(features).flatten(0, 1), state

    def losses(self, features, targets):
        """Yield the summed cross-entropy of some places after the other."""
        parts = zip(
            features.split(self.decoded), targets.flatten().split(self.decoded), strict=True
        )
        for part, wanted in parts:
            yield functional.cross_entropy(self.decoder(part), wanted, reduction="sum")

    def others(self):
        """The parameters of LSTM and decoder."""
        return [*self.lstm.parameters(), *self.decoder.parameters()]


def backward(model, words, targets, state):
    """Compute the gradients of the mean cross-entropy of a segment.

    Returns
    -------
    float, tuple
        The loss, and the state to go on from, through which no gradient flows.
    """
    features, state = model(words, state)
    held = features.detach().requires_grad_()
    total = 0.0
    for loss in model.losses(held, targets):
        (loss / len(features)).backward()
        total += loss.item()
    features.backward(held.grad)
    return total / len(features), tuple(each.detach() for each in state)


@torch.no_grad()
def perplexity(model, streams, length):
    """Return the perplexity over streams (words, batch), read in segments of a length."""
    model.eval()
    total, state = 0.0, None
    for words, targets in segments(streams, length):
        features, state = model(words, state)
        total += sum(loss.item() for loss in model.losses(features, targets))
    model.train()
    mean = total / (streams.numel() - streams.shape[1])
    return math.exp(mean) if mean < math.log(1e300) else math.inf


def segments(streams, length):
    """Yield words and the words that follow them, of one segment after the other."""
    last = len(streams) - 1
    for begin in range(0, last, length):
        end = min(begin + length, last)
        yield streams[begin:end], streams[begin + 1 : end + 1]
