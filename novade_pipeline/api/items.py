"""An API's items as rows of a table, or the reason why an item is not valid."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, ValidationError

RAW_BYTES = 64 * 1024
_KINDS = {dict: "object", list: "array", str: "text", bool: "boolean", type(None): "null"}
_MAX_REASONS = 5


def whole_text(text: str) -> str:
    """The text; lone surrogates, which JSON can escape, are refused: UTF-8 cannot encode them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("expected a text of whole characters") from None
    return text


Text = Annotated[str, AfterValidator(whole_text)]
"""A text that UTF-8 can encode."""

Int64 = Annotated[int, Field(ge=-(2**63), lt=2**63)]
"""An integer that fits a column."""


@dataclass(frozen=True)
class BadItem:
    """An item that is not a valid row.

    Attributes:
        place: the requested path, below the API's address.
        page: the number of the answer, from 1.
        position: on that page, from 1.
        reason: what was expected and what was found.
        raw: the item as JSON, truncated to `RAW_BYTES`.
        raw_bytes: the size of the item as JSON.
        key: of the row in the lake, where the item has one.
    """

    place: str
    page: int
    position: int
    reason: str
    raw: bytes
    raw_bytes: int
    key: int | str | None = None


def row_of(model: type[BaseModel], item: Any, added: Mapping[str, Any]) -> dict[str, Any] | str:
    """The item as a row, or the reason why it is not valid; the reason quotes no value.

    Args:
        model: of the table's rows.
        item: as parsed from JSON.
        added: fields that the item does not have.
    """
    if not isinstance(item, dict):
        return f"expected an object, found {kind_of(item)}"
    if reason := why_not_json(item):
        return reason
    try:
        return model.model_validate({**item, **added}).model_dump()
    except ValidationError as error:
        return "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg'].removeprefix('Value error, ')}"
            + ("" if e["type"] == "missing" else f", found {kind_of(e['input'])}")
            for e in error.errors(include_url=False, include_context=False)[:_MAX_REASONS]
        )


def why_not_json(item: Any) -> str | None:
    """Where an item has NaN or Infinity, which are not JSON; None where it has neither."""
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
    """The item as JSON, as the API sent it."""
    return json.dumps(item, ensure_ascii=False).encode("utf-8", "surrogatepass")


def kind_of(value: Any) -> str:
    """The kind of a JSON value."""
    return _KINDS.get(type(value), "number")
