"""A lake of handmade CRM, chat and product rows, and the marts that are made of them."""

from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from novade_pipeline.defs.amplitude.tables import EVENTS
from novade_pipeline.defs.marts.project import Project
from novade_pipeline.defs.marts.refresh import RefreshReport, refresh
from novade_pipeline.lake.delta import replace
from novade_pipeline.lake.merge import merge
from novade_pipeline.lake.query import open_database, sql_literal
from novade_pipeline.lake.table import Table
from novade_pipeline.privacy.policy import PersonalDataPolicy, protect
from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.places import lake_connection

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
KEEP = PersonalDataPolicy("keep")
HISTORIES = ("account_history", "opportunity_history")
SALES = ("opportunity_enhanced", "owner_performance", "sales_by_currency", "sales_snapshot")
CHATS = ("conversation_enhanced",)
TICKETS = ("ticket_volume", "client_tickets")
ERP = ("order_lines", "orders")
JOINED = (
    *("customer_keys", "customer_matches"),
    *("customer_360", "match_rates", "daily_activity"),
)
PRODUCT = (
    *("event_enhanced", "sessions", "user_days", "user_enhanced"),
    "daily_performance",
)
ALL = (*PRODUCT, *HISTORIES, *SALES, *CHATS, *TICKETS, *ERP, *JOINED)
Row = dict[str, Any]


class Crm:
    """A lake, what becomes of personal data in it, and a warehouse."""

    def __init__(self, root: Path, project: Project, policy: PersonalDataPolicy = KEEP) -> None:
        self.lake: Store = store(str(root / "lake"))
        self.warehouse = root / "warehouse.duckdb"
        self.project = project
        self.policy = policy

    def write(
        self, table: Table, rows: Iterable[Mapping[str, Any]], *, swept: bool = False
    ) -> None:
        """Merge rows as a load would; what a row does not say is what most rows have.

        Args:
            swept: as a sweep would, which takes in what has the same stamp.
        """
        usual: Row = {
            "is_deleted": False,
            "system_modstamp": NOW,
            "created_date": NOW,
            "created_at": NOW,
            "updated_at": NOW,
            "read_at": NOW,
            "participants": [],
        }
        columns = {column.name for column in table.columns}
        usual = {name: value for name, value in usual.items() if name in columns}
        records = [
            {name: _exact(value) for name, value in {**usual, **row}.items()} for row in rows
        ]
        full = pa.Table.from_pylist(records, schema=table.schema)
        rows = protect(full, table.personal, self.policy)
        merge(self.lake, table, rows, replace_equal=swept, replace_newer=swept)

    def use(self, *events: Mapping[str, Any]) -> None:
        """Let the product have these events, and no others; each says who, and when."""
        rows = []
        for line, event in enumerate(events, 1):
            moment: datetime = event["event_time"]
            rows.append(
                {
                    "upload_date": moment.date(),
                    "upload_hour": moment.replace(minute=0, second=0, microsecond=0),
                    "file": "a",
                    "line": line,
                    "uuid": f"e{line}",
                    "event_type": "Home",
                    "session_id": int(moment.timestamp() * 1000),
                    "user_properties": "{}",
                    "groups": "{}",
                    **event,
                }
            )
        rows.sort(key=lambda row: row["upload_date"])
        full = pa.Table.from_pylist(rows, schema=EVENTS.schema)
        replace(
            self.lake,
            EVENTS,
            pa.RecordBatchReader.from_batches(
                EVENTS.schema, protect(full, EVENTS.personal, self.policy).to_batches()
            ),
        )

    def refresh(
        self, *models: str, checks: bool = False, rebuild: bool = False, **variables: Any
    ) -> RefreshReport:
        """Refresh these marts, all where none is named."""
        chosen = models or ALL
        return refresh(
            self.project,
            self.lake,
            self.warehouse,
            models=chosen,
            checks=[c.name for c in self.project.checks if checks and c.model in chosen],
            rebuild=rebuild,
            variables=variables,
        )

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """What the warehouse says."""
        with closing(open_database(self.warehouse)) as connection:
            return connection.execute(sql).fetchall()

    def rows(self, mart: str) -> list[Row]:
        """The rows of a mart."""
        with closing(open_database(self.warehouse)) as connection:
            rows = connection.execute(f"select * from marts.{mart} order by all")
            names = [column[0] for column in rows.description or ()]
            return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]

    def published(self, mart: str) -> list[Row]:
        """The same from the lake."""
        with lake_connection(self.lake) as connection:
            place = sql_literal(self.lake.duckdb_path("marts", mart))
            rows = connection.execute(f"select * from delta_scan({place}) order by all")
            names = [column[0] for column in rows.description or ()]
            return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]


def _exact(value: Any) -> Any:
    return Decimal(repr(value)) if isinstance(value, float) else value


def ago(days: float) -> datetime:
    """So many days before the newest moment."""
    return NOW - timedelta(days=days)


def day(days: int) -> date:
    """The day of that."""
    return ago(days).date()
