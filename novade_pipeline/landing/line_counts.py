"""What lines became: of one file while it is read, and of all files of a load."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from novade_pipeline.landing.tables import LedgerRow


@dataclass(frozen=True)
class LineTotals:
    """What the lines of a load's files became; `rows` are new or replaced rows."""

    files: int = 0
    lines: int = 0
    rows: int = 0
    repeated: int = 0
    quarantined: int = 0
    blank: int = 0
    erased: int = 0
    refused_files: int = 0

    def __add__(self, more: "LineTotals") -> "LineTotals":
        """The sum, field by field."""
        added = asdict(more)
        return LineTotals(**{name: n + added[name] for name, n in asdict(self).items()})


@dataclass
class FileCounts:
    """What the lines of one file became, and how many bytes follow its gzip stream."""

    lines: int = 0
    rows: int = 0
    repeated: int = 0
    quarantined: int = 0
    blank: int = 0
    erased: int = 0
    mended: Counter[str] = field(default_factory=Counter)
    trailing_bytes: int = 0

    @property
    def accounted(self) -> int:
        """The lines of which it is known what they became."""
        return self.rows + self.repeated + self.quarantined + self.blank + self.erased


def totals_of(rows: Sequence[LedgerRow]) -> LineTotals:
    """The sum over files."""
    names = ("lines", "rows", "repeated", "quarantined", "blank", "erased")
    sums = {name: sum(getattr(row, name) or 0 for row in rows) for name in names}
    return LineTotals(files=len(rows), refused_files=sum(row.refused for row in rows), **sums)
