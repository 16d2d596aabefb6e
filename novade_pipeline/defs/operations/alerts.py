"""What is told, when, and what waits to be told: the sensor's memory between two looks.

A cause is told once, however often it comes again, and once more when it is well. What became of
runs is taken in as it happened, run by run; checks and freshness are looked at as they stand.
A message waits in the outbox until the webhook has taken it.
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

# How long an asset is late before it is told: what follows from a late source is about to follow.
FRESHNESS_SETTLES = timedelta(minutes=10)
# The memory is bounded: a failure of a step that is no more is forgotten, an outbox is not endless.
FORGOTTEN_AFTER = timedelta(days=30)
OPEN_CAUSES = 300
OUTBOX = 100
TEXT_CHARACTERS = 600


@dataclass(frozen=True)
class Problem:
    """Something that is not well.

    Attributes:
        cause: names it; the same for every retry.
        subject: what has to go well for it to be over: a step, a check, an asset.
        text: one sentence.
        assets: how many assets are concerned.
        run_id: the run that tells more; empty where there is none.
        asset: the asset's name, where it is one asset's.
        check: the check's name, where it is a check's.
        at: when it was seen, ISO 8601, UTC.
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
    """A message: a problem has come, or is over."""

    problem: Problem
    status: Literal["failing", "well"]
    at: str

    @property
    def id(self) -> str:
        """The same whenever the same message is sent again."""
        told = f"{self.problem.cause}\0{self.problem.at}\0{self.problem.severity}\0{self.status}"
        return hashlib.sha256(told.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class RunChange:
    """What one run that has ended means: what failed in it, and what went well in it."""

    problems: Sequence[Problem] = ()
    went_well: Collection[str] = ()
    at: str = ""
    run_id: str = ""


@dataclass(frozen=True)
class Memory:
    """What has been seen and told.

    Attributes:
        position: of the last event of a run that was taken in.
        began: when the first look was, ISO 8601.
        open: cause -> the problem as it was told; it stands.
        settling: cause -> since when; not told yet.
        outbox: what the webhook has not taken yet, in order.
        left_out: messages that had no room in the outbox.
    """

    position: int | None = None
    began: str = ""
    open: Mapping[str, Problem] = field(default_factory=dict)
    settling: Mapping[str, str] = field(default_factory=dict)
    outbox: Sequence[Alert] = ()
    left_out: int = 0

    def to_json(self) -> str:
        """As the sensor's cursor keeps it."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | None) -> "Memory":
        """What `to_json` wrote; empty where there is nothing yet."""
        if not text:
            return cls()
        kept: dict[str, Any] = json.loads(text)
        return cls(
            position=kept["position"],
            began=kept["began"],
            open={cause: Problem(**told) for cause, told in kept["open"].items()},
            settling=kept["settling"],
            outbox=[
                Alert(**(told | {"problem": Problem(**told["problem"])})) for told in kept["outbox"]
            ],
            left_out=kept["left_out"],
        )


def fingerprint(kind: str, sentence: str) -> str:
    """Names an error without its particulars: numbers, paths and quoted values differ by retry."""
    plain = re.sub(r"(?<!\w)'[^']*'|\"[^\"]*\"|`[^`]*`|\S*[\d/\\]\S*", "", sentence)
    return hashlib.sha256(f"{kind}\0{' '.join(plain.split())}".encode()).hexdigest()[:12]


def shortened(text: str) -> str:
    """One line of bounded length."""
    line = " ".join(text.split())
    return line if len(line) <= TEXT_CHARACTERS else f"{line[: TEXT_CHARACTERS - 2]} …"


def take_in_runs(memory: Memory, changes: Sequence[RunChange], now: datetime) -> Memory:
    """What became of runs, in their order.

    At the first look only what has not gone well since is told.
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
                mended = replace(problem, run_id=change.run_id)
                outbox.append(Alert(mended, "well", change.at))
    if not memory.began:
        outbox = [alert for alert in outbox if alert.problem.cause in open_]
    first = (now - FORGOTTEN_AFTER).isoformat()
    kept = {c: p for c, p in open_.items() if p.kind != "run" or p.at >= first}
    if len(kept) > OPEN_CAUSES:
        newest = sorted(kept.values(), key=lambda p: (p.kind != "run", p.at))[-OPEN_CAUSES:]
        kept = {problem.cause: problem for problem in newest}
    return _bounded(replace(memory, open=kept, outbox=outbox))


def take_in_standing(
    memory: Memory, problems: Sequence[Problem], mended_by: Mapping[str, str], now: datetime
) -> Memory:
    """Checks and freshness as they stand now.

    Args:
        problems: all that is not well.
        mended_by: cause -> the run that it went well in, where there is one.
    """
    open_, outbox, settling = dict(memory.open), list(memory.outbox), {}
    standing = {problem.cause: problem for problem in problems}
    for cause, problem in standing.items():
        told = open_.get(cause)
        if told is not None and (told.severity, problem.severity) != ("warning", "error"):
            continue
        if problem.kind == "freshness" and told is None:
            since = memory.settling.get(cause, now.isoformat())
            if now - datetime.fromisoformat(since) < FRESHNESS_SETTLES:
                settling[cause] = since
                continue
        open_[cause] = problem
        outbox.append(Alert(problem, "failing", problem.at))
    for cause, problem in list(open_.items()):
        if problem.kind != "run" and cause not in standing:
            del open_[cause]
            mended = replace(problem, run_id=mended_by.get(cause, ""))
            outbox.append(Alert(mended, "well", now.isoformat()))
    return _bounded(replace(memory, open=open_, settling=settling, outbox=outbox))


def deliver(
    memory: Memory, send: Callable[[Alert], Literal["taken", "refused", "unreachable"]]
) -> Memory:
    """Send what waits, in order, each until it is taken.

    A message that is refused for itself waits at the end, so that it holds up no other; one that
    did not arrive ends the attempt.
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


def begun(memory: Memory, position: int | None, now: datetime) -> Memory:
    """After a look: up to where it saw, and when the first one was."""
    return replace(memory, position=position, began=memory.began or now.isoformat())


def summed_up(memory: Memory, now: datetime) -> Memory:
    """Once there is room again: how many messages had none."""
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
    """The outbox within its size; nothing leaves it uncounted but what cancels out."""
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
