"""What became of lines: of one file's while it is read, and of a load's, summed up."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from novade_pipeline.landing.tables import LedgerRow


@dataclass(frozen=True)
class Lines:
    """What became of the lines of a load's files; `rows` are new or replaced rows."""

    files: int = 0
    lines: int = 0
    rows: int = 0
    repeated: int = 0
    quarantined: int = 0
    blank: int = 0
    erased: int = 0
    refused_files: int = 0


@dataclass
class Counts:
    """What became of one file's lines, and how many bytes follow its gzip stream."""

    lines: int = 0
    rows: int = 0
    repeated: int = 0
    quarantined: int = 0
    blank: int = 0
    erased: int = 0
    mended: Counter[str] = field(default_factory=Counter)
    trailing_bytes: int = 0


def lines_of(rows: Sequence[LedgerRow]) -> Lines:
    """The sum of some files' accounts."""
    return Lines(
        files=len(rows),
        lines=sum(row.lines for row in rows),
        rows=sum(row.rows for row in rows),
        repeated=sum(row.repeated for row in rows),
        quarantined=sum(row.quarantined for row in rows),
        blank=sum(row.blank for row in rows),
        erased=sum(row.erased or 0 for row in rows),
        refused_files=sum(row.refused for row in rows),
    )


def both(one: Lines, other: Lines) -> Lines:
    """The sum of two."""
    sums = {name: value + getattr(other, name) for name, value in asdict(one).items()}
    return Lines(**sums)
