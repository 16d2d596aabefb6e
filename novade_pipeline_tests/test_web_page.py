"""Dagster's real web page over real data: a backfill in one run, and what a browser shows."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from novade_pipeline.settings import Settings
from novade_pipeline_tests.commands import novade
from novade_pipeline_tests.waiting import page_answers, wait_until
from novade_pipeline_tests.worlds import environment_of, marts_of, settings_in, tables_of

BACKFILL = """
mutation ($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}"""
STATUS = """query ($id: String!) {
  partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }"""
RUNS = """{ runsOrError { ... on Runs {
  results { status tags { key value } assetSelection { path } } } } }"""
FIRST, LAST = date(2018, 11, 1), date(2018, 12, 6)


@dataclass(frozen=True)
class Page:
    """A running web page."""

    url: str
    settings: Settings
    log: Path

    def ask(self, query: str, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(
            f"{self.url}/graphql", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]

    def runs(self) -> list[dict[str, Any]]:
        results: list[dict[str, Any]] = self.ask(RUNS)["runsOrError"]["results"]
        return results


BACKGROUND = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")
"""As a script starts something in the background: it ignores SIGINT."""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Iterator[Page]:
    """The page, opened over an empty landing zone, into which the real data lands."""
    root = tmp_path_factory.mktemp("page")
    settings = settings_in(root, root / "landing")
    Path(settings.landing.path()).mkdir()
    # As in a checkout, where Dagster's own commands read it.
    shutil.copy(Path(__file__).parents[1] / "dagster.yaml", root)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        **environment_of(settings),
        # The landing sensors look once, at the start: what follows is the backfill's work.
        "NOVADE_LANDING_POLL_SECONDS": "86400",
        # The page knows of no landed day.
        "NOVADE_HISTORY_START": "2018-01-01",
    }
    environment.pop("DAGSTER_HOME", None)
    ui = "import sys; from novade_pipeline.cli import main; sys.argv[0] = 'novade'; main()"
    with (root / "page.log").open("wb") as log:
        process = subprocess.Popen(
            [*BACKGROUND, sys.executable, "-c", ui, "ui", "--port", str(port)],
            cwd=root,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until("the page answers", lambda: page_answers(url))
        opened = Page(url, settings, root / "page.log")
        wait_until("the sensors have looked once", lambda: _has_ticked(opened))
        for name in ("amplitude", "tracking_plan"):
            shutil.copytree(shared / "landing" / name, Path(settings.landing.path(), name))
        yield opened
    finally:
        try:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=60)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _has_ticked(page: Page) -> bool:
    query = """{ sensorsOrError(repositorySelector: {
      repositoryName: "__repository__", repositoryLocationName: "novade_pipeline"
    }) { ... on Sensors { results { name sensorState { ticks(limit: 1) { status } } } } } }"""
    sensors = page.ask(query)["sensorsOrError"].get("results", [])
    landing = [s for s in sensors if s["name"].endswith("_landing")]
    return bool(landing) and all(
        s["sensorState"]["ticks"] and s["sensorState"]["ticks"][0]["status"] != "STARTED"
        for s in landing
    )


@pytest.fixture(scope="module")
def backfilled(page: Page) -> Page:
    """A backfill of all assets for a month, launched as the page does, and what follows it."""
    # As on the page, what nothing makes cannot be asked for.
    query = "{ assetNodes { assetKey { path } isExecutable } }"
    nodes = page.ask(query)["assetNodes"]
    keys = [node["assetKey"] for node in nodes if node["isExecutable"]]
    days = [str(FIRST + timedelta(days=n)) for n in range((LAST - FIRST).days)]
    launched = page.ask(BACKFILL, params={"assetSelection": keys, "partitionNames": days})
    assert "backfillId" in launched["launchPartitionBackfill"], launched

    def is_done() -> bool:
        runs = page.runs()
        assert not [run for run in runs if run["status"] == "FAILURE"], runs
        status = page.ask(STATUS, id=launched["launchPartitionBackfill"]["backfillId"])
        return bool(status["partitionBackfillOrError"]["status"] == "COMPLETED_SUCCESS")

    wait_until("the backfill is done", is_done)
    return page


def test_a_second_page_on_the_same_home_is_refused(page: Page, tmp_path: Path) -> None:
    done = novade(tmp_path, "ui", "--port", "1", env=environment_of(page.settings))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "expected no running daemon, found process" in done.stderr


def test_the_terminal_has_no_hint_that_does_not_apply(page: Page) -> None:
    log = page.log.read_text()
    assert log.startswith(f"The web page opens at {page.url}")
    assert "DAGSTER_HOME" not in log
    assert "superseded" not in log


def test_a_history_is_one_run(backfilled: Page) -> None:
    loads = [
        run
        for run in backfilled.runs()
        if {"path": ["amplitude", "events"]} in (run["assetSelection"] or ())
    ]
    (load,) = loads
    tags = {tag["key"]: tag["value"] for tag in load["tags"]}
    assert tags["dagster/asset_partition_range_start"] == str(FIRST)
    assert tags["dagster/asset_partition_range_end"] == str(LAST - timedelta(days=1))


OF_JOB = """{ pipelineOrError(params: {
  pipelineName: "load_everything", repositoryName: "__repository__",
  repositoryLocationName: "novade_pipeline"
}) { ... on Pipeline { runs(limit: 9) { runId repositoryOrigin { repositoryLocationName } } } } }"""


def test_the_backfill_gives_what_novade_run_gives(backfilled: Page, real_data: Settings) -> None:
    tables, marts = tables_of(real_data), marts_of(real_data)

    def is_the_same() -> bool:
        """What follows the backfill is done by the sensors, in runs of their own."""
        if any(run["status"] != "SUCCESS" for run in backfilled.runs()):
            return False
        try:
            results = tables_of(backfilled.settings), marts_of(backfilled.settings)
        except duckdb.IOException:
            # A run that has begun since holds the warehouse.
            return False
        return results == (tables, marts)

    wait_until("the same tables and marts", is_the_same)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from selenium import webdriver

    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        message = "expected Debian's chromium and chromium-driver, found none"
        if os.environ.get("NOVADE_REQUIRE_SHARED") == "1":
            pytest.fail(message)
        pytest.skip(message)
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (
        *("--headless", "--no-sandbox", "--disable-gpu", "--window-size=1600,1400"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):
        options.add_argument(argument)
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield opened
    opened.quit()


def _text(browser: Any, url: str, awaited: str) -> str:
    from selenium.webdriver.common.by import By

    browser.get(url)
    states: list[str] = [""]

    def is_there() -> bool:
        states[0] = browser.find_element(By.TAG_NAME, "body").text
        return awaited in states[0]

    wait_until(f"{url} shows {awaited!r}", is_there)
    assert "GraphQL error" not in states[0]
    return states[0]


def test_a_command_is_a_run_of_its_job_on_the_timeline(backfilled: Page, browser: Any) -> None:
    root = backfilled.settings.dagster_home.parent
    environment = environment_of(backfilled.settings)
    done = novade(root, "run", "--select", "amplitude/identities", env=environment)
    assert done.returncode == 0, done.stderr
    (run,) = backfilled.ask(OF_JOB)["pipelineOrError"]["runs"]
    assert run["repositoryOrigin"] == {"repositoryLocationName": "novade_pipeline"}
    _text(browser, f"{backfilled.url}/overview/activity/timeline?groupBy=job", "load_everything")


def test_a_person_sees_what_an_asset_is_and_no_personal_data(
    backfilled: Page, browser: Any
) -> None:
    text = _text(browser, f"{backfilled.url}/assets/marts/sessions", "rows_published")
    assert "data-platform" in text
    assert "session_id" in text
    assert "@example.com" not in text
    events = _text(browser, f"{backfilled.url}/assets/amplitude/events?view=events", "preview")
    assert "@example.com" not in events


def test_the_graph_shows_every_group(backfilled: Page, browser: Any) -> None:
    text = _text(browser, f"{backfilled.url}/asset-groups", "tracking_plan")
    assert "amplitude" in text
    assert "marts" in text
