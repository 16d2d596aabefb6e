"""Waiting for what another process does: until it is so, and not for a number of seconds."""

import time
import urllib.error
import urllib.request
from collections.abc import Callable

PATIENCE = 600.0


def wait_until(told: str, is_so: Callable[[], bool]) -> None:
    """Look each second until it is so: the page has no other way to tell, and to ask it costs."""
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end, f"expected within {PATIENCE:.0f} s: {told}"
        time.sleep(1)


def page_answers(url: str) -> bool:
    """Dagster's web page is there."""
    try:
        with urllib.request.urlopen(f"{url}/server_info", timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False
