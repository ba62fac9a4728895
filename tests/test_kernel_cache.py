"""The disk cache of compiled kernels: found by the next process, never stale, never in the way."""

import errno
import os
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numba
import numpy as np
import pytest
from numba import prange

import sketchlab
import sketchlab as sl
from sketchlab import warm
from sketchlab.kernels import compile as compiling
from sketchlab.optimizer import Optimizer

PACKAGE = Path(sketchlab.__file__).parent

COUNTS = """
from sketchlab.kernels.compile import KERNELS
print(*(sum(len(getattr(k.stats, n)) for k in KERNELS) for n in ("cache_hits", "cache_misses")))
"""

STEP = f"""
import numpy as np, sketchlab as sl
table = np.zeros((100, 4), np.float32)
opt = sl.Adam(table, m=sl.CountSketch(), v=sl.CountMinSketch())
opt.step(np.ones((3, 4), np.float32), rows=[5, 1, 5])
print(table[5, 0], table[0, 0])
{COUNTS}
"""

# Two kernels that take one second to compile, in a module, as their names are part of the key.
DOUBLING = """
import numpy as np
from numba import prange
from sketchlab.kernels.compile import kernel

@kernel
def double(values):
    for i in prange(values.size):
        values[i] *= 2

def doubled(dtype):
    values = np.arange(4, dtype=dtype)
    double(values)
    return values.tolist()
"""

FOLDERS = "from sketchlab.kernels import compile; print(*compile.cache_folders(), sep='\\n')"


def start(code, *paths, **environment):
    """A new Python process that runs some code."""
    path = os.pathsep.join(map(str, paths or [PACKAGE.parent]))
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path, **environment},
        cwd=(paths or [PACKAGE.parent])[0],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def output(process):
    """What a process prints, after it has ended well."""
    printed, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return printed.strip(), errors


def python(code, *paths, **environment):
    """What a new Python process prints."""
    return output(start(code, *paths, **environment))[0]


def test_a_second_process_compiles_nothing_for_any_number_of_threads():
    needed = sum(map(int, python(STEP).splitlines()[-1].split()))
    assert needed >= 3
    for threads in ("1", "2"):
        moved, counts = python(STEP, NUMBA_NUM_THREADS=threads).splitlines()
        assert moved == "-0.001 0.0"
        assert counts == f"{needed} 0"


def test_without_the_compiler_a_step_is_the_same_and_keeps_nothing():
    moved, counts = python(STEP, NUMBA_DISABLE_JIT="1").splitlines()
    assert moved == "-0.001 0.0"
    assert counts == "0 0"


def test_the_import_adds_no_heavy_module_to_numbas():
    code = """
import sys, numba
before = set(sys.modules)
import sketchlab
print(*sorted({name.split(".")[0] for name in set(sys.modules) - before}))
print("numba.cuda" in sys.modules)
"""
    added, cuda = python(code).splitlines()
    assert "sketchlab" in added.split()
    assert not {"scipy", "matplotlib", "torch", "cupy", "tqdm", "numba_cuda"} & set(added.split())
    assert cuda == "False"


# --- one kernel, whose cache is a folder of the test ---


def double(values):
    for i in prange(values.size):
        values[i] *= 2


def doubling(dtype=np.float32):
    """Double some numbers with a new kernel; True where it was found on disk."""
    made = compiling.kernel(double)
    values = np.arange(4, dtype=dtype)
    made(values)
    assert values.tolist() == [0, 2, 4, 6]
    hits, misses = sum(made.stats.cache_hits.values()), sum(made.stats.cache_misses.values())
    assert hits + misses == 1
    return hits == 1


@pytest.fixture
def places(monkeypatch, tmp_path):
    """Two folders for kernels, neither there yet; kernels of the test are not registered."""
    folders = [tmp_path / name / f"kernels-{'0' * 16}" for name in ("first", "second")]
    monkeypatch.setattr(compiling, "cache_folders", lambda: folders)
    monkeypatch.setattr(compiling, "KERNELS", [])
    return folders


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """A folder that holds the kernel for float32."""
    folder = tmp_path_factory.mktemp("compiled") / "kernels"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiling, "cache_folders", lambda: [folder])
        patch.setattr(compiling, "KERNELS", [])
        assert not doubling()
    return folder


def test_types_have_files_of_their_own(places, compiled):
    shutil.copytree(compiled, places[0])
    assert not doubling(np.float64)
    assert doubling(np.float32) and doubling(np.float64)
    assert len(list(places[0].iterdir())) == 2


