"""Decides which alerts are sent: the state of the alert sensor between two ticks.

A cause has one alert, however often it recurs, and one more when it has recovered. Runs are
processed in order of their end; of checks and freshness the current state counts. A message stays
in the outbox until the webhook has accepted it.
"""

import hashlib
import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

Kind = Literal["run", "check", "freshness", "alerts"]
Severity = Literal["warning", "error"]

# How long an asset is late before the alert: its source may be about to be late as well.
FRESHNESS_DELAY = timedelta(minutes=10)
# Bounds of the memory, for example for failures of steps that no longer exist.
FORGOTTEN_AFTER = timedelta(days=30)
OPEN_CAUSES = 300
OUTBOX = 100
TEXT_CHARACTERS = 600


@dataclass(frozen=True)
class Problem:
    """A failed run, a failed check or a late asset.

    Attributes:
        cause: identifies it; equal for every retry.
        subject: the step, check or asset that has to succeed to resolve it.
        assets: number of affected assets.
        run_id: the run with details; may be empty.
        asset: name of the asset, if it is one asset's problem.
        check: name of the check, if it is a check's problem.
        at: time of detection, ISO 8601, UTC.
    """

    cause: str
    subject: str
    kind: Kind
    severity: Severity
    title: str
    text: str
    at: str
    assets: int = 0
    run_id: str = ""
    asset: str = ""
    check: str = ""


@dataclass(frozen=True)
class Alert:
    """A message that a problem has occurred or is resolved."""

    problem: Problem
    status: Literal["failing", "well"]
    at: str

    @property
    def id(self) -> str:
        """Equal for repeats of the same message."""
        text = f"{self.problem.cause}\0{self.problem.at}\0{self.problem.severity}\0{self.status}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class RunChange:
    """The result of an ended run: its problems and what succeeded."""

    problems: Sequence[Problem] = ()
    went_well: Collection[str] = ()
    at: str = ""
    run_id: str = ""


