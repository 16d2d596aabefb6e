"""The origin of a command's runs: the code location, as of the runs that the web page starts.

By their origin the web page lists runs under their job and on the timeline. `execute_in_process`
takes none, although `DagsterInstance.create_run_for_job`, which it calls, does.
"""

import json
from functools import partial
from typing import Any

import dagster as dg

LOCATION = "novade_pipeline"
"""As in `workspace.yaml`."""
REPOSITORY = "__repository__"
"""Dagster's name of the only repository of a code location."""


def from_code_location(instance: dg.DagsterInstance, job_name: str) -> dg.DagsterInstance:
    """The instance; runs that are created with it from now on have the code location's origin."""
    untyped: Any = instance
    untyped.create_run_for_job = partial(
        instance.create_run_for_job, remote_job_origin=_origin(job_name)
    )
    return instance


def _origin(job_name: str) -> Any:
    # Dagster's classes of origins have no public address; it stores them in this form.
    location = {"__class__": "RegisteredRepositoryLocationOrigin", "location_name": LOCATION}
    repository = {
        "__class__": "ExternalRepositoryOrigin",
        "repository_location_origin": location,
        "repository_name": REPOSITORY,
    }
    job = {
        "__class__": "ExternalPipelineOrigin",
        "external_repository_origin": repository,
        "pipeline_name": job_name,
    }
    return dg.deserialize_value(json.dumps(job))
