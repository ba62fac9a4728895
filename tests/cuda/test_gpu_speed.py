"""The speed experiment: what it counts, and that it makes up nothing where there is no GPU."""

import pytest

from analysis import __main__ as command_line
from analysis.timing import gpu_events
from analysis.timing.gpu_contenders import least_bytes


@pytest.mark.parametrize(
    ("optimizer", "k", "numbers"),
    [
        ("Adam CS-MV", 100, 22 * 100),  # 2 x 9 cells, gradient twice, parameters read and written
        ("Adam CS-V", 100, 15 * 100),
        ("RMSprop CMS", 100, 13 * 100),
        ("Adam exact", 100, 7 * 100),
        ("Adam exact", None, 7 * 3000),
        ("Adam CS-MV", None, 4 * 3000 + 2 * 3 * 3 * 200),
    ],
)
def test_least_bytes(optimizer, k, numbers):
    assert least_bytes(optimizer, 3000, 8, k) == 4 * 8 * numbers


def test_nothing_is_written_without_a_gpu(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(gpu_events, "why_not", lambda: "no GPU was found")
    assert command_line.main(["run", "gpu-speed", "--out", str(tmp_path / "results")]) == 2
    assert "no GPU was found" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()
