"""Oracles: every algorithm once more, in plain Python loops over float64 scalars.

Written from the papers and the design, never from the library's kernels, so that agreement means
something. Vectors are lists, tables are lists of rows, and a batch of updates is a dict from row to
vector. NumPy appears in one place, the singular value decomposition behind `Rank1SVD`.
"""

from functools import cache
from math import erfc, exp, sqrt

import numpy as np

MASK64 = 2**64 - 1


# ---------------------------------------------------------------- hashing


def splitmix64(seed, count):
    """First `count` outputs of splitmix64 (Steele, Lea & Flood 2014), started at `seed`."""
    state, outputs = seed & MASK64, []
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & MASK64
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK64
        outputs.append(z ^ (z >> 31))
    return outputs


def hash_constants(seed, depth):
    """For each j: (bucket a, bucket b, sign a, sign b), in the order in which they are drawn."""
    draws = splitmix64(seed, 4 * depth)
    return [tuple(draws[4 * j : 4 * j + 4]) for j in range(depth)]


def multiply_shift(row, a, b):
    """Upper half of a·row + b mod 2⁶⁴: strongly universal for row < 2³² (Dietzfelbinger 1996)."""
    return ((a * row + b) & MASK64) >> 32


def bucket(row, a, b, width):
    """Bucket of a row: neighbouring buckets become one when the width halves."""
    return (multiply_shift(row, a, b) * width) >> 32


def sign(row, a, b):
    """Sign of a row: +1 where the top bit of the hash is 0, else −1."""
    return 1 if multiply_shift(row, a, b) >> 31 == 0 else -1


# ---------------------------------------------------------------- stores


class Store:
    """What all stores share: how they answer while a step is taken."""

    def answer(self, row):
        """What the rule reads of a row of the step: the store as all the additions leave it."""
        return self.query(row)


class Dense(Store):
    """The exact auxiliary variable, one vector a row."""

    def __init__(self, n, dim, decay="lazy"):
        self.decay = decay
        self.x = [[0.0] * dim for _ in range(n)]

    def accumulate(self, keep, gain, batch):
        """x ← keep·x + gain·u on the batch's rows; `global` decays all the other rows too."""
        for row, vector in enumerate(self.x):
            if self.decay == "global" or row in batch:
                for c in range(len(vector)):
                    vector[c] *= keep
        for row, u in batch.items():
            for c in range(len(u)):
                self.x[row][c] += gain * u[c]

    def query(self, row):
        """The row itself."""
        return list(self.x[row])

    def scale(self, factor):
        """Multiply everything."""
        self.x = [[factor * value for value in vector] for vector in self.x]


