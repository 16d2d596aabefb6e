"""The watermark of an object: a Delta transaction of its table, in the commit of the rows.

The transaction's name is a digest of the fields that were read, the settings' marks and the policy
for personal data: a load of other fields has another watermark, and so reads everything once more.
The version is a time in microseconds since 1970, by the organisation's clock.
"""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import chain, combinations

import pyarrow as pa
from deltalake import DeltaTable

from novade_pipeline.defs.salesforce.fields import Fields, kind_of, stored
from novade_pipeline.privacy.policy import PersonalDataPolicy

SWEEP = "salesforce:sweep"
"""The transaction of the last sweep."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Of more dropped columns, not every selection is try_all.
_MOST_COLUMNS = 6


def app_id(fields: Fields, policy: PersonalDataPolicy) -> str:
    """Returns the transaction's name for these fields and this policy."""
    return _app_id(_read_columns(fields), policy)


def watermark(
    delta_table: DeltaTable | None, fields: Fields, policy: PersonalDataPolicy
) -> int | None:
    """Returns up to when the fields were read; None: never, or not all of them.

    The watermark of a load of more fields counts as well: dropped fields need no full read.
    When a field returns, the changes since then are read.
    """
    if delta_table is None:
        return None
    if (version := delta_table.transaction_version(app_id(fields, policy))) is not None:
        return version
    existing = {field.name: field.type for field in pa.schema(delta_table.schema().to_arrow())}
    if not {read_field.column for read_field in fields.read} <= set(existing):
        return None
    filled = _read_columns(fields)
    own_columns = {column.name for column in fields.table.columns if column.source == column.name}
    dropped = [
        f"{name}:{stored(kind_of(type_), pa.types.is_decimal(type_))}:{kind_of(type_)}"
        for name, type_ in existing.items()
        if name not in own_columns
        and not any(read_field.startswith(f"{name}:") for read_field in filled)
    ]
    versions = [
        delta_table.transaction_version(_app_id({*filled, *more}, policy))
        for more in _selections(dropped)
    ]
    return max((version for version in versions if version is not None), default=None)


def micros(moment: datetime) -> int:
    """Converts a time to a transaction's version."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment(version: int) -> datetime:
    """Converts a transaction's version to its time."""
    return _EPOCH + timedelta(microseconds=version)


def _read_columns(fields: Fields) -> set[str]:
    return {
        f"{field.column}:{field.stored}:{field.source_kind}" + (":marked" if field.marked else "")
        for field in fields.read
    }


def _app_id(read: Iterable[str], policy: PersonalDataPolicy) -> str:
    digest = hashlib.sha256("\n".join(sorted(read)).encode()).hexdigest()[:32]
    return f"salesforce:{policy.fingerprint}:{digest}"


def _selections(columns: list[str]) -> Iterable[tuple[str, ...]]:
    if len(columns) > _MOST_COLUMNS:
        all_but_one = (tuple(c for c in columns if c != column) for column in columns)
        return chain([tuple(columns)], all_but_one, ((column,) for column in columns))
    return chain.from_iterable(combinations(columns, n) for n in range(1, len(columns) + 1))
