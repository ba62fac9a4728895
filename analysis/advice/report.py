"""Advice as text."""

import math

import sketchlab as sl
from analysis.lab.study import Table

_COLUMNS = ("stores", "compression", "width", "bytes", "of exact", "error of m", "error of v")
_COLUMNS += ("trained", "worst", "bytes a step")
#: Lines of a table; the others are in the JSON.
MOST = 12


def tables(advice):
    """Yield a `Table` of choices for every table of parameters that is not kept exactly."""
    for one in advice.tables:
        if not one.kept_exactly:
            yield _table(advice.optimizer, one)


def _table(family, one):
    table = one.table
    touched = "all" if table.touched is None else f"{table.touched:,g}"
    title = (
        f"{family} on {table.name}, {table.rows:,} x {table.dim:,}: exact state {size(one.exact)}, "
        f"budget {size(one.budget)}"
    )
    rows = [_row(choice, table) for choice in one.choices[:MOST]]
    notes = [
        "Stores: of m, then of v. Bytes of each and in all; of exact: of the bytes of exact state.",
        "Error: by the maps of stores (store-map, first-moment-map), in octaves, ± the median miss "
        f"on streams that they were not made of; for steps of {touched} rows and squares that fall "
        f"as i^-{table.exponent:g}. *: the nearest place that was measured; -: in no map.",
        "Trained: score to exact state's in the recorded trainings, each store at a rate of its "
        "own; the mean over tasks, and the worst task of how many. ?: not recorded.",
        "Bytes a step: the fewest that a step moves, of exact state's; where memory is what limits "
        "a step, its time.",
    ]
    if len(one.choices) > MOST:
        notes.append(f"{len(one.choices) - MOST} more, ranked lower, are in the JSON (--json).")
    return Table(title, _COLUMNS, rows, notes)


def _row(choice, table):
    errors = {"m": "", "v": ""} | {name: _error(error) for name, error in choice.errors.items()}
    sizes = [size(each) for each in choice.bytes.values()]
    return (
        choice.way.name,
        "" if choice.compression is None else f"{choice.compression:g}",
        _widths(choice, table),
        " + ".join(sizes) + (f" = {size(choice.total)}" if sizes[1:] else ""),
        f"1/{choice.ratio:.3g}",
        errors["m"],
        errors["v"],
        *_trained(choice.trained),
        f"{choice.traffic:.2f}",
    )


def _error(error):
    if error is None:
        return "-"
    doubt = f" ± {error.doubt:.1f}" if error.doubt else ""
    return f"{error.error:.1f}{doubt}{'' if error.inside else '*'}"


def _trained(trained):
    if trained is None:
        return "?", ""
    return _percent(trained.mean), f"{_percent(trained.worst)} of {len(trained.tasks)}"


def _percent(ratio):
    return f"{100 * (ratio - 1):+.1f} %" if math.isfinite(ratio) else "diverged"


def _widths(choice, table):
    """Buckets of the sketches, and before them the rows of a head."""
    return " / ".join(
        text for store in choice.stores.values() if (text := _width(store, table)) is not None
    )


def _width(store, table):
    if isinstance(store, sl.HeadTail):
        heads, width = store.split(table.rows)
        return f"{heads}+{width}"
    if isinstance(store, sl.BucketMean):
        return f"{store.width_for(table.rows, table.dim)}"
    return f"{store.width_for(table.rows)}" if hasattr(store, "width_for") else None


def size(number):
    """Bytes as text, with three digits.

    Examples
    --------
    >>> size(625_010_688), size(999), size(40_000)
    ('625 MB', '999 B', '40.0 kB')
    """
    for power, unit in ((4, "TB"), (3, "GB"), (2, "MB"), (1, "kB")):
        if number >= 1000**power:
            value = number / 1000**power
            return f"{value:.0f} {unit}" if value >= 99.95 else f"{value:#.3g} {unit}"
    return f"{number:.0f} B"


def conclusion(advice):
    """Yield lines on what to take: what is kept exactly, and the Python of the others."""
    exact = [one.table.name for one in advice.tables if one.kept_exactly]
    if exact:
        yield f"Kept exactly: {', '.join(exact)}."
    yield f"In all {size(advice.total)} of {size(advice.budget)}. NumPy, import sketchlab as sl:"
    yield from (f"    {line}" for line in advice.numpy)
    yield "PyTorch, import sketchlab as sl, sketchlab.torch as slt:"
    yield f"    {advice.torch}"
    if advice.optimizer == "Adam" and len(exact) < len(advice.tables):
        yield "RMSprop, which keeps no m, trained as well as Adam here: try --optimizer rmsprop."
    yield "lr is where a search for the rate may begin; each store needs its own."
