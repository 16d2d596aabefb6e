"""The ERP as a domain: the sandbox's database through the graph, doctor, reflect, scaffolding."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg2
import pytest
import yaml

from novade_pipeline.databases.declaration_file import (
    read_declaration,
    tables_to_reflect,
    with_columns,
)
from novade_pipeline.databases.reflection import merged_columns, reflect
from novade_pipeline.defs.erp import tables as erp_tables
from novade_pipeline.defs.erp.settings import ErpSettings
from novade_pipeline.defs.erp.tables import DECLARATION
from novade_pipeline.errors import UserError
from novade_pipeline.graph.access import try_all
from novade_pipeline.graph.database_access import database_probes
from novade_pipeline.graph.database_assets import database_definitions
from novade_pipeline.graph.database_component import scaffolded
from novade_pipeline.graph.resources import resources
from novade_pipeline.lake.read import read
from novade_pipeline.lake.tombstones import TombstoneRegistry
from novade_pipeline.privacy.identifiers import Identifier
from novade_pipeline.sandbox import erp_rows
from novade_pipeline.sandbox.database_servers import DatabaseServer, running_postgres
from novade_pipeline.settings import Settings, load_settings

NUMBERS = count(1)
TABLES = ("customers", "products", "orders", "order_lines")


@pytest.fixture(scope="module")
def server() -> Iterator[DatabaseServer]:
    with running_postgres() as running:
        yield running


class Erp:
    """The sandbox's database, and the graph that loads it."""

    def __init__(self, server: DatabaseServer, name: str, folder: Path) -> None:
        with closing(psycopg2.connect(server.url("postgres"))) as admin:
            admin.autocommit = True
            with admin.cursor() as cursor:
                cursor.execute(f"create database {name}")
        self.server, self.name = server, name
        erp_rows.create(server.url(name), orders=40)
        reader = server.url(name, erp_rows.READER, erp_rows.READER_PASSWORD)
        self.settings: Settings = load_settings(lake_url=str(folder / "lake"), erp_url=reader)
        self.declared = read_declaration(DECLARATION).model_copy(update={"slot": name})

    def execute(self, *statements: str) -> None:
        with closing(psycopg2.connect(self.server.url(self.name))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)

    def run(self) -> tuple[bool, dict[str, dict[str, Any]], dict[tuple[str, str], str | None]]:
        """Success, metadata by table, and why checks failed."""
        access = self.settings.of(ErpSettings)
        parts = database_definitions(self.settings, "erp", self.declared, access)
        result = dg.materialize(
            list(parts.assets or []),
            resources=resources(self.settings, {}),
            raise_on_error=False,
        )
        metadata = {
            event.asset_key.path[-1]: {
                k: v.value for k, v in event.materialization.metadata.items()
            }
            for event in result.get_asset_materialization_events()
            if event.asset_key
        }
        checks = {
            (check.asset_key.path[-1], check.check_name): check.description
            for check in result.get_asset_check_evaluations()
            if not check.passed
        }
        return result.success, metadata, checks

    def problems(self, **settings: Any) -> dict[str, str]:
        """Probe -> message, of those that fail."""
        access = load_settings(**{"erp_url": self.settings.of(ErpSettings).url, **settings})
        results = try_all(database_probes("erp", self.declared, access.of(ErpSettings)))
        return {result.probe.name: result.message for result in results if not result.passed}


@pytest.fixture
def erp(server: DatabaseServer, tmp_path: Path) -> Erp:
    return Erp(server, f"erp_{next(NUMBERS)}", tmp_path)


def test_a_day_of_business_arrives_incrementally(erp: Erp) -> None:
    success, first, checks = erp.run()
    assert success
    assert checks == {}
    assert {table: first[table]["read_whole"] for table in TABLES} == dict.fromkeys(TABLES, True)
    assert first["orders"]["dagster/row_count"] == 40
    erp_rows.change(erp.server.url(erp.name), count=3)
    success, second, checks = erp.run()
    assert success
    assert checks == {}
    assert {t: second[t]["read_whole"] for t in TABLES} == {
        **{"customers": False, "products": True, "orders": False, "order_lines": False}
    }
    assert 3 <= second["orders"]["rows_written"] <= 7
    assert second["products"]["rows_written"] == 0
    success, third, _ = erp.run()
    assert success
    assert {t: third[t]["rows_written"] for t in TABLES} == dict.fromkeys(TABLES, 0)


def test_drift_and_a_lost_feed_are_warnings_of_checks(erp: Erp) -> None:
    erp.run()
    erp.execute(
        "alter table orders add column channel text",
        f"select pg_drop_replication_slot('{erp.name}')",
    )
    success, metadata, checks = erp.run()
    assert success
    assert "channel is new. Run `novade erp reflect`" in str(
        checks["orders", "columns_as_in_database"]
    )
    assert "is gone" in str(checks["orders", "changes_are_complete"])
    assert "has moved on" in metadata["order_lines"]["read_whole_because"]


def test_a_table_that_cannot_be_read_does_not_stop_the_others(erp: Erp) -> None:
    erp.execute(f"revoke select on products from {erp_rows.READER}")
    success, metadata, _ = erp.run()
    assert not success
    assert metadata.keys() == {"customers", "orders", "order_lines"}


