"""The resources of the graph: storage on local disk or on Azure, and Spark.

`lake` and `landing` are stores, `io_manager` and `documents` write to the lake. They are plain
objects, not configurable resources, so that the web page shows no credential. On Azure,
`landing_blobs` is dagster-azure's resource, for assets that need the Azure SDK itself.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from novade_pipeline.graph.spark_sessions import spark_resource
from novade_pipeline.lake.io_manager import DeltaIOManager, DocumentIOManager
from novade_pipeline.lake.table import Table
from novade_pipeline.settings import Settings
from novade_pipeline.storage.store import Store


def resources(settings: Settings, tables: Mapping[str, Table]) -> dict[str, Any]:
    """Resource name -> object, from the settings."""
    lake, landing = settings.lake, settings.landing
    azure = {"landing_blobs": _landing_blobs(landing)} if landing.is_azure else {}
    return azure | {
        "lake": lake,
        "landing": landing,
        "io_manager": DeltaIOManager(lake, tables, settings.personal_data_policy),
        "documents": DocumentIOManager(lake),
        "spark": spark_resource(settings),
    }


def _landing_blobs(landing: Store) -> dg.ResourceDefinition:
    """An `AzureBlobStorageResource` of the landing zone's account, with the store's credentials.

    It is created on first use, since the import of dagster_azure takes 1.5 s.
    """

    @dg.resource(
        description="The landing zone's account: `get_client()` is the Azure SDK's client."
    )
    def landing_blobs(_: dg.InitResourceContext) -> Any:
        from dagster_azure.blob import (
            AzureBlobStorageDefaultCredential,
            AzureBlobStorageKeyCredential,
            AzureBlobStorageResource,
            AzureBlobStorageSASTokenCredential,
        )

        from novade_pipeline.storage.azure import AzureStore

        assert isinstance(landing, AzureStore)
        access = landing.access
        credential: Any = AzureBlobStorageDefaultCredential()
        if access.key:
            credential = AzureBlobStorageKeyCredential(key=access.key)
        elif access.sas:
            credential = AzureBlobStorageSASTokenCredential(token=access.sas)
        return AzureBlobStorageResource(account_url=access.endpoint, credential=credential)

    return landing_blobs
