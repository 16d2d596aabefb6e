"""A small domain with every kind of column, and the landing zone that its files are dropped in."""

import gzip
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import pytest
from pydantic import Field

from novade_pipeline.json_rows.plain_lines import PlainLines
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Json, Table
from novade_pipeline.lake.windows import Window
from novade_pipeline.landing.chunks import Chunk, FileSlice
from novade_pipeline.landing.files import LandedFile
from novade_pipeline.landing.json_lines import JsonLines
from novade_pipeline.landing.ledger import LoadPlan, Rules
from novade_pipeline.landing.load import LoadReport, load
from novade_pipeline.landing.source import Source, find_pending
from novade_pipeline.landing.tables import LandedRow, ledger_table, quarantine_table
from novade_pipeline.privacy.marks import Identity
from novade_pipeline.privacy.policy import Personal, PersonalDataPolicy
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.landing.lines import fields_of, padded
from novade_pipeline_tests.places import NewStore, drop

FIRST = datetime(2026, 3, 1, 22, tzinfo=UTC)
_NAME = re.compile(r"(\d{4}-\d\d-\d\d)_(\d{1,2})#\d+\.json\.gz", re.ASCII)


class Play(LandedRow):
    """One song that was played."""

    uuid: str = Field(description="Names the play.")
    count: int | None = Field(None, alias="$count", description="A number of things.")
    share: float | None = Field(None, description="A share.")
    paid: bool | None = Field(None, description="Yes or no.")
    at: datetime | None = Field(None, description="When, UTC.")
    user_id: Annotated[str | None, Personal(), Identity("user_id")] = Field(
        None, description="Who."
    )
    properties: Annotated[Json | None, Personal("email", "contact.phone")] = Field(
        None, description="What."
    )
    other_fields: Annotated[Json | None, Personal("**")] = Field(None, description="The rest.")


def hour_of(name: str) -> datetime | None:
    """`2026-03-01_22#0.json.gz` is of 22h."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    return datetime.fromisoformat(match[1]).replace(hour=int(match[2]), tzinfo=UTC)


PLAYS = Source(
    name="plays",
    folder="shop/plays",
    table=Table(
        name="shop/plays",
        row=Play,
        key=("upload_hour", "uuid"),
        write_mode="replace_window",
        partition_by=("upload_date",),
        window="upload_hour",
    ),
    ledger=ledger_table("shop"),
    quarantine=quarantine_table("shop"),
    hour_of=hour_of,
    naming="2026-03-01_22#0.json.gz",
)


class Shop:
    """A landing zone and a lake; hours are counted from 22h, so that there is a midnight."""

    source = PLAYS

    def __init__(self, new_store: NewStore) -> None:
        self.landing: Store = new_store("landing")
        self.lake: Store = new_store("lake")
        self._fresh = (new_store(f"fresh{number}") for number in itertools.count())

    @staticmethod
    def name(hour: int, part: int = 0) -> str:
        """The name of a file of an hour."""
        moment = FIRST + timedelta(hours=hour)
        return f"{moment:%Y-%m-%d}_{moment.hour}#{part}.json.gz"

    def land(self, name: str, *lines: bytes) -> None:
        """Export lines under a name; each export is a later version than those before."""
        self.upload(name, gzip.compress(b"".join(line + b"\n" for line in lines), mtime=0))

    def upload(self, name: str, content: bytes, folder: str = PLAYS.folder) -> None:
        """Drop bytes under a name."""
        drop(self.landing, content, folder, name)

    def remove(self, name: str) -> bytes:
        """Take a file out of the landing zone; its content."""
        content = self.landing.read(PLAYS.folder, name)
        self.landing.delete(PLAYS.folder, name)
        return content

    def names(self) -> set[str]:
        """What lies in the landing zone."""
        return {entry.file.rsplit("/", 1)[-1] for entry in self.landing.entries()}

    def plan(self, within: Window | None = None, **rules: Any) -> LoadPlan:
        """What a load would do."""
        return find_pending(self.source, self.landing, self.lake, a_rule(**rules), within)

    def load(
        self,
        within: Window | None = None,
        *,
        lake: Store | None = None,
        policy: PersonalDataPolicy | None = None,
        source: Source = PLAYS,
        **rules: Any,
    ) -> LoadReport:
        """Load what is pending."""
        policy = policy or PersonalDataPolicy()
        current = a_rule(personal_data=policy.fingerprint, **rules)
        lake = lake or self.lake
        plan = find_pending(source, self.landing, lake, current, within)
        return load(source, self.landing, lake, policy, plan)

    def rows(self, lake: Store | None = None) -> list[dict[str, Any]]:
        """The table's rows in the order of the files."""
        rows = read(lake or self.lake, PLAYS.table).to_pylist()
        return sorted(rows, key=lambda r: (r["upload_hour"], r["file"], r["line"]))

    def uuids(self) -> list[str]:
        """The rows' names, in the same order."""
        return [row["uuid"] for row in self.rows()]

    def ledger(self, lake: Store | None = None) -> dict[str, dict[str, Any]]:
        """File name -> its row of the ledger."""
        rows = read(lake or self.lake, PLAYS.ledger).to_pylist()
        return {row["file"].rsplit("/", 1)[-1]: row for row in rows}

    def quarantine(self, lake: Store | None = None) -> list[dict[str, Any]]:
        """The quarantine's rows."""
        rows = read(lake or self.lake, PLAYS.quarantine).to_pylist()
        return sorted(rows, key=lambda row: (row["file"], row["line"]))

    def state(self, lake: Store | None = None) -> dict[str, Any]:
        """All that a lake says of the landing zone, without when and in which commit."""
        untimed = ("loaded_at", "table_version")
        ledger = {
            name: {key: value for key, value in row.items() if key not in untimed}
            for name, row in self.ledger(lake).items()
        }
        return {"rows": self.rows(lake), "ledger": ledger, "quarantine": self.quarantine(lake)}

    def state_from_nothing(self) -> dict[str, Any]:
        """What one load into an empty lake says."""
        fresh = next(self._fresh)
        self.load(lake=fresh)
        return self.state(fresh)


