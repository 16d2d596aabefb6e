"""Loading landed files: whole hours, exactly once, every line accounted for.

The order of commits is quarantine, rows, ledger: after a crash between two of them the same hours
are loaded again, which is harmless. A long load commits several times, whole hours each time.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import numpy as np
import pyarrow as pa

from novade_pipeline.errors import PermanentFailure
from novade_pipeline.lake.delta import WriteReceipt, replace_window
from novade_pipeline.lake.windows import Window
from novade_pipeline.landing.files import DamagedFile, LandedFile
from novade_pipeline.landing.json_lines import BadLine, Parsed
from novade_pipeline.landing.ledger import HOUR, LoadPlan, ledger_rows, read_ledger, windows
from novade_pipeline.landing.line_counts import FileCounts, LineTotals, totals_of
from novade_pipeline.landing.quarantine import Quarantine, left_out
from novade_pipeline.landing.readers import NdjsonReader, damaged_files
from novade_pipeline.landing.repeats import Repeats
from novade_pipeline.landing.source import Source
from novade_pipeline.landing.tables import LedgerRow
from novade_pipeline.plurals import counted
from novade_pipeline.privacy.policy import PersonalDataPolicy, protect
from novade_pipeline.storage.store import Store

COMMIT_BYTES = 128 * 2**20
COMMIT_DAYS = 31
BATCH_ROWS = 16_384


@dataclass(frozen=True)
class LoadReport:
    """What one load did.

    Attributes:
        lines: what the lines became.
        receipts: of the commits to the table.
        hours: how many hours were loaded.
        changed: anything was written, at least to the ledger.
    """

    lines: LineTotals
    receipts: tuple[WriteReceipt, ...]
    hours: int
    changed: bool


def load(
    source: Source,
    landing: Store,
    lake: Store,
    policy: PersonalDataPolicy,
    plan: LoadPlan,
    on_progress: Callable[[str], None] = lambda _: None,
) -> LoadReport:
    """Load what a plan says.

    Args:
        plan: from `find_pending`.
        on_progress: called with one sentence a commit.

    Raises:
        TransientFailure: a file changed while it was read, or another writer was faster; what is
            committed by then stays.
    """
    loader = _Loader(source, landing, lake, policy)
    receipts, totals = [], LineTotals()
    if plan.unplaced is not None:
        totals += loader.refuse_unplaced(plan.unplaced)
    for hours in _commits(plan.hours):
        receipt, lines = loader.load_hours(hours, windows(list(hours), plan.known))
        receipts.append(receipt)
        totals += lines
        on_progress(
            f"{source.table.name}: {counted(len(receipts), 'commit')}, "
            f"{counted(totals.files, 'file')}, {counted(totals.rows, 'row')}"
        )
    loader.record_missing(plan.missing, set(plan.hours))
    return LoadReport(totals, tuple(receipts), len(plan.hours), not plan.is_empty)


def _commits(
    hours: Mapping[datetime, Sequence[LandedFile]],
) -> Iterator[dict[datetime, Sequence[LandedFile]]]:
    """Consecutive hours with bounded bytes and days; an hour is never split."""
    current: dict[datetime, Sequence[LandedFile]] = {}
    size = 0
    for hour, files in hours.items():
        more = sum(file.size for file in files)
        days = {h.date() for h in current} | {hour.date()}
        if current and (size + more > COMMIT_BYTES or len(days) > COMMIT_DAYS):
            yield current
            current, size = {}, 0
        current[hour] = files
        size += more
    if current:
        yield current


@dataclass
class _Commit:
    """What the lines of one commit became so far."""

    files: list[LandedFile]
    counts: dict[str, FileCounts]
    refused: dict[str, str]
    bad: list[BadLine] = field(default_factory=list)


class _Loader:
    def __init__(
        self, source: Source, landing: Store, lake: Store, policy: PersonalDataPolicy
    ) -> None:
        self.source = source
        self.landing = landing
        self.lake = lake
        self.policy = policy.pinned()
        self.quarantine = Quarantine(source, landing, lake, self.policy)

    def load_hours(
        self, hours: Mapping[datetime, Sequence[LandedFile]], spans: list[Window]
    ) -> tuple[WriteReceipt, LineTotals]:
        """Load whole hours: quarantine, rows, ledger."""
        refused: dict[str, str] = {}
        while True:
            files = [file for group in hours.values() for file in group]
            commit = _Commit(files, {file.file: FileCounts() for file in files}, refused)
            try:
                rows = pa.RecordBatchReader.from_batches(
                    self.source.table.schema, self._rows(commit, spans)
                )
                receipt = replace_window(self.lake, self.source.table, rows, spans)
                break
            except DamagedFile:
                # Nothing is committed yet: the hours are read again without such files.
                refused |= damaged_files(self.source.reader, self.landing, files)
        ledger = [self._ledger_row(commit, file, receipt.table_version) for file in files]
        self._write_ledger(ledger, spans)
        return receipt, totals_of(ledger)

    def refuse_unplaced(self, files: Sequence[LandedFile]) -> LineTotals:
        """Quarantine whole files that belong to no hour."""
        reasons = {}
        for file in files:
            hour = self.source.hour_of(file.name)
            reasons[file.file] = (
                f"expected a name like {self.source.naming}, found another"
                if hour is None
                else f"expected an hour from NOVADE_HISTORY_START to now, found {hour:%Y-%m-%d %H}h"
            )
        commit = _Commit(list(files), {}, reasons)
        self.quarantine.write(self._quarantined(commit), None)
        ledger = [self._ledger_row(commit, file, None) for file in files]
        self._write_ledger(ledger, None)
        return totals_of(ledger)

    def record_missing(self, rows: Sequence[LedgerRow], loaded: set[datetime]) -> None:
        """Record since when files are missing; their rows stay for the grace period."""
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

    def _rows(self, commit: _Commit, spans: list[Window]) -> Iterator[pa.RecordBatch]:
        """The rows of the commit; before the last batch ends, bad lines are in quarantine."""
        repeats = Repeats(self.source.table)
        readable = [file for file in commit.files if file.file not in commit.refused]
        reader = self.source.reader or NdjsonReader(self.source.table)
        with closing(reader.read(self.landing, readable)) as chunks:
            for parsed in chunks:
                yield from self._account(commit, parsed, repeats).to_batches(BATCH_ROWS)
        quarantined = self._quarantined(commit)
        for name, counts in commit.counts.items():
            if counts.lines != counts.accounted:
                raise PermanentFailure(
                    f"{name}: expected every line accounted for, found {counts.lines} lines and "
                    f"{counts.accounted} accounted for; nothing is written. This is an error in "
                    "the program."
                )
        self.quarantine.write(quarantined, spans)

    def _account(self, commit: _Commit, parsed: Parsed, repeats: Repeats) -> pa.Table:
        """Count what the lines became; the rows to be written."""
        counts = [commit.counts[file_slice.file.file] for file_slice in parsed.slices]
        for count, file_slice, blank in zip(counts, parsed.slices, parsed.blank, strict=True):
            count.lines += file_slice.lines
            count.blank += blank
            count.trailing_bytes += file_slice.trailing_bytes
        for count, completed in zip(counts, parsed.completed, strict=False):
            count.repeated += completed
        for count, mended in zip(counts, parsed.mended, strict=False):
            count.mended.update(mended)
        for bad in parsed.bad:
            commit.counts[bad.file_slice.file.file].quarantined += 1
        commit.bad += parsed.bad
        first = repeats.first(parsed.rows)
        first_index = parsed.index if first is None else parsed.index[first]
        by_slice = partial(np.bincount, minlength=len(parsed.slices))
        unique, total = by_slice(first_index).tolist(), by_slice(parsed.index).tolist()
        for count, rows, rows_and_repeats in zip(counts, unique, total, strict=True):
            count.rows += rows
            count.repeated += rows_and_repeats - rows
        rows = parsed.rows if first is None else parsed.rows.filter(pa.array(first))
        kept = protect(rows, self.source.table.personal, self.policy)
        for name, erased in left_out(rows, kept).items():
            commit.counts[name].rows -= erased
            commit.counts[name].erased += erased
        return kept

    def _quarantined(self, commit: _Commit) -> pa.Table:
        refused = [file for file in commit.files if file.file in commit.refused]
        kept, erased = self.quarantine.rows(
            {file: commit.refused[file.file] for file in refused}, commit.bad
        )
        for name, lines in erased.items():
            commit.counts[name].quarantined -= lines
            commit.counts[name].erased += lines
        return kept

    def _ledger_row(self, commit: _Commit, file: LandedFile, version: int | None) -> LedgerRow:
        counts = commit.counts.get(file.file, FileCounts())
        return LedgerRow(
            source=self.source.name,
            file=file.file,
            etag=file.etag,
            size=file.size,
            upload_date=None if file.hour is None else file.hour.date(),
            upload_hour=file.hour,
            **vars(counts)
            | {"mended": json.dumps(counts.mended, sort_keys=True) if counts.mended else None},
            refused=file.file in commit.refused,
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
