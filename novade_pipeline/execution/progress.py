"""The progress of a run, from the events that it logs."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread

import dagster as dg

# Dagster logs this for each check of a skipped source; the run's notes say why it is skipped.
_MISSING_CHECKS = "did not yield or return expected outputs"
_ENDS = {
    dg.DagsterEventType.STEP_SUCCESS: "done",
    dg.DagsterEventType.STEP_FAILURE: "failed",
    dg.DagsterEventType.STEP_SKIPPED: "skipped",
}
"""How a step ends, in a message."""


@dataclass(frozen=True)
class DomainProgress:
    """The progress of a domain's part of a run.

    Attributes:
        assets: number of them in the run.
        done: those whose step has succeeded.
        seconds: from the start of its first step to its newest event.
        has_ended: no step is left.
        failed_steps: number of steps that failed or were skipped.
        message: the newest.
    """

    name: str
    assets: int
    done: int
    seconds: float
    has_ended: bool
    failed_steps: int
    message: str


@dataclass
class _Domain:
    """The steps of a domain, with their assets, and those that have ended."""

    assets: dict[str, set[dg.AssetKey]] = field(default_factory=dict)
    ended: dict[str, bool] = field(default_factory=dict)
    begin: float | None = None


@contextmanager
def report_progress(
    instance: dg.DagsterInstance,
    run_id: str,
    on_message: Callable[[str], None],
    on_domain: Callable[[DomainProgress], None] = lambda _: None,
) -> Iterator[None]:
    """Follows a run that this process executes.

    Args:
        on_message: called with each line that the run logs.
        on_domain: called with the progress of a domain, after each of its lines.
    """
    entries: SimpleQueue[dg.EventLogEntry | None] = SimpleQueue()

    def follow() -> None:
        domains = _Domains()
        while (entry := entries.get()) is not None:
            message = _message(entry)
            if message:
                on_message(message)
            if progress := domains.after(entry, message):
                on_domain(progress)

    instance.add_event_listener(run_id, entries.put)
    # A console that is slow, or was closed, does not hold up the run.
    thread = Thread(target=follow, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        entries.put(None)
        thread.join()


class _Domains:
    """The domains of a run, known from the events that plan its assets and checks."""

    def __init__(self) -> None:
        self._domains: dict[str, _Domain] = {}
        self._domain_of: dict[str, str] = {}

    def after(self, entry: dg.EventLogEntry, message: str | None) -> DomainProgress | None:
        """Returns the progress of the domain that a line is of, if it changed."""
        event, step = entry.dagster_event, entry.step_key
        if step is None:
            return None
        kind = event.event_type if event is not None else None
        if event is not None and kind == dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED:
            asset = event.asset_key
            assert asset is not None, "planned for an asset"
            self._plan(step, asset.path[0]).add(asset)
            return None
        if event is not None and kind == dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED:
            self._plan(step, event.asset_check_planned_data.asset_key.path[0])
            return None
        name = self._domain_of.get(step)
        if name is None or not message:
            return None
        domain = self._domains[name]
        domain.begin = domain.begin or entry.timestamp
        if kind in _ENDS:
            domain.ended[step] = kind == dg.DagsterEventType.STEP_SUCCESS
        return DomainProgress(
            name,
            assets=sum(map(len, domain.assets.values())),
            done=sum(len(domain.assets[step]) for step, passed in domain.ended.items() if passed),
            seconds=entry.timestamp - domain.begin,
            has_ended=domain.ended.keys() == domain.assets.keys(),
            failed_steps=sum(not passed for passed in domain.ended.values()),
            message=message,
        )

    def _plan(self, step: str, domain: str) -> set[dg.AssetKey]:
        self._domain_of.setdefault(step, domain)
        steps = self._domains.setdefault(self._domain_of[step], _Domain())
        return steps.assets.setdefault(step, set())


def _message(entry: dg.EventLogEntry) -> str | None:
    event = entry.dagster_event
    if event is None:
        if int(entry.level) < logging.INFO or _MISSING_CHECKS in entry.user_message:
            return None
        return entry.user_message
    if event.event_type == dg.DagsterEventType.STEP_START:
        return f"{event.step_key}: begins"
    if event.event_type == dg.DagsterEventType.STEP_UP_FOR_RETRY:
        return f"{event.step_key}: is tried again"
    if event.event_type in _ENDS:
        return f"{event.step_key}: {_ENDS[event.event_type]}"
    return None
