"""Query jobs of the Bulk API 2.0.

Source: https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/
(Bulk API 2.0, query jobs). Results are read in the API version that the job was made in; any other
is a conflict, 409: "Get Results for a Query Job" (query_get_job_results.htm), which also says that
a page may hold fewer records than `maxRecords`, and "Get Parallel Results for a Query Job"
(query_get_parallel_job_results.htm), which returns up to five pages at once, from version 58.0 on.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from novade_pipeline.sandbox.salesforce.fields import COMPOUND
from novade_pipeline.sandbox.salesforce.ids import record_id
from novade_pipeline.sandbox.salesforce.org import Organisation
from novade_pipeline.sandbox.salesforce.soql import Query, execute
from novade_pipeline.sandbox.salesforce.soql_parser import SoqlError, parse
from novade_pipeline.sandbox.salesforce.tables import QueryResult
from novade_pipeline.sandbox.salesforce.wire import (
    DELIMITERS,
    LINE_ENDINGS,
    Csv,
    csv_header,
    json_value,
)

OPERATIONS = ("query", "queryAll")
PARALLEL_PAGES = 5
PARALLEL_SINCE = 58.0
FAILURE = "InternalServerError : java.lang.RuntimeException: the query was killed"


class JobError(Exception):
    """A request for a job that is refused.

    Attributes:
        code: Salesforce's code of the error.
        status: HTTP status of the response.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        self.code = code
        self.status = status
        super().__init__(message)


@dataclass
class Job:
    """A query job; its result is a snapshot of when the job completed.

    Attributes:
        version: of the API, in which it was created.
    """

    number: int
    version: str
    operation: str
    query: Query
    created: datetime
    delimiter: str
    line_ending: str
    state: str = "UploadComplete"
    polls_left: int = 0
    fails: bool = False
    result: QueryResult | None = field(default=None, repr=False)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self.state in ("UploadComplete", "InProgress")

    @property
    def id(self) -> str:
        """The job's id."""
        return record_id("750", self.number)

    def to_json(self) -> dict[str, Any]:
        """The job as the API returns it."""
        job = {
            "id": self.id,
            "operation": self.operation,
            "object": self.query.sobject.name,
            "createdById": record_id("005", 0),
            "createdDate": json_value(self.created),
            "systemModstamp": json_value(self.created),
            "state": self.state,
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(self.version),
            "jobType": "V2Query",
            "lineEnding": self.line_ending,
            "columnDelimiter": self.delimiter,
            "retries": 0,
            "totalProcessingTime": 0,
            "numberRecordsProcessed": 0 if self.result is None else len(self.result),
        }
        return {**job, "errorMessage": FAILURE} if self.state == "Failed" else job

    def advance(self, org: Organisation) -> None:
        """Move the job forward by one poll."""
        if not self.is_running:
            return
        if self.polls_left > 0:
            self.polls_left -= 1
            self.state = "InProgress"
        elif self.fails:
            self.state = "Failed"
        else:
            self.result = execute(org, self.query, include_deleted=self.operation == "queryAll")
            self.state = "JobComplete"

    def abort(self) -> None:
        """Stop the job.

        Raises:
            JobError: the job has ended.
        """
        if not self.is_running:
            raise JobError(
                "INVALIDJOBSTATE", f"Aborting already Completed Job not allowed: {self.id}"
            )
        self.state = "Aborted"

    def page(self, locator: str, rows: int) -> tuple[str, int, str]:
        """One page of the results.

        Args:
            locator: from the previous page; "" for the first.
            rows: maximum number of records.

        Returns:
            The CSV, its number of records, and the next page's locator or "null".

        Raises:
            JobError: the job has no results, or the locator is wrong.
        """
        begin, result = self._offset(locator), self._results()
        end = min(len(result), begin + rows)
        dialect = Csv(DELIMITERS[self.delimiter], LINE_ENDINGS[self.line_ending])
        fields = self.query.fields
        text = csv_header(fields, dialect) + result.text(begin, end, fields, dialect)
        return text, end - begin, _locator(end) if end < len(result) else "null"

    def parallel_pages(self, locator: str, rows: int) -> dict[str, Any]:
        """The URLs of up to five pages of the results, and of the next such list.

        Args:
            locator: from the previous response; "" for the first pages.
            rows: number of records per page.

        Raises:
            JobError: the job has no results, or the locator is wrong.
        """
        begin, result = self._offset(locator), self._results()
        place = f"/services/data/v{self.version}/jobs/query/{self.id}"
        begins = range(begin, max(len(result), begin + 1), rows)
        pages = [
            {"resultUrl": f"{place}/results?locator={_locator(at)}"}
            for at in begins[:PARALLEL_PAGES]
        ]
        if len(begins) <= PARALLEL_PAGES:
            return {"resultPages": pages, "done": True}
        following = _locator(begins[PARALLEL_PAGES])
        more = {"nextRecordsUrl": f"{place}/resultPages?locator={following}", "done": False}
        return {"resultPages": pages, **more}

    def _results(self) -> QueryResult:
        if self.result is None:
            raise JobError("INVALIDJOBSTATE", f"the job {self.id} is in state {self.state}")
        return self.result

    def _offset(self, locator: str) -> int:
        """The offset of a locator's first record."""
        place, records = _offset(locator), len(self._results())
        if not 0 <= place <= records:
            raise JobError("INVALIDQUERYLOCATOR", "Invalid query locator")
        return place


def new_job(org: Organisation, number: int, version: str, posted: Mapping[str, Any]) -> Job:
    """A job from the posted JSON.

    Raises:
        JobError: the request is invalid.
    """
    operation = posted.get("operation")
    delimiter, ending = posted.get("columnDelimiter", "COMMA"), posted.get("lineEnding", "LF")
    if operation not in OPERATIONS or delimiter not in DELIMITERS or ending not in LINE_ENDINGS:
        raise JobError("INVALIDJOB", f"invalid operation, delimiter or line ending: {operation}")
    try:
        query = parse(org, str(posted.get("query", "")))
    except SoqlError as error:
        # The real codes here are not certain; these are REST's.
        raise JobError(error.code, str(error)) from None
    # Code and text for compound fields are from a capture; the other two are made up alike.
    if any(field.type in COMPOUND for field in query.fields):
        raise JobError("API_ERROR", "Selecting compound data not supported in Bulk Query")
    if any(field.type == "base64" for field in query.fields):
        raise JobError("API_ERROR", "Selecting binary data not supported in Bulk Query")
    if query.aggregates:
        raise JobError("API_ERROR", "Aggregate functions are not supported in Bulk Query")
    return Job(number, version, operation, query, org.clock, delimiter, ending)


def _locator(place: int) -> str:
    return urlsafe_b64encode(f"{place:08}".encode()).decode().rstrip("=")


def _offset(locator: str) -> int:
    if not locator:
        return 0
    try:
        return int(urlsafe_b64decode(locator + "=" * (-len(locator) % 4)))
    except (NotBase64, ValueError):
        return -1
