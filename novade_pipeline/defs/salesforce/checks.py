"""What is checked of the organisation's tables: their columns, their fields, and the business."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import dagster as dg

from novade_pipeline.defs.api_assets import warning
from novade_pipeline.defs.salesforce.tables import ACCOUNT, OPPORTUNITY, QUARANTINE, READ
from novade_pipeline.defs.table_assets import check_columns, check_fresh, check_specs, key_of
from novade_pipeline.lake.delta import open_table
from novade_pipeline.lake.query import connect, identifier, scan
from novade_pipeline.lake.table import Table
from novade_pipeline.settings import Settings
from novade_pipeline.storage import Store

VISIBLE_CHECK = "fields_are_visible"
BEFORE_CHECK = "fields_as_before"
PICKLIST_CHECK = "picklist_values_are_short"
QUARANTINE_CHECK = "nothing_in_quarantine"
LONGEST_PICKLIST_VALUE = 255
"""Source: Salesforce's 'Custom Field Limits'; an API client may write longer ones."""
IDS_SHOWN = 20

PICKLISTS = frozenset(
    {
        *("type", "industry", "account_source", "lead_source", "status", "stage_name"),
        *("forecast_category", "forecast_category_name", "priority", "task_subtype", "family"),
    }
)
"""Columns that hold one value of a list, in whichever object they are."""


@dataclass(frozen=True)
class Rule:
    """A rule of the business that a record may break.

    Attributes:
        broken: SQL that is true of a row that breaks it.
    """

    name: str
    table: Table
    told: str
    broken: str


RULES = (
    Rule(
        "closes_after_it_opens",
        OPPORTUNITY,
        "Warns where an opportunity closes before it was made: its days to close are negative.",
        "is_closed and close_date < cast(created_date as date)",
    ),
    Rule(
        "account_has_a_domain",
        ACCOUNT,
        "Warns where an account has no website: nobody is matched to it by e-mail domain.",
        "website is null",
    ),
)


def specs_of_checks() -> list[dg.AssetCheckSpec]:
    """The checks of all tables."""
    return [
        *(spec for table in READ for spec in check_specs(table)),
        *check_specs(QUARANTINE, fresh=False),
        *(spec for table in READ for spec in _specs_of_fields(table)),
        *(
            dg.AssetCheckSpec(rule.name, asset=key_of(rule.table), description=rule.told)
            for rule in RULES
        ),
        dg.AssetCheckSpec(
            QUARANTINE_CHECK,
            asset=key_of(QUARANTINE),
            description="Warns where records break the types of their fields.",
        ),
    ]


def check_results(
    settings: Settings, lake: Store, table: Table, metadata: dict[str, Any]
) -> Iterator[dg.AssetCheckResult]:
    """What the checks of a table find after a load; where it was passed over, only its columns."""
    yield check_columns(lake, table)
    if "note" in metadata:
        return
    if table is QUARANTINE:
        rows = metadata["dagster/row_count"]
        yield warning(table, QUARANTINE_CHECK, not rows, {"rows": rows})
        return
    invisible, dropped, retyped = (
        metadata[f"fields_{what}"].value for what in ("invisible", "dropped", "retyped")
    )
    yield warning(
        table,
        VISIBLE_CHECK,
        not invisible,
        {"invisible": dg.MetadataValue.json(invisible), "what_to_do": _mend(invisible)},
    )
    yield warning(
        table,
        BEFORE_CHECK,
        not (dropped or retyped),
        {"dropped": dg.MetadataValue.json(dropped), "retyped": dg.MetadataValue.json(retyped)},
    )
    with closing(_Asked(lake, table)) as asked:
        yield check_fresh(table, asked.one("max(system_modstamp)"), settings.freshness_hours)
        if picklists := _picklists(table):
            yield _of_rule(asked, PICKLIST_CHECK, _too_long(picklists))
        for rule in RULES:
            if rule.table is table:
                yield _of_rule(asked, rule.name, rule.broken)


class _Asked:
    """A table as DuckDB reads it; where it has not been written yet, it has no rows."""

    def __init__(self, lake: Store, table: Table) -> None:
        self.table = table
        self._connection = connect(lake=lake)
        self._source = scan(lake, table) if open_table(lake, table) is not None else None

    def one(self, what: str, where: str = "true") -> Any:
        """One value."""
        if self._source is None:
            return None
        query = f"select {what} from {self._source} where {where}"
        (row,) = self._connection.execute(query).fetchall()
        return row[0]

    def close(self) -> None:
        """Let go of the table."""
        self._connection.close()


def _of_rule(asked: _Asked, name: str, broken: str) -> dg.AssetCheckResult:
    where = f"not is_deleted and ({broken})"
    count = asked.one("count(*)", where) or 0
    ids = asked.one(f"array_slice(array_agg(id order by id), 1, {IDS_SHOWN})", where) or []
    return warning(
        asked.table,
        name,
        not count,
        {"rows": count, "first_ids": dg.MetadataValue.json(ids)},
    )


def _specs_of_fields(table: Table) -> Iterator[dg.AssetCheckSpec]:
    key = key_of(table)
    yield dg.AssetCheckSpec(
        VISIBLE_CHECK,
        asset=key,
        description="Warns where the user may not see a field that the marts rely on; it is null.",
    )
    yield dg.AssetCheckSpec(
        BEFORE_CHECK,
        asset=key,
        description="Warns where a field was dropped, or has another type than its column.",
    )
    if _picklists(table):
        yield dg.AssetCheckSpec(
            PICKLIST_CHECK,
            asset=key,
            description=f"Warns where a picklist's value is longer than {LONGEST_PICKLIST_VALUE} "
            "characters; it is loaded as it is.",
        )


def _picklists(table: Table) -> list[str]:
    return [column.name for column in table.columns if column.name in PICKLISTS]


def _too_long(columns: list[str]) -> str:
    return " or ".join(f"length({identifier(c)}) > {LONGEST_PICKLIST_VALUE}" for c in columns)


def _mend(invisible: list[str]) -> str:
    if not invisible:
        return "nothing"
    return (
        "Let the user see these fields (field-level security, in its permission set), or do "
        "without them where the organisation has none of these names."
    )
