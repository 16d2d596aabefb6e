"""The settings: read once, checked with one message, secrets never told."""

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import available_timezones

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pydantic import ValidationError

from novade_pipeline.errors import UserError
from novade_pipeline.lake.query import connect, open_database
from novade_pipeline.settings import Settings, load_settings

SECRET = "hunter2-hunter2"


@pytest.fixture(autouse=True)
def _no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither variables of the machine nor its `.env` are seen."""
    for name in [n for n in os.environ if n.startswith("NOVADE_") or n == "DAGSTER_HOME"]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def _set(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"NOVADE_{name.upper()}", value)


def test_everything_has_a_default() -> None:
    settings = load_settings()
    assert settings.lake_url == "data/lake"
    assert settings.landing_url == "data/landing"
    assert settings.warehouse_path == Path("data/warehouse.duckdb")
    assert settings.history_start == date(2018, 1, 1)
    assert settings.personal_data_policy.mode == "keep"


def test_a_variable_wins_over_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, history_start="2020-02-29", landing_grace_hours="1.5")
    settings = load_settings()
    assert (settings.history_start, settings.landing_grace_hours) == (date(2020, 2, 29), 1.5)


def test_a_variable_wins_over_the_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("NOVADE_LAKE_URL=from/file\nNOVADE_LANDING_URL=also/file\n")
    _set(monkeypatch, lake_url="from/environment")
    settings = load_settings()
    assert (settings.lake_url, settings.landing_url) == ("from/environment", "also/file")


def test_the_env_file_may_be_another_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other.env").write_text("NOVADE_LAKE_URL=other\n")
    _set(monkeypatch, env_file=str(tmp_path / "other.env"))
    assert load_settings().lake_url == "other"


def test_an_env_file_that_does_not_exist_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, env_file="nowhere.env")
    with pytest.raises(UserError, match=r"expected a file, found none at nowhere\.env"):
        load_settings()


def test_dagster_home_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, dagster_home="ours")
    assert load_settings().dagster_home == Path("ours")
    monkeypatch.setenv("DAGSTER_HOME", "/dagsters/own")
    assert load_settings().dagster_home == Path("/dagsters/own")


def test_variables_of_others_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, something_else="1")
    assert load_settings().lake_url == "data/lake"


def test_all_that_is_wrong_is_reported_at_once_without_its_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrong = {
        "lake_url": f"s3://{SECRET}/lake",
        "history_start": SECRET,
        "landing_poll_seconds": "1",
        "violating_share": "2.75",
        "personal_data": SECRET,
    }
    _set(monkeypatch, **wrong)
    with pytest.raises(UserError) as raised:
        load_settings()
    message = str(raised.value)
    assert [name for name in wrong if f"NOVADE_{name.upper()}" not in message] == []
    assert SECRET not in message
    assert "2.75" not in message
    assert "\n" not in message


WRONG = {
    "lake_url": ("s3://bucket/lake", "expected a folder or a file:// or abfss:// URL, found s3://"),
    "landing_url": ("", "expected a folder, found an empty path"),
    "history_start": ("2999-01-01", "expected a day before today, found 2999-01-01"),
    "personal_data": ("hide", "NOVADE_PERSONAL_DATA: Input should be 'keep', 'hash' or 'drop'"),
    "landing_grace_hours": ("-1", "greater than or equal to 0"),
    "landing_sweep_hours": ("-1", "greater than or equal to 0"),
    "landing_max_attempts": ("0", "greater than or equal to 1"),
    "reporting_time_zone": ("CEST", "expected the name of a time zone as Europe/Paris, found CEST"),
    "unplanned_share": ("1.5", "less than or equal to 1"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_reported_with_its_variable(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    value, message = WRONG[name]
    _set(monkeypatch, **{name: value})
    with pytest.raises(UserError, match=f"NOVADE_{name.upper()}") as raised:
        load_settings()
    assert message in str(raised.value)


def test_a_credential_that_is_wrong_for_both_places_is_reported_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = "abfss://lake@novade.dfs.core.windows.net"
    _set(monkeypatch, lake_url=place, landing_url=place, azure_account_key=SECRET)
    with pytest.raises(UserError) as raised:
        load_settings()
    assert str(raised.value) == (
        "Settings: NOVADE_LAKE_URL and NOVADE_LANDING_URL: expected an account key in base64, "
        "found something else; mend NOVADE_AZURE_ACCOUNT_KEY. docs/settings.md lists what each "
        "expects."
    )


@pytest.mark.parametrize(
    ("message", "zone"),
    [("Europe/Paris", "Europe/Paris"), ("UTC", "UTC"), ("", None), (None, None)],
)
def test_the_reporting_zone_is_a_time_zone_or_none(
    message: str | None, zone: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if message is not None:
        _set(monkeypatch, reporting_time_zone=message)
    assert load_settings().reporting_time_zone == zone


def test_duckdb_knows_every_time_zone_that_can_be_set() -> None:
    with open_database(":memory:") as connection:
        known = connection.execute("select name from pg_timezone_names()").fetchall()
    assert available_timezones() - {"localtime"} <= {name for (name,) in known}


def test_history_cannot_start_today(monkeypatch: pytest.MonkeyPatch) -> None:
    today = datetime.now(UTC).date()
    _set(monkeypatch, history_start=str(today + timedelta(days=1)))
    with pytest.raises(UserError, match="expected a day before today"):
        load_settings()


def test_hash_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, personal_data="hash")
    with pytest.raises(UserError, match="NOVADE_PERSONAL_DATA_KEY"):
        load_settings()
    _set(monkeypatch, personal_data_key=SECRET)
    policy = load_settings().personal_data_policy
    assert (policy.mode, policy.key) == ("hash", SECRET.encode())


def test_a_secret_is_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, personal_data="hash", personal_data_key=SECRET)
    settings = load_settings()
    shown = [repr(settings), str(settings), str(settings.masked())]
    shown += [repr(settings.personal_data_policy), settings.personal_data_policy.fingerprint]
    shown.append(settings.model_dump_json())
    assert not [text for text in shown if SECRET in text]


def test_masked_has_every_variable_and_its_origin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _set(monkeypatch, lake_url="here", personal_data_key=SECRET)
    message = load_settings().masked()
    assert set(message) >= {f"NOVADE_{name.upper()}" for name in Settings.model_fields}
    assert message["NOVADE_LAKE_URL"][:2] == ("here", "set")
    assert message["NOVADE_LANDING_URL"][:2] == ("data/landing", "default")
    assert message["NOVADE_PERSONAL_DATA_KEY"][0] == "**********"
    assert all(description for _, _, description in message.values())


def test_settings_do_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings()
    with pytest.raises(ValidationError):
        settings.lake_url = "elsewhere"


def test_the_landing_zone_may_be_listed_without_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, landing_sweep_hours="0", landing_grace_hours="0")
    settings = load_settings()
    assert (settings.landing_sweep_hours, settings.landing_grace_hours) == (0, 0)


def test_stores_are_absolute(tmp_path: Path) -> None:
    assert load_settings().lake.url == (tmp_path / "data/lake").as_uri()
    assert load_settings().landing.path() == str(tmp_path / "data/landing")


@pytest.mark.parametrize(
    "folder", ["a%20b", "100%", "a\\b", "a[1]", "a^", "a|b", "a\tb", "b\udce4", "%/lake"]
)
def test_a_lake_that_delta_would_misread_is_refused(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the path of the folder, or in that of the working directory."""
    _set(monkeypatch, lake_url=folder)
    with pytest.raises(UserError, match=r"NOVADE_LAKE_URL: expected a folder without %"):
        load_settings()
    monkeypatch.delenv("NOVADE_LAKE_URL")
    (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / folder)
    with pytest.raises(UserError, match=r"NOVADE_LAKE_URL: expected a folder without %"):
        load_settings()


