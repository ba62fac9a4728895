"""All stores along one recorded stream: the study behind ``python -m analysis replay``.

It runs as the experiments do, a run for each store and size: what is finished is kept, and the
same command goes on from there.
"""

import numpy as np

from analysis.advice import code
from analysis.advice.candidates import WAYS
from analysis.advice.replay import replay
from analysis.advice.report import size
from analysis.advice.sizes import bytes_of, fitting
from analysis.advice.stream import Stream
from analysis.lab.errors import UsageError
from analysis.lab.study import Experiment, Table
from analysis.training.optimizers import described, plain

COMPRESSIONS = (5, 20, 100)
#: Of a replay, the measure by which stores are ranked: a quantity and a kind of its errors. It is
#: the one that predicts training (``python -m analysis run replay-predicts``).
MEASURE = ("update, own", "error")


def configuration(stream, facts, family, compressions, budget):
    """Return the configuration of a study.

    Parameters
    ----------
    stream : Stream
    facts : Facts
    family : str
    compressions : sequence of float
        Of the ways that have one.
    budget : int, optional
        Bytes: every way is also tried at the size that fits, and the best of those that fit is
        recommended.

    Raises
    ------
    UsageError
        If the budget is below the smallest store.
    """
    about = {"sha256": facts.sha256, "rows": stream.rows, "dim": stream.dim}
    about |= {"steps": stream.steps, "entries": facts.entries, "dtype": stream.dtype.name}
    exact = _bytes(WAYS[family][0].describe(1), stream)
    cells, smallest = [], exact
    for way in WAYS[family]:
        sizes = [float(each) for each in compressions] if way.sized else [1.0]
        if budget is not None and way.sized:
            itemsize = stream.dtype.itemsize // 4
            fits = fitting(way, stream.rows, stream.dim, budget // itemsize)
            sizes += [fits] if fits is not None else []
        for each in sorted(set(sizes)):
            stores = way.describe(each)
            needed = _bytes(stores, stream)
            smallest = min(smallest, needed)
            if needed < exact:
                cells.append(_cell(about, way, stores, each if way.sized else None))
    if budget is not None and budget < smallest:
        raise UsageError(
            f"budget {budget:,} bytes: the smallest of these stores takes {smallest:,}; give that "
            "much, or larger --compressions"
        )
    return {
        "mode": "full",
        "stream": about,
        "family": family,
        "exact_bytes": exact,
        "budget": budget,
        "cells": cells,
    }


def _bytes(stores, stream):
    return sum(bytes_of(stores, stream.rows, stream.dim, stream.dtype).values())


def _cell(about, way, stores, compression):
    return {
        "stream": about["sha256"],
        "family": way.family,
        "way": way.name,
        "compression": compression,
        "stores": {moment: plain(store) for moment, store in stores.items()},
        "options": dict(way.options),
    }


def measure(settings, inputs):
    """Drive one store along the stream."""
    stores = _stores(settings)
    stream = Stream(inputs["path"])
    with np.errstate(all="ignore"):
        return replay(stream, settings["family"], stores, settings["options"])


def _stores(settings):
    """The descriptions, whose hash functions differ."""
    return {
        moment: store.with_seed(seed)
        for seed, (moment, store) in enumerate(described(settings).items())
    }


def summarise(configuration, result_of):
    """Return a row for every store, by rising bytes; the front has no row that is better."""
    rows = [
        {key: cell[key] for key in ("way", "compression", "stores", "options")}
        | result_of(cell)
        | {"measure": measured(result_of(cell))}
        for cell in configuration["cells"]
    ]
    for row in rows:
        row["front"] = row["measure"] is not None and not any(_beats(one, row) for one in rows)
    rows.sort(key=lambda row: row["state_bytes"])
    return {"rows": rows, "recommended": _recommended(configuration, rows)}


def measured(result):
    """What stores are ranked by, small being good; None where one diverged."""
    if result["diverged"]:
        return None
    quantity, kind = MEASURE
    return result["errors"][quantity][kind]


def _beats(one, row):
    if one["measure"] is None:
        return False
    place, other = ((each["measure"], each["state_bytes"]) for each in (one, row))
    return place != other and all(a <= b for a, b in zip(place, other))


def _recommended(configuration, rows):
    """The place of the best row within the budget, or of none where there is no budget."""
    budget = configuration["budget"]
    fits = [
        (row["measure"], row["state_bytes"], place)
        for place, row in enumerate(rows)
        if budget is not None and row["measure"] is not None and row["state_bytes"] <= budget
    ]
    return min(fits)[-1] if fits else None


def present(configuration, summary):
    """Return the table of all stores, the best first."""
    about = configuration["stream"]
    title = (
        f"{configuration['family']} on {about['rows']:,} x {about['dim']:,}, {about['steps']:,} "
        f"steps: exact state {size(configuration['exact_bytes'])}"
    )
    groups = sorted({one["touched"] for row in summary["rows"] for one in row["by_touches"] or ()})
    rows = sorted(summary["rows"], key=_place)
    moments = [name for name in ("m", "v") if any(name in row["stores"] for row in rows)]
    titles = ("stores", "compression", "bytes", "of exact", "front", "error", "cosine", "length")
    more = [*(f"error of {name}" for name in moments), *(f"{count}+ steps" for count in groups)]
    lines = [_line(configuration, row, moments, groups) for row in rows]
    return Table(title, (*titles, *more, "time"), lines, list(_notes(configuration, summary)))


def _place(row):
    return (row["measure"] is None, row["measure"] or 0, row["state_bytes"])


def _line(configuration, row, moments, groups):
    exact = configuration["exact_bytes"] / row["state_bytes"]
    told = (
        row["way"],
        "" if row["compression"] is None else f"{row['compression']:g}",
        size(row["state_bytes"]),
        f"1/{exact:.3g}",
        "yes" if row["front"] else "",
    )
    time = f"{row['seconds'] / row['exact_seconds']:.2f}"
    if row["diverged"]:
        return (*told, "diverged", *[""] * len([0, 0, *moments, *groups]), time)
    by = {one["touched"]: one for one in row["by_touches"]}
    return (
        *told,
        f"{row['measure']:.3g}",
        f"{row['errors'][MEASURE[0]]['cosine']:.3f}",
        f"{row['errors'][MEASURE[0]]['length']:.3g}",
        *(f"{row['errors'][name]['error']:.3g}" for name in moments),
        *(
            f"{by[one]['cosine']:.2f} x {by[one]['length']:.3g}" if one in by else ""
            for one in groups
        ),
        time,
    )


def _notes(configuration, summary):
    yield (
        "Error: ‖û − u‖/‖u‖ of the updates of the rows that a step reads, all together, against "
        "exact state that decays as the store does; stores are ranked by it. Cosine, length: "
        "between û and u, and of û over u. Errors of m and v: of the moments themselves."
    )
    yield (
        "Steps: cosine x length for the rows that so many steps of the stream touch. Time: of a "
        "step, median, to exact state's. Front: no store is as good with as few bytes."
    )
    place = summary["recommended"]
    if place is not None:
        row = summary["rows"][place]
        arguments = configuration["family"], _stores(row), row["options"]
        yield f"Within {size(configuration['budget'])}: {code.numpy_line(*arguments)}"
        yield f"PyTorch: {code.torch_line(arguments[0], [('table', *arguments[1:])])}"


EXPERIMENT = Experiment(
    name="replay",
    title="Every store along a recorded stream, beside exact state",
    source="a stream of your own",
    measure=measure,
    summarise=summarise,
    present=present,
)
