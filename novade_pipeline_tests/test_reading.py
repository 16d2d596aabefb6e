"""Commands that only read work beside any run, whatever it has locked."""

import csv
import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from novade_pipeline.defs.drift import tables as drift
from novade_pipeline.defs.music import tables as music
from novade_pipeline.defs.publications import graph
from novade_pipeline.settings import Settings
from novade_pipeline.storage.locations import store
from novade_pipeline_tests.commands import novade
from novade_pipeline_tests.defs.erasure.test_erase import write
from novade_pipeline_tests.worlds import environment_of, settings_of

ADDRESS = "jane@example.com"
FILES = 20
"""Landed hours; of hour n there are n + 1 lines of the person. Each fourth file is damaged."""
RUNNING = """
import os, sys
import dagster as dg
import duckdb
from novade_pipeline.execution.home import dagster_instance, only_command
from novade_pipeline.graph.job_runs import EVERYTHING, JOB, LOAD_TAG, PROCESS_TAG, process_tag
from novade_pipeline.settings import load_settings

settings = load_settings()
tags = {LOAD_TAG: EVERYTHING, PROCESS_TAG: process_tag()}
with only_command(settings), dagster_instance(settings) as instance:
    instance.add_run(dg.DagsterRun(JOB, status=dg.DagsterRunStatus.STARTED, tags=tags))
    with duckdb.connect(str(settings.warehouse_path)) as warehouse:
        warehouse.execute("create schema held")
        print("running", flush=True)
        sys.stdin.read()
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A lake with a person and a drug graph, and a tracking plan that is none."""
    root = tmp_path_factory.mktemp("reading")
    world = settings_of(root, store(str(root / "lake")), store(str(root / "landing")))
    world.landing.write(b"no plan", "tracking_plan", "lantern.json")
    event = f'{{"uuid": "1", "event_type": "Opened", "user_id": "{ADDRESS}"}}\n'.encode()
    for hour in range(FILES):
        content = gzip.compress(event * (hour + 1))
        damaged = content[: -4 if hour % 4 == 3 else None]
        world.landing.write(damaged, "amplitude", "events", f"187520_2026-03-01_{hour}#0.json.gz")
    write(world, music.USERS, {"id": 17, "email": ADDRESS})
    write(world, drift.CONTACTS, {"id": 71, "email": ADDRESS})
    mentions = [
        {
            **{"drug": drug, "atccode": None, "kind": "pubmed_article", "id": drug},
            **{"publication": drug, "title": drug, "date": date(2020, 1, 1), "journal": "Lancet"},
        }
        for drug in ("ASPIRIN", "BETAMINE")
    ]
    drugs: list[tuple[str, str | None]] = [("ASPIRIN", None), ("BETAMINE", None)]
    world.lake.write(json.dumps(graph.drug_graph(drugs, mentions)).encode(), *graph.DOCUMENT)
    return world


