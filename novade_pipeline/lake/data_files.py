"""The data files of a table: what the log says of them, and how rows become Parquet.

The log has the ranges of a few columns, by which rows are found: keys, windows, versions and data
times. Of other columns it has none: it is read whole, and need not tell what they hold.
"""

import json
import re
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Self
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import ColumnProperties, DeltaTable, WriterProperties

from novade_pipeline.errors import PermanentFailure, TransientFailure, UserError
from novade_pipeline.lake.commits import write_failure
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.store import Store

# With a million rows a group, which is usual, memory grows with the input.
ROW_GROUP_ROWS = 50_000
FILE_BYTES = 128 * 2**20
"""About how much a file has."""
_LEVEL = 1
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
_MILLISECOND = timedelta(milliseconds=1)
# Decimals are numbers in the log, to their last digit. No text of a column holds half a pair.
_MARK = "\udfff"
_MARKED = re.compile(f'"{_MARK}([-0-9.]+){_MARK}"')


@dataclass(frozen=True)
class Range:
    """Bounds of a file's values in a column, and its count of nulls; each None where unknown."""

    low: Any
    high: Any
    nulls: int | None

    @property
    def is_bounded(self) -> bool:
        """Whether they are known, and there are any."""
        return self.low is not None and self.high is not None


@dataclass(frozen=True)
class DataFile:
    """A data file.

    Attributes:
        path: below the table, as the storage has it; the log has it encoded like a URL.
        size: bytes.
        partition: the partition columns' values, as the log writes them.
        stats: the log's statistics, as JSON; empty for files that are in the log.
    """

    path: str
    size: int
    rows: int
    partition: Mapping[str, str | None] = field(default_factory=dict)
    ranges: Mapping[str, Range] = field(default_factory=dict)
    stats: str = ""


def partition_value(value: Any) -> str | None:
    """A value of a partition column, as the log writes it."""
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def files_of(table: Table, target: DeltaTable) -> Iterator[DataFile]:
    """The data files of the version that is opened, whoever wrote them."""
    actions = pa.table(target.get_add_actions(flatten=True))
    partition_by = target.metadata().partition_columns
    nothing = [None] * len(actions)

    def column(name: str) -> list[Any]:
        return actions[name].to_pylist() if name in actions.schema.names else nothing

    statistics_of = {
        name: list(
            zip(
                *(column(f"{partition}.{name}") for partition in ("min", "max", "null_count")),
                strict=True,
            )
        )
        for name in _ranged(table, partition_by)
    }
    partitions = {name: column(f"partition.{name}") for name in partition_by}
    sizes = zip(*(column(name) for name in ("path", "size_bytes", "num_records")), strict=True)
    for at, (path, size, rows) in enumerate(sizes):
        values = {name: of_files[at] for name, of_files in partitions.items()}
        ranges = {name: _range(*of_files[at]) for name, of_files in statistics_of.items()}
        ranges |= {
            name: Range(value, value, rows if value is None else 0)
            for name, value in values.items()
        }
        partition = {name: partition_value(value) for name, value in values.items()}
        yield DataFile(unquote(path), size, rows, partition, ranges)


def writer_properties(table: Table) -> WriterProperties:
    """How delta-rs writes Parquet where it does: the same way as `FileWriter`."""
    plain = ColumnProperties(dictionary_enabled=False)
    return WriterProperties(
        max_row_group_size=ROW_GROUP_ROWS,
        compression="ZSTD",
        compression_level=_LEVEL,
        column_properties=dict.fromkeys(_mostly_distinct(table), plain),
    )


