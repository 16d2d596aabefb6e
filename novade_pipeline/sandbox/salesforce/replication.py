"""Deleted and changed records of a timespan: `/sobjects/X/deleted` and `/sobjects/X/updated`.

Source: REST API Developer Guide, "sObject Get Deleted" (resources_getdeleted.htm): no results older
than 15 days, seconds are ignored; "sObject Get Updated" (resources_getupdated.htm); SOAP API
Developer Guide, getDeleted() (sforce_api_calls_getdeleted.htm): the start must precede the end by
more than a minute; https://sfdecoded.github.io/errors/invalid-replication-date.html: and be no more
than 30 days ago.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from novade_pipeline.sandbox.salesforce.org import Organisation
from novade_pipeline.sandbox.salesforce.responses import error, not_found
from novade_pipeline.sandbox.salesforce.tables import Bounds
from novade_pipeline.sandbox.salesforce.wire import json_value

DELETIONS_KEPT = timedelta(days=15)
LONGEST_AGO = timedelta(days=30)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class _Timespan:
    start: datetime
    end: datetime

    def contains(self, moment: datetime) -> bool:
        return self.start <= moment < self.end


class ReplicationEndpoints:
    """One method for each resource."""

    def __init__(self, org: Organisation) -> None:
        self._org = org

    def deleted(self, request: Request, body: bytes) -> Response:
        """The deleted records of an object, in the recycle bin or purged."""
        return self._answer(request, self._deleted)

    def updated(self, request: Request, body: bytes) -> Response:
        """The inserted or changed records of an object that are not deleted."""
        return self._answer(request, self._updated)

    def _answer(
        self, request: Request, changes_in: Callable[[str, _Timespan], dict[str, object]]
    ) -> Response:
        sobject = self._org.visible_object(request.path_params["name"])
        if sobject is None:
            return not_found()
        timespan = self._timespan(request)
        if isinstance(timespan, Response):
            return timespan
        covered = min(timespan.end, self._org.now().replace(second=0))
        with self._org.lock:
            changes = changes_in(sobject.name, timespan)
        return JSONResponse({**changes, "latestDateCovered": json_value(covered)})

    def _deleted(self, sobject: str, timespan: _Timespan) -> dict[str, object]:
        purged = self._org.purged[sobject]
        in_bin = [
            (row["SystemModstamp"], row["Id"])
            for row in self._org.table(sobject).between(Bounds(timespan.start, timespan.end))
            if row.get("IsDeleted")
        ]
        kept_since = self._org.now() - DELETIONS_KEPT
        deleted = sorted(
            (moment, id_)
            for moment, id_ in (*in_bin, *((row.moment, row.id) for row in purged))
            if timespan.contains(moment) and moment >= kept_since
        )
        earliest = max((row.moment for row in purged), default=kept_since)
        return {
            "deletedRecords": [{"deletedDate": json_value(m), "id": id_} for m, id_ in deleted],
            "earliestDateAvailable": json_value(earliest),
        }

    def _updated(self, sobject: str, timespan: _Timespan) -> dict[str, object]:
        rows = self._org.table(sobject).between(Bounds(timespan.start, timespan.end))
        return {"ids": [row["Id"] for row in rows if not row.get("IsDeleted")]}

    def _timespan(self, request: Request) -> _Timespan | Response:
        """The requested timespan, or the error response."""
        moments = []
        for name in ("start", "end"):
            text = request.query_params.get(name)
            if not text:
                return error(400, "MISSING_ARGUMENT", f"The {name} parameter is required.")
            try:
                # An unencoded plus arrives as a space.
                moment = datetime.fromisoformat(text.replace(" ", "+")).astimezone(UTC)
            except (ValueError, OverflowError):
                return error(400, "INVALID_FIELD", f"{name} is no time in ISO 8601: {text}")
            moments.append(moment.replace(second=0, microsecond=0))
        start, end = moments
        if end - start <= _MINUTE:
            message = "startDate must precede endDate by more than one minute"
            return error(400, "INVALID_REPLICATION_DATE", message)
        if self._org.now() - start > LONGEST_AGO:
            message = "startDate cannot be more than 30 days ago"
            return error(400, "INVALID_REPLICATION_DATE", message)
        return _Timespan(start, end)
