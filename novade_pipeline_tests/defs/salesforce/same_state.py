"""Whether a table of the lake is what the organisation itself has."""

from decimal import Decimal
from typing import Any

from novade_pipeline.defs.salesforce.fields import SKIPPED, snake_case
from novade_pipeline.defs.salesforce.tables import OBJECTS


def differences(world: Any, name: str) -> list[str]:
    """What differs between an object's records and its rows; records that are gone are marked."""
    rows_by_id, records_by_id = world.rows(name), world.records_by_id(name)
    columns = {column.source: column.name for column in OBJECTS[name].columns}
    fields = [
        field.name
        for field in world.org.object(name).fields
        if field.type not in SKIPPED and field.name not in world.org.hidden_fields(name)
    ]
    differing = [f"{id_} is missing" for id_ in sorted(records_by_id.keys() - rows_by_id.keys())]
    for key, row in sorted(rows_by_id.items()):
        record = records_by_id.get(key)
        if record is None:
            differing += (
                [] if row["is_deleted"] and row["vanished_at"] else [f"{key} is not marked"]
            )
            continue
        differing += [f"{key} is marked"] if row["vanished_at"] else []
        for field in fields:
            column = columns.get(field, snake_case(field))
            if row.get(column) != exact(record[field]):
                differing.append(
                    f"{key}.{field}: {record[field]!r}, in the lake {row.get(column)!r}"
                )
        if "IsDeleted" not in record and row["is_deleted"]:
            differing.append(f"{key} is deleted")
    return differing


def exact(value: Any) -> Any:
    """A value of the organisation as the lake holds it: numbers as they are written."""
    return Decimal(repr(value)) if isinstance(value, float) else value
