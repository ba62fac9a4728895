"""Install a wheel into empty environments and try it there: ``check.py WHEEL [PYTHON …]``.

Without interpreters, the oldest and the newest that are found here and that the wheel and Numba
support.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib.metadata import metadata
from pathlib import Path

SMOKE = Path(__file__).resolve().with_name("smoke.py")
#: All that a wheel may hold.
_ALLOWED = re.compile(r"sketchlab/(\w+/)*(\w+\.py|py\.typed)|sketchlab-[^/]+\.dist-info/.+")


def main(wheel, *pythons):
    """Print what the wheel holds, then try it with each interpreter; return the exit code."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    print(f"{wheel} holds {len(names)} files:", *names, sep="\n    ")
    if wrong := [*unwanted(names), *absent(names)]:
        print("error: not as it should be:", *wrong)
        return 1
    return int(not all(_works(Path(wheel).resolve(), python) for python in _chosen(pythons)))


def unwanted(names):
    """Files that are no part of the library."""
    return [name for name in names if not _ALLOWED.fullmatch(name)]


def absent(names):
    """Files that a library cannot be without."""
    needed = ("sketchlab/__init__.py", "sketchlab/py.typed", "sketchlab/kernels/cpu/backend.py")
    return [f"{name} is missing" for name in needed if name not in names]


def _chosen(pythons):
    """The interpreters that were given, or else the oldest and the newest found here."""
    if pythons:
        return pythons
    supported = _supported_by_numba()
    found = {version: python for version in supported if (python := _interpreter(version))}
    missing = [version for version in supported if version not in found]
    print(
        f"Numba {metadata('numba')['Version']} supports Python {', '.join(supported)}; "
        f"found here: {', '.join(found)}; not found: {', '.join(missing) or 'none'}"
    )
    versions = list(found)
    return [found[version] for version in dict.fromkeys([versions[0], versions[-1]])]


def _supported_by_numba():
    """Versions that the installed Numba names, as "3.12", in ascending order."""
    classifiers = metadata("numba").get_all("Classifier")
    named = [re.fullmatch(r"Programming Language :: Python :: 3\.(\d+)", c) for c in classifiers]
    return [f"3.{minor}" for minor in sorted(int(match[1]) for match in named if match)]


def _interpreter(version):
    """A Python of this version on the PATH or from pyenv, None where there is none."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = [shutil.which(f"python{version}"), *root.glob(f"versions/{version}.*/bin/python")]
    return next((str(found) for found in candidates if found and _is_of(found, version)), None)


def _is_of(python, version):
    code = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
    ran = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return ran.returncode == 0 and ran.stdout.strip() == version


def _works(wheel, python):
    """Whether the wheel can be installed into an empty environment and used from another folder."""
    with tempfile.TemporaryDirectory() as folder:
        inside = str(Path(folder, "env", "bin", "python"))
        install = [inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        for command in (
            [python, "-m", "venv", "env"],
            [*install, str(wheel)],
            [inside, "-I", str(SMOKE)],
        ):
            if subprocess.run(command, cwd=folder, env=_clean(), check=False).returncode:
                print(f"error: the wheel fails with {python}: {' '.join(command)}")
                return False
    return True


def _clean():
    """The environment without what could lead back to the checkout or to its kernels."""
    return {key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"}


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