@dataclass(frozen=True)
class Memory:
    """The state of the sensor.

    Attributes:
        position: of the last processed event of a run.
        began: time of the first tick, ISO 8601.
        open: cause -> unresolved problem with an alert.
        settling: cause -> since when it is late; without an alert yet.
        outbox: alerts that the webhook has not accepted yet, in order.
        left_out: number of alerts that did not fit into the outbox.
    """

    position: int | None = None
    began: str = ""
    open: Mapping[str, Problem] = field(default_factory=dict)
    settling: Mapping[str, str] = field(default_factory=dict)
    outbox: Sequence[Alert] = ()
    left_out: int = 0

    def to_json(self) -> str:
        """Serializes the memory for the sensor's cursor."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | None) -> "Memory":
        """Parses a cursor; an empty one gives an empty memory."""
        if not text:
            return cls()
        values: dict[str, Any] = json.loads(text)
        return cls(
            position=values["position"],
            began=values["began"],
            open={cause: Problem(**previous) for cause, previous in values["open"].items()},
            settling=values["settling"],
            outbox=[
                Alert(**(previous | {"problem": Problem(**previous["problem"])}))
                for previous in values["outbox"]
            ],
            left_out=values["left_out"],
        )


def fingerprint(kind: str, sentence: str) -> str:
    """Identifies an error without numbers, paths and quoted values, which differ by retry."""
    plain = re.sub(r"(?<!\w)'[^']*'|\"[^\"]*\"|`[^`]*`|\S*[\d/\\]\S*", "", sentence)
    return hashlib.sha256(f"{kind}\0{' '.join(plain.split())}".encode()).hexdigest()[:12]


def shortened(text: str) -> str:
    """Shortens a text to one line of bounded length."""
    line = " ".join(text.split())
    return line if len(line) <= TEXT_CHARACTERS else f"{line[: TEXT_CHARACTERS - 2]} …"


def add_runs(memory: Memory, changes: Sequence[RunChange], now: datetime) -> Memory:
    """Adds the results of ended runs, in order.

    At the first tick only problems that are still unresolved have an alert.
    """
    open_, outbox = dict(memory.open), list(memory.outbox)
    for change in changes:
        for problem in change.problems:
            if problem.cause not in open_:
                open_[problem.cause] = problem
                outbox.append(Alert(problem, "failing", problem.at))
        for problem in [p for p in open_.values() if p.kind == "run"]:
            if problem.subject in change.went_well:
                del open_[problem.cause]
                recovered = replace(problem, run_id=change.run_id)
                outbox.append(Alert(recovered, "well", change.at))
    if not memory.began:
        outbox = [alert for alert in outbox if alert.problem.cause in open_]
    first = (now - FORGOTTEN_AFTER).isoformat()
    values = {c: p for c, p in open_.items() if p.kind != "run" or p.at >= first}
    if len(values) > OPEN_CAUSES:
        newest = sorted(values.values(), key=lambda p: (p.kind != "run", p.at))[-OPEN_CAUSES:]
        values = {problem.cause: problem for problem in newest}
    return _bounded(replace(memory, open=values, outbox=outbox))


def update_checks(
    memory: Memory, problems: Sequence[Problem], recovered_in: Mapping[str, str], now: datetime
) -> Memory:
    """Updates the problems of checks and freshness to their current state.

    Args:
        problems: all current problems.
        recovered_in: cause -> the run that resolved it, if any.
    """
    open_, outbox, settling = dict(memory.open), list(memory.outbox), {}
    current = {problem.cause: problem for problem in problems}
    for cause, problem in current.items():
        previous = open_.get(cause)
        if previous is not None and (previous.severity, problem.severity) != ("warning", "error"):
            continue
        if problem.kind == "freshness" and previous is None:
            since = memory.settling.get(cause, now.isoformat())
            if now - datetime.fromisoformat(since) < FRESHNESS_DELAY:
                settling[cause] = since
                continue
        open_[cause] = problem
        outbox.append(Alert(problem, "failing", problem.at))
    for cause, problem in list(open_.items()):
        if problem.kind != "run" and cause not in current:
            del open_[cause]
            recovered = replace(problem, run_id=recovered_in.get(cause, ""))
            outbox.append(Alert(recovered, "well", now.isoformat()))
    return _bounded(replace(memory, open=open_, settling=settling, outbox=outbox))


def deliver(
    memory: Memory, send: Callable[[Alert], Literal["taken", "refused", "unreachable"]]
) -> Memory:
    """Sends the outbox in order.

    A refused message moves to the end, so that it does not block the rest; an unreachable webhook
    ends the attempt.
    """
    waiting, refused = list(memory.outbox), []
    while waiting:
        answer = send(waiting[0])
        if answer == "unreachable":
            break
        if answer == "refused":
            refused.append(waiting[0])
        del waiting[0]
    return replace(memory, outbox=[*waiting, *refused])


def with_position(memory: Memory, position: int | None, now: datetime) -> Memory:
    """Records the position of a tick, and the time of the first tick."""
    return replace(memory, position=position, began=memory.began or now.isoformat())


def with_summary(memory: Memory, now: datetime) -> Memory:
    """Adds an alert with the number of left out messages, once the outbox has room."""
    if not memory.left_out or len(memory.outbox) >= OUTBOX:
        return memory
    problem = Problem(
        cause="alerts",
        subject="alerts",
        kind="alerts",
        severity="error",
        title="Alerts were left out",
        text=f"{memory.left_out} more had no room while the webhook did not answer; "
        "look at the runs.",
        at=now.isoformat(),
    )
    alert = Alert(problem, "failing", problem.at)
    return replace(memory, outbox=[*memory.outbox, alert], left_out=0)


def _bounded(memory: Memory) -> Memory:
    """Bounds the outbox: drops pairs that cancel each other out, and counts other losses."""
    if len(memory.outbox) <= OUTBOX:
        return memory
    first: dict[str, Alert] = {}
    last: dict[str, Alert] = {}
    for alert in memory.outbox:
        first.setdefault(alert.problem.cause, alert)
        last[alert.problem.cause] = alert
    outbox = [
        alert
        for alert in memory.outbox
        if last[alert.problem.cause] is alert and first[alert.problem.cause].status == alert.status
    ]
    left_out = memory.left_out + max(0, len(outbox) - OUTBOX)
    return replace(memory, outbox=outbox[:OUTBOX], left_out=left_out)