@pytest.mark.parametrize("folder", ["a b", "ä#?@", "日本", "it's", "a{b}", "a`b", "a&b=c;d"])
def test_a_lake_may_be_in_any_other_folder(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its tables are written, read by both libraries, and in this folder."""
    _set(monkeypatch, lake_url=folder)
    lake = load_settings().lake
    write_deltalake(lake.table_url("shop", "plays"), pa.table({"id": [1, 2]}))
    write_deltalake(lake.table_url("shop", "plays"), pa.table({"id": [3]}), mode="append")
    assert (tmp_path / folder / "shop" / "plays" / "_delta_log").is_dir()
    assert DeltaTable(lake.table_url("shop", "plays")).count() == 3
    with connect(lake=lake) as connection:
        path = lake.duckdb_path("shop", "plays").replace("'", "''")
        assert connection.execute(f"select count(*) from delta_scan('{path}')").fetchone() == (3,)


@pytest.mark.parametrize("name", ["marts.duckdb", "Amplitude.2024.db", "temp.duckdb", "main"])
def test_a_warehouse_with_the_name_of_a_schema_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOVADE_WAREHOUSE_PATH", f"data/{name}")
    with pytest.raises(UserError, match=r"NOVADE_WAREHOUSE_PATH.*not named like a schema"):
        load_settings()


def test_the_warehouse_is_not_named_like_the_copy_that_an_erasure_deletes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NOVADE_WAREHOUSE_PATH", "data/warehouse_dev.duckdb")
    with pytest.raises(UserError, match=r"NOVADE_WAREHOUSE_PATH: expected another name"):
        load_settings()
