"""Every public name tells editors and type checkers what it takes and what it gives."""

import inspect

import pytest

import sketchlab as sl
from sketchlab.stores.live import LiveStore

USED = {"update", "query", "scale", "merge", "fold", "table", "nbytes", "buckets", "signs"}


def subclasses(cls):
    return [cls, *(found for child in cls.__subclasses__() for found in subclasses(child))]


def functions(cls, wanted=None):
    """The class's own or inherited public functions, getters and __init__, by name."""
    for name, member in inspect.getmembers(cls):
        function = member.fget if isinstance(member, property) else member
        asked = name in wanted if wanted else name == "__init__" or not name.startswith("_")
        if asked and getattr(function, "__module__", "").startswith("sketchlab"):
            yield f"{cls.__name__}.{name}", function


def unannotated(function):
    """What has no annotation: names of parameters, and "return"."""
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())[1:]  # without self
    missing = [p.name for p in parameters if p.annotation is inspect.Parameter.empty]
    returns = signature.return_annotation is not inspect.Signature.empty
    return missing + ([] if returns else ["return"])


# what `hyper_parameter` makes: any number of the rule
GETTERS_OF_RULES = "hyper_parameter.<locals>"
PUBLIC = {
    name: function
    for cls in (getattr(sl, name) for name in sl.__all__)
    for name, function in functions(cls)
    if GETTERS_OF_RULES not in function.__qualname__
}
LIVE = {name: f for cls in subclasses(LiveStore) for name, f in functions(cls, USED)}


@pytest.mark.parametrize("name", PUBLIC | LIVE)
def test_public_functions_are_annotated(name):
    assert not unannotated((PUBLIC | LIVE)[name])


def test_what_is_missing_is_seen():
    assert unannotated(lambda self, rows: None) == ["rows", "return"]
    assert {"Adam.step", "Adam.__init__", "CountSketch.allocate", "Adam.nbytes"} <= set(PUBLIC)
    assert {"CountSketchStore.fold", "Rank1Store.merge", "HeadTailStore.table"} <= set(LIVE)


def test_dir_shows_the_public_names():
    shown = {name for name in dir(sl) if not name.startswith("_")}
    assert shown == set(sl.__all__)
