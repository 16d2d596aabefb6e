"""What was deleted or changed in a timespan: `/sobjects/X/deleted` and `/sobjects/X/updated`.

Source: REST API Developer Guide, "sObject Get Deleted" (resources_getdeleted.htm): no results older
than 15 days, seconds are ignored; "sObject Get Updated" (resources_getupdated.htm); SOAP API
Developer Guide, getDeleted() (sforce_api_calls_getdeleted.htm): the start must precede the end by
more than a minute; https://sfdecoded.github.io/errors/invalid-replication-date.html: and lie no
more than 30 days back.
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

    def holds(self, moment: datetime) -> bool:
        return self.start <= moment < self.end


class ReplicationAnswers:
    """The answers, one method for each resource."""

    def __init__(self, org: Organisation) -> None:
        self._org = org

    def deleted(self, request: Request, body: bytes) -> Response:
        """The records of an object that were deleted, in the recycle bin or gone for good."""
        return self._answer(request, self._deleted)

    def updated(self, request: Request, body: bytes) -> Response:
        """The records of an object that were made or changed, and are not deleted."""
        return self._answer(request, self._updated)

    def _answer(
        self, request: Request, found: Callable[[str, _Timespan], dict[str, object]]
    ) -> Response:
        of = self._org.visible_object(request.path_params["name"])
        if of is None:
            return not_found()
        timespan = self._timespan(request)
        if isinstance(timespan, Response):
            return timespan
        covered = min(timespan.end, self._org.now().replace(second=0))
        with self._org.lock:
            return JSONResponse(
                {**found(of.name, timespan), "latestDateCovered": json_value(covered)}
            )

    def _deleted(self, of: str, timespan: _Timespan) -> dict[str, object]:
        gone = self._org.deletions.gone(of)
        in_bin = [
            (row["Id"], row["SystemModstamp"])
            for row in self._org.table(of).between(Bounds(timespan.start, timespan.end))
            if row.get("IsDeleted")
        ]
        kept_since = self._org.now() - DELETIONS_KEPT
        every = sorted(
            (moment, one)
            for one, moment in (*in_bin, *((one.id, one.moment) for one in gone))
            if timespan.holds(moment) and moment >= kept_since
        )
        earliest = max((one.moment for one in gone), default=kept_since)
        return {
            "deletedRecords": [
                {"deletedDate": json_value(moment), "id": one} for moment, one in every
            ],
            "earliestDateAvailable": json_value(earliest),
        }

    def _updated(self, of: str, timespan: _Timespan) -> dict[str, object]:
        rows = self._org.table(of).between(Bounds(timespan.start, timespan.end))
        return {"ids": [row["Id"] for row in rows if not row.get("IsDeleted")]}

    def _timespan(self, request: Request) -> _Timespan | Response:
        """The timespan that is asked for, or the answer to one that there is not."""
        moments = []
        for name in ("start", "end"):
            text = request.query_params.get(name)
            if not text:
                return error(400, "MISSING_ARGUMENT", f"The {name} parameter is required.")
            try:
                # A plus that is not encoded is read as a space.
                moment = datetime.fromisoformat(text.replace(" ", "+")).astimezone(UTC)
            except (ValueError, OverflowError):
                return error(400, "INVALID_FIELD", f"{name} is no time in ISO 8601: {text}")
            moments.append(moment.replace(second=0, microsecond=0))
        start, end = moments
        if end - start <= _MINUTE:
            says = "startDate must precede endDate by more than one minute"
            return error(400, "INVALID_REPLICATION_DATE", says)
        if self._org.now() - start > LONGEST_AGO:
            says = "startDate cannot be more than 30 days ago"
            return error(400, "INVALID_REPLICATION_DATE", says)
        return _Timespan(start, end)