class Sketch(Store):
    """A (depth, width, dim) table of buckets (Spring et al. 2019, §4: UPDATE and QUERY).

    The subclasses say which signs a row carries and how its `depth` cells become one answer.
    """

    def __init__(self, dim, depth, width, seed, decay):
        self.dim, self.depth, self.width, self.decay = dim, depth, width, decay
        self.constants = hash_constants(seed, depth)
        self.table = [[[0.0] * dim for _ in range(width)] for _ in range(depth)]
        self.own_answers = {}

    def bucket(self, j, row):
        """h_j(row)."""
        a, b, _, _ = self.constants[j]
        return bucket(row, a, b, self.width)

    def cells(self, row):
        """The row's `depth` vectors, signs not applied."""
        return [self.table[j][self.bucket(j, row)] for j in range(self.depth)]

    def query(self, row):
        """MEDIAN or MIN over j of s_j(row)·S[j, h_j(row)]."""
        cells = self.cells(row)
        return [
            self.combine([self.sign(j, row) * cells[j][c] for j in range(self.depth)])
            for c in range(self.dim)
        ]

    def answer(self, row):
        """After all additions, but by the row's own alone in the released kernels."""
        return self.own_answers[row] if self.decay == "bucket" else self.query(row)

    def accumulate(self, keep, gain, batch):
        """One decayed addition: all reads, then all writes (Algorithms 2–4)."""
        if self.decay == "global":
            self.scale(keep)
            keep = 1.0
        if self.decay == "bucket":
            self.answer_own(keep, gain, batch)
            changes = self.bucket_changes(keep, gain, batch)
        else:
            changes = self.lazy_changes(keep, gain, batch)
        for j, b, change in changes:
            for c in range(self.dim):
                self.table[j][b][c] += change[c]

    def lazy_changes(self, keep, gain, batch):
        """(keep − 1)·x̂ + gain·u with the queried x̂, the same for all the cells of a row."""
        changes = []
        for row, u in batch.items():
            estimate = self.query(row)
            addition = [(keep - 1) * estimate[c] + gain * u[c] for c in range(self.dim)]
            for j in range(self.depth):
                signed = [self.sign(j, row) * value for value in addition]
                changes.append((j, self.bucket(j, row), signed))
        return changes

    def bucket_changes(self, keep, gain, batch):
        """(keep − 1)·S_j + gain·s·u with each cell's own old value (the released kernels)."""
        changes = []
        for row, u in batch.items():
            for j, cell in enumerate(self.cells(row)):
                s = self.sign(j, row)
                change = [(keep - 1) * cell[c] + s * gain * u[c] for c in range(self.dim)]
                changes.append((j, self.bucket(j, row), change))
        return changes

    def answer_own(self, keep, gain, batch):
        """Answer each row by its old cells, to each of which its own update is brought."""
        for row, u in batch.items():
            self.own_answers[row] = []
            for c in range(self.dim):
                values = []
                for j, cell in enumerate(self.cells(row)):
                    s = self.sign(j, row)
                    new = cell[c] + (keep - 1) * cell[c] + s * gain * u[c]
                    values.append(s * new)
                self.own_answers[row].append(self.combine(values))

    def scale(self, factor):
        """Multiply everything."""
        for j in range(self.depth):
            for b in range(self.width):
                for c in range(self.dim):
                    self.table[j][b][c] *= factor

    def merge(self, other):
        """Add another sketch's cells: the sketch of the sum, for count-min an upper bound."""
        for j in range(self.depth):
            for b in range(self.width):
                for c in range(self.dim):
                    self.table[j][b][c] += other.table[j][b][c]

    def fold(self):
        """Half the width: neighbouring buckets become one."""
        self.width //= 2
        self.table = [
            [
                [self.join(layer[2 * b][c], layer[2 * b + 1][c]) for c in range(self.dim)]
                for b in range(self.width)
            ]
            for layer in self.table
        ]

    def join(self, left, right):
        """One bucket from two."""
        return left + right


class CountSketch(Sketch):
    """Signed values, answered by the median (Charikar et al. 2002)."""

    def sign(self, j, row):
        """s_j(row)."""
        _, _, a, b = self.constants[j]
        return sign(row, a, b)

    def combine(self, values):
        """Median; the mean of the two middle values of an even number."""
        ordered, half = sorted(values), len(values) // 2
        return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


class CountMin(Sketch):
    """Non-negative values, answered by the minimum (Cormode & Muthukrishnan 2005)."""

    def sign(self, j, row):
        """No signs."""
        return 1

    def combine(self, values):
        """Minimum."""
        return min(values)


class ConservativeCountMin(CountMin):
    """Count-min whose buckets rise only as far as needed (Estan & Varghese 2002), in batches."""

    def accumulate(self, keep, gain, batch):
        """Decay all; raise every cell to the largest target of the rows that hash to it."""
        self.scale(keep)
        targets = {}
        for row, u in batch.items():
            estimate = self.query(row)
            targets[row] = [estimate[c] + gain * u[c] for c in range(self.dim)]
        for row, target in targets.items():
            for cell in self.cells(row):
                for c in range(self.dim):
                    cell[c] = max(cell[c], target[c])

    def join(self, left, right):
        """The larger of two upper bounds holds for the rows of both."""
        return max(left, right)


