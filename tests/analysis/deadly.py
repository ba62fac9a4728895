"""Runs that kill their process, in a module that worker processes can import."""

import os
import signal
import time
from typing import ClassVar


def measure(settings, fatal):
    """The square of a number; a process that meets the fatal one is killed, as for its memory."""
    if settings["number"] == fatal:
        time.sleep(0.3)  # others are on their way
        os.kill(os.getpid(), signal.SIGKILL)
    return {"square": settings["number"] ** 2}


class Task:
    """A task for comparisons whose score is best at a rate of 0.1."""

    BASE_RATES: ClassVar = {"RMSprop": 0.1}

    @staticmethod
    def settings(plan, variant, learning_rate, replicate):
        """Settings of a run, with a number for the variant."""
        return {
            "variant": variant.name,
            "learning_rate": learning_rate,
            "replicate": replicate,
            "number": 0 if variant.baseline else 1,
        }

    @staticmethod
    def measure(settings, fatal):
        """A score, unless the run is the fatal one: a try of a variant."""
        measure(settings, fatal if settings["replicate"] == 0 else None)
        off = abs(settings["learning_rate"] - 0.1)
        return {"score": 1 + off, "diverged": False, "state_bytes": 8}

    @staticmethod
    def cost(_):
        """All alike."""
        return 1