def a_rule(**rules: Any) -> Rules:
    """Rules without a grace period, unless told otherwise."""
    defaults = {
        "parser_version": 1,
        "personal_data": "keep",
        "first_day": date(2018, 1, 1),
        "grace": timedelta(0),
    }
    return Rules(**{**defaults, **rules})


@pytest.fixture
def shop(new_store: NewStore) -> Shop:
    """An empty landing zone and no lake yet."""
    return Shop(new_store)


@pytest.fixture
def new_shop(new_store: NewStore) -> Callable[[], Shop]:
    """Makes shops, for tests that need one an example."""
    number = itertools.count()

    def make() -> Shop:
        mine = f"shop{next(number)}"
        return Shop(lambda name: new_store(f"{mine}-{name}"))

    return make


@pytest.fixture
def rules() -> Callable[..., Rules]:
    """Makes rules."""
    return a_rule


@pytest.fixture(scope="session")
def table() -> Table:
    """The table of plays."""
    return PLAYS.table


@pytest.fixture(scope="session")
def source() -> Source:
    """The plays."""
    return PLAYS


@pytest.fixture(scope="session")
def chunk_of() -> Callable[..., Chunk]:
    """Makes a chunk of the lines of files, each a list of lines."""

    def make(*files: Sequence[bytes]) -> Chunk:
        parts, slices, at = [], [], 0
        for number, lines in enumerate(files):
            text = b"".join(line + b"\n" for line in lines)
            file = LandedFile(f"file {number}", "1", len(text), FIRST, FIRST)
            slices.append(FileSlice(file, 1, len(lines)))
            parts.append(text)
            at += len(text)
        return Chunk(padded(b"".join(parts)), at, tuple(slices))

    return make


@pytest.fixture
def parser() -> Iterator[JsonLines]:
    """Reads lines of plays."""
    made = JsonLines(PLAYS.table)
    yield made
    made.close()


@pytest.fixture
def hour() -> Callable[[int], datetime]:
    """The hour that a number stands for."""
    return lambda number: FIRST + timedelta(hours=number)


@pytest.fixture
def plain(table: Table) -> PlainLines:
    """Reads plain lines of plays."""
    return PlainLines(fields_of(table), "other_fields")
