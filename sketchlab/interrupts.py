"""Ctrl-C held back while a step changes things, so that it comes before a step or after it."""

# The functions behind those of `signal`, which look every handler up among enum members: more time
# than a small step takes.
import _signal
import threading
from signal import SIGINT

__all__ = ["HeldInterrupt"]


class HeldInterrupt:
    """Holds back the signal of Ctrl-C from `begin` to `end`; it is then delivered as always.

    Python runs signal handlers in the main thread only, between any two of its instructions. In
    other threads, and where another program has set a handler that is not Python's, nothing is held
    back and nothing has to be.

    Examples
    --------
    >>> import signal
    >>> _ = signal.signal(signal.SIGINT, signal.default_int_handler)  # as Python starts
    >>> held = HeldInterrupt()
    >>> held.begin()
    >>> signal.raise_signal(signal.SIGINT)  # comes while things change
    >>> try:
    ...     held.end()
    ... except KeyboardInterrupt:
    ...     print("delivered at the end")
    delivered at the end
    """

    def __init__(self):
        self._handler = self._came = None

    def begin(self):
        """Hold the signal back from now on."""
        if threading.current_thread() is not threading.main_thread():
            return
        handler = _signal.getsignal(SIGINT)
        if callable(handler):
            self._handler = handler
            _signal.signal(SIGINT, self._note)

    def _note(self, *arguments):
        self._came = arguments

    def end(self):
        """Let signals through again, and deliver one that came meanwhile."""
        handler, self._handler = self._handler, None
        if handler is None:
            return
        _signal.signal(SIGINT, handler)
        came, self._came = self._came, None
        if came is not None:
            handler(*came)
