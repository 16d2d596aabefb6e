"""Rights are tried before they are needed, nothing is changed by it, what is missing is told."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from azure.storage.queue import QueueClient
from typer.testing import CliRunner

from novade_pipeline.cli import app
from novade_pipeline.defs.operations.assets import ACCESS, WATCH_JOB, access_asset, definitions
from novade_pipeline.errors import PermanentFailure, TransientFailure, UserError
from novade_pipeline.graph.access import (
    Probe,
    ProbeResult,
    all_probes,
    lake_probes,
    landing_probes,
    require,
    try_all,
)
from novade_pipeline.settings import Settings
from novade_pipeline.storage.locations import store
from novade_pipeline_tests.azurite import Azurite
from novade_pipeline_tests.places import NewStore, on_disk

HOUR = timedelta(hours=1)


def _passed(findings: list[ProbeResult]) -> dict[str, bool]:
    return {finding.probe.name: finding.passed for finding in findings}


def _messages(findings: list[ProbeResult]) -> dict[str, str]:
    return {finding.probe.name: finding.message for finding in findings if not finding.passed}


@on_disk
def test_one_file_that_may_not_be_read_says_nothing_of_the_others(new_store: NewStore) -> None:
    landing = new_store("landing")
    # What lies in a folder is met after what lies beside it.
    landing.write(b"x", "below", "b")
    loop = Path(landing.path("a"))
    loop.symlink_to(loop)
    findings = try_all(landing_probes(landing))
    assert all(_passed(findings).values())
    landing.delete("below", "b")
    _, read = try_all(landing_probes(landing))
    assert not read.passed
    assert "Too many levels of symbolic links" in read.message


def test_with_all_rights_every_probe_passes_and_nothing_stays(new_store: NewStore) -> None:
    lake, landing = new_store("lake"), new_store("landing")
    landing.write(b"here", "amplitude", "a")
    findings = try_all([*lake_probes(lake.failing_fast()), *landing_probes(landing.failing_fast())])
    assert _messages(findings) == {}
    assert len(findings) == 6
    assert list(lake.entries()) == []
    assert [entry.file for entry in landing.entries()] == ["amplitude/a"]


def test_where_nothing_has_landed_reading_passes_and_says_so(azurite: Azurite) -> None:
    _, read = try_all(landing_probes(azurite.new_store("landing")))
    assert read.passed
    assert read.message == "The landing zone has no file to read."


@pytest.mark.parametrize(
    ("permission", "missing"),
    [
        ("rwdl", set()),
        ("rdl", {"lake_write"}),
        ("rcdl", {"lake_write"}),
        ("wdl", {"lake_read"}),
        ("rwl", {"lake_delete"}),
        ("rwd", {"lake_list"}),
    ],
)
def test_the_right_that_is_missing_is_the_one_that_is_reported(
    permission: str, missing: set[str], azurite: Azurite, token: Callable[..., str]
) -> None:
    container = azurite.new_container("lake")
    url = f"abfss://{container}@{azurite.account}.dfs.core.windows.net/x"
    let = {"sas_token": token(container, permission), "endpoint": azurite.blob_url}
    message = _messages(try_all(lake_probes(store(url, let))))
    assert set(message) == missing
    for name, sentence in message.items():
        assert f"may not {name.removeprefix('lake_')} there" in sentence


def test_a_probe_that_fails_keeps_no_other_from_being_tried() -> None:
    def refused() -> str:
        raise UserError("May not.")

    def silent() -> str:
        raise TransientFailure("Nobody answers.")

    def no_disk() -> str:
        raise PermissionError(13, "Permission denied")

    findings = try_all(
        [
            _probe("a", "list", refused),
            _probe("a", "read", lambda: "Read."),
            _probe("b", "read", silent),
            _probe("c", "write", no_disk),
        ]
    )
    assert [(finding.probe.name, finding.passed, finding.is_transient) for finding in findings] == [
        ("a_list", False, False),
        ("a_read", True, False),
        ("b_read", False, True),
        ("c_write", False, False),
    ]
    assert (
        findings[3].message == "c here: expected to write there, found: Permission denied; mend it."
    )


def _probe(system: str, right: str, attempt: Callable[[], str]) -> Probe:
    return Probe(system, right, "It is needed.", f"{system} here", "mend it", attempt)


def test_a_right_that_is_required_and_missing_is_not_tried_again_later() -> None:
    def refused() -> str:
        raise UserError("May not.")

    def silent() -> str:
        raise TransientFailure("Nobody answers.")

    with pytest.raises(PermanentFailure, match="May not"):
        require(_probe("a", "read", refused), _probe("b", "read", silent))
    with pytest.raises(TransientFailure, match="Nobody answers"):
        require(_probe("b", "read", silent), _probe("a", "read", refused))


def test_every_domain_may_bring_probes(new_settings: Callable[..., Settings]) -> None:
    names = [probe.name for probe in all_probes(new_settings())]
    assert len(names) == len(set(names))
    assert {"lake_write", "landing_read", "warehouse_write"} <= set(names)


def test_a_warehouse_that_a_run_holds_may_be_written(new_settings: Callable[..., Settings]) -> None:
    settings = new_settings()
    (probe,) = (probe for probe in all_probes(settings) if probe.system == "warehouse")
    with duckdb.connect(str(settings.warehouse_path)):
        assert try_all([probe])[0].passed
    settings.warehouse_path.unlink()
    settings.warehouse_path.mkdir()
    assert "NOVADE_WAREHOUSE_PATH" in try_all([probe])[0].message


@pytest.mark.parametrize("content", ["", "not a database"])
def test_a_warehouse_that_is_no_database_is_reported(
    content: str, new_settings: Callable[..., Settings]
) -> None:
    settings = new_settings()
    settings.warehouse_path.write_text(content)
    (probe,) = (probe for probe in all_probes(settings) if probe.system == "warehouse")
    assert "expected a DuckDB database, found another file" in try_all([probe])[0].message
    assert settings.warehouse_path.read_text() == content


def test_the_queue_is_peeked_at_where_it_is_set(
    azurite: Azurite, new_settings: Callable[..., Settings]
) -> None:
    url = f"{azurite.queue_url}/{azurite.new_container('notices')}"
    settings = new_settings(
        landing_url=azurite.new_store("landing").url,
        azure_account_key=azurite.key,
        azure_endpoint=azurite.blob_url,
        landing_discovery="queue",
        landing_queue_url=url,
    )
    (peek,) = (probe for probe in all_probes(settings) if probe.system == "queue")
    assert f"{url}: expected a queue, found none of that name" in try_all([peek])[0].message
    with QueueClient.from_queue_url(
        url, {"account_name": azurite.account, "account_key": azurite.key}
    ) as queue:
        queue.create_queue()
        queue.send_message("hello")
        assert try_all([peek])[0].message == "The queue has notices."
        (message,) = queue.receive_messages()
        assert message.dequeue_count == 1


def test_each_probe_is_a_check_and_all_are_reported_where_some_fail(
    instance: dg.DagsterInstance,
) -> None:
    def refused() -> str:
        raise UserError("May not; give the identity the role `Storage Blob Data Reader`.")

    probes = [
        _probe("lake", "list", refused),
        _probe("lake", "read", refused),
        _probe("lake", "write", lambda: "Written."),
    ]
    done = dg.materialize([access_asset(probes)], instance=instance, raise_on_error=False)
    assert not done.success
    checks = {check.check_name: check for check in done.get_asset_check_evaluations()}
    assert {name: check.passed for name, check in checks.items()} == {
        "lake_list": False,
        "lake_read": False,
        "lake_write": True,
    }
    assert "`Storage Blob Data Reader`" in (checks["lake_list"].description or "")
    event = instance.get_latest_materialization_event(ACCESS)
    assert event is not None
    assert event.asset_materialization is not None
    message = event.asset_materialization.metadata
    assert (message["rights"].value, message["missing"].value) == (3, 2)
    assert "| lake | write | It is needed. | Written. |" in str(message["found"].value)


def test_access_is_watched_hourly(
    new_settings: Callable[..., Settings], instance: dg.DagsterInstance
) -> None:
    settings = new_settings()
    settings.landing.write(b"here", "amplitude", "a")
    made = definitions(settings)
    (schedule,) = made.schedules or ()
    assert isinstance(schedule, dg.ScheduleDefinition)
    assert schedule.cron_schedule == "0 * * * *"
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    done = made.resolve_job_def(WATCH_JOB).execute_in_process(instance=instance)
    assert done.success
    assert all(check.passed for check in done.get_asset_check_evaluations())


def test_the_doctor_says_what_is_missing_and_ends_with_1(
    azurite: Azurite, token: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    container = azurite.new_container("landing")
    url = f"abfss://{container}@{azurite.account}.dfs.core.windows.net/x"
    store(url, {"account_key": azurite.key, "endpoint": azurite.blob_url}).write(b"here", "a")
    monkeypatch.setenv("NOVADE_LANDING_URL", url)
    monkeypatch.setenv("NOVADE_AZURE_ENDPOINT", azurite.blob_url)
    monkeypatch.setenv("NOVADE_AZURE_SAS_TOKEN", token(container, "rl"))
    well = CliRunner().invoke(app, ["doctor"])
    assert (well.exit_code, "The graph has all rights that it needs." in well.output) == (0, True)
    secret = token(container, "l")
    monkeypatch.setenv("NOVADE_AZURE_SAS_TOKEN", secret)
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 1
    message = " ".join(done.output.split())
    assert "landing read missing" in message
    assert "the permission Read (r)" in message
    assert "1 of 7 rights is missing." in message
    assert secret.partition("sig=")[2] not in message


def test_the_doctor_has_help_with_an_example() -> None:
    done = CliRunner().invoke(app, ["doctor", "--help"])
    assert "Example: " in done.output
