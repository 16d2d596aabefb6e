"""Objects of JSON from columns, many rows at once: Arrow joins constant texts and columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.privacy.json_text import write_json

Part: TypeAlias = str | pa.ChunkedArray
Member: TypeAlias = "tuple[str, JsonTexts]"


@dataclass(frozen=True)
class JsonTexts:
    """The JSON of each row, not yet joined.

    Attributes:
        parts: constants and columns of texts, which follow one another.
        is_optional: a row where a column is null has no JSON; otherwise nulls are left out.
    """

    parts: tuple[Part, ...]
    is_optional: bool

    def joined(self) -> pa.ChunkedArray:
        """The texts; null for a row without JSON."""
        return _joined(self.parts, "emit_null" if self.is_optional else "skip")


def json_object(members: Sequence[Member]) -> JsonTexts:
    """Objects of the members that have JSON, in their order; no JSON where none has."""
    required = (at for at, (_, texts) in enumerate(members) if not texts.is_optional)
    anchor = next(required, None)
    if anchor is None:
        return _object_of_optional(members)
    # The anchor is in every row, so the members on either side of it bring their own commas.
    parts: list[Part] = ["{"]
    for at, (name, texts) in enumerate(members):
        before, after = "," if at > anchor else "", "," if at < anchor else ""
        member = (f"{before}{write_json(name)}:", *texts.parts, after)
        parts += [_joined(member, "emit_null")] if texts.is_optional else member
    return JsonTexts((*parts, "}"), is_optional=False)


def _object_of_optional(members: Sequence[Member]) -> JsonTexts:
    listed = [
        _joined((f",{write_json(name)}:", *texts.parts), "emit_null") for name, texts in members
    ]
    # Without a constant Arrow would leave out the rows where all columns are null.
    ended = _joined((*listed, "}"), "skip")
    texts = pc.binary_replace_slice(ended, start=0, stop=1, replacement="{")
    return JsonTexts((pc.if_else(pc.equal(ended, "}"), None, texts),), is_optional=True)


def _joined(parts: Sequence[Part], null_handling: str) -> pa.ChunkedArray:
    arguments: list[Part] = []
    for part in parts:
        if isinstance(part, str) and arguments and isinstance(arguments[-1], str):
            arguments[-1] += part
        else:
            arguments.append(part)
    return pc.binary_join_element_wise(*arguments, "", null_handling=null_handling)