class HeadTail(Store):
    """Some rows exactly, all others in a sketch (theory §7; Roy et al. 2016)."""

    def __init__(self, description, n, dim):
        tail = description.tail
        budget = n / tail.compression
        heads = int(description.head * budget)
        width = max(1, int((1 - description.head) * budget / tail.depth))
        if tail.width:
            width = tail.width
            heads = min(n, int(description.head * tail.depth * width / (1 - description.head)))
        self.exact = Dense(n, dim, "global" if tail.decay == "global" else "lazy")
        self.sketch = sketch(tail, dim, width)
        self.head, self.signed = list(range(heads)), type(tail).__name__ == "CountSketch"
        self.touches = [0] * n if description.rows == "frequent" else None
        self.every, self.clean, self.steps = description.every, tail.clean, 0

    def accumulate(self, keep, gain, batch):
        """Each part takes its rows."""
        head = {row: u for row, u in batch.items() if row in self.head}
        self.exact.accumulate(keep, gain, head)
        self.sketch.accumulate(keep, gain, {row: batch[row] for row in batch if row not in head})
        if self.touches:
            for row in batch:
                self.touches[row] += 1

    def query(self, row):
        """From the part that has the row."""
        return self.part(row).query(row)

    def answer(self, row):
        """Likewise."""
        return self.part(row).answer(row)

    def part(self, row):
        """Head or tail."""
        return self.exact if row in self.head else self.sketch

    def scale(self, factor):
        """Multiply everything."""
        self.exact.scale(factor)
        self.sketch.scale(factor)

    def end_step(self):
        """Clean the tail; every so often let the rows touched most often into the head."""
        self.steps += 1
        if self.clean and self.steps % self.clean.every == 0:
            self.sketch.scale(self.clean.factor)
        if self.touches and self.steps % self.every == 0:
            self.promote()

    def promote(self):
        """Rank rows by touches, then those already in the head first, then by number."""
        ranked = sorted(
            range(len(self.touches)),
            key=lambda row: (-self.touches[row], row not in self.head, row),
        )
        wanted = ranked[: len(self.head)]
        coming = {row: self.sketch.query(row) for row in wanted if row not in self.head}
        leaving = [row for row in self.head if row not in wanted]
        for row in leaving:
            self.put_into_tail(row, self.exact.x[row])
            self.exact.x[row] = [0.0] * len(self.exact.x[row])
        for row, estimate in coming.items():
            if self.signed:
                self.put_into_tail(row, [-value for value in estimate])
            self.exact.x[row] = list(estimate)
        self.head = wanted

    def raw(self, row):
        """As the part that has the row reads it, where the tail is shrunken."""
        return self.exact.query(row) if row in self.head else self.sketch.raw(row)

    def trust(self, row):
        """A row in the head is exact."""
        return 1.0 if row in self.head else self.sketch.trust(row)

    def put_into_tail(self, row, values):
        """Add a row to the tail, or raise its cells to it where the tail is conservative."""
        for j, cell in enumerate(self.sketch.cells(row)):
            for c in range(len(values)):
                if isinstance(self.sketch, ConservativeCountMin):
                    cell[c] = max(cell[c], values[c])
                else:
                    cell[c] += self.sketch.sign(j, row) * values[c]


class Weighted(Store):
    """Another store's answers, divided by each row's own weight (theory §7, row weights).

    Times the weight of a row that was touched at every step: the scale of the exact variable.
    """

    def __init__(self, inner, n):
        self.inner, self.weights, self.full = inner, [0.0] * n, 0.0

    def accumulate(self, keep, gain, batch):
        """A weight is what the variable would be if every gradient were one."""
        self.inner.accumulate(keep, gain, batch)
        self.full = keep * self.full + gain
        for row in range(len(self.weights)):
            self.weights[row] = keep * self.weights[row] + (gain if row in batch else 0.0)

    def query(self, row):
        """Zero for a row that was never touched."""
        weight = self.weights[row]
        return [value * self.full / weight if weight else 0.0 for value in self.inner.query(row)]

    def scale(self, factor):
        """Multiply the variable, not the weights."""
        self.inner.scale(factor)

    def end_step(self):
        """What the other store does then."""
        if hasattr(self.inner, "end_step"):
            self.inner.end_step()


class Shrunken(Weighted):
    """Row weights over a sketch that is trusted as far as its hash functions agree (theory §9).

    A step reads the sketch once, decayed and without the step's additions, and joins what it reads
    with the row's own gradient, which is known exactly.
    """

    def accumulate(self, keep, gain, batch):
        """F·(f·y + gain·g) / (f·W + gain) for each row, then the additions."""
        self.inner.scale(keep)
        past, full = [keep * weight for weight in self.weights], keep * self.full + gain
        self.answers = {}
        for row, u in batch.items():
            f, y = self.trust(row), self.inner.raw(row)
            self.answers[row] = [
                full * (f * y[c] + gain * u[c]) / (f * past[row] + gain) for c in range(len(u))
            ]
        self.inner.accumulate(1.0, gain, batch)
        self.full = full
        self.weights = [weight + (gain if row in batch else 0.0) for row, weight in enumerate(past)]

    def trust(self, row):
        """What is read for a row that was never touched is noise."""
        return self.inner.trust(row) if self.weights[row] else 0.0

    def answer(self, row):
        """What the step has read."""
        return self.answers[row]

    def end_step(self):
        """A row that comes into the head brings f·y, so that its weight is f times as large."""
        head = set(getattr(self.inner, "head", ()))
        trusts = [self.trust(row) for row in range(len(self.weights))]
        super().end_step()
        for row in set(getattr(self.inner, "head", ())) - head:
            self.weights[row] *= trusts[row]


