"""One publication that was split over two records: the id stands on one, the journal on the other.

The halves have the same title and date, and what one has the other lacks.
"""

from dataclasses import replace

from novade_pipeline.defs.publications.folding import fold
from novade_pipeline.defs.publications.repairs import JOINED_HALVES
from novade_pipeline.landing.record_rows import LocatedRow
from novade_pipeline.landing.tables import MENDED

# Halves stand close to each other; in a file where every record lacks something, the oldest go.
MAX_WAITING = 10_000


class SplitTrialJoiner:
    """Joins the halves of one file."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[object, ...], LocatedRow] = {}

    def add(self, entry: LocatedRow) -> tuple[list[LocatedRow], int]:
        """(publications that are whole, or waited too long; how many earlier ones it completed)."""
        row = entry.row
        if (row["id"] is None) == (row["journal"] is None):
            return [entry], 0
        place = (fold(row["title"]), row["date"])
        missing = "journal" if row["journal"] is None else "id"
        present = "id" if missing == "journal" else "journal"
        other = self._waiting.pop((*place, present), None)
        if other is not None:
            mended = {*other.row[MENDED], *row[MENDED], JOINED_HALVES}
            joined = {**other.row, present: row[present], MENDED: sorted(mended)}
            return [replace(other, row=joined)], 1
        pushed = [old] if (old := self._waiting.pop((*place, missing), None)) else []
        self._waiting[(*place, missing)] = entry
        if len(self._waiting) > MAX_WAITING:
            pushed.append(self._waiting.pop(next(iter(self._waiting))))
        return pushed, 0

    def flush(self) -> list[LocatedRow]:
        """The halves that found no other."""
        rest, self._waiting = list(self._waiting.values()), {}
        return rest
