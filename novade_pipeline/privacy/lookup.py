"""Finds rows with given identifiers: a filter over whole columns, then a reading of the rest."""

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
"""With more values than these, every document is a candidate."""


def links_with(
    rows: pa.Table, owners: Owners, identifiers: Collection[Identifier]
) -> Iterable[Link]:
    """The links of rows that have at least one of the identifiers."""
    candidates = rows.filter(pa.array(_candidates(rows, owners, identifiers)))
    if not candidates.num_rows:
        return []
    requested = frozenset(identifiers)
    return [link for link in links_in(candidates, owners) if not link.isdisjoint(requested)]


def _candidates(rows: pa.Table, owners: Owners, identifiers: Collection[Identifier]) -> Mask:
    """True for each row that has one of the identifiers, and perhaps for others."""
    by_kind: dict[str, list[str]] = {}
    for identifier in identifiers:
        by_kind.setdefault(identifier.kind, []).append(identifier.value)
    mask = np.zeros(rows.num_rows, bool)
    for column, marks in owners.columns.items():
        for mark in marks:
            of_kind, addresses = by_kind.get(mark.kind, []), by_kind.get(EMAIL, [])
            mask |= _may_match(rows[column].combine_chunks(), mark, of_kind, addresses)
    return mask


def _may_match(column: pa.Array, mark: Owner, of_kind: list[str], addresses: list[str]) -> Mask:
    """True where a column has one of the values or addresses, and perhaps elsewhere.

    Python and Arrow lower some letters differently, so non-ASCII values with an `@` always match.
    """
    if not of_kind and not addresses:
        return np.zeros(len(column), bool)
    if not pa.types.is_string(column.type):
        if pa.types.is_nested(column.type):
            return _as_mask(pc.is_valid(column))
        column = column.cast(pa.string())
    matcher = _in_documents if isinstance(mark, Identity) and mark.paths else _in_values
    matches = matcher(column, of_kind, addresses)
    if addresses:
        uncertain = pc.and_(pc.match_substring(column, "@"), pc.invert(pc.string_is_ascii(column)))
        matches = pc.or_kleene(matches, uncertain)
    return _as_mask(matches)


def _in_values(column: pa.Array, of_kind: list[str], addresses: list[str]) -> pa.Array:
    matches = pc.is_in(column, value_set=pa.array(of_kind, pa.string()))
    if addresses:
        bare = pc.utf8_lower(pc.utf8_trim_whitespace(column))
        matches = pc.or_(matches, pc.is_in(bare, value_set=pa.array(addresses, pa.string())))
    return matches


def _in_documents(column: pa.Array, of_kind: list[str], addresses: list[str]) -> pa.Array:
    """True where a JSON document contains one of the values, or an escape that may hide one."""
    if len(of_kind) + len(addresses) > _MOST_PATTERNS:
        return pc.is_valid(column)
    values = "|".join(map(re.escape, [*of_kind, *addresses]))
    return pc.match_substring_regex(column, rf"(?i)\\|{values}")


def _as_mask(matches: pa.Array) -> Mask:
    mask: Mask = pc.fill_null(matches, False).to_numpy(zero_copy_only=False)
    return mask
