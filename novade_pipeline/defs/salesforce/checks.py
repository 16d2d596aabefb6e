"""Checks of the organisation's records: business rules, which only warn."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import dagster as dg
import duckdb

from novade_pipeline.defs.salesforce.tables import ACCOUNT, OPPORTUNITY, ORGANIZATION, READ
from novade_pipeline.graph.table_assets import check_result, key_of
from novade_pipeline.lake.delta import open_table
from novade_pipeline.lake.query import connect, scan, sql_identifier
from novade_pipeline.lake.table import Table
from novade_pipeline.plurals import counted
from novade_pipeline.settings import Settings
from novade_pipeline.storage.store import Store

ZONE = "$zone"
"""A rule's parameter: the time zone of the organisation's days."""
LONGEST_PICKLIST_VALUE = 255
"""Source: Salesforce's 'Custom Field Limits'; API clients may write longer ones."""
IDS_SHOWN = 20

PICKLISTS = frozenset(
    {
        *("type", "industry", "account_source", "lead_source", "status", "stage_name"),
        *("forecast_category", "forecast_category_name", "priority", "task_subtype", "family"),
    }
)
"""Columns of picklists, in whichever object they are."""


@dataclass(frozen=True)
class Rule:
    """A business rule that a record may break.

    Attributes:
        problem: the rest of a message that begins with a number of records.
        broken: SQL that is true of a row that breaks it; `ZONE` is the zone of its days.
    """

    name: str
    table: Table
    description: str
    problem: str
    broken: str


def _too_long(table: Table) -> str:
    columns = [column.name for column in table.columns if column.name in PICKLISTS]
    return " or ".join(f"length({sql_identifier(c)}) > {LONGEST_PICKLIST_VALUE}" for c in columns)


RULES = (
    Rule(
        "closes_after_it_opens",
        OPPORTUNITY,
        "Warns where an opportunity closes before it was made: its days to close are negative.",
        "with a close date before the creation, so that the days to close are negative; correct "
        "one of the two dates in Salesforce.",
        f"close_date < cast(created_date at time zone {ZONE} as date)",
    ),
    Rule(
        "account_has_a_domain",
        ACCOUNT,
        "Warns where an account has no website: no person is matched to it by e-mail domain.",
        "without a website, so that no person is matched by e-mail domain; add the websites in "
        "Salesforce.",
        "coalesce(trim(website), '') = ''",
    ),
    *(
        Rule(
            "picklist_values_are_short",
            table,
            f"Warns where a picklist's value is longer than {LONGEST_PICKLIST_VALUE} characters; "
            "it is loaded as it is.",
            f"with a picklist value of more than {LONGEST_PICKLIST_VALUE} characters, which is "
            "loaded as it is; shorten it in Salesforce.",
            broken,
        )
        for table in READ
        if (broken := _too_long(table))
    ),
)


def definitions(settings: Settings) -> dg.Definitions:
    """The checks of the records; the checks of the fields are in `assets`."""

    @dg.multi_asset_check(
        name="salesforce_records",
        specs=[
            dg.AssetCheckSpec(rule.name, asset=key_of(rule.table), description=rule.description)
            for rule in RULES
        ],
        can_subset=True,
    )
    def salesforce_records(
        context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Store]
    ) -> Iterator[dg.AssetCheckResult]:
        """Counts the records that break a rule; they are loaded all the same."""
        selected = {(key.asset_key, key.name) for key in context.selected_asset_check_keys}
        with closing(connect(lake=lake)) as connection:
            zone = settings.reporting_time_zone or _zone(connection, lake)
            for rule in RULES:
                if (key_of(rule.table), rule.name) in selected:
                    yield _result(connection, lake, rule, zone)

    return dg.Definitions(asset_checks=[salesforce_records])


def _zone(connection: duckdb.DuckDBPyConnection, lake: Store) -> str:
    """Returns the organisation's time zone, as the marts use it (`dbt/macros/days.sql`)."""
    if open_table(lake, ORGANIZATION) is None:
        return "UTC"
    row = connection.execute(
        f"select min(time_zone_sid_key) from {scan(lake, ORGANIZATION)}"
        " where time_zone_sid_key in (select name from pg_timezone_names())"
    ).fetchone()
    return str(row[0]) if row is not None and row[0] else "UTC"


def _result(
    connection: duckdb.DuckDBPyConnection, lake: Store, rule: Rule, zone: str
) -> dg.AssetCheckResult:
    if open_table(lake, rule.table) is None:
        return check_result(rule.table, rule.name, None, {"rows": 0})
    rows = connection.execute(
        f"select count(*), array_slice(array_agg(id order by id), 1, {IDS_SHOWN}) "
        f"from {scan(lake, rule.table)} where not is_deleted and ({rule.broken})",
        {"zone": zone} if ZONE in rule.broken else {},
    ).fetchall()
    count, ids = rows[0]
    metadata = {"rows": count, "first_ids": dg.MetadataValue.json(ids or [])}
    problem = None
    if count:
        problem = f"{counted(count, 'record')} {rule.problem}"
    return check_result(rule.table, rule.name, problem, metadata)
