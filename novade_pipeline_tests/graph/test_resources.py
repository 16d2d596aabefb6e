"""What assets ask for by name, on the local disk and on Azure."""

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from novade_pipeline.graph.resources import resources
from novade_pipeline.settings import Settings, load_settings
from novade_pipeline_tests.azurite import Azurite


def _settings(server: Azurite, root: Path) -> Settings:
    return load_settings(
        lake_url=str(root),
        landing_url=server.new_store("landing").url,
        azure_account_key=server.key,
        azure_endpoint=server.blob_url,
    )


def test_on_azure_a_step_may_ask_for_the_sdks_client_of_landing(
    azurite: Azurite, tmp_path: Path
) -> None:
    settings = _settings(azurite, tmp_path)
    settings.landing.write(b"x", "a", "b")
    urls = []

    @dg.op(required_resource_keys={"landing_blobs"})
    def read_url(context: dg.OpExecutionContext) -> None:
        with context.resources.landing_blobs.get_client() as client:
            container = client.get_container_client(settings.landing.path().split("/")[0])
            urls.extend(blob.name for blob in container.list_blobs())

    @dg.job(resource_defs=resources(settings, {}))
    def job() -> None:
        read_url()

    assert job.execute_in_process().success
    assert urls == ["novade/a/b"]


@pytest.mark.parametrize("landing", ["disk", "azure"])
def test_dagster_azure_is_imported_only_where_it_is_requested(landing: str, tmp_path: Path) -> None:
    url = {"disk": str(tmp_path), "azure": "abfss://landing@novade.dfs.core.windows.net"}[landing]
    code = (
        "import sys\n"
        "from novade_pipeline.graph.resources import resources\n"
        "from novade_pipeline.settings import load_settings\n"
        f"found = resources(load_settings(landing_url={url!r}), {{}})\n"
        "assert 'dagster_azure' not in sys.modules\n"
        "print('landing_blobs' in found)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(landing == "azure")


def test_the_web_page_shows_no_key_of_a_resource(azurite: Azurite, tmp_path: Path) -> None:
    resource = resources(_settings(azurite, tmp_path), {})["landing_blobs"]
    assert azurite.key not in repr(vars(resource)) + str(resource.config_schema)
