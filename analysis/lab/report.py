"""Results as text, for a terminal or as Markdown; nothing is computed here."""


def terminal(table):
    """Lay a `Table` out in aligned columns."""
    widths = _widths(table)
    rule = "  ".join("-" * width for width in widths)
    lines = [_line(row, widths, "  ") for row in (table.columns, *table.rows)]
    return "\n".join([table.title, "", lines[0], rule, *lines[1:], "", *table.notes])


def markdown(table):
    """Lay a `Table` out as Markdown that is also readable as it is."""
    widths = _widths(table)
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    lines = [f"| {_line(row, widths, ' | ')} |" for row in (table.columns, *table.rows)]
    notes = "  \n".join(note.replace("*", r"\*") for note in table.notes)
    return "\n".join([f"### {table.title}", "", lines[0], rule, *lines[1:], "", notes])


def describe(experiment, study, layout=terminal):
    """Return one study as text; of an unfinished one, only how to finish it."""
    configuration = study["configuration"]
    if study["summary"] is None:
        return f"{experiment.name} ({configuration['mode']}): unfinished, run it again to go on"
    table = experiment.present(configuration, study["summary"])
    return layout(table._replace(notes=[*table.notes, *_origin(study)]))


def _origin(study):
    revisions = sorted({origin["revision"] for origin in study["made_by"]})
    yield f"{study['seconds'] / 60:.1f} minutes; made by revision {' and '.join(revisions)}."


def _widths(table):
    return [max(map(len, column)) for column in zip(table.columns, *table.rows, strict=True)]


def _line(cells, widths, gap):
    return gap.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
