"""Every value arrives as it is: decimals, times with and without a zone, uuids, texts, bytes."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from novade_pipeline.databases.database import Database
from novade_pipeline.databases.declaration import DatabaseTables
from novade_pipeline.databases.load import Loader
from novade_pipeline.databases.reflection import reflect
from novade_pipeline.databases.tables import lake_table
from novade_pipeline.errors import PermanentFailure
from novade_pipeline.lake.read import read
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.sandbox.database_servers import DatabaseServer, running_mariadb
from novade_pipeline.storage.locations import store
from novade_pipeline_tests.databases.world import World

POSTGRES = """create table t (
    id bigint primary key, small smallint, price numeric(38, 10), exact numeric(18, 4),
    free numeric,
    at timestamptz, local timestamp, day date, clock time, ref uuid, doc jsonb, raw bytea,
    ratio float8, ok boolean, name text, code char(5), span interval, tags int[], net inet)"""
VALUES = """insert into t values (9223372036854775807, -3,
    1234567890123456789012345678.0123456789, 12345678901234.5678, 1e40,
    '9999-12-31 23:59:59.999999+02', '2026-03-29 02:30:00.000001', '0001-01-01', '23:59:59.999999',
    'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '{"a": 1.50}', '\\x00ff', 'nan', true,
    'Ünï — 漢字 😀', 'ab', '1 day 02:00', '{1,2}', '10.0.0.1/8'), (1)"""
KINDS = {
    **{"id": "integer", "small": "integer", "price": "decimal(38,10)", "exact": "decimal(18,4)"},
    **{"free": "text", "at": "timestamp", "local": "local_timestamp", "day": "date"},
    **{"clock": "time", "ref": "uuid", "doc": "json", "raw": "bytes", "ratio": "float"},
    **{"ok": "boolean", "name": "text", "code": "text", "span": "text", "tags": "text"},
    **{"net": "text"},
}


def test_postgresqls_types_are_exact(world: World) -> None:
    world.time_zone = "Europe/Paris"
    world.execute(POSTGRES, VALUES.removesuffix(", (1)"), "insert into t (id) values (1)")
    world.declare("t")
    assert {c["name"]: c["type"] for c in world.tables[0]["columns"]} == KINDS
    world.load()
    empty, full = world.stored("t")
    assert empty == {"id": 1} | dict.fromkeys(list(KINDS)[1:])
    assert str(full.pop("ratio")) == "nan"
    assert full == {
        "id": 9223372036854775807,
        "small": -3,
        "price": Decimal("1234567890123456789012345678.0123456789"),
        "exact": Decimal("12345678901234.5678"),
        "free": "1" + "0" * 40,
        "at": datetime(9999, 12, 31, 21, 59, 59, 999999, tzinfo=UTC),
        # An hour that Paris left out: the clocks had been moved on.
        "local": datetime(2026, 3, 29, 1, 0, tzinfo=UTC),
        "day": date(1, 1, 1),
        "clock": "23:59:59.999999",
        "ref": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "doc": '{"a": 1.50}',
        "raw": b"\x00\xff",
        "ok": True,
        "name": "Ünï — 漢字 😀",
        "code": "ab",
        "span": "1 day 02:00:00",
        "tags": "{1,2}",
        "net": "10.0.0.1/8",
    }


def test_text_of_another_code_page_is_unicode(postgres: DatabaseServer, tmp_path: Path) -> None:
    latin = "encoding 'LATIN1' lc_collate 'C' lc_ctype 'C' template template0"
    with World.new(postgres, tmp_path, latin) as world:
        world.execute(
            "create table t (id int primary key, name text)", "insert into t values (1, 'Café ÿ')"
        )
        world.declare("t")
        world.load()
        assert world.stored("t") == [{"id": 1, "name": "Café ÿ"}]


@pytest.mark.parametrize(
    ("kind", "value"),
    [("decimal(4,2)", "'123.45'"), ("decimal(4,2)", "'0.125'"), ("decimal(4,2)", "'NaN'")],
    ids=["too large", "too many digits", "not a number"],
)
def test_a_value_that_does_not_fit_its_type_is_refused(world: World, kind: str, value: str) -> None:
    world.execute("create table t (id int primary key, n numeric)", "insert into t values (1, 1)")
    world.declare("t", marks={"n": {"type": kind}})
    world.load()
    world.execute(f"insert into t values (2, {value})")
    with pytest.raises(PermanentFailure, match=r"erp/t: expected decimal\(4,2\) in column n"):
        world.load()
    assert world.stored("t") == [{"id": 1, "n": Decimal("1.00")}]


MARIA = """create table t (
    id bigint unsigned primary key, price decimal(30, 6), at timestamp(6) null, local datetime(6),
    day date, clock time(6), doc json, raw varbinary(10), ratio double, ok tinyint(1),
    name varchar(50) character set latin1, ref uuid, updated_at datetime(6) not null
    ) default charset utf8mb4"""


def test_mariadb_is_read_by_a_rising_column_and_swept(tmp_path: Path) -> None:
    import pymysql

    lake = store(str(tmp_path / "lake"))
    with running_mariadb() as server:
        admin = pymysql.connect(
            host="127.0.0.1", port=server.port, user="novade", password="sandbox-secret"
        )
        cursor = admin.cursor()
        cursor.execute("create database erp")
        cursor.execute("use erp")
        cursor.execute("set time_zone = '+00:00'")
        cursor.execute(MARIA)
        cursor.execute(
            "insert into t values (7, 123456789012345678901234.567891, "
            "'2026-01-02 03:04:05.123456', '2026-07-01 12:00:00.5', '2026-02-03', '01:02:03.5', "
            "'{\"a\": 1}', x'00ff', "
            "1.5, 1, 'Caf\u00e9', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '2026-01-01 00:00:00'), "
            "(8, null, null, null, null, null, null, null, null, null, null, null, "
            "'2026-01-01 00:00:01')"
        )
        admin.commit()
        database = Database(server.url("erp"), "NOVADE_ERP_URL")
        columns = [{"name": "id", "type": "integer"}, {"name": "updated_at", "type": "timestamp"}]
        table = {
            **{"table": "t", "key": ["id"], "mode": "changed", "changed_by": "updated_at"},
            **{"sweep_hours": 0, "columns": columns},
        }
        probe = DatabaseTables.model_validate({"tables": [table]}).tables[0]
        with database.session() as session:
            reflected = reflect(session, probe)
            table["columns"] = [c.model_dump(exclude_defaults=True) for c in reflected.columns]
            declared = DatabaseTables.model_validate(
                {"tables": [table], "time_zone": "Europe/Paris"}
            )
            loader = Loader("erp", session, declared, lake, PersonalDataPolicy())
            assert loader.load(declared.tables[0]).read == 2
            cursor.execute("delete from t where id = 8")
            cursor.execute("insert into t (id, updated_at) values (9, '2026-01-03')")
            admin.commit()
            report = loader.load(declared.tables[0])
            admin.close()
        assert report.swept == 1
        rows = read(lake, lake_table("erp", declared.tables[0])).to_pylist()
    by_id = {row.pop("id"): row for row in rows}
    assert {number: row["is_deleted"] for number, row in by_id.items()} == {
        **{7: False, 8: True, 9: False}
    }
    assert {
        name: by_id[7][name] for name in by_id[7] if name not in ("is_deleted", "row_version")
    } == {
        "price": Decimal("123456789012345678901234.567891"),
        "at": datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC),
        "local": datetime(2026, 7, 1, 10, 0, 0, 500000, tzinfo=UTC),
        "day": date(2026, 2, 3),
        "clock": "01:02:03.500000",
        "doc": '{"a": 1}',
        "raw": b"\x00\xff",
        "ratio": 1.5,
        "ok": True,
        "name": "Café",
        "ref": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "updated_at": datetime(2025, 12, 31, 23, tzinfo=UTC),
    }
