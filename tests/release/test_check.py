"""The check of a wheel sees what does not belong there, and what is missing."""

import pytest
from check import absent, unwanted

WHEEL = [
    "sketchlab/__init__.py",
    "sketchlab/py.typed",
    "sketchlab/kernels/cpu/backend.py",
    "sketchlab-0.1.0.dist-info/METADATA",
    "sketchlab-0.1.0.dist-info/licenses/LICENSE",
]


def test_a_wheel_of_the_library_passes():
    assert not unwanted(WHEEL) and not absent(WHEEL)


@pytest.mark.parametrize("name", ["analysis/__init__.py", "tests/naive.py", "sketchlab/a.nbc"])
def test_other_files_are_seen(name):
    assert unwanted([*WHEEL, name]) == [name]


def test_missing_files_are_seen():
    assert absent(WHEEL[2:]) == [
        "sketchlab/__init__.py is missing",
        "sketchlab/py.typed is missing",
    ]
