"""One item of an API as a row of its table, or why it cannot be one, without its values."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, ValidationError

RAW_BYTES = 64 * 1024
_KINDS = {dict: "object", list: "array", str: "text", bool: "boolean", type(None): "null"}
_TOLD = 5


def whole_text(told: str) -> str:
    """A text as it is; JSON can spell halves of characters, which no file can hold."""
    try:
        told.encode()
    except UnicodeEncodeError:
        raise ValueError("expected a text of whole characters") from None
    return told


Text = Annotated[str, AfterValidator(whole_text)]
"""A text that a file can hold."""

Int64 = Annotated[int, Field(ge=-(2**63), lt=2**63)]
"""A number that a column can hold."""


@dataclass(frozen=True)
class BadItem:
    """An item that is no row.

    Attributes:
        place: the path that was asked for, below the API's address.
        page: of the answers to that, from 1.
        position: its place on that page, from 1.
        reason: what was expected and what was found.
        raw: the item as JSON, `RAW_BYTES` at most.
        raw_bytes: how many bytes it has as JSON.
        key: which row of the lake it would have been, where it says so.
    """

    place: str
    page: int
    position: int
    reason: str
    raw: bytes
    raw_bytes: int
    key: int | str | None = None


def row_of(model: type[BaseModel], item: Any, ours: Mapping[str, Any]) -> dict[str, Any] | str:
    """The item as a row, or the reason why it is none, without its values.

    Args:
        model: of the table's rows.
        item: as the API told it.
        ours: fields that we add.
    """
    if not isinstance(item, dict):
        return f"expected an object, found {kind_of(item)}"
    if reason := why_not_json(item):
        return reason
    try:
        return model.model_validate({**item, **ours}).model_dump()
    except ValidationError as error:
        return "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg'].removeprefix('Value error, ')}"
            + ("" if e["type"] == "missing" else f", found {kind_of(e['input'])}")
            for e in error.errors(include_url=False, include_context=False)[:_TOLD]
        )


def why_not_json(item: Any) -> str | None:
    """Say where an item has NaN or Infinity, which a JSON column must not hold; None if nowhere."""
    pending = [("", item)]
    while pending:
        place, value = pending.pop()
        if isinstance(value, dict):
            pending += [(f"{place}.{name}", below) for name, below in value.items()]
        elif isinstance(value, list):
            pending += [(f"{place}.{number}", below) for number, below in enumerate(value)]
        # A number too large for a float is a `VerbatimNumber`, and JSON.
        elif type(value) is float and not math.isfinite(value):
            return f"{place[1:]}: expected a JSON value, found {json.dumps(value)}"
    return None


def bad_item(
    item: Any, place: str, page: int, position: int, reason: str, key: int | str | None = None
) -> BadItem:
    """An item for the quarantine."""
    raw = item_json(item)
    return BadItem(place, page, position, reason, raw[:RAW_BYTES], len(raw), key)


def item_json(item: Any) -> bytes:
    """An item as it was told, whatever it holds."""
    return json.dumps(item, ensure_ascii=False).encode("utf-8", "surrogatepass")


def kind_of(value: Any) -> str:
    """What kind of JSON value it is."""
    return _KINDS.get(type(value), "number")
