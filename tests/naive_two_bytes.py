"""An oracle of cells of two bytes: plain loops over single-precision numbers, to the bit.

Written from the definition, not from the library: a number is computed as a float32 and kept as its
upper sixteen bits, to whose lower sixteen a random number is added first. Python's floats are
doubles; rounding each sum and product of two float32 to a float32 gives what a processor gives.
"""

import struct

from naive import bucket, hash_constants, sign, splitmix64

MASK64 = 2**64 - 1


def single(x):
    """The nearest float32."""
    return struct.unpack("<f", struct.pack("<f", x))[0]


def keep(x, random):
    """The two bytes that are kept of a float32, as an integer."""
    return (struct.unpack("<I", struct.pack("<f", x))[0] + random) >> 16


def widen(bits):
    """The float32 that two bytes stand for."""
    return struct.unpack("<f", struct.pack("<I", bits << 16))[0]


def random_table():
    """4,096 numbers, 8 and every sixteenth after it, in the order of as many hashes."""
    draws = splitmix64(0, 4096)
    return [16 * place + 8 for place in sorted(range(4096), key=draws.__getitem__)]


class Cells:
    """The cells of one variable: row i has one in each of `depth` tables, or one to itself.

    `kind` is dense, or how a sketch changes: lazy, global, bucket or conservative. The recursion is
    x ← keep·x + gain·u; where everything decays, numbers are kept divided by a `multiplier`.
    """

    def __init__(self, kind, n, dim, depth, width, seed, signed):
        self.kind, self.dim, self.depth, self.signed = kind, dim, depth, signed
        self.width, self.constants = width, hash_constants(seed, depth)
        self.table = [[0] * dim for _ in range(n if "dense" in kind else depth * width)]
        self.start, self.writes = splitmix64(seed, 1)[0], 0
        self.randoms, self.multiplier = random_table(), 1.0

    def places(self, row):
        """The row's cells and signs."""
        if "dense" in self.kind:
            return [(row, 1)]
        return [
            (j * self.width + bucket(row, a, b, self.width), sign(row, c, d) if self.signed else 1)
            for j, (a, b, c, d) in enumerate(self.constants)
        ]

    def read(self, row):
        """The row's answer, of the divided table."""
        answer = []
        for c in range(self.dim):
            values = sorted(s * widen(self.table[cell][c]) for cell, s in self.places(row))
            low, high = values[(len(values) - 1) // 2], values[len(values) // 2]
            middle = low if len(values) % 2 else single(low / 2 + high / 2)
            answer.append(middle if self.signed else values[0])
        return answer

    def write(self, row, cell, values):
        """Keep what a row leaves in a cell."""
        key = splitmix64((self.start + self.writes) & MASK64, 1)[0]
        mixed = row * 0x9E3779B97F4A7C15 + cell * 0xB504F333F9DE6485 + key
        place = (mixed & MASK64) >> 52
        self.table[cell] = [keep(x, self.randoms[(place + c) % 4096]) for c, x in enumerate(values)]

    def step(self, batch, keep, gain, squared):
        """One step, of a dict from rows to gradients."""
        fades = "global" in self.kind or self.kind == "conservative"
        if fades:
            self.multiplier *= keep
        self.writes += 1
        less, gain = single(0.0 if fades else keep - 1), single(gain / self.multiplier)
        added, answers = {}, {}
        for row, gradient in batch.items():
            added[row] = [
                single(single(gain * g) * g) if squared else single(gain * g) for g in gradient
            ]
            answers[row] = self.read(row)
        for j in range(len(self.places(0))):
            self._change(sorted(batch), j, added, answers, less)

    def _change(self, rows, j, added, answers, less):
        """The changes under one hash function, in ascending order of rows."""
        in_cell = {}
        for row in rows:
            in_cell.setdefault(self.places(row)[j][0], []).append(row)
        for cell, sharing in in_cell.items():
            for row in sharing:
                s = self.places(row)[j][1]
                before = [widen(bits) for bits in self.table[cell]]
                if self.kind == "bucket" and row == sharing[0]:
                    less_all = single(len(sharing) * less)
                    before = [single(x + single(less_all * x)) for x in before]
                values = []
                for x, u, answer in zip(before, added[row], answers[row]):
                    if self.kind == "conservative":
                        values.append(max(x, single(answer + u)))
                    elif self.kind == "lazy":
                        values.append(single(x + s * single(single(less * answer) + u)))
                    elif self.kind == "dense-lazy":
                        values.append(single(x + single(single(less * x) + u)))
                    else:
                        values.append(single(x + s * u))
                self.write(row, cell, values)
