"""Interruptions of a run that Python would ignore."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

SECONDS = 0.1
"""After which a signal is sent again, outside of the callback that it came in."""


@contextmanager
def no_interruption_is_lost() -> Iterator[None]:
    """Within the block, an interruption that was raised in a callback is sent again.

    A signal's handler runs between any two instructions, among them those of callbacks of weak
    references and of `__del__`: what is raised there is printed, and the program goes on.
    Source: https://docs.python.org/3/library/signal.html#note-on-signal-handlers-and-exceptions
    """
    report = sys.unraisablehook

    def send_again(unraisable: "sys.UnraisableHookArgs") -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt | dg.DagsterExecutionInterruptedError):
            timer = threading.Timer(SECONDS, os.kill, (os.getpid(), signal.SIGINT))
            timer.daemon = True
            timer.start()
        else:
            report(unraisable)

    sys.unraisablehook = send_again
    try:
        yield
    finally:
        sys.unraisablehook = report
