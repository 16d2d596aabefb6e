"""The plan's file in landing: finding the newest, and converting plans to and from rows."""

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from novade_pipeline.defs.tracking_plan.event_rules import with_readable_patterns
from novade_pipeline.defs.tracking_plan.plan import EventRule, RefusedRule
from novade_pipeline.defs.tracking_plan.plan_formats import (
    MAX_BYTES,
    Plan,
    PlanError,
    parse_plan,
    planned_properties,
)
from novade_pipeline.defs.tracking_plan.tables import PLAN
from novade_pipeline.lake.read import read
from novade_pipeline.landing.files import DamagedFile, LandedFile, list_files, open_landed
from novade_pipeline.storage.store import Store

FOLDER = "tracking_plan"
NO_PLAN = Plan(plan_id="", name="", format="", version="0" * 16, rules=())


def newest_file(landing: Store) -> LandedFile | None:
    """The newest file of `landing/tracking_plan/`, by its time of change, then by name."""
    files = list_files(landing, [f"{FOLDER}/"], lambda _: None)
    return max(files, key=lambda file: (file.modified, file.file), default=None)


def read_plan(landing: Store, file: LandedFile) -> Plan:
    """The plan in a landed file.

    Raises:
        PlanError: it is no plan; one sentence with the reason.
        TransientFailure: it changed while it was read.
    """
    if file.size > MAX_BYTES:
        raise PlanError(
            f"{file.file}: expected a tracking plan of at most {MAX_BYTES >> 20} MiB, found "
            f"{file.size >> 20} MiB; export the plan again"
        )
    try:
        with open_landed(landing, file) as stream:
            content = stream.read()
    except DamagedFile as damage:
        raise PlanError(
            f"{file.file}: expected a tracking plan, found that it {damage}; let this user read it"
        ) from None
    return parse_plan(content, file.file)


def newest_plan(landing: Store) -> tuple[LandedFile, Plan] | None:
    """The newest file of `landing/tracking_plan/`, and the plan in it; None without a file.

    Raises:
        PlanError: the newest file is no plan.
        TransientFailure: it changed while it was read.
    """
    file = newest_file(landing)
    return None if file is None else (file, read_plan(landing, file))


def pending_rows(lake: Store, file: LandedFile, plan: Plan) -> pa.Table | None:
    """The rows of a plan; None if the lake has exactly these."""
    rows = plan_rows(plan, file.file)
    order = [(name, "ascending") for name in PLAN.key]
    return None if rows.sort_by(order).equals(read(lake, PLAN).sort_by(order)) else rows


def plan_rows(plan: Plan, file: str) -> pa.Table:
    """One row an event, with its rule, and one row a property of it."""
    plan_fields = {
        "plan_version": plan.version,
        "plan_name": plan.name,
        "format": plan.format,
        "file": file,
    }
    by_event: dict[str, list[EventRule | RefusedRule]] = {}
    rules: list[EventRule | RefusedRule] = [*plan.rules, *plan.refused]
    for rule in sorted(rules, key=lambda rule: rule.version):
        if rule.event_type:
            by_event.setdefault(rule.event_type, []).append(rule)
    rows = [plan_fields | row for rules in by_event.values() for row in _event_rows(rules)]
    return pa.Table.from_pylist(rows, schema=PLAN.schema)


def stored_plan(lake: Store) -> Plan:
    """The plan in the lake; without rules if there is none."""
    rows = read(lake, PLAN).to_pylist()
    if not rows:
        return NO_PLAN
    rules = [rule for row in rows if not row["property"] for rule in _stored_rules(row)]
    rules.sort(key=lambda rule: (rule.event_type, rule.version))
    first = rows[0]
    return Plan(
        plan_id=first["plan_name"],
        name=first["plan_name"],
        format=first["format"],
        version=first["plan_version"],
        rules=tuple(rule for rule in rules if isinstance(rule, EventRule)),
        refused=tuple(rule for rule in rules if isinstance(rule, RefusedRule)),
    )


def _event_rows(rules: list[EventRule | RefusedRule]) -> Iterator[dict[str, Any]]:
    """The rows of one event, whose rules are ordered by version."""
    newest = rules[-1]
    own: dict[str, Any] = {"event_type": newest.event_type, "property": "", "required": True}
    own |= {"description": newest.description}
    if isinstance(newest, EventRule):
        own["rule"] = _json(newest.schema)
    for rule in rules:
        if isinstance(rule, RefusedRule):
            own["refused"] = rule.reason
    if len(rules) > 1:
        own["versions"] = _json([_version_fields(rule) for rule in rules])
    yield own
    sound = [rule for rule in reversed(rules) if isinstance(rule, EventRule)]
    names: set[str] = set()
    for rule in sound:
        for name, summary in planned_properties(rule).items():
            if name not in names:
                names.add(name)
                yield {
                    "event_type": rule.event_type,
                    "property": name,
                    "types": summary.types,
                    "required": summary.required and rule is sound[0],
                    "description": summary.description,
                }


def _version_fields(rule: EventRule | RefusedRule) -> dict[str, Any]:
    if isinstance(rule, RefusedRule):
        return {"version": rule.version, "refused": rule.reason}
    return {"version": rule.version, "rule": rule.schema}


def _stored_rules(row: dict[str, Any]) -> Iterator[EventRule | RefusedRule]:
    """The rules that an event's row holds, one for each version."""
    event, description = row["event_type"], row["description"] or ""
    single = {"version": 0, "refused": row["refused"], "rule": json.loads(row["rule"] or "null")}
    for stated in json.loads(row["versions"]) if row["versions"] else [single]:
        if stated.get("rule") is None:
            yield RefusedRule(event, stated["version"], stated["refused"] or "", description)
        else:
            # An older version of this program may have accepted other patterns.
            schema, _ = with_readable_patterns(stated["rule"])
            yield EventRule(event, description, schema, stated["version"])


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
