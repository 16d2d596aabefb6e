"""Up to when an object was read: kept with its table, in the commit that holds the rows.

The watermark is a Delta transaction of the table. Its name holds which fields were read, which of
them the settings mark, and under which policy for personal data: a read of other fields has its own
watermark, none at first, and so everything is read once more. The version is a time in microseconds
since 1970, by the organisation's clock.
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
"""The transaction that says when all ids were last compared."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Of more columns that nobody fills not every selection is looked for.
_MOST_COLUMNS = 6


def app_id(fields: Fields, policy: PersonalDataPolicy) -> str:
    """The transaction that says up to when just these fields were read under this policy."""
    return _app_id(_described(fields), policy)


def watermark(found: DeltaTable | None, fields: Fields, policy: PersonalDataPolicy) -> int | None:
    """Up to when the fields were read; None: never, or not all of them.

    A read of more fields counts as well: where some were dropped, nothing has to be read again.
    Where one comes back, what changed meanwhile has to be, and is.
    """
    if found is None:
        return None
    if (same := found.transaction_version(app_id(fields, policy))) is not None:
        return same
    there = {field.name: field.type for field in pa.schema(found.schema().to_arrow())}
    if not {one.column for one in fields.read} <= set(there):
        return None
    filled = _described(fields)
    ours = {column.name for column in fields.table.columns if column.source == column.name}
    others = [
        f"{name}:{stored(kind_of(type_), pa.types.is_decimal(type_))}:{kind_of(type_)}"
        for name, type_ in there.items()
        if name not in ours and not any(one.startswith(f"{name}:") for one in filled)
    ]
    known = [
        found.transaction_version(_app_id({*filled, *more}, policy)) for more in _selections(others)
    ]
    return max((version for version in known if version is not None), default=None)


def micros(moment: datetime) -> int:
    """A time as a transaction's version."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment(version: int) -> datetime:
    """The time that a transaction's version says."""
    return _EPOCH + timedelta(microseconds=version)


def _described(fields: Fields) -> set[str]:
    return {
        f"{one.column}:{one.stored}:{one.told}" + (":marked" if one.marked else "")
        for one in fields.read
    }


def _app_id(read: Iterable[str], policy: PersonalDataPolicy) -> str:
    digest = hashlib.sha256("\n".join(sorted(read)).encode()).hexdigest()[:32]
    return f"salesforce:{policy.fingerprint}:{digest}"


def _selections(columns: list[str]) -> Iterable[tuple[str, ...]]:
    if len(columns) > _MOST_COLUMNS:
        few = (tuple(c for c in columns if c != one) for one in columns)
        return chain([tuple(columns)], few, ((one,) for one in columns))
    return chain.from_iterable(combinations(columns, n) for n in range(1, len(columns) + 1))
