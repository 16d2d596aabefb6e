"""Of dbt's events only those are told that somebody hears.

dbt makes a message of each event, several hundred a build, whether it has a log or not: that took
a tenth of its time.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dbt_common.events.event_manager import EventManager
from dbt_common.events.event_manager_client import ctx_set_event_manager, get_event_manager

_DONE = {"LogModelResult", "LogTestResult", "LogNodeResult", "LogSnapshotResult"}


class _Heard(EventManager):
    def fire_event(
        self,
        e: Any,
        level: Any = None,
        node: Any = None,
        force_warn_or_error_handling: bool = False,
    ) -> None:
        """Called by dbt with each event; with the last argument, where one may stop it."""
        if force_warn_or_error_handling or type(e).__name__ in _DONE:
            super().fire_event(e, level, node, force_warn_or_error_handling)


@contextmanager
def heard(on_progress: Callable[[str], None]) -> Iterator[Callable[[Any], None]]:
    """A callback for dbt that passes on one line whenever a node is done."""

    def callback(event: Any) -> None:
        # A test that passed is told at the end, with all others.
        if event.info.name in _DONE and "PASS" not in event.info.msg:
            on_progress(re.sub(r" \.{2,}", "", event.info.msg))

    before = get_event_manager()
    ctx_set_event_manager(_Heard())
    try:
        yield callback
    finally:
        ctx_set_event_manager(before)