class ShrunkenSketch(CountSketch):
    """A count-sketch whose median is shrunken as far as its hash functions disagree."""

    def raw(self, row):
        """The median."""
        return super().query(row)

    def trust(self, row):
        """f = cross / (cross + κ·(auto − cross)), 0 where cross is not positive.

        κ is the variance of the median of `depth` readings over that of one, for Gaussian noise.
        """
        readings = [
            [self.sign(j, row) * value for value in cell] for j, cell in enumerate(self.cells(row))
        ]
        squares = [sum(value * value for value in e) for e in readings]
        products = [
            sum(left * right for left, right in zip(readings[a], readings[b], strict=True))
            for b in range(self.depth)
            for a in range(b)
        ]
        auto, cross = sum(squares) / len(squares), sum(products) / len(products)
        if cross <= 0:
            return 0.0
        return cross / (cross + median_variance(self.depth) * max(0.0, auto - cross))

    def query(self, row):
        """The median times f."""
        return [self.trust(row) * value for value in self.raw(row)]


@cache
def median_variance(count):
    """Variance of the median of `count` standard normals; of the mean of the middle two.

    The middle one has a density like (Φ(x)·(1 − Φ(x)))^half·φ(x); the middle two, z − t and z + t
    with t > 0, like (Φ(z − t)·(1 − Φ(z + t)))^(half − 1)·φ(z − t)·φ(z + t). Sums over equal steps,
    of z and of u in t = exp(u − exp(−u)), which converge faster than any power of the step.
    """
    half, total, second = count // 2, 0.0, 0.0
    for i in range(-160, 161):
        z = 0.05 * i
        weight = 0.0
        if count % 2:
            weight = (below(z) * below(-z)) ** half * exp(-z * z / 2)
        else:
            for k in range(-80, 61):
                u = 0.05 * k
                t = exp(u - exp(-u))
                slope = t * (1 + exp(-u))
                weight += (below(z - t) * below(-z - t)) ** (half - 1) * exp(-z * z - t * t) * slope
        total, second = total + weight, second + weight * z * z
    return second / total


def below(x):
    """Φ(x)."""
    return erfc(-x / sqrt(2)) / 2


class Rank1(Store):
    """Row sums × column sums / total, for non-negative values (Shazeer & Stern 2018, Adafactor)."""

    def __init__(self, n, dim, decay="lazy"):
        self.decay = decay
        self.row_sums, self.column_sums = [0.0] * n, [0.0] * dim

    def query(self, row):
        """R_row·C / ΣC, and 0 where nothing was ever added."""
        total = sum(self.column_sums)
        if total == 0:
            return [0.0] * len(self.column_sums)
        return [self.row_sums[row] * column / total for column in self.column_sums]

    def accumulate(self, keep, gain, batch):
        """Add each active row's change to its row sum and to the column sums."""
        if self.decay == "global":
            self.scale(keep)
            keep = 1.0
        changes = {}
        for row, u in batch.items():
            estimate = self.query(row)
            changes[row] = [(keep - 1) * estimate[c] + gain * u[c] for c in range(len(u))]
        for row, change in changes.items():
            self.row_sums[row] += sum(change)
            for c in range(len(change)):
                self.column_sums[c] += change[c]

    def scale(self, factor):
        """Multiply both sums, hence the estimate."""
        self.row_sums = [factor * value for value in self.row_sums]
        self.column_sums = [factor * value for value in self.column_sums]