class FileWriter:
    """One data file while it is written; no version of the table has it yet."""

    def __init__(
        self, store: Store, table: Table, columns: pa.Schema, partition: Mapping[str, str | None]
    ) -> None:
        """Begin a file of `columns`, without those of the partition."""
        self._store = store
        self._table = table
        self._columns = columns
        self._partition = partition
        self._ranged = _ranged(table, partition)
        self._rows = 0
        self._ranges: dict[str, Range] = {}
        mostly_distinct = _mostly_distinct(table)
        folders = [
            f"{name}={_NO_VALUE if value is None else quote(value, safe='')}"
            for name, value in partition.items()
        ]
        self._path = "/".join([*folders, f"part-{uuid.uuid4()}.zstd.parquet"])
        with self._explained():
            self._content = store.create(*table.path, self._path)
            try:
                self._parquet = pq.ParquetWriter(
                    self._content,
                    columns,
                    compression="zstd",
                    compression_level=_LEVEL,
                    use_dictionary=[name for name in columns.names if name not in mostly_distinct],
                    write_statistics=_compared(columns, self._ranged),
                    store_schema=False,
                )
            except BaseException:
                self._content.discard()
                raise

    def __enter__(self) -> Self:
        """Nothing is left of it where the block fails."""
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        """As `__enter__` says."""
        if failure is not None:
            self.discard()

    @property
    def size(self) -> int:
        """The bytes that it has so far."""
        return self._content.tell()

    def write(self, rows: pa.Table) -> None:
        """Put rows behind those that are there, in row groups of their own.

        Raises:
            PermanentFailure: a value is missing that the lake asks for.
            UserError: the lake cannot be written.
            TransientFailure: the storage failed.
        """
        for column in self._columns:
            if not column.nullable and rows[column.name].null_count:
                raise PermanentFailure(
                    f"{self._table.name}: expected a value in every {column.name}, as the table in "
                    f"the lake does, found {rows[column.name].null_count} without; nothing is "
                    "written. Give the column that may be without one a new name."
                )
        with self._explained():
            self._parquet.write_table(rows, row_group_size=ROW_GROUP_ROWS)
        self._rows += len(rows)
        for name in self._ranged:
            ends = pc.min_max(rows[name]).as_py()
            more = Range(ends["min"], ends["max"], rows[name].null_count)
            self._ranges[name] = _joined(self._ranges.get(name), more)

    def close(self) -> DataFile:
        """End the file.

        Raises:
            UserError: the lake cannot be written.
            TransientFailure: the storage failed.
        """
        with self._explained():
            self._parquet.close()
            size = self.size
            self._content.finish()
        stats = _stats(self._rows, self._ranges)
        return DataFile(self._path, size, self._rows, self._partition, self._ranges, stats)

    def discard(self) -> None:
        """Leave nothing of it."""
        with suppress(OSError, TransientFailure, UserError):
            self._parquet.close()
        self._content.discard()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, TransientFailure, UserError) as error:
            raise write_failure(self._store, self._table, error) from None


def _mostly_distinct(table: Table) -> set[str]:
    """Columns whose values mostly differ, which a dictionary would only make larger."""
    times = (f.name for f in table.schema if pa.types.is_timestamp(f.type))
    marked = (column.name for column in table.columns if column.distinct)
    return {*table.key, *times, *marked, *(n for n in (table.version,) if n)} - {table.window}


def statistics(table: Table) -> dict[str, str]:
    """The table property that names the columns whose ranges the log has.

    Without it readers know those of the first 32 columns only. Source:
    https://docs.delta.io/latest/table-properties.html.
    """
    return {"delta.dataSkippingStatsColumns": ",".join(_ranged(table, table.partition_by))}


def _ranged(table: Table, partition_by: Collection[str]) -> list[str]:
    """The columns whose ranges the log has."""
    names = (*table.key, table.window, table.version, table.data_time)
    return [name for name in dict.fromkeys(names) if name and name not in partition_by]


def _compared(columns: pa.Schema, ranged: Collection[str]) -> list[str]:
    """Columns by which a reader may skip row groups; of other texts that would hardly ever help."""
    text = (pa.types.is_string, pa.types.is_binary)
    return [f.name for f in columns if f.name in ranged or not any(is_(f.type) for is_ in text)]


def _range(low: Any, high: Any, nulls: int | None) -> Range:
    """A range as another writer may have told it: some cut times to milliseconds."""
    return Range(low, _later(high) if isinstance(high, datetime) else high, nulls)


def _later(moment: datetime) -> datetime | None:
    """A millisecond later, as far as there are times."""
    try:
        return moment + _MILLISECOND
    except OverflowError:
        return None


def _joined(first: Range | None, second: Range) -> Range:
    if first is None:
        return second
    low, high = (
        pick((value for value in values if value is not None), default=None)
        for pick, values in ((min, (first.low, second.low)), (max, (first.high, second.high)))
    )
    return Range(low, high, (first.nulls or 0) + (second.nulls or 0))


def _stats(rows: int, ranges: Mapping[str, Range]) -> str:
    ends = {
        "minValues": {name: _end(of_column.low) for name, of_column in ranges.items()},
        "maxValues": {name: _end(of_column.high, up=True) for name, of_column in ranges.items()},
    }
    stats = {
        "numRecords": rows,
        **{of: {n: v for n, v in values.items() if v is not None} for of, values in ends.items()},
        "nullCount": {name: of_column.nulls for name, of_column in ranges.items()},
    }
    # delta-rs reads some pairs of surrogates, as JSON may be escaped, for other characters.
    text = json.dumps(stats, ensure_ascii=False, default=lambda number: f"{_MARK}{number:f}{_MARK}")
    return _MARKED.sub(r"\1", text)


def _end(value: Any, *, up: bool = False) -> Any:
    """A value as the log writes it: times in milliseconds, which bound those of microseconds."""
    if isinstance(value, datetime):
        rest = timedelta(microseconds=value.microsecond % 1000)
        bound = _later(value - rest) if up and rest else value - rest
        if bound is None:
            return None
        return bound.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value
