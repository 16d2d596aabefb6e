"""Loads that others start over HTTP: the call of `docs/start_a_load.md`, a person's web page."""

import json
import os
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from novade_pipeline.defs.amplitude.tables import EVENTS, FILES, QUARANTINE
from novade_pipeline.execution.home import prepare_home
from novade_pipeline.graph.project_files import project_file
from novade_pipeline.lake.read import read
from novade_pipeline.sandbox import amplitude_exports
from novade_pipeline.settings import Settings
from novade_pipeline_tests.waiting import page_answers, wait_until
from novade_pipeline_tests.worlds import settings_in

DOCUMENT = Path(__file__).parents[3] / "docs" / "start_a_load.md"
# Runs start without the daemon that takes them from the queue.
DAGSTER_YAML = """
telemetry: {enabled: false}
run_coordinator: {module: dagster.core.run_coordinator, class: DefaultRunCoordinator}
"""


def _documented(pattern: str) -> Any:
    """What the document shows there, as JSON."""
    match = re.search(pattern, DOCUMENT.read_text(), re.DOTALL)
    assert match is not None, pattern
    return json.loads(match[1])


def _call() -> Any:
    return _documented(r"<<'JSON'\n(.*?)\nJSON\n")


def _ask(url: str, body: Any) -> Any:
    request = urllib.request.Request(
        f"{url}/graphql", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["data"]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Settings]]:
    """A web page without a daemon: it starts runs itself, and no sensor looks."""
    root = tmp_path_factory.mktemp("page")
    settings = settings_in(root, root / "landing")
    amplitude_exports.land(
        settings.landing.path(),
        first_hour=datetime(2018, 11, 5, 22, tzinfo=UTC),
        hours=30,
        events_per_hour=2,
        faults=False,
    )
    home = prepare_home(settings)
    Path(home, "dagster.yaml").write_text(DAGSTER_YAML)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(home),
        "NOVADE_LAKE_URL": settings.lake_url,
        "NOVADE_LANDING_URL": settings.landing_url,
        "NOVADE_WAREHOUSE_PATH": str(settings.warehouse_path),
    }
    environment.pop("NOVADE_ENV_FILE", None)
    serve = ("-m", "dagster_webserver", "-w", str(project_file("workspace.yaml")), "-p", str(port))
    with (root / "page.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *serve], cwd=root, env=environment, stdout=log, stderr=log
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until("the page answers", lambda: page_answers(url))
        yield url, settings
    finally:
        process.terminate()
        process.wait(timeout=60)


REEXECUTE = """mutation ($of: ReexecutionParams!) {
  launchRunReexecution(reexecutionParams: $of) {
    __typename
    ... on LaunchRunSuccess { run { runId } } } }"""


def _end_of(url: str, launched: Any) -> str:
    """Waits for the end of the launched run, which succeeds; returns its id."""
    assert launched["__typename"] == "LaunchRunSuccess", launched
    question = _documented(r"```json\n(\{\n.*?query Run.*?)```")
    run_id = question["variables"]["id"] = launched["run"]["runId"]
    status = ""

    def has_ended() -> bool:
        nonlocal status
        status = _ask(url, question)["runOrError"]["status"]
        return status in ("SUCCESS", "FAILURE", "CANCELED")

    wait_until("the run has ended", has_ended)
    assert status == "SUCCESS"
    return str(run_id)


def _again(url: str, run_id: str) -> str:
    """Executes a run again, as the web page does."""
    of = {"parentRunId": run_id, "strategy": "ALL_STEPS", "useParentRunTags": True}
    body = {"query": REEXECUTE, "variables": {"of": of}}
    return _end_of(url, _ask(url, body)["launchRunReexecution"])


@pytest.fixture(scope="module")
def documented_run(page: tuple[str, Settings]) -> str:
    """The run that the documented call starts, of one domain: the whole job takes a minute."""
    call = _call()
    some = _documented(r"`assetSelection` in `selector` \| optional: `(.*?)`")
    files = [{"path": ["amplitude", name]} for name in ("files", "quarantine")]
    call["variables"]["run"]["selector"]["assetSelection"] = [*some, *files]
    return _end_of(page[0], _ask(page[0], call)["launchRun"])


def test_the_documented_call_loads_the_days_that_it_names(
    page: tuple[str, Settings], documented_run: str
) -> None:
    loaded = {str(hour.date()) for hour in read(page[1].lake, EVENTS)["upload_hour"].to_pylist()}
    # The seventh has landed too, and is not among them.
    assert loaded == {"2018-11-05", "2018-11-06"}


def _load_times(settings: Settings) -> dict[str, set[Any]]:
    """Day -> when its files were loaded."""
    files = read(settings.lake, FILES, columns=["upload_date", "loaded_at"]).to_pylist()
    return {
        day: {file["loaded_at"] for file in files if str(file["upload_date"]) == day}
        for day in {str(file["upload_date"]) for file in files}
    }


def _rows(settings: Settings) -> dict[str, list[str]]:
    return {
        table.name: sorted(
            repr({k: v for k, v in row.items() if k not in ("loaded_at", "table_version")})
            for row in read(settings.lake, table).to_pylist()
        )
        for table in (EVENTS, FILES, QUARANTINE)
    }


def test_a_day_that_a_person_chooses_is_loaded_again(
    page: tuple[str, Settings], documented_run: str
) -> None:
    url, settings = page
    rows, first = _rows(settings), _load_times(settings)
    assert _again(url, documented_run)
    assert _load_times(settings) == first, "what a program starts loads only what is new"
    call = _call()
    run = call["variables"]["run"]
    run["selector"]["assetSelection"] = [
        {"path": ["amplitude", name]} for name in ("events", "files", "quarantine")
    ]
    # The tags of the dialog "Materialize" for one partition.
    tags = {"dagster/partition": "2018-11-06", "dagster/from_ui": "true"}
    run["executionMetadata"]["tags"] = [{"key": k, "value": v} for k, v in tags.items()]
    chosen = _end_of(url, _ask(url, call)["launchRun"])
    second = _load_times(settings)
    assert second["2018-11-05"] == first["2018-11-05"]
    assert min(second["2018-11-06"]) > max(first["2018-11-06"])
    _again(url, chosen)
    assert min(_load_times(settings)["2018-11-06"]) > max(second["2018-11-06"])
    assert _rows(settings) == rows


def test_a_job_that_is_none_is_reported(page: tuple[str, Settings]) -> None:
    call = _call()
    call["variables"]["run"]["selector"]["jobName"] = "no_such_job"
    response = _ask(page[0], call)["launchRun"]
    assert response["__typename"] == "PipelineNotFoundError"
    assert "no_such_job" in response["message"]