class Rank1SVD(Dense):
    """The best rank-1 approximation, renewed by an SVD after every update (paper, ℓ2 rank-1)."""

    def accumulate(self, keep, gain, batch):
        """As the exact variable does, then cut down to the first singular triple."""
        super().accumulate(keep, gain, batch)
        left, singular, right = np.linalg.svd(self.x, full_matrices=False)
        self.x = [
            [float(left[row, 0] * singular[0] * right[0, c]) for c in range(len(vector))]
            for row, vector in enumerate(self.x)
        ]


class RowWise(Store):
    """One number a row: the mean over its columns (row-wise Adagrad)."""

    def __init__(self, n, dim, decay="lazy"):
        self.dim, self.exact = dim, Dense(n, 1, decay)

    def accumulate(self, keep, gain, batch):
        """As the exact variable of one column that the means make."""
        means = {row: [sum(u) / self.dim] for row, u in batch.items()}
        self.exact.accumulate(keep, gain, means)

    def query(self, row):
        """The same for all columns."""
        return self.exact.query(row) * self.dim

    def scale(self, factor):
        """Multiply everything."""
        self.exact.scale(factor)


class SM3(Store):
    """SM3-II over all entries of the table, whether they change or not (Anil et al. 2019)."""

    def __init__(self, n, dim):
        self.rows, self.columns = [0.0] * n, [0.0] * dim

    def query(self, row):
        """The smaller of both bounds."""
        return [min(self.rows[row], column) for column in self.columns]

    def accumulate(self, keep, gain, batch):
        """Every entry's new value bounds its row and its column; the old bounds are dropped."""
        entries = []
        for row in range(len(self.rows)):
            u = batch.get(row, [0.0] * len(self.columns))
            old = self.query(row)
            entries.append([keep * old[c] + gain * u[c] for c in range(len(u))])
        self.rows = [max(entry) for entry in entries]
        self.columns = [max(column) for column in zip(*entries, strict=True)]

    def scale(self, factor):
        """Multiply both bounds."""
        self.rows = [factor * value for value in self.rows]
        self.columns = [factor * value for value in self.columns]


def dynamic_code(bits):
    """What a string of bits stands for: zeros are powers of ten, what follows the one a fraction.

    Without a one it is zero. Fractions divide (0.1, 1] evenly (Dettmers et al. 2022, but with 1).
    """
    if "1" not in bits:
        return 0.0
    zeros, fraction = bits.index("1"), bits[bits.index("1") + 1 :]
    part = (int("0" + fraction, 2) + 1) / 2 ** len(fraction)
    return 10.0**-zeros * (0.1 + 0.9 * part)


class Quantized(Dense):
    """A byte a number: the nearest code after division by the largest of its block."""

    def __init__(self, n, dim, decay, block, signed):
        super().__init__(n, dim, decay)
        self.block = block
        self.codes = [dynamic_code(f"{p:0{7 if signed else 8}b}") for p in range(2 ** (8 - signed))]

    def accumulate(self, keep, gain, batch):
        """As the exact variable does; then the rows of the step are rounded, block by block."""
        super().accumulate(keep, gain, batch)
        for row in batch:
            vector = self.x[row]
            self.x[row] = [
                rounded
                for start in range(0, len(vector), self.block)
                for rounded in self.round(vector[start : start + self.block])
            ]

    def round(self, values):
        """The block as it is kept."""
        largest = max(abs(value) for value in values)
        if largest == 0:
            return values
        nearest = [
            min(self.codes, key=lambda code: abs(code - abs(value) / largest)) for value in values
        ]
        return [
            largest * (code if value >= 0 else -code)
            for code, value in zip(nearest, values, strict=True)
        ]


class BucketMean(Store):
    """Sums and weights of buckets, F·min_j S_j/W_j: the mean of a bucket for each of its rows."""

    def __init__(self, dim, depth, width, seed):
        self.dim, self.full = dim, 0.0
        self.constants, self.width = hash_constants(seed, depth), width
        self.buckets = {}

    def keys(self, row):
        """The row's bucket under each hash function."""
        return [(j, bucket(row, a, b, self.width)) for j, (a, b, _, _) in enumerate(self.constants)]

    def accumulate(self, keep, gain, batch):
        """Decay all, then add each row's u, and its touch."""
        for sums, weight in self.buckets.values():
            sums[:] = [keep * value for value in sums]
            weight[0] *= keep
        self.full = keep * self.full + gain
        for row, u in batch.items():
            for key in self.keys(row):
                sums, weight = self.buckets.setdefault(key, ([0.0] * self.dim, [0.0]))
                sums[:] = [value + gain * more for value, more in zip(sums, u, strict=True)]
                weight[0] += gain

    def query(self, row):
        """Zero where a bucket of the row has never been touched."""
        untouched = [0.0] * self.dim, [0.0]
        found = [self.buckets.get(key, untouched) for key in self.keys(row)]
        return [
            self.full * min(sums[c] / weight[0] if weight[0] else 0.0 for sums, weight in found)
            for c in range(self.dim)
        ]

    def scale(self, factor):
        """As a decay by that factor."""
        self.accumulate(factor, 0.0, {})


