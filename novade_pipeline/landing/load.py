"""Loading landed files: whole hours, exactly once, every line accounted for.

The order of commits is quarantine, rows, ledger: a crash between two of them means one more,
harmless, load of the same hours. A long load commits in slices of whole hours, each complete.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import numpy as np
import pyarrow as pa

from novade_pipeline.errors import PermanentFailure
from novade_pipeline.lake.delta import WriteReceipt, replace_window
from novade_pipeline.lake.read import read
from novade_pipeline.lake.windows import Window
from novade_pipeline.landing.files import DamagedFile, LandedFile, open_landed
from novade_pipeline.landing.json_lines import RAW_BYTES, BadLine, Parsed
from novade_pipeline.landing.ledger import (
    HOUR,
    LoadPlan,
    ledger_rows,
    read_ledger,
    windows,
)
from novade_pipeline.landing.line_counts import Counts, Lines, both, lines_of
from novade_pipeline.landing.readers import NdjsonReader, damaged_files
from novade_pipeline.landing.repeats import Repeats
from novade_pipeline.landing.source import Source
from novade_pipeline.landing.tables import LedgerRow
from novade_pipeline.privacy.policy import PersonalDataPolicy, protect
from novade_pipeline.storage.store import Store

SLICE_BYTES = 128 * 2**20
SLICE_DAYS = 31
BATCH_ROWS = 16_384


@dataclass(frozen=True)
class LoadReport:
    """What one load did.

    Attributes:
        lines: what became of the lines.
        receipts: one a slice, of the table's own writes.
        hours: how many hours were loaded.
        changed: something was written, to the ledger at least.
    """

    lines: Lines
    receipts: tuple[WriteReceipt, ...]
    hours: int
    changed: bool


def load(
    source: Source,
    landing: Store,
    lake: Store,
    policy: PersonalDataPolicy,
    todo: LoadPlan,
    progress: Callable[[str], None] = lambda _: None,
) -> LoadReport:
    """Do what is wanted.

    Args:
        todo: from `find_pending`.
        progress: told one sentence a slice.

    Raises:
        TransientFailure: a file changed while it was read, or another writer was faster; slices
            committed before stay.
    """
    loading = _Loading(source, landing, lake, policy)
    receipts, counted = [], Lines()
    if todo.unplaced is not None:
        counted = both(counted, loading.unplaced(todo.unplaced))
    for hours in _slices(todo.hours):
        receipt, lines = loading.slice(hours, windows(list(hours), todo.known))
        receipts.append(receipt)
        counted = both(counted, lines)
        progress(
            f"{source.table.name}: {len(receipts)} commits, {counted.files} files, "
            f"{counted.rows} rows"
        )
    loading.note_missing(todo.missing, set(todo.hours))
    return LoadReport(counted, tuple(receipts), len(todo.hours), not todo.is_empty)


def _slices(
    hours: Mapping[datetime, Sequence[LandedFile]],
) -> Iterator[dict[datetime, Sequence[LandedFile]]]:
    """Consecutive hours with bounded bytes and days; an hour is never cut."""
    current: dict[datetime, Sequence[LandedFile]] = {}
    size = 0
    for hour, files in hours.items():
        more = sum(file.size for file in files)
        days = {h.date() for h in current} | {hour.date()}
        if current and (size + more > SLICE_BYTES or len(days) > SLICE_DAYS):
            yield current
            current, size = {}, 0
        current[hour] = files
        size += more
    if current:
        yield current


@dataclass
class _Slice:
    """What one slice has seen so far."""

    files: list[LandedFile]
    counts: dict[str, Counts]
    refused: dict[str, str]
    bad: list[BadLine] = field(default_factory=list)


class _Loading:
    def __init__(
        self, source: Source, landing: Store, lake: Store, policy: PersonalDataPolicy
    ) -> None:
        self.source = source
        self.landing = landing
        self.lake = lake
        self.policy = policy.pinned()
        self.held = self._hours_in_quarantine()

    def slice(
        self, hours: Mapping[datetime, Sequence[LandedFile]], spans: list[Window]
    ) -> tuple[WriteReceipt, Lines]:
        """Load whole hours: quarantine, rows, ledger."""
        refused: dict[str, str] = {}
        while True:
            files = [file for group in hours.values() for file in group]
            state = _Slice(files, {file.file: Counts() for file in files}, refused)
            try:
                rows = pa.RecordBatchReader.from_batches(
                    self.source.table.schema, self._rows(state, spans)
                )
                receipt = replace_window(self.lake, self.source.table, rows, spans)
                break
            except DamagedFile:
                # Nothing of the slice is committed yet: it is read again without such files.
                refused |= damaged_files(self.source.reader, self.landing, files)
        ledger = [self._ledger_row(state, file, receipt.table_version) for file in files]
        self._write_ledger(ledger, spans)
        return receipt, lines_of(ledger)

    def unplaced(self, files: Sequence[LandedFile]) -> Lines:
        """Put files that have no place into quarantine, whole."""
        reasons = {}
        for file in files:
            hour = self.source.hour_of(file.name)
            reasons[file.file] = (
                f"expected a name like {self.source.naming}, found another"
                if hour is None
                else f"expected an hour from NOVADE_HISTORY_START to now, found {hour:%Y-%m-%d %H}h"
            )
        state = _Slice(list(files), {}, reasons)
        self._write_quarantine(self._protected(state), None)
        ledger = [self._ledger_row(state, file, None) for file in files]
        self._write_ledger(ledger, None)
        return lines_of(ledger)

    def note_missing(self, rows: Sequence[LedgerRow], loaded: set[datetime]) -> None:
        """Write down since when files are gone; their rows stay for the grace period."""
        by_hour: dict[datetime | None, set[str]] = {}
        for row in rows:
            if row.upload_hour not in loaded:
                by_hour.setdefault(row.upload_hour, set()).add(row.file)
        if not by_hour:
            return
        since = {row.file: row.missing_since for row in rows}
        current = read_ledger(self.lake, self.source.ledger, self.source.name, whole=True)
        for hour in by_hour:
            same_hour = [
                row.model_copy(update={"missing_since": since.get(row.file, row.missing_since)})
                for row in current
                if row.upload_hour == hour
            ]
            self._write_ledger(same_hour, None if hour is None else [Window(hour, hour + HOUR)])

    def _rows(self, state: _Slice, spans: list[Window]) -> Iterator[pa.RecordBatch]:
        """The slice's rows; before the last word, all lines are accounted for and bad ones kept."""
        repeats = Repeats(self.source.table)
        readable = [file for file in state.files if file.file not in state.refused]
        reader = self.source.reader or NdjsonReader(self.source.table)
        with closing(reader.read(self.landing, readable)) as read:
            for parsed in read:
                yield from self._account(state, parsed, repeats).to_batches(BATCH_ROWS)
        bad = self._protected(state)
        for name, counts in state.counts.items():
            told = counts.rows + counts.repeated + counts.quarantined + counts.blank
            told += counts.erased
            if counts.lines != told:
                raise PermanentFailure(
                    f"{name}: expected every line accounted for, found {counts.lines} lines and "
                    f"{told} told of; nothing is written. This is an error in the program."
                )
        self._write_quarantine(bad, spans)

    def _account(self, state: _Slice, parsed: Parsed, repeats: Repeats) -> pa.Table:
        for piece, blank in zip(parsed.pieces, parsed.blank, strict=True):
            counts = state.counts[piece.file.file]
            counts.lines += piece.lines
            counts.blank += blank
            counts.trailing_bytes += piece.trailing_bytes
        for piece, completed in zip(parsed.pieces, parsed.completed, strict=False):
            state.counts[piece.file.file].repeated += completed
        for piece, kinds in zip(parsed.pieces, parsed.mended, strict=False):
            state.counts[piece.file.file].mended.update(kinds)
        for bad in parsed.bad:
            state.counts[bad.piece.file.file].quarantined += 1
        state.bad += parsed.bad
        first = repeats.first(parsed.rows)
        stands = parsed.index if first is None else parsed.index[first]
        count = partial(np.bincount, minlength=len(parsed.pieces))
        for piece, rows, of_it in zip(
            parsed.pieces, count(stands).tolist(), count(parsed.index).tolist(), strict=True
        ):
            state.counts[piece.file.file].rows += rows
            state.counts[piece.file.file].repeated += of_it - rows
        standing = parsed.rows if first is None else parsed.rows.filter(pa.array(first))
        kept = protect(standing, self.source.table.personal, self.policy)
        for name, erased in _missing(standing, kept).items():
            state.counts[name].rows -= erased
            state.counts[name].erased += erased
        return kept

    def _protected(self, state: _Slice) -> pa.Table:
        """The rows for quarantine; lines of erased persons are not among them."""
        rows = [
            self._whole(file, state.refused[file.file])
            for file in state.files
            if file.file in state.refused
        ]
        rows += [
            self._quarantined(bad.piece.file, bad.line, bad.reason, bad.raw, bad.raw_bytes)
            for bad in state.bad
        ]
        quarantine = self.source.quarantine
        bad = pa.Table.from_pylist(rows, schema=quarantine.schema)
        kept = protect(bad, quarantine.personal, self.policy)
        for name, erased in _missing(bad, kept).items():
            state.counts[name].quarantined -= erased
            state.counts[name].erased += erased
        return kept

    def _write_quarantine(self, rows: pa.Table, spans: list[Window] | None) -> None:
        was_held = any(
            hour is None if spans is None else hour and any(w.start <= hour < w.end for w in spans)
            for hour in self.held
        )
        if rows.num_rows or was_held:
            where = {"source": self.source.name}
            replace_window(self.lake, self.source.quarantine, rows, spans, where=where)

    def _whole(self, file: LandedFile, reason: str) -> dict[str, object]:
        """A whole bad file: a pointer to it and its first bytes."""
        head = b""
        with suppress(DamagedFile), open_landed(self.landing, file) as stream:
            head = stream.read(RAW_BYTES)
        return self._quarantined(file, 0, reason, head, file.size)

    def _quarantined(
        self, file: LandedFile, line: int, reason: str, raw: bytes, raw_bytes: int
    ) -> dict[str, object]:
        return {
            "source": self.source.name,
            "file": file.file,
            "etag": file.etag,
            "line": line,
            "upload_date": None if file.hour is None else file.hour.date(),
            "upload_hour": file.hour,
            "reason": reason,
            "raw": raw,
            "raw_bytes": raw_bytes,
        }

    def _ledger_row(self, state: _Slice, file: LandedFile, version: int | None) -> LedgerRow:
        counts = state.counts.get(file.file, Counts())
        return LedgerRow(
            source=self.source.name,
            file=file.file,
            etag=file.etag,
            size=file.size,
            upload_date=None if file.hour is None else file.hour.date(),
            upload_hour=file.hour,
            lines=counts.lines,
            rows=counts.rows,
            repeated=counts.repeated,
            quarantined=counts.quarantined,
            blank=counts.blank,
            erased=counts.erased,
            mended=json.dumps(counts.mended, sort_keys=True) if counts.mended else None,
            trailing_bytes=counts.trailing_bytes,
            refused=file.file in state.refused,
            parser_version=self.source.parser_version,
            personal_data=self.policy.fingerprint,
            table_version=version,
            loaded_at=datetime.now(UTC),
        )

    def _write_ledger(self, rows: list[LedgerRow], spans: list[Window] | None) -> None:
        where = {"source": self.source.name}
        replace_window(
            self.lake, self.source.ledger, ledger_rows(rows, self.source.ledger), spans, where=where
        )

    def _hours_in_quarantine(self) -> set[datetime | None]:
        rows = read(
            self.lake,
            self.source.quarantine,
            columns=["upload_hour"],
            where={"source": self.source.name},
        )
        return set(rows["upload_hour"].unique().to_pylist())


def _missing(rows: pa.Table, kept: pa.Table) -> Counter[str]:
    """File -> how many of its rows were left out."""
    if len(rows) == len(kept):
        return Counter()
    missing = Counter(rows["file"].to_pylist())
    missing.subtract(kept["file"].to_pylist())
    return +missing
