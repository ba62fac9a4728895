"""The tables of Spring et al. (2019) as published, to be set beside what is measured here.

Hours, megabytes and perplexities are the paper's own, on its data and its machines. Nothing here
was measured by this laboratory.
"""

from typing import NamedTuple


class PublishedTable(NamedTuple):
    """One table of the paper, or the one of its released code.

    Attributes
    ----------
    number : str
        As printed; ``"README"`` for the table that came with the released code.
    task : str
        Data, model and optimizer.
    quantities : tuple of str
        What its columns hold, with units.
    rows : dict of str to tuple
        Of each way to keep the optimizer's state, one number for each quantity.
    """

    number: str
    task: str
    quantities: tuple
    rows: dict

    def of(self, quantity):
        """Return one column: a dict from row to number.

        Raises
        ------
        KeyError
            If the table has no such column; it names those that it has.
        """
        if quantity not in self.quantities:
            raise KeyError(f"table {self.number} has {', '.join(self.quantities)}; not {quantity}")
        at = self.quantities.index(quantity)
        return {name: values[at] for name, values in self.rows.items()}

    def sentence(self, quantity):
        """Return one column as text, for a caption or a note below a table."""
        numbers = ", ".join(f"{name} {value:g}" for name, value in self.of(quantity).items())
        place = f"Table {self.number}" if self.number.isdigit() else self.number
        return f"{place} ({self.task}), {quantity}: {numbers}"


PERPLEXITY = "test perplexity"
MEMORY = "memory, MB"
HOURS = "hours an epoch"

TABLES = {
    table.number: table
    for table in (
        PublishedTable(
            "3",
            "Wikitext-2, LSTM, Momentum",
            (PERPLEXITY,),
            {"exact": (94.25,), "CS": (95.93,), "LR-NMF": (176.31,)},
        ),
        PublishedTable(
            "4",
            "Wikitext-2, LSTM, Adam",
            (PERPLEXITY,),
            {"exact": (105.14,), "CS-MV": (109.24,), "CS-V": (106.32,), "LR-NMF-V": (106.21,)},
        ),
        PublishedTable(
            "5",
            "ImageNet, ResNet-18",
            (HOURS, MEMORY, "top-1 accuracy, %"),
            {
                "SGD": (0.64, 9257, 69.76),
                "CMS": (0.60, 9495, 69.12),
                "RMSprop": (0.61, 9603, 65.27),
            },
        ),
        PublishedTable(
            "6",
            "Wikitext-103, LSTM, Adagrad",
            (HOURS, MEMORY, PERPLEXITY),
            {
                "exact": (6.4, 10625, 57.63),
                "CS": (6.6, 10089, 56.07),
                "LR-NMF": (6.7, 10077, 58.27),
            },
        ),
        PublishedTable(
            "7",
            "LM1B, Transformer-XL, RMSprop",
            (HOURS, MEMORY, PERPLEXITY),
            {
                "exact": (11.75, 5169, 38.83),
                "CMS": (12.0, 4941, 39.36),
                "LR-NMF": (13.9, 5169, 37.56),
            },
        ),
        PublishedTable(
            "8",
            "LM1B, LSTM, Adam",
            (HOURS, MEMORY),
            {
                "exact": (5.28, 10813),
                "CS-MV": (5.42, 7693),
                "CS-V": (5.35, 9269),
                "LR-NMF-V": (5.84, 11645),
            },
        ),
        PublishedTable(
            "9",
            "LM1B, LSTM, Adam, 5 epochs",
            (PERPLEXITY,),
            {"exact": (39.90,), "CS-MV": (40.55,), "CS-V": (39.88,), "LR-NMF-V": (40.41,)},
        ),
        PublishedTable(
            "10",
            "Amazon, MACH, 4 meta-classifiers",
            ("batch", HOURS, "Recall@100"),
            {"Adam": (750, 5.32, 0.4704), "CS-V": (2600, 3.3, 0.4789)},
        ),
        PublishedTable(
            "README",
            "BERT-Large",
            ("days", MEMORY, "perplexity"),
            {"Adam": (5.32, 7097, 4.04), "CMS-RMSprop": (5.52, 5133, 4.18)},
        ),
    )
}

#: Steps of the runs in Tables 3 and 4 (40 epochs of 2,088,628 words, batches of 20 × 35), and in
#: Table 9 (5 epochs of about 0.8 billion words, batches of 1,024 × 20).
STEPS = {"Wikitext-2": 119_000, "LM1B": 190_000}

#: Recall@100 of Table 10's text, with 16 meta-classifiers.
RECALL_OF_16 = {"Adam": 0.6881, "CS-V": 0.6889}

#: LM1B, both large layers, Adam: GB with exact and with sketched state (abstracts).
ABSTRACT_GB = {"arXiv": (11.7, 8.6), "ICML": (10.8, 7.7)}

#: Amazon, 49.5 million classes: share of an epoch's time saved, growth of the batch (abstract).
ABSTRACT_TIME_SAVED = 0.38
ABSTRACT_BATCH_GROWTH = 3.5

#: Figure A.2: the midpoints of gradient, M and V are below this on average; 0.5 if uniform.
MIDPOINT = 0.2

#: Amazon, GB of one MACH classifier's training (text beside Table 10).
AMAZON_GB = {"Adam": 4.0, "CS-V": 2.6}


def perplexity_to_exact(number, state):
    """A table's perplexity of a way to keep state against exact, as text; '' if it has none."""
    perplexities = TABLES[number].of(PERPLEXITY)
    if state not in perplexities:
        return ""
    return f"{perplexities[state] / perplexities['exact'] - 1:+.1%} ({number})".replace("%", " %")