def store(description, n, dim):
    """The oracle of a sketchlab store description (`None`: exact, lazily decayed)."""
    if description is None:
        return Dense(n, dim)
    if getattr(description, "row_weights", False):
        weigh = Shrunken if getattr(description, "shrink", False) else Weighted
        return weigh(unweighted(description, n, dim), n)
    return unweighted(description, n, dim)


def unweighted(description, n, dim):
    """The same without its row weights."""
    kind = type(description).__name__
    if kind == "HeadTail":
        return HeadTail(description, n, dim)
    exact = {"Dense": Dense, "Rank1": Rank1, "Rank1SVD": Rank1SVD, "RowWise": RowWise}
    if kind in exact:
        return exact[kind](n, dim, description.decay)
    if kind == "SM3":
        return SM3(n, dim)
    if kind == "Quantized":
        return Quantized(n, dim, description.decay, description.block, description.signed)
    if kind == "BucketMean":
        return BucketMean(dim, description.depth, description.width, description.seed)
    width = description.width or max(1, int(n // (description.compression * description.depth)))
    return sketch(description, dim, width)


def sketch(description, dim, width):
    """The oracle of a sketch of given width."""
    kind = {"CountSketch": CountSketch, "CountMinSketch": CountMin}[type(description).__name__]
    if getattr(description, "conservative", False):
        kind = ConservativeCountMin
    if getattr(description, "shrink", False):
        kind = ShrunkenSketch
    return kind(dim, description.depth, width, description.seed, description.decay)


# ---------------------------------------------------------------- optimizers


def coalesce(grads, rows):
    """{row: sum of the gradients of that row}."""
    batch = {}
    for row, g in zip(rows, grads, strict=True):
        total = batch.setdefault(int(row), [0.0] * len(g))
        for c in range(len(g)):
            total[c] += float(g[c])
    return batch


class Optimizer:
    """What all optimizers share: count, accumulate the moments, move the active rows, clean.

    A rule adds `accumulate`, and `direction(g, m, v)`: what lr multiplies, entry by entry.
    """

    def __init__(self, table, lr, m=None, v=None, weight_decay=0.0):
        self.table = [[float(value) for value in row] for row in table]
        n, dim = len(self.table), len(self.table[0])
        self.lr, self.weight_decay, self.step_count = lr, weight_decay, 0
        self.descriptions = {"m": m, "v": v}
        self.m, self.v = store(m, n, dim), store(v, n, dim)

    def step(self, grads, rows=None):
        """One step on the given rows, or on all of them."""
        batch = coalesce(grads, range(len(self.table)) if rows is None else rows)
        self.step_count += 1
        self.accumulate(batch)
        for row, g in batch.items():
            m, v = self.m.answer(row), self.v.answer(row)
            for c in range(len(g)):
                self.table[row][c] -= self.lr * self.weight_decay * self.table[row][c]
                self.table[row][c] -= self.lr * self.direction(g[c], m[c], max(v[c], 0.0))
        for moment, description in self.descriptions.items():
            clean = getattr(description, "clean", None)
            if clean is not None and self.step_count % clean.every == 0:
                getattr(self, moment).scale(clean.factor)
            if hasattr(getattr(self, moment), "end_step"):
                getattr(self, moment).end_step()

    def accumulate(self, batch):
        """Add the batch to the moments that the rule keeps."""


def squared(batch):
    """{row: g²}."""
    return {row: [value * value for value in g] for row, g in batch.items()}


SLACK = 1 + 1e-4  # room for rounding, as documented


def ratio_of(a, d):
    """a/d, and no step where a second moment of zero gives no scale."""
    return a / d if d else 0.0


def clipped(ratio, limit):
    """The ratio, or the limit with its sign."""
    return max(-limit * SLACK, min(limit * SLACK, ratio))


class SGD(Optimizer):
    """x −= lr·g."""

    def direction(self, g, m, v):
        return g


class Momentum(Optimizer):
    """Algorithm 2: m ← γm + g, x −= lr·m; Nesterov: x −= lr·(g + γm)."""

    def __init__(self, table, lr, momentum=0.9, nesterov=False, m=None, weight_decay=0.0):
        super().__init__(table, lr, m=m, weight_decay=weight_decay)
        self.momentum, self.nesterov = momentum, nesterov

    def accumulate(self, batch):
        self.m.accumulate(self.momentum, 1.0, batch)

    def direction(self, g, m, v):
        return g + self.momentum * m if self.nesterov else m


class Adagrad(Optimizer):
    """Algorithm 3: v ← v + g², x −= lr·g/(√v + ε)."""

    def __init__(self, table, lr, eps=1e-10, v=None, weight_decay=0.0):
        super().__init__(table, lr, v=v, weight_decay=weight_decay)
        self.eps = eps

    def accumulate(self, batch):
        self.v.accumulate(1.0, 1.0, squared(batch))

    def direction(self, g, m, v):
        return ratio_of(g, sqrt(v) + self.eps)


class RMSprop(Optimizer):
    """Algorithm 4 without a first moment, bias-corrected: x −= lr·g/(√(v/(1−βᵗ)) + ε)."""

    def __init__(self, table, lr, beta=0.999, eps=1e-8, v=None, clip=None, weight_decay=0.0):
        super().__init__(table, lr, v=v, weight_decay=weight_decay)
        self.beta, self.eps, self.clip = beta, eps, clip

    def accumulate(self, batch):
        self.v.accumulate(self.beta, 1 - self.beta, squared(batch))

    def direction(self, g, m, v):
        ratio = ratio_of(g, sqrt(v / (1 - self.beta**self.step_count)) + self.eps)
        # a single gradient: m = g, v = (1 − β)·g²
        limit = sqrt((1 - self.beta**self.step_count) / (1 - self.beta))
        return clipped(ratio, limit) if self.clip else ratio


class Adam(Optimizer):
    """Algorithm 4: x −= lr·m̃/(√ṽ + ε) with both moments bias-corrected."""

    def __init__(
        self,
        table,
        lr,
        betas=(0.9, 0.999),
        eps=1e-8,
        m=None,
        v=None,
        clip=None,
        weight_decay=0.0,
    ):
        super().__init__(table, lr, m=m, v=v, weight_decay=weight_decay)
        self.betas, self.eps, self.clip = betas, eps, clip

    def accumulate(self, batch):
        beta1, beta2 = self.betas
        self.m.accumulate(beta1, 1 - beta1, batch)
        self.v.accumulate(beta2, 1 - beta2, squared(batch))

    def direction(self, g, m, v):
        beta1, beta2 = self.betas
        m_corrected = m / (1 - beta1**self.step_count)
        ratio = ratio_of(m_corrected, sqrt(v / (1 - beta2**self.step_count)) + self.eps)
        return clipped(ratio, self.limit()) if self.clip else ratio

    def limit(self):
        """The largest |m̃|/√ṽ that some gradients of one row give (theory §7)."""
        (beta1, beta2), t = self.betas, self.step_count
        if isinstance(self.m, Weighted):  # a row's first gradient after t − 1 steps without one
            return max(1.0, (beta1 / beta2) ** ((t - 1) / 2)) * sqrt((1 - beta2**t) / (1 - beta2))
        # the gradients a_k/b_k of the t last steps, for which Cauchy-Schwarz is an equality
        m = v = 0.0
        for k in range(t):
            a, b = (1 - beta1) * beta1**k, (1 - beta2) * beta2**k
            m, v = m + a * (a / b), v + b * (a / b) ** 2
        return (m / (1 - beta1**t)) / sqrt(v / (1 - beta2**t))


def optimizer(name, table, **settings):
    """The oracle of `getattr(sketchlab, name)(table, **settings)`."""
    rules = {rule.__name__: rule for rule in (SGD, Momentum, Adagrad, RMSprop, Adam)}
    return rules[name](table, **settings)
