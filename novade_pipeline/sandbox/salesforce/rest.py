"""What the made-up organisation answers to REST: describes, and queries with their pages.

A query's locator has 18 characters, begins with `0r8` and lives for two days. Source:
https://help.salesforce.com/s/articleView?id=000384958. `nextRecordsUrl` says `query` after a
`queryAll` too, and either resource takes its locator. Source: REST API Developer Guide, "QueryAll
More Results" (resources_queryall_more_results.htm). How many records a page holds is asked for by
the header `Sforce-Query-Options`, without a guarantee. Source: the same guide, "Query Options
Header" (headers_queryoptions.htm), and SOQL and SOSL Reference, "Change the Batch Size in Queries".
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from novade_pipeline.sandbox.salesforce.describe import described, summary
from novade_pipeline.sandbox.salesforce.faults import FaultInjector
from novade_pipeline.sandbox.salesforce.ids import record_id
from novade_pipeline.sandbox.salesforce.org import Organisation
from novade_pipeline.sandbox.salesforce.responses import Json, error, not_found
from novade_pipeline.sandbox.salesforce.soql import Query, aggregated, find
from novade_pipeline.sandbox.salesforce.soql_parser import SoqlError, parsed
from novade_pipeline.sandbox.salesforce.tables import Found, is_plainly_found
from novade_pipeline.sandbox.salesforce.wire import json_record, json_value

LOCATORS_LIVE = timedelta(days=2)
SMALLEST_PAGE, LARGEST_PAGE = 200, 2_000
PAGE_OF_LONG_TEXTS = 200
_BATCH_SIZE = re.compile(r"\bbatchSize\s*=\s*(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class _Cursor:
    """A query whose pages are still to be read.

    What it found is fixed, each record is told as it is when its page is read.

    Attributes:
        locator: names it in URLs.
        created: when the query was run.
        rows: records in a page, at most.
    """

    locator: str
    created: datetime
    query: Query
    found: Found
    bin_too: bool
    rows: int


class RestAnswers:
    """The answers, one method for each kind of request."""

    def __init__(self, org: Organisation, injector: FaultInjector, batch_size: int) -> None:
        self._org = org
        self._injector = injector
        self._batch_size = batch_size
        self._cursors: dict[str, _Cursor] = {}
        self._numbers = count(1)

    def sobjects(self, request: Request, body: bytes) -> Response:
        """All objects that the user may see."""
        version = request.path_params["version"]
        seen = [summary(one, version) for one in self._org.visible_objects()]
        return Json({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": seen})

    def describe(self, request: Request, body: bytes) -> Response:
        """The fields of an object that the user may see."""
        found = self._org.visible_object(request.path_params["name"])
        if found is None:
            return not_found()
        version, hidden = request.path_params["version"], self._org.hidden_fields(found.name)
        return Json(described(found, version, hidden, self._org.visible_objects()))

    def blob(self, request: Request, body: bytes) -> Response:
        """The bytes of a base64 field, of which a query tells the place only."""
        of = self._org.visible_object(request.path_params["name"])
        field = self._org.visible_field(of.name, request.path_params["field"]) if of else None
        if of is None or field is None or field.type != "base64":
            return not_found()
        try:
            value = self._org.record(of.name, request.path_params["id"])[field.name]
        except KeyError:
            return not_found()
        return Response(value or b"", media_type="application/octet-stream")

    def query(self, request: Request, body: bytes) -> Response:
        """The first page of what a query finds outside the recycle bin."""
        return self._queried(request, bin_too=False)

    def query_all(self, request: Request, body: bytes) -> Response:
        """The first page of what a query finds, the recycle bin included."""
        return self._queried(request, bin_too=True)

    def query_more(self, request: Request, body: bytes) -> Response:
        """A later page, at the place that the page before told."""
        locator, _, place = request.path_params["cursor"].rpartition("-")
        cursor = self._cursors.get(locator)
        is_valid = (
            cursor is not None
            and self._org.now() - cursor.created <= LOCATORS_LIVE
            and place.isdecimal()
            and int(place) <= len(cursor.found)
        )
        if cursor is None or not is_valid:
            return error(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(request, cursor, int(place))

    def _queried(self, request: Request, *, bin_too: bool) -> Response:
        try:
            query = parsed(self._org, request.query_params.get("q", ""))
        except SoqlError as refused:
            return error(400, refused.code, str(refused))
        found = find(self._org, query, bin_too=bin_too)
        if query.counts_only:
            return Json({"totalSize": len(found), "done": True, "records": []})
        if query.aggregates:
            values = {name: json_value(value) for name, value in aggregated(query, found).items()}
            told = {"attributes": {"type": "AggregateResult"}, **values}
            return Json({"totalSize": 1, "done": True, "records": [told]})
        cursor = _Cursor(
            locator=record_id("0r8", next(self._numbers)),
            created=self._org.now(),
            query=query,
            found=found,
            bin_too=bin_too,
            rows=min(self._batch_size, _page_size(request, query)),
        )
        return self._page(request, cursor, 0)

    def _page(self, request: Request, cursor: _Cursor, begin: int) -> Response:
        """Records as they are now; those that are gone by now are left out."""
        version = request.path_params["version"]
        end, of = begin + self._injector.rows_of_page(cursor.rows), cursor.query.of
        told = []
        with self._org.lock:
            for field in cursor.query.fields:
                if self._org.visible_field(of.name, field.name) is None:
                    return error(400, "INVALID_FIELD", f"No such column '{field.name}'")
            table = self._org.table(of.name)
            for row in cursor.found.rows(begin, end):
                now = table.find(row["Id"])
                if now is not None and (cursor.bin_too or is_plainly_found(now)):
                    told.append(json_record(now, of, cursor.query.fields, version))
        done = end >= len(cursor.found)
        answer: dict[str, Any] = {"totalSize": len(cursor.found), "done": done}
        if not done:
            self._cursors[cursor.locator] = cursor
            answer["nextRecordsUrl"] = f"/services/data/v{version}/query/{cursor.locator}-{end}"
        self._injector.after_a_page_of(of.name)
        return Json({**answer, "records": told})


def _page_size(request: Request, query: Query) -> int:
    """How many records a page of a query's answer may hold."""
    requested = _BATCH_SIZE.search(request.headers.get("Sforce-Query-Options", ""))
    rows = int(requested[1]) if requested else LARGEST_PAGE
    if sum(field.is_long_text and field.is_custom for field in query.fields) > 1:
        rows = min(rows, PAGE_OF_LONG_TEXTS)
    return min(LARGEST_PAGE, max(SMALLEST_PAGE, rows))
