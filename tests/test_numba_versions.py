"""Numba's private interface: used in one file, with the versions that are tested."""

import re
from configparser import ConfigParser
from importlib import metadata
from pathlib import Path

import pytest

import sketchlab
from sketchlab.kernels import numba_private

PACKAGE = Path(sketchlab.__file__).parent
PRIVATE = re.compile(
    r"numba\.core|numba\.np|import ir\b|instance_class|forceinline|\b_nrt\b|\._cache\b"
)

PRIVATE_OF_CUDA = re.compile(r"import _Kernel\b|_codelibrary\b|numba\.cuda\.(dispatcher|typing)")


def minor(version):
    """The first two numbers of a version."""
    return ".".join(version.split(".")[:2])


@pytest.mark.parametrize("name", numba_private.TESTED)
def test_the_installed_version_is_the_one_that_is_named(name):
    """Whoever installs another one changes the name, once these tests pass with it."""
    assert minor(metadata.version(name)) == numba_private.TESTED[name]


def test_the_next_minor_version_is_excluded():
    setup = ConfigParser()
    setup.read(PACKAGE.parent / "setup.cfg")
    needed = setup["options"]["install_requires"]
    major, tested = map(int, numba_private.TESTED["numba"].split("."))
    assert re.search(r"numba >= [\d.]+, < ([\d.]+)", needed)[1] == f"{major}.{tested + 1}"


@pytest.mark.parametrize(
    ("names", "file"), [(PRIVATE, "numba_private.py"), (PRIVATE_OF_CUDA, "compiled.py")]
)
def test_private_names_stand_in_one_file(names, file):
    found = {path.name for path in PACKAGE.rglob("*.py") if names.search(path.read_text("utf8"))}
    assert found == {file}
