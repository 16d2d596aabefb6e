"""A backfill of a window as a separate process, which writes on a signal.

It reports "reading" when the table is open and rows are requested, waits, and returns the number of
transient failures. A step of the graph retries as often.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from multiprocessing.connection import Connection

import pyarrow as pa
from pydantic import BaseModel, Field

from novade_pipeline.errors import TransientFailure
from novade_pipeline.lake.delta import replace_window
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Window
from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.forks import FORKS
from novade_pipeline_tests.places import credentials

START = datetime(2026, 3, 1, tzinfo=UTC)
ROWS = 20
RUNS = 4


class Play(BaseModel):
    """A play, with who wrote it."""

    day: date = Field(description="Its day.")
    hour: datetime = Field(description="Its hour.")
    number: int = Field(description="Which of the hour.")
    writer: str = Field(description="Who wrote it.")


PLAYS = Table(
    name="shop/plays",
    row=Play,
    key=("hour", "number"),
    write_mode="replace_window",
    partition_by=("day",),
    window="hour",
)


@dataclass(frozen=True)
class Backfill:
    """What one process writes: `ROWS` rows an hour."""

    writer: str
    first: int
    end: int

    @property
    def window(self) -> Window:
        """The hours."""
        return Window(START + timedelta(hours=self.first), START + timedelta(hours=self.end))

    def rows(self) -> pa.Table:
        """The hours' rows."""
        hours = [START + timedelta(hours=hour) for hour in range(self.first, self.end)]
        return pa.Table.from_pylist(
            [
                {"day": hour.date(), "hour": hour, "number": number, "writer": self.writer}
                for hour in hours
                for number in range(ROWS)
            ],
            schema=PLAYS.schema,
        )


def run_concurrently(lake: Store, backfills: Sequence[Backfill]) -> list[int]:
    """Run backfills concurrently; all have the table open before the first of them commits.

    Returns:
        The number of failures of each.
    """
    with ExitStack() as until_end:
        connections = []
        for backfill in backfills:
            connection, far_end = FORKS.Pipe()
            process = FORKS.Process(
                target=_write_on_signal, args=(lake.url, credentials(lake), backfill, far_end)
            )
            process.start()
            until_end.callback(process.join)
            until_end.callback(process.kill)
            far_end.close()
            connections.append(connection)
        assert [connection.recv() for connection in connections] == ["reading"] * len(connections)
        for connection in connections:
            connection.send("write")
        return [connection.recv() for connection in connections]


def _write_on_signal(
    url: str, access: Mapping[str, str], backfill: Backfill, connection: Connection
) -> None:
    lake, rows = store(url, access), backfill.rows()

    def on_signal() -> Iterator[pa.RecordBatch]:
        connection.send("reading")
        connection.recv()
        yield from rows.to_batches()

    source = pa.RecordBatchReader.from_batches(rows.schema, on_signal())
    for failures in range(RUNS):
        try:
            replace_window(lake, PLAYS, source, [backfill.window])
        except TransientFailure:
            source = pa.RecordBatchReader.from_batches(rows.schema, rows.to_batches())
        else:
            connection.send(failures)
            return
    raise AssertionError("the last run failed as well")
