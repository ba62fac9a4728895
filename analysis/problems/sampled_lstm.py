"""The LSTM language model of the paper's LM1B experiments, in PyTorch: both tables are sparse.

Embedding, LSTM with a projection, and a softmax table of which training sees some rows: those of
the targets and of `Negatives` that are drawn for the whole batch. The gradients of both tables are
sparse. A row of the softmax table ends in the word's bias.
"""

import torch
from torch import nn
from torch.nn import functional

INITIAL = 0.1


class SampledModel(nn.Module):
    """Words to features, and a table of words to predict from them; words are (length, batch).

    Parameters
    ----------
    biases : ndarray
        Those to begin with, one for each word of the vocabulary.
    dim, width : int
        Columns of the embedding, which are the features', too, and units of the LSTM.
    decoded : int
        Places that are scored at a time where all words are.
    """

    def __init__(self, biases, dim, width, decoded=175):
        super().__init__()
        self.decoded = decoded
        self.embedding = nn.Embedding(len(biases), dim, sparse=True)
        self.layers = nn.LSTM(dim, width, proj_size=dim if dim < width else 0)
        self.output = nn.Embedding(len(biases), dim + 1, sparse=True)
        with torch.no_grad():
            self.embedding.weight.uniform_(-INITIAL, INITIAL)
            self.output.weight.uniform_(-INITIAL, INITIAL)
            self.output.weight[:, -1] = torch.from_numpy(biases)

    def forward(self, words, state=None):
        """Return features (length · batch, dim) and the state to go on from."""
        features, state = self.layers(self.embedding(words), state)
        return features.flatten(0, 1), state

    def losses(self, features, targets):
        """Yield the summed cross-entropy, among all words, of some places after the other."""
        places = features.split(self.decoded), targets.flatten().split(self.decoded)
        weights, biases = self.output.weight[:, :-1], self.output.weight[:, -1]
        for part, wanted in zip(*places, strict=True):
            scores = functional.linear(part, weights, biases)
            yield functional.cross_entropy(scores, wanted, reduction="sum")

    def sampled_loss(self, features, targets, log_expected, negatives, correction):
        """Return the mean cross-entropy of targets (k,) among themselves and the negatives (n,).

        A negative that is the target of a place is left out there.

        Parameters
        ----------
        features : Tensor, (k, dim)
        targets, log_expected : Tensor, (k,)
            Words, and the logarithms of how often each is expected among the draws.
        negatives, correction : Tensor, (n,)
            See `analysis.problems.sampled_softmax.Negatives`; the correction is added.
        """
        rows = self.output(torch.cat([targets, negatives]))
        wanted, others = rows.split([len(targets), len(negatives)])
        of_targets = (features * wanted[:, :-1]).sum(1) + wanted[:, -1] - log_expected
        scores = functional.linear(features, others[:, :-1], others[:, -1]) + correction
        scores = scores.masked_fill(targets[:, None] == negatives, -torch.inf)
        return (torch.logsumexp(torch.cat([of_targets[:, None], scores], 1), 1) - of_targets).mean()
