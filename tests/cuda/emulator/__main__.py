"""Run a Python command on the emulated GPU: ``python -m tests.cuda.emulator -m pytest …``."""

import os
import sys

from tests.cuda.emulator import EmulatorError, environment

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python -m tests.cuda.emulator SCRIPT or -m MODULE, and its arguments")
    try:
        found = environment()
    except EmulatorError as error:
        sys.exit(str(error))
    os.execve(sys.executable, [sys.executable, *sys.argv[1:]], found)
