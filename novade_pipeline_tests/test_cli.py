"""The command `novade` as a person types it: real processes, exit codes, one sentence on errors."""

import gzip
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import pytest

from novade_pipeline import cli
from novade_pipeline.lake.query import connect
from novade_pipeline.storage import azure as azure_storage
from novade_pipeline.storage.locations import store
from novade_pipeline_tests.commands import NOVADE, CompletedCommand, novade

SECRET = "correct-horse-battery"


@pytest.fixture
def landed(tmp_path: Path) -> Path:
    """A project folder whose landing zone holds two sample hours."""
    # Not the last two hours: at night there may be none with events.
    begin = ("--first-hour", "2026-03-01T05")
    sample = ("--hours", "2", "--events-per-hour", "20")
    done = novade(tmp_path, "sandbox", "land", *begin, *sample)
    assert done.returncode == 0, done.stderr
    return tmp_path


@pytest.mark.parametrize("group", ["sandbox", "music"])
def test_a_group_of_commands_has_help(group: str, tmp_path: Path) -> None:
    done = novade(tmp_path, group, "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout


def test_what_setup_installs_says_what_there_is(tmp_path: Path) -> None:
    """A start as a shell makes it, imports and all."""
    program = Path(sys.executable).with_name("novade")
    done = subprocess.run([program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Usage: novade" in done.stdout
    assert done.stderr == ""


def test_settings_are_printed_and_secrets_are_not(tmp_path: Path) -> None:
    env = {"NOVADE_PERSONAL_DATA": "hash", "NOVADE_PERSONAL_DATA_KEY": SECRET}
    done = novade(tmp_path, "settings", env=env)
    assert done.returncode == 0
    # In full, however narrow the page is: names are copied from it.
    assert {line.split()[0] for line in done.stdout.splitlines() if line[0] != " "} >= {
        *("NOVADE_LAKE_URL", "NOVADE_SALESFORCE_CLIENT_SECRET"),
    }
    assert "*****" in done.stdout
    assert SECRET not in done.stdout


def test_a_sample_is_written_once_where_there_is_one(landed: Path) -> None:
    done = novade(landed, "sandbox", "land", "--hours", "30", "--if-empty")
    assert done.returncode == 0
    assert "nothing was written" in done.stdout


def _is_refused(done: CompletedCommand, message: str) -> None:
    assert done.returncode == 2, done.stdout + done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_what_no_setting_leads_to_is_made_up_beside_a_command(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("NOVADE_DRIFT_TOKEN=a-real-one\n")
    shown = "import os; print({k for k in os.environ if k.startswith('NOVADE_')}); exit(7)"
    done = novade(tmp_path, "sandbox", "with", sys.executable, "-c", shown)
    assert done.returncode == 7
    assert "NOVADE_SALESFORCE_URL" in done.stdout
    assert "NOVADE_MUSIC_API_URL" in done.stdout
    assert "NOVADE_DRIFT" not in done.stdout


def test_a_command_that_is_none_is_refused(tmp_path: Path) -> None:
    done = novade(tmp_path, "sandbox", "with", "no-such-program")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1


def test_a_port_that_is_taken_is_refused_and_another_one_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        _is_refused(novade(tmp_path, "ui", "--port", str(port)), f"127.0.0.1:{port}")


def test_a_run_that_is_interrupted_says_how_to_continue(landed: Path) -> None:
    with subprocess.Popen(
        (*NOVADE, "run"), cwd=landed, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert any("begins" in line for line in process.stdout)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate()
    assert errors == "Interrupted; run again to continue.\n", output
    assert process.returncode == 130


def _in_a_terminal(folder: Path, *arguments: str, columns: int) -> str:
    """The output of a command in a terminal, without its control sequences."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        shown = {"TERM": "xterm", "COLUMNS": str(columns), "NO_COLOR": "1"}
        os.execve(sys.executable, [*NOVADE, *arguments], {**os.environ, **shown})
    output = b""
    # At the end of the process Linux reports an error.
    with suppress(OSError):
        while part := os.read(terminal, 2**16):
            output += part
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, output.decode()
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output.decode()).replace("\r", "")


def test_a_terminal_shows_bars_then_what_changed_and_cuts_no_name(landed: Path) -> None:
    shown = _in_a_terminal(landed, *LOADED, columns=50)
    assert re.search(r"^amplitude .* 0/3 amplitude_", shown, re.MULTILINE)
    assert re.search(r"✓ amplitude: 3 assets, \d+\.\d s\n", shown)
    _, _, table = shown.partition("Changed asset")
    assert re.search(r"^amplitude/events +\d+ +\d", table, re.MULTILINE)
    assert re.search(r"^amplitude/quarantine +0 +\d", table, re.MULTILINE)
    shown = _in_a_terminal(landed, *LOADED, columns=50)
    assert "Changed asset" not in shown
    assert "Nothing to do: the selected assets and hours have no new data." in shown


def test_the_version_is_printed(tmp_path: Path) -> None:
    assert novade(tmp_path, "--version").stdout == f"novade {version('novade-pipeline')}\n"


def test_a_lake_that_cannot_be_written_is_refused(landed: Path) -> None:
    (landed / "file").touch()
    _is_refused(novade(landed, "run", env={"NOVADE_LAKE_URL": "file/lake"}), "NOVADE_LAKE_URL")


@pytest.mark.parametrize("command", ["run", "doctor"])
def test_a_lake_that_delta_would_misread_is_refused(command: str, tmp_path: Path) -> None:
    done = novade(tmp_path, command, env={"NOVADE_LAKE_URL": "data/a%20b"})
    _is_refused(done, "NOVADE_LAKE_URL: expected a folder without %")
    assert [*tmp_path.iterdir()] == []


def test_a_home_of_dagster_that_cannot_be_written_is_refused(landed: Path) -> None:
    (landed / "file").touch()
    env = {"NOVADE_DAGSTER_HOME": "file/dagster"}
    _is_refused(novade(landed, "run", env=env), "NOVADE_DAGSTER_HOME")
    assert not (landed / "data" / "lake" / "amplitude").exists()


def test_a_landing_zone_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = novade(tmp_path, "sandbox", "land", env={"NOVADE_LANDING_URL": "file"})
    _is_refused(done, "set NOVADE_LANDING_URL")


def test_a_lake_that_is_a_file_has_no_graph(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = novade(tmp_path, "publications", "top-journals", env={"NOVADE_LAKE_URL": "file"})
    _is_refused(done, "expected a drug graph")


def test_storage_that_does_not_answer_is_reported_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process, so that it need not be waited for until storage is given up."""
    monkeypatch.setitem(azure_storage._RETRIES, "retry_total", 0)
    monkeypatch.setenv("NOVADE_LAKE_URL", "abfss://lake@novade.dfs.core.windows.net")
    monkeypatch.setenv("NOVADE_AZURE_ENDPOINT", f"http://127.0.0.1:{_free_port()}/novade")
    monkeypatch.setenv("NOVADE_AZURE_ACCOUNT_KEY", "c2VjcmV0")
    monkeypatch.setattr(sys, "argv", ["novade", "publications", "top-journals"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    message = capsys.readouterr().err
    assert message.endswith("storage could not be reached for a read. Try again.\n")
    assert len(message.splitlines()) == 1


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def test_a_landing_zone_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    _is_refused(novade(tmp_path, "run"), "novade sandbox land")


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ("2030-01-01..2030-01-02", "in the past"),
        ("2018-11-30..2018-11-01", "START before END"),
        ("soon", "START..END"),
    ],
)
def test_a_window_that_is_none_is_refused(tmp_path: Path, window: str, message: str) -> None:
    _is_refused(novade(tmp_path, "run", "--window", window), message)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NOVADE_LAKE_URL", "s3://bucket/lake"),
        ("NOVADE_PERSONAL_DATA", "hash"),
        ("NOVADE_HISTORY_START", "2999-01-01"),
        ("NOVADE_ENV_FILE", "nowhere.env"),
        ("NOVADE_REPORTING_TIME_ZONE", "Europe/Pariss"),
        ("NOVADE_MEMORY", "100MB"),
    ],
)
def test_a_setting_that_is_wrong_is_named(tmp_path: Path, name: str, value: str) -> None:
    _is_refused(novade(tmp_path, "settings", env={name: value}), name)


def test_an_option_that_is_unknown_is_refused_without_a_stack_trace(tmp_path: Path) -> None:
    done = novade(tmp_path, "run", "--wndow", "x")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_an_asset_that_fails_ends_with_1_and_its_reason(
    landed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process, so that a column of the lake can be of another type than the code says."""
    import pyarrow as pa
    from deltalake import write_deltalake

    write_deltalake(
        str(landed / "data" / "lake" / "amplitude" / "events"),
        pa.table({"uuid": pa.array([1], pa.int64()), "upload_date": ["x"]}),
        partition_by=["upload_date"],
    )
    monkeypatch.chdir(landed)
    monkeypatch.setattr(sys, "argv", ["novade", "run", "--select", "amplitude/events"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    message = capsys.readouterr().out
    assert "upload_date is string in the lake and date32[day] in the code" in " ".join(
        message.split()
    )
    assert "Traceback" not in message


EVENT = {
    **{"event_type": "Song Played", "event_time": "2026-03-01 10:15:00.000000", "app": 187520},
    **{"amplitude_id": 900001, "session_id": 1772446500000, "user_id": "u-1", "device_id": "d-1"},
    **{"event_properties": {}, "user_properties": {"email": "u1@acme.example"}, "groups": {}},
}


def _event(number: int, **fields: object) -> str:
    uuid = f"00000000-0000-4000-8000-{number:012}"
    return json.dumps({"uuid": uuid, **EVENT, **fields}, separators=(",", ":"))


def _export(folder: Path, hour: int, *lines: str, behind: bytes = b"") -> Path:
    """Land a file of events; what follows its gzip stream comes behind it."""
    events = folder / "data" / "landing" / "amplitude" / "events"
    events.mkdir(parents=True, exist_ok=True)
    file = events / f"187520_2026-03-01_{hour}#0.json.gz"
    file.write_bytes(gzip.compress("\n".join(lines).encode()) + behind)
    return file


def _events(folder: Path, columns: str) -> list[tuple[object, ...]]:
    with connect(lake=store(str(folder / "data" / "lake"))) as connection:
        lake = f"delta_scan('{folder}/data/lake/amplitude/events')"
        return connection.execute(f"SELECT {columns} FROM {lake} ORDER BY uuid").fetchall()


LOADED = ("run", "--select", "amplitude/events,amplitude/files,amplitude/quarantine")


def test_odd_lines_and_files_are_loaded_counted_and_reported(tmp_path: Path) -> None:
    half, no_json = '{"title":"cut here \\ud83d"}', '{"price":NaN,"ratio":-Infinity}'
    _export(
        tmp_path,
        5,
        _event(1).replace('"event_properties":{}', f'"event_properties":{half}'),
        _event(2).replace('"event_properties":{}', f'"event_properties":{no_json}'),
        _event(3, version_name=0).replace('"version_name":0', '"version_name":1.10'),
        behind=b"\r\n--boundary--\r\n",
    )
    done = novade(tmp_path, *LOADED)
    assert done.returncode == 0, done.stdout + done.stderr
    message = " ".join((done.stdout + done.stderr).split())
    assert "Warning amplitude/files: Expected files that end with their gzip stream" in message
    assert (
        "found 1 with other bytes after it, first amplitude/events/187520_2026-03-01_5" in message
    )
    assert "Warning amplitude/quarantine: 1 line in 1 file could not be read: " in message
    assert "(check nothing_in_quarantine)" in message
    assert _events(tmp_path, "event_properties, version_name") == [
        ('{"title":"cut here \ufffd"}', None),
        ("{}", "1.10"),
    ]


def test_rows_that_no_ledger_row_explains_are_reported_with_their_file(tmp_path: Path) -> None:
    gone, _ = (_export(tmp_path, hour, _event(hour)) for hour in (5, 6))
    assert novade(tmp_path, *LOADED).returncode == 0
    shutil.rmtree(tmp_path / "data" / "lake" / "amplitude" / "files")
    aside = gone.rename(tmp_path / gone.name)
    done = novade(tmp_path, *LOADED)
    assert done.returncode == 0, done.stdout + done.stderr
    message = " ".join((done.stdout + done.stderr).split())
    assert "Warning amplitude/files: Expected a record of every row" in message
    assert "found 1 row without one and 0 missing, first in amplitude/events of" in message
    assert f"amplitude/events/{gone.name}: 1 row, 0 recorded" in message
    aside.rename(gone)
    done = novade(tmp_path, *LOADED)
    assert "every_row_is_recorded" not in done.stdout + done.stderr
    assert len(_events(tmp_path, "uuid")) == 2
