"""A backfill of one window as a process of its own, which writes when it is told to.

It says `reading` when the table is open and rows are asked for, waits for a line, and ends with
how many failures that pass it met on the way. A step of the graph tries again as often.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
from pydantic import BaseModel, Field

from novade_pipeline.errors import TransientFailure
from novade_pipeline.lake.delta import replace_window
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Window
from novade_pipeline.storage import Store, store
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
    written="replace_window",
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


def at_once(lake: Store, backfills: Sequence[Backfill]) -> list[int]:
    """Run backfills side by side; all have the table open before the first of them commits.

    Returns:
        how many failures each met.
    """
    told = [json.dumps([lake.url, credentials(lake), b.writer, b.first, b.end]) for b in backfills]
    with ExitStack() as until_end:
        processes = [
            until_end.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "novade_pipeline_tests.backfill", argument],
                    cwd=Path(__file__).resolve().parents[1],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for argument in told
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "reading\n"
        ended = []
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("write\n")
            process.stdin.flush()
        for process in processes:
            output, _ = process.communicate(timeout=120)
            assert process.returncode == 0, output
            ended.append(int(output))
    return ended


def main() -> None:
    """Do one backfill, told as JSON in the first argument."""
    url, access, *told = json.loads(sys.argv[1])
    backfill, lake = Backfill(*told), store(url, access)
    rows = backfill.rows()

    def when_told() -> Iterator[pa.RecordBatch]:
        print("reading", flush=True)
        sys.stdin.readline()
        yield from rows.to_batches()

    source = pa.RecordBatchReader.from_batches(rows.schema, when_told())
    for failures in range(RUNS):
        try:
            replace_window(lake, PLAYS, source, [backfill.window])
        except TransientFailure:
            source = pa.RecordBatchReader.from_batches(rows.schema, rows.to_batches())
        else:
            sys.exit(print(failures))
    sys.exit("the last run failed as well")


if __name__ == "__main__":
    main()
