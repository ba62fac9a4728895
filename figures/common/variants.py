"""How the variants of an optimizer are told apart in a figure: the form of their stores."""

from figures.common.style import FORMS

#: What each form is called in a legend.
TITLES = {
    "exact": "exact",
    "lazy": "lazy (paper)",
    "bucket": "bucket (released)",
    "global": "global (linear)",
    "conservative": "conservative",
    "rank-1": "rank-1 (NMF)",
    "head-tail": "head and tail",
}


def form_of(row):
    """Return the form, a key of `TITLES`, of a row of the language model's summary."""
    state, form = row["state"], row["form"]
    if state == "exact":
        return "exact"
    for word, name in (("NMF", "rank-1"), ("head", "head-tail"), ("conservative", "conservative")):
        if word in f"{state} {form}":
            return name
    return next((name for name in ("bucket", "global") if name in form), "lazy")


def label_of(row):
    """Return the name of a variant, short enough for an axis."""
    form = row["form"].rpartition(": ")[2]
    return f"{row['family']} {row['state']}, {form}"


def look_of(row):
    """Return the look of a variant's form."""
    return FORMS[form_of(row)]
