"""All records of an object as the organisation lists them, compared with the rows of the lake."""

import string
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

COLUMNS = ("id", "system_modstamp", "is_deleted")
"""What is listed of each record."""
PARTS = 8
_DIGITS = string.digits + string.ascii_letters


@dataclass(frozen=True)
class Compared:
    """How the lists differ, as ids.

    Attributes:
        rows: how many rows of the lake are not marked as gone.
        absent: rows of these that the organisation does not list.
        returned: records whose rows are marked as gone.
        missed: records of which the lake has no row.
        late: records with another stamp, or another mark of deletion, than their rows.
    """

    rows: int
    absent: list[str]
    returned: list[str]
    missed: list[str]
    late: list[str]


def compared(listed: pa.Table, held: pa.Table) -> Compared:
    """Compare in parts, each with a small hash table.

    Args:
        listed: the `COLUMNS` of all records; without a stamp where a record breaks its types.
        held: the same of all rows, and `vanished_at`.
    """
    part, held_part = _part(listed["id"]), _part(held["id"])
    absent: list[str] = []
    returned: list[str] = []
    missed: list[str] = []
    late: list[str] = []
    for number in range(PARTS):
        records = listed.filter(pc.equal(part, number))
        rows = held.filter(pc.equal(held_part, number))
        ids, place = records["id"], pc.index_in(records["id"], value_set=rows["id"])
        row = rows.take(place)
        is_back = pc.is_valid(row["vanished_at"])
        differs = pc.or_(
            pc.not_equal(records["system_modstamp"], row["system_modstamp"]),
            pc.not_equal(records["is_deleted"], row["is_deleted"]),
        )
        is_listed = pc.is_in(rows["id"], value_set=ids)
        is_absent = pc.and_(pc.is_null(rows["vanished_at"]), pc.invert(is_listed))
        absent += rows["id"].filter(is_absent).to_pylist()
        missed += ids.filter(pc.is_null(place)).to_pylist()
        returned += ids.filter(is_back).to_pylist()
        late += ids.filter(pc.and_not(pc.fill_null(differs, False), is_back)).to_pylist()
    return Compared(held["vanished_at"].null_count, absent, returned, missed, late)


def as_returned(rows: pa.RecordBatch, gone: pa.Array, now: datetime) -> pa.RecordBatch:
    """Rows as they were read, of which those that were gone say since when they are back.

    Args:
        gone: ids of rows that the lake has marked as gone.
    """
    place = rows.schema.get_field_index("returned_at")
    when = pa.scalar(now, rows.schema.field(place).type)
    is_back = pc.is_in(rows.column("id"), value_set=gone)
    back = pc.if_else(is_back, when, pa.scalar(None, when.type))
    return rows.set_column(place, rows.schema.field(place), back)


def _part(ids: pa.ChunkedArray) -> pa.ChunkedArray:
    """Which part an id belongs to, by the last of the characters that count up."""
    last = pc.utf8_slice_codeunits(ids, 14, 15)
    digit = pc.fill_null(pc.index_in(last, value_set=pa.array(list(_DIGITS))), 0)
    return pc.bit_wise_and(digit, PARTS - 1)
