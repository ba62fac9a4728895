"""A small Transformer encoder that predicts masked words, in PyTorch (Devlin et al. 2019).

Every gradient is dense, that of the embedding, too, whose rows also predict.
"""

import torch
from torch import nn
from torch.nn import functional

INITIAL = 0.02


class MaskedModel(nn.Module):
    """Words (batch, length) to scores of the words at some places.

    Parameters
    ----------
    vocabulary, dim, heads, layers, length : int
        Words, features, heads of attention, layers of the encoder, and the longest sequence.
    """

    def __init__(self, vocabulary, dim, heads, layers, length):
        super().__init__()
        self.mask = vocabulary  # the number of the mark that hides a word
        self.embedding = nn.Embedding(vocabulary + 1, dim)
        self.positions = nn.Parameter(torch.empty(length, dim))
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                dim, heads, 4 * dim, dropout=0.0, activation="gelu", batch_first=True,
                norm_first=True,
            )
            for _ in range(layers)
        )  # fmt: skip
        self.norm = nn.LayerNorm(dim)
        for weight in (self.embedding.weight, self.positions):
            nn.init.normal_(weight, std=INITIAL)

    def forward(self, words, hidden):
        """Return the scores (k, vocabulary) at the k places where `hidden` (batch, length) is true.

        These words are masked first.
        """
        features = self.embedding(words.masked_fill(hidden, self.mask))
        features = features + self.positions[: words.shape[1]]
        for layer in self.layers:
            features = layer(features)
        return functional.linear(self.norm(features[hidden]), self.embedding.weight[: self.mask])
