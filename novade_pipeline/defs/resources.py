"""The single place where local becomes ADLS: what assets ask for by name.

`lake` and `landing` are stores, `io_manager` and `documents` write to the lake. They are plain
objects, not configurable resources, so that no credential is shown in the web page.
"""

from collections.abc import Mapping
from typing import Any

from novade_pipeline.lake.io_manager import DeltaIOManager, DocumentIOManager
from novade_pipeline.lake.table import Table
from novade_pipeline.settings import Settings


def resources(settings: Settings, tables: Mapping[str, Table]) -> dict[str, Any]:
    """Resource name -> object, as the settings say."""
    lake = settings.lake
    return {
        "lake": lake,
        "landing": settings.landing,
        "io_manager": DeltaIOManager(lake, tables, settings.personal_data_policy),
        "documents": DocumentIOManager(lake),
    }
