"""What is asked of an organisation, by simple-salesforce: describe, queries, bulk query jobs.

Every query is a `queryAll`: what lies in the recycle bin is told as well.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

from simple_salesforce.api import Salesforce
from simple_salesforce.bulk2 import Operation
from simple_salesforce.exceptions import SalesforceOperationError

from novade_pipeline.defs.salesforce.fields import Fields
from novade_pipeline.defs.salesforce.rows import Rows, header_of, rows_of_csv, rows_of_json
from novade_pipeline.defs.salesforce.session import Refused, SalesforceSession
from novade_pipeline.defs.salesforce.settings import SalesforceSettings
from novade_pipeline.errors import PermanentFailure, TransientFailure

# A query travels in the URL, which may have 16 KiB with what else is in it; a job's does not.
LONGEST_IN_URL = 6_000
JOB_TRIES = 3
FIRST_PAGE_ROWS = 2_000
MOST_PAGE_ROWS = 50_000
PAGE_BYTES = 16 * 2**20
_WRONG_QUERY = ("INVALID", "MALFORMED", "INSUFFICIENT", "API_ERROR")


class NoObject(PermanentFailure):
    """The organisation has no such object, or none that the user may read."""


@dataclass(frozen=True)
class Page:
    """Records as a query tells them, and where the next ones are.

    Attributes:
        total: records that the query found.
        records: of this page.
        more: where the next page is; "" where there is none.
    """

    total: int
    records: list[dict[str, Any]]
    more: str


class Organisation:
    """One organisation, asked as one user; to be used as a context, by one thread.

    Attributes:
        session: under all requests; it knows the quota.
    """

    def __init__(
        self,
        settings: SalesforceSettings,
        session: SalesforceSession | None = None,
        poll_seconds: float = 1.0,
    ) -> None:
        self.settings = settings
        self.session = session or SalesforceSession(settings)
        self._poll_seconds = poll_seconds
        self._client: Salesforce | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.session.close()

    @property
    def client(self) -> Salesforce:
        """simple-salesforce, logged in."""
        if self._client is None:
            token = self.session.token
            self._client = Salesforce(
                # The session puts the newest token in the place of this one.
                session_id=token.access_token,
                instance_url=token.instance_url,
                session=self.session,
                version=self.settings.api_version,
                parse_float=Decimal,
            )
        return self._client

    @property
    def now(self) -> datetime:
        """The organisation's clock as its newest answer told it, to the second."""
        return self.session.server_time or datetime.now(UTC).replace(microsecond=0)

    def describe(self, name: str) -> dict[str, Any]:
        """An object and the fields of it that the user may see.

        Raises:
            NoObject: there is none of that name, or the user may not read it.
        """
        try:
            found: dict[str, Any] = getattr(self.client, name).describe()
        except Refused as refused:
            if refused.code not in ("NOT_FOUND", "INVALID_TYPE") and refused.status != 404:
                raise
            raise NoObject(_no_object(name, self.settings)) from None
        if not found.get("queryable", True):
            raise NoObject(_no_object(name, self.settings))
        return found

    def limits(self) -> dict[str, Any]:
        """What the organisation may be asked for, and what is left of it."""
        found: dict[str, Any] = self.client.limits()
        return found

    def first_page(self, soql: str) -> Page:
        """The first records of a query."""
        return _page(self.client.query(soql, include_deleted=True))

    def next_page(self, page: Page) -> Page:
        """The records after those of a page that has more."""
        return _page(self.client.query_more(page.more, identifier_is_url=True))

    def count(self, soql: str) -> int:
        """How many records a `SELECT COUNT()` finds."""
        return self.first_page(soql).total

    def query_pages(self, fields: Fields, page: Page) -> Iterator[Rows]:
        """Rows of a query from its first page on."""
        while True:
            yield rows_of_json(fields, page.records)
            if not page.more:
                return
            page = self.next_page(page)

    def bulk_pages(
        self, fields: Fields, soql: str, tell: Callable[[str], None] = lambda told: None
    ) -> Iterator[Rows]:
        """Rows of a bulk query, page by page; a page has about so many bytes whatever is in it.

        Raises:
            PermanentFailure: Salesforce refuses the query.
            TransientFailure: the job failed, several times.
        """
        # The handler's own generators tell nobody the job's id.
        handler: Any = self.client.bulk2
        jobs = handler.query._client
        job = self._completed(jobs, soql, tell)
        locator, rows, header = "", FIRST_PAGE_ROWS, b""
        while True:
            page = jobs.get_query_results(job, locator, rows)
            text, count = page["records"].encode(), int(page["number_of_records"])
            header = header or header_of(text)
            batch, bad = rows_of_csv(fields, text, header) if count else rows_of_json(fields, [])
            if batch.num_rows + len(bad) != count:
                raise TransientFailure(
                    f"{fields.table.name}: expected a page of {count:,} records from the bulk job, "
                    f"found {batch.num_rows + len(bad):,}; it is read again."
                )
            yield batch, bad
            locator = page["locator"]
            if not locator:
                break
            each = max(1, len(text) // max(1, count))
            rows = max(1, min(MOST_PAGE_ROWS, PAGE_BYTES // each))
        # Results that nobody deletes go after a week.
        with suppress(PermanentFailure, TransientFailure):
            self.client.restful(f"jobs/query/{job}", method="DELETE")

    def _completed(self, jobs: Any, soql: str, tell: Callable[[str], None]) -> str:
        """The id of a job that has run the query."""
        told = ""
        for _ in range(JOB_TRIES):
            job = str(jobs.create_job(Operation.query_all, soql)["id"])
            tell(f"bulk job {job} is at work")
            try:
                jobs.wait_for_job(job, True, wait=self._poll_seconds)
            except SalesforceOperationError as error:
                told = str(error).removeprefix("Job failure. Response content: ")[:300]
                if told.startswith(_WRONG_QUERY):
                    raise PermanentFailure(
                        f"Salesforce: expected bulk job {job} to run the query, found: {told}."
                    ) from None
                tell(f"bulk job {job} failed: {told}")
            else:
                return job
        raise TransientFailure(
            f"Salesforce: {JOB_TRIES} bulk jobs failed one after the other, at last: {told}."
        )


def _page(told: dict[str, Any]) -> Page:
    more = "" if told.get("done", True) else str(told["nextRecordsUrl"])
    return Page(int(told["totalSize"]), list(told["records"]), more)


def _no_object(name: str, settings: SalesforceSettings) -> str:
    return (
        f"Salesforce: expected an object {name} at {settings.url}, found none that this user may "
        f"read; give its permission set the object permission 'Read' on {name}, or name it in "
        "NOVADE_SALESFORCE_WITHOUT where the organisation has no such object."
    )
