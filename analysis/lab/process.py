"""Measurements in a new process, whose memory and threads nothing else has used."""

import json
import os
import subprocess
import sys


def in_new_process(module, settings, threads=1):
    """Run ``python -m MODULE SETTINGS``, which prints one line of JSON, and return what it says.

    Parameters
    ----------
    module : str
    settings : dict
        Plain JSON values.
    threads : int
        A fresh process decides on their number, which a running one cannot change.
    """
    limits = dict.fromkeys(
        ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
        str(threads),
    )
    command = [sys.executable, "-m", module, json.dumps(settings)]
    done = subprocess.run(
        command, env=os.environ | limits, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout)
