"""The paths and sources of Segment's tables.

`segment/<dataset>/<table>/…`: the folder is the table of the warehouse, the ending is the format.
`tracks` and all tables that are no others' are events. Names have no date: a file belongs to the
hour of its last change.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Any

import pyarrow as pa

from novade_pipeline.defs.segment import tables
from novade_pipeline.defs.segment.columnar import Batch, ColumnarRows, Origin
from novade_pipeline.defs.segment.normalized import refuse_types
from novade_pipeline.defs.segment.records import row_of
from novade_pipeline.defs.segment.shapes import SHAPES, Shape
from novade_pipeline.lake.prefetch import map_ahead, prefetch
from novade_pipeline.lake.table import Table
from novade_pipeline.landing.chunks import FileSlice
from novade_pipeline.landing.files import DamagedFile, LandedFile
from novade_pipeline.landing.json_lines import Parsed
from novade_pipeline.landing.parquet_records import parquet_batches
from novade_pipeline.landing.record_formats import format_of
from novade_pipeline.landing.record_rows import RecordRows
from novade_pipeline.landing.source import Source
from novade_pipeline.storage.store import Store

FOLDER = "segment"
NAMING = "segment/<dataset>/<table>/000000000000.parquet (or .avro, .json.gz)"
FORMATS = ("avro", "json", "jsonl", "ndjson", "parquet")
BATCH_ROWS = 2**16
PARSERS = 2
_PARTIAL = ("tracks", "tracks_view")
_TABLES = {
    "pages": tables.PAGES,
    "screens": tables.PAGES,
    "identifies": tables.IDENTIFIES,
    "users": tables.USERS,
    "groups": tables.GROUPS,
    "aliases": tables.ALIASES,
}


def place_of(path: str) -> tuple[str, str] | None:
    """(dataset, table of the warehouse) of a path; None for one of another form."""
    parts = path.split("/")
    return (parts[1], parts[2].lower()) if len(parts) > 3 else None


def table_of(path: str) -> Table:
    """The table of a path's rows; Segment's own views, `users_view`, are as their tables."""
    place = place_of(path)
    name = "" if place is None else place[1].removesuffix("_view")
    return _TABLES.get(name, tables.TRACKS)


def is_undated(name: str) -> bool:
    """Whether a file has a format that is read; its name has no date."""
    return format_of(name) in FORMATS


def hour_of(name: str) -> datetime | None:
    """No name has an hour."""
    return None


@dataclass(frozen=True)
class WarehouseReader:
    """Reads a table's files: Parquet column by column, Avro and JSON record by record."""

    shape: Shape

    def read(self, landing: Store, files: Sequence[LandedFile]) -> Generator[Parsed]:
        """See `landing.readers.Reader`."""
        # Of two rows with one id the first counts: an event's own table is read before `tracks`.
        ordered = sorted(files, key=_order)
        for is_parquet, group in groupby(ordered, lambda f: format_of(f.name) == "parquet"):
            yield from (self._parquet if is_parquet else self._records)(landing, list(group))

    def _parquet(self, landing: Store, files: Sequence[LandedFile]) -> Generator[Parsed]:
        with ExitStack() as opened:
            rows = [opened.enter_context(closing(ColumnarRows(self.shape))) for _ in range(PARSERS)]
            batches = opened.enter_context(closing(prefetch(_batches(self.shape, landing, files))))
            parse = [maker.parse for maker in rows]
            yield from opened.enter_context(closing(map_ahead(parse, batches)))

    def _records(self, landing: Store, files: Sequence[LandedFile]) -> Generator[Parsed]:
        for file in files:
            row = partial(row_of, self.shape, *_known_place(file))
            yield from RecordRows(self.shape.table, self.shape.columns, row).read(landing, [file])


def _order(file: LandedFile) -> tuple[Any, ...]:
    """By hour, and then events' own tables before `tracks`."""
    return file.hour, _known_place(file)[1] in _PARTIAL, file.file


def _known_place(file: LandedFile) -> tuple[str, str]:
    """The dataset and table of a file.

    Raises:
        DamagedFile: its path has none.
    """
    place = place_of(file.file)
    if place is None:
        raise DamagedFile(file, f"expected a path like {NAMING}, found {file.file}")
    return place


def _batches(shape: Shape, landing: Store, files: Sequence[LandedFile]) -> Iterator[Batch]:
    """The rows of the files; small files of one schema share a batch."""
    origins: list[Origin] = []
    parts: list[pa.RecordBatch] = []
    count = 0
    for file in files:
        dataset, source_table = _known_place(file)
        first_line = 1
        for rows in parquet_batches(landing, file, shape.columns, BATCH_ROWS):
            is_other = not parts or not parts[0].schema.equals(rows.schema)
            if is_other:
                refuse_types(shape, rows.schema, file)
            if parts and (is_other or count + len(rows) > BATCH_ROWS):
                yield Batch(tuple(origins), pa.Table.from_batches(parts))
                origins, parts, count = [], [], 0
            origins.append(Origin(dataset, source_table, FileSlice(file, first_line, len(rows))))
            parts.append(rows)
            first_line += len(rows)
            count += len(rows)
    if parts:
        yield Batch(tuple(origins), pa.Table.from_batches(parts))


_source = partial(
    Source,
    folder=FOLDER,
    ledger=tables.FILES,
    quarantine=tables.QUARANTINE,
    hour_of=hour_of,
    naming=NAMING,
    is_undated=is_undated,
)


def _source_of(table: Table) -> Source:
    return _source(
        name=table.path[-1],
        table=table,
        reader=WarehouseReader(SHAPES[table.name]),
        claims=lambda path: table_of(path) is table,
    )


SOURCES = tuple(_source_of(table) for table in tables.LANDED)
