"""The REST API: describes, and queries with their pages.

A query's locator has 18 characters, begins with `0r8` and is valid for two days. Source:
https://help.salesforce.com/s/articleView?id=000384958. `nextRecordsUrl` contains `query` after a
`queryAll` too, and either resource accepts its locator. Source: REST API Developer Guide, "QueryAll
More Results" (resources_queryall_more_results.htm). The header `Sforce-Query-Options` requests a
page size, without a guarantee. Source: the same guide, "Query Options Header"
(headers_queryoptions.htm), and SOQL and SOSL Reference, "Change the Batch Size in Queries".
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from novade_pipeline.sandbox.salesforce.describe import describe, summarize
from novade_pipeline.sandbox.salesforce.faults import FaultInjector
from novade_pipeline.sandbox.salesforce.ids import record_id
from novade_pipeline.sandbox.salesforce.org import Organisation
from novade_pipeline.sandbox.salesforce.responses import Json, error, not_found
from novade_pipeline.sandbox.salesforce.soql import Query, aggregate, execute
from novade_pipeline.sandbox.salesforce.soql_parser import SoqlError, parse
from novade_pipeline.sandbox.salesforce.tables import QueryResult, in_plain_queries
from novade_pipeline.sandbox.salesforce.wire import json_record, json_value

LOCATORS_LIVE = timedelta(days=2)
SMALLEST_PAGE, LARGEST_PAGE = 200, 2_000
PAGE_OF_LONG_TEXTS = 200
_BATCH_SIZE = re.compile(r"\bbatchSize\s*=\s*(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class _Cursor:
    """A query with unread pages: its set of records is fixed, their values are read per page.

    Attributes:
        locator: its identifier in URLs.
        created: when the query was run.
        rows: maximum number of records per page.
    """

    locator: str
    created: datetime
    query: Query
    result: QueryResult
    include_deleted: bool
    rows: int


class RestEndpoints:
    """One method for each kind of request."""

    def __init__(self, org: Organisation, injector: FaultInjector, batch_size: int) -> None:
        self._org = org
        self._injector = injector
        self._batch_size = batch_size
        self._cursors: dict[str, _Cursor] = {}
        self._numbers = count(1)

    def sobjects(self, request: Request, body: bytes) -> Response:
        """All objects that the user may see."""
        version = request.path_params["version"]
        summaries = [summarize(sobject, version) for sobject in self._org.visible_objects()]
        return Json({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": summaries})

    def describe(self, request: Request, body: bytes) -> Response:
        """The fields of an object that the user may see."""
        sobject = self._org.visible_object(request.path_params["name"])
        if sobject is None:
            return not_found()
        version, hidden = request.path_params["version"], self._org.hidden_fields(sobject.name)
        return Json(describe(sobject, version, hidden, self._org.visible_objects()))

    def blob(self, request: Request, body: bytes) -> Response:
        """The bytes of a base64 field; a query returns only its URL."""
        sobject = self._org.visible_object(request.path_params["name"])
        if sobject is None:
            return not_found()
        field = self._org.visible_field(sobject.name, request.path_params["field"])
        if field is None or field.type != "base64":
            return not_found()
        try:
            value = self._org.record(sobject.name, request.path_params["id"])[field.name]
        except KeyError:
            return not_found()
        return Response(value or b"", media_type="application/octet-stream")

    def query(self, request: Request, body: bytes) -> Response:
        """The first page of a query that excludes the recycle bin."""
        return self._run_query(request, include_deleted=False)

    def query_all(self, request: Request, body: bytes) -> Response:
        """The first page of a query that includes the recycle bin."""
        return self._run_query(request, include_deleted=True)

    def query_more(self, request: Request, body: bytes) -> Response:
        """A later page, from the `nextRecordsUrl` of the previous page."""
        locator, _, place = request.path_params["cursor"].rpartition("-")
        cursor = self._cursors.get(locator)
        is_valid = (
            cursor is not None
            and self._org.now() - cursor.created <= LOCATORS_LIVE
            and place.isdecimal()
            and int(place) <= len(cursor.result)
        )
        if cursor is None or not is_valid:
            return error(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(request, cursor, int(place))

    def _run_query(self, request: Request, *, include_deleted: bool) -> Response:
        try:
            query = parse(self._org, request.query_params.get("q", ""))
        except SoqlError as refused:
            return error(400, refused.code, str(refused))
        result = execute(self._org, query, include_deleted=include_deleted)
        if query.counts_only:
            return Json({"totalSize": len(result), "done": True, "records": []})
        if query.aggregates:
            values = {name: json_value(value) for name, value in aggregate(query, result).items()}
            record = {"attributes": {"type": "AggregateResult"}, **values}
            return Json({"totalSize": 1, "done": True, "records": [record]})
        cursor = _Cursor(
            locator=record_id("0r8", next(self._numbers)),
            created=self._org.now(),
            query=query,
            result=result,
            include_deleted=include_deleted,
            rows=min(self._batch_size, _page_size(request, query)),
        )
        return self._page(request, cursor, 0)

    def _page(self, request: Request, cursor: _Cursor, begin: int) -> Response:
        """Records as they are now, without those that are gone."""
        version = request.path_params["version"]
        end, sobject = begin + self._injector.page_rows(cursor.rows), cursor.query.sobject
        records = []
        with self._org.lock:
            for field in cursor.query.fields:
                if self._org.visible_field(sobject.name, field.name) is None:
                    return error(400, "INVALID_FIELD", f"No such column '{field.name}'")
            table = self._org.table(sobject.name)
            for row in cursor.result.rows(begin, end):
                current = table.find(row["Id"])
                if current is not None and (cursor.include_deleted or in_plain_queries(current)):
                    records.append(json_record(current, sobject, cursor.query.fields, version))
        done = end >= len(cursor.result)
        page: dict[str, Any] = {"totalSize": len(cursor.result), "done": done}
        if not done:
            self._cursors[cursor.locator] = cursor
            page["nextRecordsUrl"] = f"/services/data/v{version}/query/{cursor.locator}-{end}"
        self._injector.after_page(sobject.name)
        return Json({**page, "records": records})


def _page_size(request: Request, query: Query) -> int:
    """The maximum number of records in a page of a query."""
    requested = _BATCH_SIZE.search(request.headers.get("Sforce-Query-Options", ""))
    rows = int(requested[1]) if requested else LARGEST_PAGE
    if sum(field.is_long_text and field.is_custom for field in query.fields) > 1:
        rows = min(rows, PAGE_OF_LONG_TEXTS)
    return min(LARGEST_PAGE, max(SMALLEST_PAGE, rows))
