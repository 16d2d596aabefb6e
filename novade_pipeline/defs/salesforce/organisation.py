"""Requests to an organisation through simple-salesforce: describe, queries, bulk query jobs.

Every query is a `queryAll`, which includes the recycle bin.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Self

from simple_salesforce.api import Salesforce
from simple_salesforce.bulk2 import Operation
from simple_salesforce.exceptions import SalesforceOperationError

from novade_pipeline.defs.salesforce.fields import Fields
from novade_pipeline.defs.salesforce.responses import Refused
from novade_pipeline.defs.salesforce.rows import ParsedPage, header_of, rows_of_csv, rows_of_json
from novade_pipeline.defs.salesforce.session import SalesforceSession
from novade_pipeline.defs.salesforce.settings import SalesforceSettings
from novade_pipeline.errors import PermanentFailure, TransientFailure

# A query is part of the URL, which may have 16 KiB; a job's query is in the body.
LONGEST_IN_URL = 6_000
JOB_TRIES = 3
FIRST_PAGE_ROWS = 2_000
MOST_PAGE_ROWS = 50_000
PAGE_BYTES = 16 * 2**20
_WRONG_QUERY = ("INVALID", "MALFORMED", "INSUFFICIENT", "API_ERROR")


class UnknownObject(PermanentFailure):
    """The organisation has no such object, or the user may not read it."""


@dataclass(frozen=True)
class Page:
    """Records of a query, and where the next ones are.

    Attributes:
        total: records of the whole query.
        records: of this page.
        next_url: of the next page; "" where there is none.
    """

    total: int
    records: list[dict[str, Any]]
    next_url: str


class Organisation:
    """One organisation, read as one user; a context manager, to be used by one thread.

    Attributes:
        session: sends all requests, and knows the quota.
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

    def __exit__(self, *_: object) -> None:
        self.session.close()

    @property
    def client(self) -> Salesforce:
        """simple-salesforce, logged in."""
        if self._client is None:
            token = self.session.token
            self._client = Salesforce(
                # The session replaces it with its newest token.
                session_id=token.access_token,
                instance_url=token.instance_url,
                session=self.session,
                version=self.settings.api_version,
                parse_float=Decimal,
            )
        return self._client

    @property
    def now(self) -> datetime:
        """The organisation's clock by its newest answer, to the second, UTC."""
        return self.session.server_time or datetime.now(UTC).replace(microsecond=0)

    def describe(self, name: str) -> dict[str, Any]:
        """Returns an object's describe, with the fields that the user may see.

        Raises:
            UnknownObject: there is no such object, or the user may not read it.
        """
        try:
            description: dict[str, Any] = getattr(self.client, name).describe()
        except Refused as refused:
            if refused.code not in ("NOT_FOUND", "INVALID_TYPE") and refused.status != 404:
                raise
            raise UnknownObject(_no_object(name, self.settings)) from None
        if not description.get("queryable", True):
            raise UnknownObject(_no_object(name, self.settings))
        return description

    def limits(self) -> dict[str, Any]:
        """Returns the organisation's limits, and what is left of each."""
        limits: dict[str, Any] = self.client.limits()
        return limits

    def first_page(self, soql: str) -> Page:
        """Reads the first records of a query."""
        return _page(self.client.query(soql, include_deleted=True))

    def next_page(self, page: Page) -> Page:
        """Reads the next page."""
        return _page(self.client.query_more(page.next_url, identifier_is_url=True))

    def count(self, soql: str) -> int:
        """Returns the result of a `SELECT COUNT()`."""
        return self.first_page(soql).total

    def query_pages(self, fields: Fields, page: Page) -> Iterator[ParsedPage]:
        """Parses a query's records from its first page on."""
        while True:
            yield rows_of_json(fields, page.records)
            if not page.next_url:
                return
            page = self.next_page(page)

    def bulk_pages(
        self, fields: Fields, soql: str, on_progress: Callable[[str], None] = lambda message: None
    ) -> Iterator[ParsedPage]:
        """Parses a bulk query's records page by page; a page has about `PAGE_BYTES`.

        Raises:
            PermanentFailure: Salesforce refuses the query.
            TransientFailure: the job failed, several times.
        """
        # The handler's own generators do not reveal the job's id.
        handler: Any = self.client.bulk2
        jobs = handler.query._client
        job = self._completed_job(jobs, soql, on_progress)
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
            bytes_per_record = max(1, len(text) // max(1, count))
            rows = max(1, min(MOST_PAGE_ROWS, PAGE_BYTES // bytes_per_record))
        # Salesforce deletes results after a week.
        with suppress(PermanentFailure, TransientFailure):
            self.client.restful(f"jobs/query/{job}", method="DELETE")

    def _completed_job(self, jobs: Any, soql: str, on_progress: Callable[[str], None]) -> str:
        """Runs the query as a job, and returns its id."""
        failure = ""
        for _ in range(JOB_TRIES):
            job = str(jobs.create_job(Operation.query_all, soql)["id"])
            on_progress(f"bulk job {job} is running")
            try:
                jobs.wait_for_job(job, True, wait=self._poll_seconds)
            except SalesforceOperationError as error:
                failure = str(error).removeprefix("Job failure. Response content: ")[:300]
                if failure.startswith(_WRONG_QUERY):
                    raise PermanentFailure(
                        f"Salesforce: expected bulk job {job} to run the query, found: {failure}."
                    ) from None
                on_progress(f"bulk job {job} failed: {failure}")
            else:
                return job
        raise TransientFailure(
            f"Salesforce: {JOB_TRIES} bulk jobs failed one after the other, at last: {failure}."
        )


def _page(body: dict[str, Any]) -> Page:
    next_url = "" if body.get("done", True) else str(body["nextRecordsUrl"])
    return Page(int(body["totalSize"]), list(body["records"]), next_url)


def _no_object(name: str, settings: SalesforceSettings) -> str:
    return (
        f"Salesforce: expected an object {name} at {settings.url}, found none that this user may "
        f"read; give its permission set the object permission 'Read' on {name}, or name it in "
        "NOVADE_SALESFORCE_WITHOUT where the organisation has no such object."
    )
