"""Joins a publication that is split over two records, one with its id, one with its journal.

Both halves have the same title and date.
"""

from dataclasses import replace

from novade_pipeline.defs.publications.folding import fold
from novade_pipeline.defs.publications.repairs import JOINED_HALVES
from novade_pipeline.landing.record_rows import LocatedRow
from novade_pipeline.landing.tables import MENDED

# Halves are close to each other; if every record of a file lacks a half, the oldest are released.
MAX_WAITING = 10_000


class SplitTrialJoiner:
    """Joins the halves of one file."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[object, ...], LocatedRow] = {}

    def add(self, entry: LocatedRow) -> tuple[list[LocatedRow], int]:
        """(publications that are complete or waited too long; number of earlier ones completed)."""
        row = entry.row
        if (row["id"] is None) == (row["journal"] is None):
            return [entry], 0
        key = (fold(row["title"]), row["date"])
        missing = "journal" if row["journal"] is None else "id"
        present = "id" if missing == "journal" else "journal"
        half = self._waiting.pop((*key, present), None)
        if half is not None:
            mended = {*half.row[MENDED], *row[MENDED], JOINED_HALVES}
            joined = {**half.row, present: row[present], MENDED: sorted(mended)}
            return [replace(half, row=joined)], 1
        released = [previous] if (previous := self._waiting.pop((*key, missing), None)) else []
        self._waiting[(*key, missing)] = entry
        if len(self._waiting) > MAX_WAITING:
            released.append(self._waiting.pop(next(iter(self._waiting))))
        return released, 0

    def flush(self) -> list[LocatedRow]:
        """The unmatched halves."""
        unmatched, self._waiting = list(self._waiting.values()), {}
        return unmatched