DAMAGE = {
    "emptied": lambda content: b"",
    "cut off": lambda content: content[: len(content) // 2],
    "one byte short": lambda content: content[:-1],
    "garbage": lambda content: b"garbage" * 1000,
    "a bit changed in the middle": lambda content: (
        content[: len(content) // 2]
        + bytes([content[len(content) // 2] ^ 1])
        + content[len(content) // 2 + 1 :]
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_compiled_again_and_replaced(places, compiled, damage):
    shutil.copytree(compiled, places[0])
    (path,) = places[0].iterdir()
    whole = path.read_bytes()
    path.write_bytes(DAMAGE[damage](whole))
    assert not doubling()
    assert doubling()
    assert list(places[0].iterdir()) == [path]


def test_kernels_of_a_read_only_place_are_used_there(places, compiled):
    # what an image or an installation for all users was given when it was made
    shutil.copytree(compiled, places[1])
    places[0].parent.write_text("no folder: refuses everybody, root too")
    assert doubling()


def test_the_second_place_is_taken_where_the_first_refuses(places):
    places[0].parent.write_text("no folder")
    assert not doubling()
    assert doubling()
    assert len(list(places[1].iterdir())) == 1


def test_a_folder_that_is_removed_meanwhile_is_made_again(places):
    made = compiling.kernel(double)
    made(np.ones(3, np.float32))
    shutil.rmtree(places[0])
    made(np.ones(3, np.float64))
    assert doubling(np.float64)


def test_where_nothing_can_be_kept_one_warning_says_so(places):
    for place in places:
        place.parent.write_text("no folder")
    made = compiling.kernel(double)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for dtype in (np.float32, np.float64):
            values = np.arange(4, dtype=dtype)
            made(values)
            assert values.tolist() == [0, 2, 4, 6]
    (warning,) = caught
    assert issubclass(warning.category, RuntimeWarning)
    assert str(places[-1]) in str(warning.message)
    assert os.strerror(errno.ENOTDIR) in str(warning.message)
    assert "set NUMBA_CACHE_DIR" in str(warning.message)


def test_a_full_disk_leaves_no_half_files(tmp_path):
    pytest.importorskip("resource")
    (tmp_path / "doubling.py").write_text(DOUBLING)
    code = """
import resource, doubling
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # of any file
print(doubling.doubled("float32"), doubling.doubled("float64"))
"""
    process = start(code, tmp_path, PACKAGE.parent, NUMBA_CACHE_DIR=str(tmp_path / "cache"))
    printed, errors = output(process)
    assert printed == "[0.0, 2.0, 4.0, 6.0] [0.0, 2.0, 4.0, 6.0]"
    assert errors.count("compiled kernels cannot be kept") == 1
    (folder,) = (tmp_path / "cache/sketchlab").iterdir()
    assert list(folder.iterdir()) == []


def test_a_save_in_the_midst_of_another_loses_neither(places, monkeypatch):
    replace = os.replace

    def after_another(source, target):
        monkeypatch.setattr(os, "replace", replace)
        assert not doubling(np.float64)
        replace(source, target)

    monkeypatch.setattr(os, "replace", after_another)
    assert not doubling(np.float32)
    assert os.replace is replace
    assert doubling(np.float32) and doubling(np.float64)


def test_processes_that_start_together_lose_nothing(tmp_path):
    """Each compiles the kernel for another type, then one for the type that all compile."""
    (tmp_path / "doubling.py").write_text(DOUBLING)
    cache = {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "NUMBA_NUM_THREADS": "1"}
    together = """
import pathlib, sys, time, doubling
ready = pathlib.Path("ready-{mine}")
ready.write_text("")
while len(list(ready.parent.glob("ready-*"))) < 3:
    time.sleep(0.001)
print(doubling.doubled("{mine}"), doubling.doubled("uint8"))
"""
    types = ("float32", "float64", "int64")
    processes = [
        start(together.format(mine=mine), tmp_path, PACKAGE.parent, **cache) for mine in types
    ]
    for process in processes:
        assert eval(output(process)[0].replace("] [", "], [")) == ([0, 2, 4, 6], [0, 2, 4, 6])
    code = "import doubling\n"
    code += "".join(f"print(doubling.doubled({name!r}))\n" for name in (*types, "uint8"))
    *answers, counts = python(code + COUNTS, tmp_path, PACKAGE.parent, **cache).splitlines()
    assert [eval(answer) for answer in answers] == [[0, 2, 4, 6]] * 4
    assert counts == "4 0"


def test_kernels_of_one_factory_are_told_apart(places):
    def times(factor):
        def multiply(values):
            for i in prange(values.size):
                values[i] *= factor

        return compiling.kernel(multiply)

    for factor in (3, 5, 3):
        values = np.ones(2)
        made = times(factor)
        made(values)
        assert values.tolist() == [factor, factor]
    assert made.stats.cache_hits  # the second kernel of factor 3


def test_a_kernel_can_be_recompiled(places, compiled):
    shutil.copytree(compiled, places[0])
    made = compiling.kernel(double)
    made(np.ones(3, np.float32))
    made.recompile()
    assert sum(made.stats.cache_misses.values()) == 1


def test_folders_that_nobody_used_for_long_are_removed(places, compiled):
    place = places[0].parent
    long_ago = 1.6e9
    for name in ("kernels-1", "kernels-2", "other"):
        shutil.copytree(compiled, place / name)
        os.utime(place / name, (long_ago, long_ago))
    (file,) = (place / "kernels-2").iterdir()
    compiling._read(file)  # is a use
    assert not doubling()
    assert sorted(path.name for path in place.iterdir()) == [
        places[0].name,
        "kernels-2",
        "other",
    ]


# --- where kernels are kept ---


@pytest.fixture
def copied_package(tmp_path):
    """The library in a place of its own, without caches."""
    shutil.copytree(
        PACKAGE, tmp_path / "sketchlab", ignore=shutil.ignore_patterns("__pycache__", "*.nb?")
    )
    return tmp_path


@pytest.fixture
def fresh_folders(monkeypatch):
    """The folders as they are for an environment that the test may still change."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    return compiling.cache_folders.__wrapped__


@pytest.mark.parametrize(
    "source", ["rules/adam.py", "stores/arithmetic.py", "hashing.py", "kernels/cpu/columns.py"]
)
def test_an_edit_of_any_source_of_a_kernel_leaves_its_cache_behind(
    monkeypatch, copied_package, source
):
    package = copied_package / "sketchlab"
    monkeypatch.setattr(compiling, "PACKAGE", package)
    anew = compiling.sources_hash.__wrapped__
    before = anew()
    assert anew() == before
    (package / source).write_text((package / source).read_text() + "\n# edited\n")
    assert anew() != before


def test_the_library_keeps_kernels_beside_its_sources_or_for_the_user(copied_package, tmp_path):
    environment = {"NUMBA_CACHE_DIR": "", "XDG_CACHE_HOME": str(tmp_path / "c")}
    folders = python(FOLDERS, copied_package, **environment).splitlines()
    name = f"kernels-{compiling.sources_hash()}"  # of the same sources
    assert folders == [
        str(copied_package / "sketchlab/__pycache__" / name),
        str(tmp_path / "c/sketchlab" / name),
    ]


@pytest.mark.parametrize("where", ["numba", "llvmlite", "np"])
def test_another_version_has_a_folder_of_its_own(monkeypatch, where):
    before = compiling.sources_hash.__wrapped__()
    monkeypatch.setattr(getattr(compiling, where), "__version__", "0.0")
    assert compiling.sources_hash.__wrapped__() != before


@pytest.mark.parametrize("setting", ["OPT", "BOUNDSCHECK", "SLP_VECTORIZE"])
def test_a_setting_that_changes_machine_code_has_a_folder_of_its_own(monkeypatch, setting):
    before = compiling.sources_hash.__wrapped__()
    monkeypatch.setattr(numba.config, setting, 2)
    assert compiling.sources_hash.__wrapped__() != before


def test_a_cache_folder_of_the_users_choice_is_the_only_one(monkeypatch, fresh_folders, tmp_path):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "mine"))
    (folder,) = fresh_folders()
    assert folder.parent == tmp_path / "mine/sketchlab"


def test_a_user_without_a_home_has_the_packages_folder(monkeypatch, fresh_folders):
    def nowhere():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(compiling.Path, "home", nowhere)
    (folder,) = fresh_folders()
    assert folder.parent == PACKAGE / "__pycache__"


@pytest.fixture
def nothing_else_to_write_to(monkeypatch, tmp_path):
    """Neither the package nor the home can be written to; the place of temporary files can."""
    monkeypatch.setattr(compiling, "_can_be_written", lambda place: False)
    monkeypatch.setattr(compiling.tempfile, "gettempdir", lambda: str(tmp_path))
    return tmp_path / f"sketchlab-{os.getuid()}"


def test_a_private_temporary_folder_is_the_last_resort(fresh_folders, nothing_else_to_write_to):
    for _ in range(2):  # it is made, and found again
        assert fresh_folders()[-1].parent == nothing_else_to_write_to
        assert nothing_else_to_write_to.stat().st_mode & 0o777 == 0o700


def test_no_temporary_folder_is_made_where_another_place_will_do(
    monkeypatch, fresh_folders, tmp_path
):
    monkeypatch.setattr(compiling.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert [folder.parent for folder in fresh_folders()] == [
        PACKAGE / "__pycache__",
        tmp_path / "cache/sketchlab",
    ]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("trap", ["open to others", "a link", "a file", "of another user"])
def test_a_temporary_folder_that_others_could_write_to_is_not_trusted(
    monkeypatch, fresh_folders, nothing_else_to_write_to, trap
):
    place = nothing_else_to_write_to
    if trap == "open to others":
        place.mkdir()
        place.chmod(0o770)
    elif trap == "a link":
        (place.parent / "elsewhere").mkdir(mode=0o700)
        place.symlink_to(place.parent / "elsewhere")
    elif trap == "a file":
        place.touch(mode=0o700)
    else:
        user = os.getuid()
        place = place.with_name(f"sketchlab-{user + 1}")
        place.mkdir(mode=0o700)  # by this user, where the other one's is looked for
        monkeypatch.setattr(os, "getuid", lambda: user + 1)
    assert all(folder.parent != place for folder in fresh_folders())


def test_a_folder_without_the_permission_to_write_is_passed_over(places):
    places[0].parent.mkdir(mode=0o555)
    if os.access(places[0].parent, os.W_OK):
        pytest.skip("this user may write everywhere")
    assert not doubling()
    assert doubling()
    assert len(list(places[1].iterdir())) == 1


# -- compiling takes long ----------------------------------------------------------------------

SGD = f"""
import numpy as np, sketchlab as sl
opt = sl.SGD(np.zeros((100, 4), np.float32), 0.1)
for rows in ([1, 5], [5, 1, 5]):
    opt.step(np.ones((len(rows), 4), np.float32), rows=rows)
opt.step(np.ones((100, 4), np.float32))
{COUNTS}
"""


def test_only_what_takes_long_is_told(monkeypatch, capsys):
    monkeypatch.setattr(compiling, "LONG", 0.05)
    compiling._tell.cache_clear()
    with compiling.told_if_long():
        pass
    with pytest.raises(KeyboardInterrupt), compiling.told_if_long():
        raise KeyboardInterrupt
    time.sleep(0.2)
    assert not capsys.readouterr().err
    for _ in range(2):
        with compiling.told_if_long():
            time.sleep(0.2)
    (line,) = capsys.readouterr().err.splitlines()
    assert str(compiling.cache_folders()[0]) in line and "sketchlab.warm" in line
    compiling._tell.cache_clear()


def test_a_first_step_tells_that_it_compiles(tmp_path):
    hasty = "from sketchlab.kernels import compile; compile.LONG = 0.2\n"
    first, again = (output(start(hasty + SGD, NUMBA_CACHE_DIR=str(tmp_path))) for _ in range(2))
    assert "compiling kernels" in first[1] and str(tmp_path) in first[1]
    assert again[0].split()[1] == "0"


def test_warm_compiles_what_steps_need(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "sketchlab.warm", "SGD"]
    printed = [
        subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
        for _ in range(2)
    ]
    compiled = [int(text.splitlines()[-1].split()[0]) for text in printed]
    assert compiled[0] > 0 == compiled[1] and str(tmp_path) in printed[0]
    assert python(SGD, NUMBA_CACHE_DIR=str(tmp_path)).split()[1] == "0"
    unknown = subprocess.run(
        [*command, "Adadelta"], env=environment, capture_output=True, text=True
    )
    assert unknown.returncode == 2 and "Adadelta: known are SGD" in unknown.stderr


def test_warm_takes_cells_of_two_bytes():
    kinds = [opt.v.description for opt in warm._of("RMSprop", "float32", "bfloat16")]
    assert [type(kind) for kind in kinds] == [sl.Dense, sl.CountMinSketch, sl.RowWise]
    assert [kind.cells for kind in kinds[:2]] == ["bfloat16", "bfloat16"]
    with pytest.raises(SystemExit):
        warm.main(["--cells", "bfloat16", "--dtypes", "float64"])


def test_warm_has_every_optimizer():
    public = {name for name in sl.__all__ if isinstance(getattr(sl, name), type)}
    assert set(warm.OPTIMIZERS) == {n for n in public if issubclass(getattr(sl, n), Optimizer)}
