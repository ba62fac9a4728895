"""How the stores of a row look: by their descriptions, as the settings of its runs record them."""

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
    "shrunken": "shrunken",
}

#: Forms of stores that have one; a sketch has that of its decay, or the conservative one.
_FORM_OF_KIND = {
    "Dense": "exact",
    "CleanedDense": "exact",
    "HeadTail": "head-tail",
    "BucketMean": "bucket mean",
    "Rank1": "rank-1",
    "Rank1SVD": "rank-1",
    "RowWise": "row-wise",
    "SM3": "SM3",
    "Quantized": "8 bit",
}

#: For the caption of a figure that draws rows by their `look_of`.
LOOK_NOTE = "Colour: the store of V, or of the only variable; marker: that of M."


def form_of_store(store):
    """Return the form, a key of `FORMS`, of a recorded description."""
    if store.get("shrink"):
        return "shrunken"
    if store["kind"] in _FORM_OF_KIND:
        return _FORM_OF_KIND[store["kind"]]
    return "conservative" if store.get("conservative") else store["decay"]


def form_of(study, row):
    """Return the form of a row's second moment, or of its only variable."""
    stores = study.stores_of(row)
    return form_of_store(stores.get("v") or stores["m"])


def exact(study, row):
    """Return whether all variables of a row are kept exactly."""
    return all(form_of_store(store) == "exact" for store in study.stores_of(row).values())


def look_of(study, row):
    """Return the look of a row: its colour and line are V's, its marker M's."""
    return look_of_stores(study.stores_of(row))


def look_of_stores(stores):
    """Return the look of recorded descriptions, by moment; exact where there is nothing to keep."""
    if not stores:
        return FORMS["exact"]
    look = FORMS[form_of_store(stores.get("v") or stores["m"])]
    return look._replace(marker=FORMS[form_of_store(stores["m"])].marker) if "m" in stores else look


def label_of(row):
    """Return the name of a variant, short enough for an axis."""
    form = row["form"].rpartition(": ")[2]
    return f"{row['family']} {row['state']}, {form}"