def test_doctor_names_what_is_missing(erp: Erp) -> None:
    assert erp.problems() == {}
    erp.execute(
        f"revoke select on products from {erp_rows.READER}",
        "alter publication novade drop table orders",
        "drop table order_lines",
    )
    problems = erp.problems()
    assert problems.keys() == {
        *("erp_read_products", "erp_follow_orders"),
        *("erp_read_order_lines", "erp_follow_order_lines"),
    }
    assert "grant the right to erp_reader" in problems["erp_read_products"]
    assert "ALTER PUBLICATION … ADD TABLE" in problems["erp_follow_orders"]
    wrong = str(erp.server.url(erp.name, erp_rows.READER, "not-the-secret"))
    message = erp.problems(erp_url=wrong)["erp_connect"]
    assert "set the user and the password in NOVADE_ERP_URL" in message
    assert "not-the-secret" not in message


def test_without_a_url_the_tables_are_skipped_with_a_note(tmp_path: Path) -> None:
    settings = load_settings(lake_url=str(tmp_path / "lake"))
    access = settings.of(ErpSettings)
    assert access.missing == "NOVADE_ERP_URL is not set: the database is not read."
    assert list(database_probes("erp", read_declaration(DECLARATION), access)) == []


def test_the_declared_columns_are_those_of_the_sandbox(erp: Erp) -> None:
    """And reflecting them changes nothing: marks, descriptions and comments stay."""
    text = DECLARATION.read_text()
    with erp.settings.of(ErpSettings).database.session() as session:
        for table in tables_to_reflect(DECLARATION):
            columns = merged_columns(table.columns, reflect(session, table).columns)
            text = with_columns(text, table.table, columns)
    assert text == DECLARATION.read_text()


NEW = """type: x
attributes:
  tables:
    - table: orders  # of the shop
      key: [order_id]
      mode: changes
"""


def test_columns_are_written_where_there_are_none(erp: Erp, tmp_path: Path) -> None:
    path = tmp_path / "defs.yaml"
    path.write_text(NEW)
    (table,) = tables_to_reflect(path)
    with erp.settings.of(ErpSettings).database.session() as session:
        columns = reflect(session, table).columns
    text = with_columns(path.read_text(), "orders", columns)
    assert "# of the shop" in text
    path.write_text(text)
    (declared,) = read_declaration(path).tables
    assert [column.name for column in declared.columns] == [
        *("order_id", "customer_id", "status", "currency", "ordered_at", "note")
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key": ["nope"]}, "orders: expected the key nope among the columns"),
        ({"mode": "changed"}, "changed_by goes with the mode changed"),
        ({"moed": "full"}, "tables.0.moed: Extra inputs are not permitted"),
        ({"columns": [{"name": "order_id", "type": "number"}]}, "expected one of integer"),
        ({"columns": [{"name": "order_id", "type": "float"}]}, "expected a key of date, integer"),
    ],
    ids=["no such key", "no column rises", "misspelt", "no such type", "no key"],
)
def test_a_wrong_declaration_is_one_sentence(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    columns = [{"name": "order_id", "type": "integer"}]
    table: dict[str, Any] = {"table": "orders", "key": ["order_id"], "columns": columns}
    path = tmp_path / "defs.yaml"
    path.write_text(yaml.safe_dump({"attributes": {"tables": [table | change]}}))
    with pytest.raises(UserError, match=r"defs\.yaml") as error:
        read_declaration(path)
    assert message in str(error.value)


def test_the_erp_is_what_dg_scaffolds() -> None:
    """So that what `dg scaffold` makes is tested by all that tests the ERP."""
    files = scaffolded("erp")
    folder = DECLARATION.parent
    modules = {path.name: path.read_text() for path in folder.glob("*.py")}
    assert {name: text for name, text in files.items() if name != "defs.yaml"} == modules
    new = yaml.safe_load(files["defs.yaml"])
    assert new["type"] == yaml.safe_load(DECLARATION.read_text())["type"]


def test_a_person_who_is_erased_stays_erased_and_is_no_deletion(erp: Erp) -> None:
    erp.run()
    lake, policy = erp.settings.lake, erp.settings.personal_data_policy
    (customers,) = (t for t in erp_tables.TABLES if t.name == "erp/customers")
    before = {row["customer_id"]: row["email"] for row in read(lake, customers).to_pylist()}
    address = Identifier("email", before[3].lower())
    TombstoneRegistry(lake, policy.key).add([address], datetime.now(UTC))
    erp.execute(
        "update customers set name = 'anew', updated_at = now() where customer_id in (3, 4)"
    )
    assert erp.run()[0]
    rows = {row["customer_id"]: row for row in read(lake, customers).to_pylist()}
    # What is stored is the erasure's to delete; what is read of the person is not.
    assert (rows[3]["name"] == "anew", rows[4]["name"]) == (False, "anew")
    assert not any(row["is_deleted"] for row in rows.values())


def test_marked_columns_are_hashed_in_every_mode(erp: Erp, tmp_path: Path) -> None:
    erp.settings = load_settings(
        lake_url=str(tmp_path / "hashed"),
        erp_url=erp.settings.of(ErpSettings).url,
        personal_data="hash",
        personal_data_key="k",
    )
    assert erp.run()[0]
    (customers,) = (t for t in erp_tables.TABLES if t.name == "erp/customers")
    hashed = {r["customer_id"]: r["email"] for r in read(erp.settings.lake, customers).to_pylist()}
    assert all("." not in email.partition("@")[0] for email in hashed.values())
    erp_rows.change(erp.server.url(erp.name), count=2)
    success, metadata, _ = erp.run()
    assert success
    assert metadata["customers"]["rows_written"] <= 2
    again = {r["customer_id"]: r["email"] for r in read(erp.settings.lake, customers).to_pylist()}
    assert again == hashed
