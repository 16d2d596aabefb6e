"""Launches runs as Azure Container Apps jobs, with a disk and secrets.

`AcaRunLauncher` creates a job for each run from an image, environment variables and a managed
identity. The subclass adds the disk of the warehouse file and secrets of a Key Vault, and deletes
the jobs of ended runs, since Azure limits their number. `deploy/dagster.azure.yaml` names it.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from azure.core.exceptions import AzureError
from azure.mgmt.appcontainers import ContainerAppsAPIClient
from azure.mgmt.appcontainers.models import EnvironmentVar, Job, Secret, Volume, VolumeMount
from dagster import Field, StringSource
from dagster_azure.container_apps import AcaRunLauncher

if TYPE_CHECKING:
    from azure.core.polling import LROPoller
    from azure.mgmt.appcontainers.operations import JobsOperations

CREATE_SECONDS = 300
"""Time limit for creating a job; Azure needs most of a minute."""
RETENTION = timedelta(minutes=10)
"""How long a job is retained after its run, so that its container can exit by itself."""
RUN_TAG = "dagster-run-id"
DISK = "disk"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobExtras:
    """What each job gets in addition to image, variables and identity.

    Attributes:
        identity_id: the managed identity that reads the secrets.
        disk: name of the environment's NFS storage.
        disk_path: its mount point.
        secrets: variable -> address of a secret in a Key Vault.
    """

    identity_id: str
    disk: str
    disk_path: str
    secrets: Mapping[str, str]

    def add_to(self, job: Job) -> Job:
        """Returns the job with disk and secrets."""
        assert job.template is not None
        assert job.template.containers is not None
        assert job.configuration is not None
        job.template.volumes = [
            Volume(name=DISK, storage_type="NfsAzureFile", storage_name=self.disk)
        ]
        job.configuration.secrets = [
            Secret(name=_secret_name(name), key_vault_url=url, identity=self.identity_id)
            for name, url in self.secrets.items()
        ]
        for container in job.template.containers:
            container.volume_mounts = [VolumeMount(volume_name=DISK, mount_path=self.disk_path)]
            container.env = [
                *(container.env or []),
                *(EnvironmentVar(name=n, secret_ref=_secret_name(n)) for n in self.secrets),
            ]
        return job


class AzureContainerAppRunLauncher(AcaRunLauncher):
    """`AcaRunLauncher` with a disk and secrets; deletes the jobs of ended runs."""

    def __init__(
        self,
        *,
        forwarded: str,
        key_vault_secrets: str,
        disk: str,
        disk_path: str,
        identity_id: str,
        **stock: Any,
    ) -> None:
        names = [name.strip() for name in forwarded.split(",") if name.strip()]
        stock["env_vars"] = [*(stock.get("env_vars") or []), *names]
        super().__init__(identity_id=identity_id, **stock)
        self._extras = JobExtras(identity_id, disk, disk_path, _secrets(key_vault_secrets))

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        """The config of `AcaRunLauncher` and the additions."""
        return {
            **super().config_type(),
            "identity_id": Field(StringSource, description="ARM id of the managed identity."),
            "forwarded": Field(
                StringSource, description="Variables passed on to runs, names between commas."
            ),
            "key_vault_secrets": Field(
                StringSource,
                is_required=False,
                default_value="{}",
                description="JSON object: variable -> address of a secret in a Key Vault.",
            ),
            "disk": Field(
                StringSource, description="Name of the environment's NFS storage of the warehouse."
            ),
            "disk_path": Field(StringSource, is_required=False, default_value="/data"),
        }

    @classmethod
    def from_config_value(
        cls, inst_data: Any, config_value: Mapping[str, Any]
    ) -> "AzureContainerAppRunLauncher":
        """Called by Dagster with the config in `dagster.yaml`."""
        defaults = {"env_vars": None, "run_resources": None, "run_job_replica_timeout": None}
        values = {**defaults, **config_value}
        # Of code servers; the stock launcher ignores it too.
        values.pop("server_resources", None)
        return cls(inst_data=inst_data, **values)

    def launch_run(self, context: Any) -> None:
        """Create and start a job for the run, and delete the jobs of ended runs."""
        super().launch_run(context)
        try:
            self._delete_ended_jobs()
        except AzureError as error:
            # The run has started; the next launch tries again.
            _logger.warning("Jobs of ended runs could not be deleted: %s", type(error).__name__)

    def _get_client(self) -> ContainerAppsAPIClient:
        client = super()._get_client()
        extended = SimpleNamespace(
            jobs=_ExtendingJobs(client.jobs, self._extras),
            jobs_executions=client.jobs_executions,
        )
        return cast(ContainerAppsAPIClient, extended)

    def _delete_ended_jobs(self) -> None:
        jobs = super()._get_client().jobs
        latest_end = (datetime.now(UTC) - RETENTION).timestamp()
        for job in jobs.list_by_resource_group(self._resource_group):
            run_id = (job.tags or {}).get(RUN_TAG)
            if run_id is None or job.name is None:
                continue
            record = self._instance.get_run_record_by_id(run_id)
            if record is not None and record.end_time is not None and record.end_time < latest_end:
                jobs.begin_delete(self._resource_group, job.name)


class _ExtendingJobs:
    """The jobs API; creating a job adds the extras and waits."""

    def __init__(self, jobs: "JobsOperations", extras: JobExtras) -> None:
        self._jobs = jobs
        self._extras = extras

    def begin_create_or_update(self, group: str, name: str, job: Job) -> "LROPoller[Job]":
        poller = self._jobs.begin_create_or_update(group, name, self._extras.add_to(job))
        # `AcaRunLauncher` waits 30 s and then starts a job that may not exist yet.
        poller.wait(CREATE_SECONDS)
        return poller

    def __getattr__(self, name: str) -> Any:
        return getattr(self._jobs, name)


def _secret_name(variable: str) -> str:
    """Azure's form of a secret's name: lower case letters, digits and hyphens."""
    return variable.lower().replace("_", "-")


def _secrets(text: str) -> dict[str, str]:
    try:
        secrets = json.loads(text)
    except ValueError:
        secrets = None
    if not isinstance(secrets, dict) or not all(isinstance(url, str) for url in secrets.values()):
        raise ValueError(
            "dagster.yaml: expected key_vault_secrets to be a JSON object of variables and "
            "addresses of Key Vault secrets, found something else"
        )
    return secrets
