"""Which columns of the warehouse a row has, and what becomes of all others.

The rest is one JSON object: `properties` or `traits`. Columns `context_…` are another, with the
objects of Segment's context (https://segment.com/docs/connections/spec/common/#context).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from novade_pipeline.defs.segment import tables
from novade_pipeline.lake.table import TIMESTAMP, Table
from novade_pipeline.landing.json_lines import LANDED
from novade_pipeline.landing.records import Columns
from novade_pipeline.landing.tables import MENDED, RECORD
from novade_pipeline.privacy.json_text import read_json

EVENT, EVENT_TEXT = "event", "event_text"
CONTEXT = "context"
DATASET, SOURCE_TABLE = "dataset", "source_table"
EARLIEST = datetime(1900, 1, 2, tzinfo=UTC)
LATEST = datetime(9999, 12, 30, tzinfo=UTC)

_PREFIX = "context_"
_OBJECTS = (
    *("app", "campaign", "device", "library", "location", "network", "os", "page", "referrer"),
    *("screen", "traits"),
)
_OF_PATH = (*LANDED, RECORD, MENDED, DATASET, SOURCE_TABLE)
# Of the warehouse itself, and of no call.
_LEFT_OUT = ("uuid",)


@dataclass(frozen=True)
class Shape:
    """The columns of a table that records give.

    Attributes:
        texts: names of text columns.
        times: names of columns with moments.
        required: those without which a record is no row.
        rest: the JSON column of all other columns.
    """

    table: Table
    texts: tuple[str, ...]
    times: tuple[str, ...]
    required: tuple[str, ...]
    rest: str

    @property
    def columns(self) -> Columns:
        """For the kernel's readers: the names as they are, and those that a file must have."""
        names = {name: (name,) for name in (*self.texts, *self.times)}
        # A table's own name says its event where the columns do not.
        required = tuple(name for name in self.required if name not in (EVENT, EVENT_TEXT))
        return Columns(names, required)

    def is_rest(self, name: str) -> bool:
        """Whether a column is one of the others."""
        return name not in (*self.texts, *self.times, *_LEFT_OUT) and not name.startswith(_PREFIX)


def shape_of(table: Table) -> Shape:
    """The shape of a table, from its row model."""
    given = [c for c in table.columns if c.name not in _OF_PATH and not c.json]
    return Shape(
        table,
        texts=tuple(c.name for c in given if c.type != TIMESTAMP),
        times=tuple(c.name for c in given if c.type == TIMESTAMP),
        required=tuple(c.name for c in given if c.required),
        rest=next(c.name for c in table.columns if c.json and c.name != CONTEXT),
    )


SHAPES = {table.name: shape_of(table) for table in tables.LANDED}


def context_path(name: str) -> tuple[str, ...] | None:
    """Where a column is in the context: `context_page_url` -> `("page", "url")`; None elsewhere."""
    if not name.startswith(_PREFIX) or name == _PREFIX:
        return None
    head, _, tail = name.removeprefix(_PREFIX).partition("_")
    return (head, tail) if head in _OBJECTS and tail else (name.removeprefix(_PREFIX),)


def context_paths(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The place of each context column; a value stays beside an object of the same name."""
    paths = {name: path for name in names if (path := context_path(name)) is not None}
    scalars = {path[0] for path in paths.values() if len(path) == 1}
    return {
        name: (name.removeprefix(_PREFIX),) if len(path) > 1 and path[0] in scalars else path
        for name, path in paths.items()
    }


def is_document(text: str) -> bool:
    """Whether a text is an array or an object of JSON, as the warehouse writes arrays."""
    if not text.startswith(("[", "{")):
        return False
    try:
        read_json(text)
    except (ValueError, RecursionError):
        return False
    return True


def is_whole(number: float) -> bool:
    """Whether a float is an integer that JavaScript writes without a point."""
    return number == int(number) and abs(number) < 1e15


def iso_time(moment: datetime) -> str:
    """A moment as JavaScript writes it; with microseconds where it has some."""
    spec = "microseconds" if moment.microsecond % 1000 else "milliseconds"
    text = moment.replace(tzinfo=None).isoformat(timespec=spec)
    return text if moment.tzinfo is None else f"{text}Z"


def plain_decimal(number: Decimal) -> str:
    """A decimal without zeros at its end: BigQuery writes nine digits after the point."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
