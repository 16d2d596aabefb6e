"""What `dbt docs serve` shows after a run, without `dbt docs generate` before it.

The catalog is that of the declared columns, which dbt enforces (`contract`), so no query is needed.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_SCHEMA = "https://schemas.getdbt.com/dbt/catalog/v1.json"


def write_docs(manifest: Mapping[str, Any], folder: Path) -> None:
    """Writes `manifest.json` and `catalog.json`; `dbt docs generate` replaces both.

    Args:
        manifest: dbt's.
        folder: dbt's target folder.
    """
    for name, content in (("manifest", manifest), ("catalog", catalog(manifest))):
        fresh = folder / f".{name}.json"
        fresh.write_text(json.dumps(content), encoding="utf-8")
        fresh.replace(folder / f"{name}.json")


def catalog(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Dbt's catalog of the models, snapshots and sources of a manifest.

    Source: https://docs.getdbt.com/reference/artifacts/catalog-json
    """
    metadata = {**manifest["metadata"], "dbt_schema_version": _SCHEMA}
    models = {
        name: _entry(node, node["name"], "BASE TABLE")
        for name, node in manifest["nodes"].items()
        if node["resource_type"] in ("model", "snapshot")
    }
    sources = {
        name: _entry(node, node["identifier"], "VIEW") for name, node in manifest["sources"].items()
    }
    return {"metadata": metadata, "nodes": models, "sources": sources, "errors": None}


def _entry(node: Mapping[str, Any], name: str, kind: str) -> dict[str, Any]:
    columns = {
        column: {
            "type": declared["data_type"],
            "index": index,
            "name": column,
            "comment": declared["description"],
        }
        for index, (column, declared) in enumerate(node["columns"].items(), 1)
    }
    table = {
        **{"type": kind, "schema": node["schema"], "name": name, "database": node["database"]},
        **{"comment": node["description"], "owner": None},
    }
    unique_id = node["unique_id"]
    return {"unique_id": unique_id, "metadata": table, "columns": columns, "stats": {}}
