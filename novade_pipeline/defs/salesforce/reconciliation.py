"""Comparison of all records of an object in the organisation with the rows of the lake."""

import string
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

COLUMNS = ("id", "system_modstamp", "is_deleted")
"""The columns that are compared."""
PARTS = 8
_DIGITS = string.digits + string.ascii_letters


@dataclass(frozen=True)
class Differences:
    """The differences, as ids.

    Attributes:
        rows: the number of rows of the lake that are not marked as vanished.
        absent: of them those that the organisation does not list.
        returned: records whose rows are marked as vanished.
        missed: records without a row.
        late: records whose stamp or deletion mark differs from their row's.
    """

    rows: int
    absent: list[str]
    returned: list[str]
    missed: list[str]
    late: list[str]


def compare(listed: pa.Table, stored: pa.Table) -> Differences:
    """Compares in parts, each with a small hash table.

    Args:
        listed: the `COLUMNS` of all records; the stamp of a bad record is null.
        stored: the `COLUMNS` of all rows, and `vanished_at`.
    """
    part, stored_part = _part(listed["id"]), _part(stored["id"])
    absent: list[str] = []
    returned: list[str] = []
    missed: list[str] = []
    late: list[str] = []
    for number in range(PARTS):
        records = listed.filter(pc.equal(part, number))
        rows = stored.filter(pc.equal(stored_part, number))
        ids, position = records["id"], pc.index_in(records["id"], value_set=rows["id"])
        row = rows.take(position)
        is_back = pc.is_valid(row["vanished_at"])
        differs = pc.or_(
            pc.not_equal(records["system_modstamp"], row["system_modstamp"]),
            pc.not_equal(records["is_deleted"], row["is_deleted"]),
        )
        is_listed = pc.is_in(rows["id"], value_set=ids)
        is_absent = pc.and_(pc.is_null(rows["vanished_at"]), pc.invert(is_listed))
        absent += rows["id"].filter(is_absent).to_pylist()
        missed += ids.filter(pc.is_null(position)).to_pylist()
        returned += ids.filter(is_back).to_pylist()
        late += ids.filter(pc.and_not(pc.fill_null(differs, False), is_back)).to_pylist()
    return Differences(stored["vanished_at"].null_count, absent, returned, missed, late)


def as_returned(rows: pa.RecordBatch, gone: pa.Array, now: datetime) -> pa.RecordBatch:
    """Sets `returned_at` of the rows that had vanished.

    Args:
        gone: ids of rows that are marked as vanished.
    """
    position = rows.schema.get_field_index("returned_at")
    when = pa.scalar(now, rows.schema.field(position).type)
    is_back = pc.is_in(rows.column("id"), value_set=gone)
    back = pc.if_else(is_back, when, pa.scalar(None, when.type))
    return rows.set_column(position, rows.schema.field(position), back)


def _part(ids: pa.ChunkedArray) -> pa.ChunkedArray:
    """Returns the part of each id, by the last character of its serial number."""
    last = pc.utf8_slice_codeunits(ids, 14, 15)
    digit = pc.fill_null(pc.index_in(last, value_set=pa.array(list(_DIGITS))), 0)
    return pc.bit_wise_and(digit, PARTS - 1)
