"""Waiting for what another process does: until it is so, and not for a number of seconds."""

import time
import urllib.error
import urllib.request
from collections.abc import Callable

PATIENCE = 600.0


def wait_until(description: str, condition: Callable[[], bool]) -> None:
    """Check a condition each second until it is true; the page offers nothing but polling."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"expected within {PATIENCE:.0f} s: {description}"
        time.sleep(1)


def page_answers(url: str) -> bool:
    """Whether Dagster's web page answers."""
    try:
        with urllib.request.urlopen(f"{url}/server_info", timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False
