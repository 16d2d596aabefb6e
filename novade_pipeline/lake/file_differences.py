"""The data files by which two versions of a table differ, and their rows.

For tables that are derived file by file: from rows that were appended, or by what the rows of
removed and added files make of a sum. The cost is what changed. A compaction gives new files with
the same rows, so that a sum stays the same, and appended rows come once more.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from novade_pipeline.errors import PermanentFailure, TransientFailure, UserError
from novade_pipeline.lake.changes import changed_files
from novade_pipeline.lake.data_files import DataFile, files_of
from novade_pipeline.lake.delta import open_table
from novade_pipeline.lake.draft import Draft
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.store import Store


@dataclass(frozen=True)
class FileDifferences:
    """What one version has and the other has not.

    Attributes:
        version: the later one.
        added: the files that only it has; all of its files where there is no earlier one.
        removed: the files that only the earlier version has.
        is_whole: the earlier version cannot be compared: `added` are all files.
    """

    version: int
    added: tuple[DataFile, ...]
    removed: tuple[DataFile, ...]
    is_whole: bool
    _draft: Draft

    def rows(self, files: Sequence[DataFile], columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The rows of files, batch by batch; columns that the lake does not have yet are null.

        Raises:
            PermanentFailure: a file is damaged.
            TransientFailure: a file is gone, or the storage failed.
        """
        schema = pa.schema([self._draft.table.schema.field(name) for name in columns])
        existing = [name for name in columns if name in self._draft.columns.names]
        for file in files:
            for rows in self._draft.read(file, existing):
                complete = [
                    rows[name] if name in existing else pa.nulls(len(rows), schema.field(name).type)
                    for name in columns
                ]
                yield from pa.table(complete, names=list(columns)).cast(schema).to_batches()


def file_differences(store: Store, table: Table, since: int | None) -> FileDifferences | None:
    """The files by which the newest version differs from an earlier one.

    Args:
        since: the earlier version; None where there is none.

    Returns:
        None where the table does not exist.
    """
    target = open_table(store, table)
    if target is None:
        return None
    draft = Draft(store, table, target)
    earlier = None if since is None or since > draft.version else _files_at(store, table, since)
    known = earlier or {}
    return FileDifferences(
        version=draft.version,
        added=tuple(file for path, file in draft.files.items() if path not in known),
        removed=tuple(file for path, file in known.items() if path not in draft.files),
        is_whole=earlier is None,
        _draft=draft,
    )


def only_appended(store: Store, table: Table, since: int, until: int) -> bool:
    """Whether rows were only appended between two versions; a compaction changes none."""
    try:
        return not any(
            "modificationTime" not in file for file in changed_files(store, table, since + 1, until)
        )
    except FileNotFoundError:
        return False


def are_readable(differences: FileDifferences, column: str) -> bool:
    """Whether the removed files are still there; a vacuum deletes them after a while."""
    try:
        for file in differences.removed:
            next(iter(differences.rows([file], [column])), None)
    except (PermanentFailure, TransientFailure, UserError):
        return False
    return True


def _files_at(store: Store, table: Table, version: int) -> dict[str, DataFile] | None:
    try:
        target = open_table(store, table, version)
    except UserError:
        return None
    return None if target is None else {file.path: file for file in files_of(table, target)}