@pytest.fixture(scope="module")
def beside_a_run(settings: Settings) -> Iterator[Settings]:
    """Another process has the lock of commands, a run in progress, and the warehouse."""
    with subprocess.Popen(
        [sys.executable, "-c", RUNNING],
        env={**os.environ, **environment_of(settings)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        yield settings


def test_an_erasure_is_refused_beside_a_run(beside_a_run: Settings, tmp_path: Path) -> None:
    done = novade(tmp_path, "erase", "--user", ADDRESS, env=environment_of(beside_a_run))
    assert done.returncode == 2
    assert "is in progress on the same lake" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (("settings",), "NOVADE_LAKE_URL"),
        (("doctor",), "The graph has all rights that it needs."),
        (("music", "as-of", f"{datetime.now(UTC):%Y-%m-%d}"), "music/users"),
        (("publications", "top-journals"), "Lancet: 2 drugs (ASPIRIN, BETAMINE)"),
        (("publications", "related", "aspirin"), "BETAMINE: Lancet"),
        (("erase", "--user", ADDRESS, "--dry-run"), "2 rows of the person in 2 tables."),
        (("sandbox", "land", "--if-empty"), "nothing was written"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else "",
)
def test_what_reads_does_not_wait_for_a_run_and_needs_no_plan(
    beside_a_run: Settings, tmp_path: Path, command: tuple[str, ...], answer: str
) -> None:
    done = novade(tmp_path, *command, env=environment_of(beside_a_run))
    assert done.returncode == 0, done.stdout + done.stderr
    assert answer in done.stdout


def test_the_doctor_lists_what_is_not_configured(beside_a_run: Settings, tmp_path: Path) -> None:
    done = novade(tmp_path, "doctor", env=environment_of(beside_a_run))
    rows = {line.split()[0]: line for line in done.stdout.splitlines() if "not configured" in line}
    assert rows.keys() == {
        "amplitude",
        "salesforce",
        "drift",
        "music",
        "streams",
        "erp",
        "queue",
        "alerts",
    }
    for system, setting in (
        ("salesforce", "NOVADE_SALESFORCE_URL"),
        ("drift", "NOVADE_DRIFT_TOKEN"),
        ("music", "NOVADE_MUSIC_API_URL"),
        ("queue", "NOVADE_LANDING_QUEUE_URL"),
        ("alerts", "NOVADE_ALERT_WEBHOOK"),
    ):
        assert setting in rows[system]
    environment = environment_of(beside_a_run) | {"NOVADE_ALERT_WEBHOOK": "http://127.0.0.1:1/x"}
    assert "alerts" not in novade(tmp_path, "doctor", env=environment).stdout


def test_a_dry_run_shows_its_progress_a_summary_and_a_list(
    beside_a_run: Settings, tmp_path: Path
) -> None:
    environment = environment_of(beside_a_run) | {"COLUMNS": "80"}
    command = ("erase", "--user", ADDRESS, "--dry-run", "--list", "lists/jane.csv")
    done = novade(tmp_path, *command, env=environment | {"FORCE_COLOR": "1"})
    assert done.returncode == 0, done.stderr
    # A status line that is replaced.
    assert f"Scanning landing: {FILES} of {FILES} files." in done.stderr
    with (tmp_path / "lists" / "jane.csv").open() as file:
        listed = {row["file"]: row for row in csv.DictReader(file)}
    assert len(listed) == FILES
    for hour in range(FILES):
        row = listed[f"amplitude/events/187520_2026-03-01_{hour}#0.json.gz"]
        lines, reason = (str(hour + 1), "") if hour % 4 != 3 else ("", "gzip ends early")
        assert (row["lines"], row["not_read_because"]) == (lines, reason)
    plain = novade(tmp_path, *command[:-2], env=environment)
    # Every few seconds a line has the count: on a slow machine even of these few files.
    counted = f"Scanning landing: [0-9]+ of {FILES} files[.]"
    assert [line for line in plain.stderr.splitlines() if not re.fullmatch(counted, line)] == [
        "Following the person's identifiers through the lake.",
        "Counting rows.",
        "Scanning landing.",
    ]
    assert f"{FILES} landing files scanned." in plain.stdout
    assert "still holds 150 lines in 15 files:" in plain.stdout
    assert "  and 10 more in amplitude/events/\n" in plain.stdout
    assert "Not read: 5 files, which may hold more:" in plain.stdout
    assert ADDRESS not in done.stdout + plain.stdout
    path = plain.stdout.rstrip().removesuffix(".").rsplit(" ", 1)[-1]
    assert Path(path).parent == beside_a_run.warehouse_path.parent / "erasure"
    assert Path(path).read_text() == (tmp_path / "lists" / "jane.csv").read_text()


def test_a_list_that_cannot_be_written_is_refused_at_once(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("")
    for path, message in (
        ("taken/list.csv", "expected a folder to write to"),
        (".", "--list: expected the path of a file"),
    ):
        command = ("erase", "--user", ADDRESS, "--dry-run", "--list", path)
        done = novade(tmp_path, *command, env=environment_of(settings))
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert message in done.stderr
