"""Where new data files of a table go: what any process needs to write some, and no more.

A `Draft` opens the table; these can be handed to other processes, whose files it then commits.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from novade_pipeline.lake.data_files import FileWriter
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.store import Store


@dataclass(frozen=True)
class NewFiles:
    """New files of a table, which no version has yet.

    Attributes:
        columns: the lake's, which may be more than the code declares.
        partition_by: the lake's, which may differ from the declared ones.
    """

    store: Store
    table: Table
    columns: pa.Schema
    partition_by: tuple[str, ...]

    def new_file(self, partition: Mapping[str, str | None] | None = None) -> FileWriter:
        """Begin a file for rows of one partition, in the lake's columns without the partition's."""
        columns = [f for f in self.columns if f.name not in self.partition_by]
        return FileWriter(self.store, self.table, pa.schema(columns), partition or {})
