"""The launcher of runs on Azure, with the real SDK, over HTTP, against a stand-in for Azure."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
import pytest
from azure.core.credentials import AccessToken
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.mgmt.appcontainers import ContainerAppsAPIClient
from dagster_azure.container_apps import launcher as stock

from novade_pipeline.execution.container_apps import AzureContainerAppRunLauncher

GROUP = "/subscriptions/sub/resourceGroups/group/providers/Microsoft.App"
IDENTITY = "/subscriptions/sub/identities/graph"
_A_MINUTE = timedelta(minutes=1)
VAULT_URL = "https://vault.example/secrets/hash-key"


class Azure(ThreadingHTTPServer):
    """Jobs of one resource group; a job is there at the third look, as Azure takes its time."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.jobs: dict[str, dict[str, Any]] = {}
        self.polls: dict[str, int] = {}
        self.started: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Azure

    def log_message(self, *_: object) -> None:
        pass

    def do_PUT(self) -> None:
        name = self._name()
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.jobs[name] = {**body, "name": name}
        self.server.polls[name] = 0
        self._answer(
            201, self._job(name), {"Azure-AsyncOperation": f"{self.server.url}/ops/{name}"}
        )

    def do_GET(self) -> None:
        path, name = urlsplit(self.path).path, self._name()
        if path.startswith("/ops/"):
            self.server.polls[name] += 1
            ready = self.server.polls[name] >= 3
            self._answer(200, {"status": "Succeeded" if ready else "InProgress"})
        elif path == f"{GROUP}/jobs":
            self._answer(200, {"value": [self._job(job) for job in self.server.jobs]})
        else:
            self._answer(200, self._job(name))

    def do_POST(self) -> None:
        name = urlsplit(self.path).path.split("/")[-2]
        if self.server.polls[name] < 3:
            self._answer(409, {"error": {"code": "JobNotReady", "message": "not there yet"}})
            return
        self.server.started.append(name)
        self._answer(200, {"name": f"{name}-1", "id": "execution"})

    def do_DELETE(self) -> None:
        del self.server.jobs[self._name()]
        self._answer(200, {})

    def _name(self) -> str:
        return urlsplit(self.path).path.rsplit("/", 1)[-1]

    def _job(self, name: str) -> dict[str, Any]:
        return {"id": f"{GROUP}/jobs/{name}", **self.server.jobs[name]}

    def _answer(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class _Credential:
    def get_token(self, *_: str, **__: object) -> AccessToken:
        return AccessToken("token", 2**40)


@dg.op
def nothing() -> None:
    """Does nothing."""


@dg.job
def work() -> None:
    nothing()


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Azure]:
    server = Azure()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()

    def client(credential: object, subscription: str) -> ContainerAppsAPIClient:
        return ContainerAppsAPIClient(
            _Credential(),
            subscription,
            base_url=server.url,
            # Without TLS the SDK's own policy sends no token.
            authentication_policy=SansIOHTTPPolicy(),
            retry_total=0,
            polling_interval=0.01,
        )

    monkeypatch.setattr(stock, "ContainerAppsAPIClient", client)
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("NOVADE_LAKE_URL", "abfss://lake@account.dfs.example/novade")
    monkeypatch.setenv("AZURE_CLIENT_ID", "client")
    config = {
        "subscription_id": "sub",
        "resource_group": "group",
        "region": "westeurope",
        "environment_id": f"{GROUP}/managedEnvironments/apps",
        "identity_id": IDENTITY,
        "forwarded": "AZURE_CLIENT_ID,NOVADE_LAKE_URL",
        "key_vault_secrets": json.dumps({"NOVADE_PERSONAL_DATA_KEY": VAULT_URL}),
        "disk": "warehouse",
        "run_resources": {"cpu": "2", "memory": "4Gi"},
    }
    launcher = {
        "module": "novade_pipeline.execution.container_apps",
        "class": "AzureContainerAppRunLauncher",
        "config": config,
    }
    with dg.instance_for_test(
        temp_dir=str(tmp_path), overrides={"run_launcher": launcher}
    ) as instance:
        yield instance


def _launch(instance: dg.DagsterInstance) -> dg.DagsterRun:
    launcher = instance.run_launcher
    assert isinstance(launcher, AzureContainerAppRunLauncher)
    run = instance.create_run_for_job(work)
    origin = dg.reconstructable(work).get_python_origin()
    image = origin.repository_origin._replace(container_image="registry.azurecr.io/novade:1")
    context = SimpleNamespace(
        dagster_run=run, job_code_origin=origin._replace(repository_origin=image)
    )
    launcher.launch_run(context)
    return run


def test_a_run_becomes_a_job_with_disk_and_secrets(
    azure: Azure, instance: dg.DagsterInstance
) -> None:
    run = _launch(instance)

    (job,) = azure.jobs.values()
    (container,) = job["properties"]["template"]["containers"]
    assert container["image"] == "registry.azurecr.io/novade:1"
    assert container["command"][-3:-1] == ["api", "execute_run"]
    assert run.run_id in container["command"][-1]
    assert container["resources"] == {"cpu": 2.0, "memory": "4Gi"}
    assert container["env"] == [
        {"name": "AZURE_CLIENT_ID", "value": "client"},
        {"name": "NOVADE_LAKE_URL", "value": "abfss://lake@account.dfs.example/novade"},
        {"name": "NOVADE_PERSONAL_DATA_KEY", "secretRef": "novade-personal-data-key"},
    ]
    assert container["volumeMounts"] == [{"volumeName": "disk", "mountPath": "/data"}]
    assert job["properties"]["template"]["volumes"] == [
        {"name": "disk", "storageType": "NfsAzureFile", "storageName": "warehouse"}
    ]
    assert job["properties"]["configuration"]["secrets"] == [
        {"name": "novade-personal-data-key", "keyVaultUrl": VAULT_URL, "identity": IDENTITY}
    ]
    assert list(job["identity"]["userAssignedIdentities"]) == [IDENTITY]


def test_a_job_is_started_only_when_it_is_there(
    azure: Azure, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The stock launcher gives up waiting, and starts what is not there.
    monkeypatch.setattr(stock, "_CREATE_POLL_TIMEOUT_SECS", 0)
    _launch(instance)
    assert azure.started == list(azure.jobs)


def test_jobs_of_runs_that_ended_a_while_ago_are_deleted(
    azure: Azure, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, going = _launch(instance), _launch(instance)
    azure.jobs["of-somebody-else"] = {"name": "of-somebody-else", "location": "westeurope"}
    instance.report_run_failed(ended)
    _launch(instance)
    assert len(azure.jobs) == 4, "one that has just ended may still be at its last words"

    monkeypatch.setattr("novade_pipeline.execution.container_apps.RETENTION", -_A_MINUTE)
    newest = _launch(instance)

    left = {job.get("tags", {}).get("dagster-run-id") for job in azure.jobs.values()}
    assert ended.run_id not in left
    assert {going.run_id, newest.run_id, None} <= left


@pytest.mark.parametrize("text", ["", "[]", "A=b", '{"NOVADE_ALERT_WEBHOOK": 1}'])
def test_secrets_that_are_not_addresses_by_name_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected key_vault_secrets to be a JSON object"):
        AzureContainerAppRunLauncher(
            forwarded="",
            key_vault_secrets=text,
            disk="d",
            disk_path="/d",
            identity_id="i",
            inst_data=None,
            subscription_id="s",
            resource_group="g",
            region="r",
            environment_id="e",
            run_resources=None,
            run_job_replica_timeout=None,
        )
