"""Filters dbt's events to the few that are used.

dbt formats a message for each of several hundred events a build, even without a log: that took a
tenth of its time.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dbt_common.events.event_manager import EventManager
from dbt_common.events.event_manager_client import ctx_set_event_manager, get_event_manager

_DONE = {"LogModelResult", "LogTestResult", "LogNodeResult", "LogSnapshotResult"}


class _FilteredEventManager(EventManager):
    def fire_event(
        self,
        e: Any,
        level: Any = None,
        node: Any = None,
        force_warn_or_error_handling: bool = False,
    ) -> None:
        """Called by dbt with each event; the last argument marks events that may raise an error."""
        if force_warn_or_error_handling or type(e).__name__ in _DONE:
            super().fire_event(e, level, node, force_warn_or_error_handling)


@contextmanager
def progress_callback(on_progress: Callable[[str], None]) -> Iterator[Callable[[Any], None]]:
    """A callback for dbt that reports one line for each finished node."""

    def callback(event: Any) -> None:
        if event.info.name in _DONE and "PASS" not in event.info.msg:
            on_progress(re.sub(r" \.{2,}", "", event.info.msg))

    previous = get_event_manager()
    ctx_set_event_manager(_FilteredEventManager())
    try:
        yield callback
    finally:
        ctx_set_event_manager(previous)
