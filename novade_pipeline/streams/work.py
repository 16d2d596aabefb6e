"""What an executor does with ranges of offsets: read, parse, protect, write files.

It commits nothing: what it returns is small, and the driver commits it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.errors import PermanentFailure
from novade_pipeline.lake.data_files import DataFile
from novade_pipeline.lake.new_files import NewFiles
from novade_pipeline.lake.stream import greatest, write
from novade_pipeline.privacy.policy import PersonalDataPolicy, protect
from novade_pipeline.streams.broker import Broker
from novade_pipeline.streams.offsets import OffsetRange
from novade_pipeline.streams.records import read_records
from novade_pipeline.streams.registry import Registry
from novade_pipeline.streams.rows import RowParser
from novade_pipeline.streams.topic import Topic
from novade_pipeline.streams.values import reader_of

# Of bad records that wait to be written.
_BAD_BYTES = 32 * 2**20


@dataclass(frozen=True)
class Work:
    """What all items of one load have in common; holds secrets.

    Attributes:
        quarantined: partition -> the offset up to which the quarantine has its bad records: a load
            that died had committed them, and not the rows.
    """

    topic: Topic
    generation: int
    broker: Broker
    registry: Registry | None
    policy: PersonalDataPolicy
    rows: NewFiles
    quarantine: NewFiles
    quarantined: Mapping[int, int]


@dataclass(frozen=True)
class WorkResult:
    """What ranges of offsets became; `records = rows + quarantined + erased`.

    Attributes:
        newest: the greatest timestamp of the broker.
        newest_data: the greatest data time of the rows.
        repeated: bad records that the quarantine had already.
    """

    records: int = 0
    rows: int = 0
    tombstones: int = 0
    quarantined: int = 0
    repeated: int = 0
    erased: int = 0
    value_bytes: int = 0
    newest: datetime | None = None
    newest_data: Any = None
    files: tuple[DataFile, ...] = ()
    bad_files: tuple[DataFile, ...] = ()

    def __add__(self, more: "WorkResult") -> "WorkResult":
        counts = ("records", "rows", "tombstones", "quarantined", "repeated", "erased")
        lists = ("value_bytes", "files", "bad_files")
        return WorkResult(
            **{name: getattr(self, name) + getattr(more, name) for name in (*counts, *lists)},
            newest=_later(self.newest, more.newest),
            newest_data=_later(self.newest_data, more.newest_data),
        )


def run(work: Work, ranges: Sequence[OffsetRange]) -> WorkResult:
    """Make files of the records of ranges.

    Raises:
        TransientFailure: the broker or the storage failed.
        UserError: the broker or the storage refuses us.
    """
    reader = reader_of(work.topic, work.registry)
    with closing(RowParser(work.topic, work.generation, reader)) as parser:
        running = _Running(work, ranges, parser)
        files = write(work.rows, running.batches())
        return running.result(files)


@dataclass
class _Running:
    """The state of an item while its rows are written."""

    work: Work
    ranges: Sequence[OffsetRange]
    parser: RowParser
    total: WorkResult = field(default_factory=WorkResult)
    bad: list[Mapping[str, Any]] = field(default_factory=list)
    bad_bytes: int = 0
    bad_files: list[DataFile] = field(default_factory=list)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The protected rows, batch by batch."""
        work = self.work
        for records in read_records(work.broker, work.topic.name, self.ranges):
            parsed = self.parser.parse(records)
            kept = protect(parsed.rows, work.topic.table.personal, work.policy)
            self.total += WorkResult(
                records=len(records),
                rows=len(kept),
                tombstones=pc.sum(kept["is_deleted"]).as_py() or 0,
                quarantined=len(parsed.bad),
                erased=len(parsed.rows) - len(kept),
                value_bytes=sum(map(len, filter(None, records.values))),
                newest=pc.max(kept["broker_time"]).as_py(),
                newest_data=_newest_data(work.topic, kept),
            )
            new = [row for row in parsed.bad if self._is_new(row)]
            self.total += WorkResult(repeated=len(parsed.bad) - len(new))
            self.bad += new
            self.bad_bytes += sum(len(row["raw"] or b"") + 1000 for row in new)
            if self.bad_bytes > _BAD_BYTES:
                self._write_bad()
            yield from (batch for batch in kept.to_batches() if batch.num_rows)

    def result(self, files: Sequence[DataFile]) -> WorkResult:
        """What the item became."""
        if self.bad:
            self._write_bad()
        total = self.total
        if total.records != total.rows + total.quarantined + total.erased:
            raise PermanentFailure(
                f"topic {self.work.topic.name}: expected every record accounted for, found "
                f"{total.records} records and {total.rows} rows, {total.quarantined} in "
                f"quarantine, {total.erased} erased; nothing is written. This is an error in the "
                "program."
            )
        return total + WorkResult(files=tuple(files), bad_files=tuple(self.bad_files))

    def _is_new(self, row: Mapping[str, Any]) -> bool:
        return bool(row["offset"] >= self.work.quarantined.get(row["partition"], 0))

    def _write_bad(self) -> None:
        """Write the bad records that wait; those of erased persons are left out."""
        target = self.work.quarantine
        rows = pa.Table.from_pylist(list(self.bad), target.table.schema)
        kept = protect(rows, target.table.personal, self.work.policy)
        erased = len(rows) - len(kept)
        self.total += WorkResult(quarantined=-erased, erased=erased)
        if len(kept):
            self.bad_files += write(target, kept.to_batches())
        self.bad, self.bad_bytes = [], 0


def _newest_data(topic: Topic, rows: pa.Table) -> Any:
    return None if topic.table.data_time is None else greatest(rows[topic.table.data_time])


def _later(first: Any, second: Any) -> Any:
    return max((value for value in (first, second) if value is not None), default=None)
