"""Dagster's own commands in a checkout show what `novade ui` shows."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from novade_pipeline.definitions import build_definitions
from novade_pipeline.execution.home import dagster_instance
from novade_pipeline.settings import load_settings
from novade_pipeline_tests.commands import novade
from novade_pipeline_tests.waiting import page_answers, wait_until

ROOT = Path(__file__).parents[1]
SHOWN = """{
  instance { info }
  repositoriesOrError { ... on RepositoryConnection {
    nodes { name location { name } sensors { name } schedules { name } } } }
  runsOrError { ... on Runs { results { runId } } }
}"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a clone has, as far as Dagster reads it."""
    checkout = tmp_path_factory.mktemp("clone") / "checkout"
    for name in ("novade_pipeline", "dbt"):
        shutil.copytree(ROOT / name, checkout / name)
    for name in ("pyproject.toml", "workspace.yaml", "dagster.yaml"):
        shutil.copy(ROOT / name, checkout / name, follow_symlinks=False)
    return checkout


@pytest.mark.parametrize(
    "command", [("dagster", "dev", "-w", "workspace.yaml"), ("dg", "dev")], ids=["dagster", "dg"]
)
def test_dagsters_own_commands_show_the_same_page(
    command: tuple[str, ...], checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.chdir(checkout)
    settings = load_settings()
    with dagster_instance(settings) as instance:
        run = instance.add_run(_finished_run())
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program, *arguments = command
    environment = {
        **os.environ,
        # The checkout's modules, where the tests run an editable install.
        "PYTHONPATH": str(checkout),
        "NOVADE_LANDING_POLL_SECONDS": "86400",
    }
    with (checkout.parent / "log").open("wb") as log:
        process = subprocess.Popen(
            [Path(sys.executable).with_name(program), *arguments, "--port", str(port)],
            cwd=checkout,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
            # What is started in the background inherits that it ignores SIGINT.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until("the page answers", lambda: page_answers(url))
        shown = _ask(url)
        refused = novade(checkout, "ui", "--port", "1")
    finally:
        os.kill(process.pid, signal.SIGINT)
        try:
            process.wait(timeout=60)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    (repository,) = shown["repositoriesOrError"]["nodes"]
    assert repository["location"]["name"] == "novade_pipeline"
    definitions = build_definitions(settings)
    for kind in ("sensors", "schedules"):
        names = {item["name"] for item in repository[kind]}
        assert names == {item.name for item in getattr(definitions, kind)}
    assert {"runId": run.run_id} in shown["runsOrError"]["results"]
    info = yaml.safe_load(shown["instance"]["info"])
    for storage in ("run_storage", "event_log_storage", "schedule_storage"):
        folder = checkout / info[storage]["config"]["base_dir"]
        assert folder.is_relative_to(settings.dagster_home.absolute())
        assert list(folder.iterdir())
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "expected no running daemon, found process" in refused.stderr
    assert not list(checkout.glob(".tmp_dagster_home_*"))


def test_a_home_of_another_place_is_not_shown_by_halves(checkout: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(checkout), "NOVADE_DAGSTER_HOME": "elsewhere"}
    environment.pop("DAGSTER_HOME", None)
    done = subprocess.run(
        [Path(sys.executable).with_name("dagster"), "dev", "-w", "workspace.yaml"],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert f"set DAGSTER_HOME={checkout / 'elsewhere'}, or run `novade ui`." in done.stderr


def test_the_environment_file_may_say_where_dagsters_home_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("DAGSTER_HOME=/from/the/file\n")
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    assert load_settings().dagster_home == Path("/from/the/file")
    monkeypatch.setenv("DAGSTER_HOME", "/from/the/environment")
    assert load_settings().dagster_home == Path("/from/the/environment")


def _finished_run() -> Any:
    import dagster as dg

    return dg.DagsterRun("load_everything", status=dg.DagsterRunStatus.SUCCESS)


def _ask(url: str) -> dict[str, Any]:
    body = json.dumps({"query": SHOWN}).encode()
    request = urllib.request.Request(f"{url}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        shown: dict[str, Any] = json.load(answer)["data"]
        return shown
