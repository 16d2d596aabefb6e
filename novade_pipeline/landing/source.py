"""One kind of landed file of a domain, and what is to be loaded of it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Window
from novade_pipeline.landing.discovery import day_prefixes, stems_of
from novade_pipeline.landing.files import HourOf, LandedFile, list_files
from novade_pipeline.landing.ledger import LoadPlan, Rules, assign_hours, plan_load, read_ledger
from novade_pipeline.landing.readers import Reader
from novade_pipeline.storage.store import Store


@dataclass(frozen=True)
class Source:
    """One kind of file of a domain, and the table of its lines.

    Attributes:
        name: in the ledger.
        folder: below the landing zone.
        table: where the rows go.
        ledger: the domain's ledger.
        quarantine: the domain's quarantine.
        hour_of: from a file's name to its hour.
        naming: an example of a name, for messages.
        parser_version: raised when the code reads lines that it refused before.
        reader: of other formats; None for gzipped NDJSON.
        claims: which paths below the landing zone are this source's; None for all in the folder.
        is_undated: which names need no hour: such a file belongs to the hour of its last change,
            and is loaded by every run, whatever its days. None for no name.
    """

    name: str
    folder: str
    table: Table
    ledger: Table
    quarantine: Table
    hour_of: HourOf
    naming: str
    parser_version: int = 1
    reader: Reader | None = None
    claims: Callable[[str], bool] | None = None
    is_undated: Callable[[str], bool] | None = None

    def files(
        self, landing: Store, rules: Rules, prefixes: Sequence[str] | None = None
    ) -> list[LandedFile]:
        """The source's files in landing, each with its hour; with `prefixes`, only such paths."""
        listing = list_files(landing, prefixes or [f"{self.folder}/"], self.hour_of)
        return self.select(listing, rules)

    def select(self, listing: Iterable[LandedFile], rules: Rules) -> list[LandedFile]:
        """The source's files in a listing, each with its hour."""
        return assign_hours(self.named(listing), rules, self.lacks_a_date)

    def named(self, listing: Iterable[LandedFile]) -> list[LandedFile]:
        """The files in a listing that are the source's."""
        return [file for file in listing if self.claims is None or self.claims(file.file)]

    def lacks_a_date(self, file: str) -> bool:
        """Whether a file's name needs no hour."""
        return self.is_undated is not None and self.is_undated(file.rsplit("/", 1)[-1])


def find_pending(
    source: Source,
    landing: Store,
    lake: Store,
    rules: Rules,
    within: Window | None = None,
    stems: Sequence[str] = (),
) -> LoadPlan:
    """Plan the load of the files of a source, within a window, that the ledger does not have.

    Args:
        stems: the path prefixes, up to the day, of all files of the window: with these and those
            in the ledger, only the window's days are listed instead of the whole folder.
    """
    prefixes: list[str] = []
    if stems and within is not None and source.is_undated is None:
        known = read_ledger(lake, source.ledger, source.name, within=within)
        known_stems = stems_of((row.file, row.upload_hour) for row in known)
        prefixes = day_prefixes({*stems, *known_stems}, within)
    plan = plan_load(
        source.files(landing, rules, prefixes),
        known if prefixes else read_ledger(lake, source.ledger, source.name),
        rules,
        within=within,
        is_undated=source.lacks_a_date,
    )
    return replace(plan, dated=None) if prefixes else plan
