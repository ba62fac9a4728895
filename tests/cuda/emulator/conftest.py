"""A stub driver for each test; skipped, with the reason, where it cannot be built."""

import pytest

from emulator import EmulatorError, environment
from emulator.bare import Stub


@pytest.fixture
def stub(monkeypatch):
    """A function that gives the stub driver with some settings."""
    try:
        environment()
    except EmulatorError as error:
        pytest.skip(str(error))
    made = []

    def make(**settings):
        made.append(Stub(monkeypatch, **settings))
        return made[-1]

    yield make
    for stub in made:
        stub.close()
