"""The plan's file in landing: which one counts, and the table that it becomes."""

import json

import pyarrow as pa

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
from novade_pipeline.storage import Store

FOLDER = "tracking_plan"


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


def newest_rows(landing: Store, lake: Store) -> tuple[LandedFile, pa.Table] | None:
    """The newest plan's file and rows, where the lake does not hold exactly these.

    Raises:
        PlanError: the newest file is no plan.
        TransientFailure: it changed while it was read.
    """
    file = newest_file(landing)
    if file is None:
        return None
    rows = plan_rows(read_plan(landing, file), file.file)
    order = [(name, "ascending") for name in PLAN.key]
    return None if rows.sort_by(order).equals(read(lake, PLAN).sort_by(order)) else (file, rows)


def plan_rows(plan: Plan, file: str) -> pa.Table:
    """One row an event, with its rule, and one row a property of it."""
    rows = []
    for rule in plan.rules:
        same = {
            "plan_version": plan.version,
            "plan_name": plan.name,
            "format": plan.format,
            "file": file,
            "event_type": rule.event_type,
        }
        own = json.dumps(rule.schema, ensure_ascii=False, sort_keys=True)
        rows.append(
            {**same, "property": "", "required": True, "description": rule.description, "rule": own}
        )
        for name, summary in planned_properties(rule).items():
            rows.append(
                {
                    **same,
                    "property": name,
                    "types": summary.types,
                    "required": summary.required,
                    "description": summary.description,
                }
            )
    return pa.Table.from_pylist(rows, schema=PLAN.schema)
