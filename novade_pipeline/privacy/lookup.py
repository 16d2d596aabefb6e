"""Rows that say something of some names, found among many without a look at each one's names.

Most rows are ruled out by columns at once, as text; the rest are read as `forget` reads them.
"""

import re
from collections.abc import Collection, Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.privacy.closure import Link
from novade_pipeline.privacy.forget import Mask, Owners, links_in
from novade_pipeline.privacy.identifiers import EMAIL, Identifier
from novade_pipeline.privacy.marks import Identity, Owner

_MOST_PATTERNS = 500
"""With more values than these a document is read whole instead."""


def links_with(rows: pa.Table, owners: Owners, names: Collection[Identifier]) -> Iterable[Link]:
    """What rows say of who is who, as far as one of some names is among it."""
    candidates = rows.filter(pa.array(_candidates(rows, owners, names)))
    if not candidates.num_rows:
        return []
    wanted = frozenset(names)
    return [link for link in links_in(candidates, owners) if not link.isdisjoint(wanted)]


def _candidates(rows: pa.Table, owners: Owners, names: Collection[Identifier]) -> Mask:
    """True for each row that has one of the names, and perhaps for others."""
    by_kind: dict[str, list[str]] = {}
    for name in names:
        by_kind.setdefault(name.kind, []).append(name.value)
    found = np.zeros(rows.num_rows, bool)
    for column, marks in owners.columns.items():
        for mark in marks:
            of_kind, addresses = by_kind.get(mark.kind, []), by_kind.get(EMAIL, [])
            found |= _may_be(rows[column].combine_chunks(), mark, of_kind, addresses)
    return found


def _may_be(column: pa.Array, mark: Owner, of_kind: list[str], addresses: list[str]) -> Mask:
    """Where a column has one of some values of its mark's kind, or of addresses, and perhaps more.

    Addresses are without case, and Python and Arrow lower some letters otherwise: a value with an
    `@` and other letters than those of ASCII may be anything.
    """
    if not of_kind and not addresses:
        return np.zeros(len(column), bool)
    if not pa.types.is_string(column.type):
        if pa.types.is_nested(column.type):
            return _as_mask(pc.is_valid(column))
        column = column.cast(pa.string())
    may_be = _in_documents if isinstance(mark, Identity) and mark.paths else _in_values
    found = may_be(column, of_kind, addresses)
    if addresses:
        odd = pc.and_(pc.match_substring(column, "@"), pc.invert(pc.string_is_ascii(column)))
        found = pc.or_kleene(found, odd)
    return _as_mask(found)


def _in_values(column: pa.Array, of_kind: list[str], addresses: list[str]) -> pa.Array:
    found = pc.is_in(column, value_set=pa.array(of_kind, pa.string()))
    if addresses:
        bare = pc.utf8_lower(pc.utf8_trim_whitespace(column))
        found = pc.or_(found, pc.is_in(bare, value_set=pa.array(addresses, pa.string())))
    return found


def _in_documents(column: pa.Array, of_kind: list[str], addresses: list[str]) -> pa.Array:
    """Where a JSON document has one of the values somewhere, or an escape that may hide one."""
    if len(of_kind) + len(addresses) > _MOST_PATTERNS:
        return pc.is_valid(column)
    values = "|".join(map(re.escape, [*of_kind, *addresses]))
    return pc.match_substring_regex(column, rf"(?i)\\|{values}")


def _as_mask(found: pa.Array) -> Mask:
    mask: Mask = pc.fill_null(found, False).to_numpy(zero_copy_only=False)
    return mask
