"""The quarantine of a source: lines that could not become rows, and refused files."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress

import pyarrow as pa

from novade_pipeline.json_rows.text import RAW_BYTES
from novade_pipeline.lake.delta import replace_window
from novade_pipeline.lake.read import read
from novade_pipeline.lake.windows import Window
from novade_pipeline.landing.files import DamagedFile, LandedFile, open_landed
from novade_pipeline.landing.json_lines import BadLine
from novade_pipeline.landing.source import Source
from novade_pipeline.privacy.policy import PersonalDataPolicy, protect
from novade_pipeline.storage.store import Store


class Quarantine:
    """The quarantine of a source during one load."""

    def __init__(
        self, source: Source, landing: Store, lake: Store, policy: PersonalDataPolicy
    ) -> None:
        self._source = source.name
        self._table = source.quarantine
        self._landing = landing
        self._lake = lake
        self._policy = policy
        self._where = {"source": source.name}
        rows = read(lake, self._table, columns=["upload_hour"], where=self._where)
        self._hours = set(rows["upload_hour"].unique().to_pylist())

    def rows(
        self, refused: Mapping[LandedFile, str], bad_lines: Sequence[BadLine]
    ) -> tuple[pa.Table, Counter[str]]:
        """(rows for quarantine, file -> how many of its lines are of erased persons and left out).

        Args:
            refused: whole files -> the reason.
        """
        rows = [self._file_row(file, reason) for file, reason in refused.items()]
        rows += [
            self._row(bad.file_slice.file, bad.line, bad.reason, bad.raw, bad.raw_bytes)
            for bad in bad_lines
        ]
        table = pa.Table.from_pylist(rows, schema=self._table.schema)
        kept = protect(table, self._table.personal, self._policy)
        return kept, left_out(table, kept)

    def write(self, rows: pa.Table, spans: list[Window] | None) -> None:
        """Replace the rows of these hours; None for the files that belong to no hour."""
        has_rows = any(
            hour is None if spans is None else hour and any(w.start <= hour < w.end for w in spans)
            for hour in self._hours
        )
        if rows.num_rows or has_rows:
            replace_window(self._lake, self._table, rows, spans, where=self._where)

    def _file_row(self, file: LandedFile, reason: str) -> dict[str, object]:
        head = b""
        with suppress(DamagedFile), open_landed(self._landing, file) as stream:
            head = stream.read(RAW_BYTES)
        return self._row(file, 0, reason, head, file.size)

    def _row(
        self, file: LandedFile, line: int, reason: str, raw: bytes, raw_bytes: int
    ) -> dict[str, object]:
        return {
            "source": self._source,
            "file": file.file,
            "etag": file.etag,
            "line": line,
            "upload_date": None if file.hour is None else file.hour.date(),
            "upload_hour": file.hour,
            "reason": reason,
            "raw": raw,
            "raw_bytes": raw_bytes,
        }


def left_out(rows: pa.Table, kept: pa.Table) -> Counter[str]:
    """File -> how many of its rows are not among the kept ones."""
    if len(rows) == len(kept):
        return Counter()
    missing = Counter(rows["file"].to_pylist())
    missing.subtract(kept["file"].to_pylist())
    return +missing
