"""What a domain says of one kind of file, and what is wanted of it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Window
from novade_pipeline.landing.discovery import day_prefixes, stems_of
from novade_pipeline.landing.files import HourOf, LandedFile, list_files
from novade_pipeline.landing.ledger import LoadPlan, Rules, assign_hours, plan_load, read_ledger
from novade_pipeline.landing.readers import Reader
from novade_pipeline.storage.store import Store


@dataclass(frozen=True)
class Source:
    """One kind of file of a domain, and the table that its lines become.

    Attributes:
        name: as the ledger calls it.
        folder: below the landing zone.
        table: where the rows go.
        ledger: the domain's ledger.
        quarantine: the domain's quarantine.
        hour_of: from a file's name to its hour.
        naming: what a name must look like, for people.
        parser_version: raised when the code reads lines that it refused before.
        reader: reads files of other formats; None for gzipped NDJSON.
        claims: which names of the folder are this source's; None for all.
        is_undated: which names need not say an hour: such a file is of the hour that it was last
            changed in, and is loaded by every run, whatever its days. None for no name.
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
        """The source's files in landing, or of them those whose paths begin so, in their places."""
        listing = list_files(landing, prefixes or [f"{self.folder}/"], self.hour_of)
        return self.select(listing, rules)

    def select(self, listing: Iterable[LandedFile], rules: Rules) -> list[LandedFile]:
        """What of a listing is the source's, each file with its place."""
        ours = [file for file in listing if self.claims is None or self.claims(file.name)]
        return assign_hours(ours, rules, self.lacks_a_date)

    def lacks_a_date(self, file: str) -> bool:
        """Whether a file's name says no hour, and need not."""
        return self.is_undated is not None and self.is_undated(file.rsplit("/", 1)[-1])


def find_pending(
    source: Source,
    landing: Store,
    lake: Store,
    rules: Rules,
    within: Window | None = None,
    stems: Sequence[str] = (),
) -> LoadPlan:
    """What landing holds of the source, within a window, and the lake does not have yet.

    Args:
        stems: how the paths of all files of the window begin, before the day: with these and the
            ledger's, only names of the window's days are listed, instead of all that ever landed.
    """
    prefixes: list[str] = []
    if stems and within is not None and source.is_undated is None:
        known = read_ledger(lake, source.ledger, source.name, within=within)
        told = stems_of((row.file, row.upload_hour) for row in known)
        prefixes = day_prefixes({*stems, *told}, within)
    return plan_load(
        source.files(landing, rules, prefixes),
        known if prefixes else read_ledger(lake, source.ledger, source.name),
        rules,
        within=within,
        is_undated=source.lacks_a_date,
    )
