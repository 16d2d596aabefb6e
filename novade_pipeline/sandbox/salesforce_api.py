"""The HTTP interface of the made-up Salesforce organisation, with as much trouble as is asked for.

Log-in, describe, `query`, `queryAll`, query jobs of the Bulk API 2.0 and limits, answered as the
real one does; errors are its JSON arrays of `{message, errorCode}`.
"""

import json
import logging
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from email.utils import format_datetime
from itertools import count, islice
from random import Random
from secrets import token_urlsafe
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from novade_pipeline.sandbox import salesforce_log_in as log_in
from novade_pipeline.sandbox.business import Person, companies_for, person
from novade_pipeline.sandbox.music_users import World
from novade_pipeline.sandbox.salesforce_bulk import Job, JobError, new_job
from novade_pipeline.sandbox.salesforce_log_in import Access, LogInRefused
from novade_pipeline.sandbox.salesforce_org import Organisation
from novade_pipeline.sandbox.salesforce_rows import Setting
from novade_pipeline.sandbox.salesforce_soql import Query, SoqlError, aggregated, find, parsed
from novade_pipeline.sandbox.salesforce_tables import Found
from novade_pipeline.sandbox.salesforce_trouble import Trouble
from novade_pipeline.sandbox.salesforce_wire import json_record, json_value

__all__ = ["Access", "SalesforceApi", "Trouble", "people_of"]

AS_OF = date(2026, 3, 2)
DAILY_JOBS = 10_000
MY_DOMAIN = "novade.my.salesforce.com"
VERSIONS = tuple(f"{number}.0" for number in range(47, 65))


def people_of(seed: int, events_per_hour: int, people: int, as_of: date) -> tuple[Person, ...]:
    """Those whom the CRM may know: the product's users who came last, and a few who never used it.

    Args:
        seed: of the world, as of the product's exports.
        events_per_hour: of the world, as of the product's exports.
        people: how many people.
        as_of: the day before which the users have signed up.
    """
    day = (as_of - date(1970, 1, 1)).days - 1
    users = islice(World(seed, events_per_hour).known_until(day), people - people // 5)
    companies = companies_for(events_per_hour)
    strangers = (person(seed, companies, -number) for number in range(1, people // 5 + 1))
    return (*(user.person for user in users), *strangers)


class SalesforceApi:
    """The organisation and its server.

    Attributes:
        org: the state; it may be changed at any time.
        access: who may log in.
        trouble: what goes wrong; it may be exchanged at any time.
        asked: requests that were answered, of any status, log-ins left out.
        asked_for: the same by what they were for, with `log_in`.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        companies: int = 12,
        people: int = 120,
        events_per_hour: int | None = None,
        as_of: date = AS_OF,
        trouble: Trouble | None = None,
        access: Access | None = None,
        batch_size: int = 2_000,
        results_rows: int = 50_000,
        live: bool = False,
    ) -> None:
        """Make the organisation.

        Args:
            seed: the same seed, the same organisation.
            companies: how many accounts, at least 12.
            people: how many people it may know; two thirds work for a company.
            events_per_hour: those of the product's exports that tell of the same people, instead
                of `companies`; nothing: twice the companies.
            as_of: all of it happened before this day, and its clock begins here.
            trouble: what goes wrong.
            access: who may log in.
            batch_size: records in an answer to a query.
            results_rows: records in a page of a job's results where `maxRecords` says nothing.
            live: its clock is never behind this machine's.
        """
        if companies < companies_for(1):
            raise ValueError(f"companies must be at least {companies_for(1)}, not {companies}")
        world = events_per_hour or 2 * companies
        companies = companies_for(world)
        known = people_of(seed, world, people, as_of)
        self.org = Organisation(Setting(seed, companies, known, as_of), live=live)
        self.trouble = trouble or Trouble()
        self.access = access or Access()
        self.asked = 0
        self.asked_for: Counter[str] = Counter()
        self._batch_size = batch_size
        self._results_rows = results_rows
        self._rng = Random(f"{seed}:salesforce:changes")
        self._sessions: dict[str, int] = {}
        self._jobs: dict[str, Job] = {}
        self._cursors: dict[str, tuple[Query, Found, bool]] = {}
        self._numbers = count(1)
        self._done: Counter[str] = Counter()

    def app(self) -> Starlette:
        """The server as an ASGI app."""
        data = "/services/data/v{version}"
        jobs = f"{data}/jobs/query"
        routes = [
            Route("/services/oauth2/token", self._token, methods=["POST"]),
            Route("/services/Soap/u/{version}", self._soap, methods=["POST"]),
            *self._routes("/services/data", self._versions),
            *self._routes(f"{data}/limits", self._limits),
            *self._routes(f"{data}/sobjects", self._sobjects),
            *self._routes(f"{data}/sobjects/{{name}}/describe", self._describe),
            *self._routes(f"{data}/sobjects/{{name}}/{{id}}/{{field}}", self._blob),
            *self._routes(f"{data}/query", self._query),
            *self._routes(f"{data}/queryAll", self._query_all),
            *self._routes(f"{data}/query/{{cursor}}", self._query_more),
            *self._routes(f"{data}/queryAll/{{cursor}}", self._query_more),
            *self._routes(jobs, self._job_list),
            *self._routes(jobs, self._job_create, "POST"),
            *self._routes(f"{jobs}/{{id}}", self._job),
            *self._routes(f"{jobs}/{{id}}", self._job_abort, "PATCH"),
            *self._routes(f"{jobs}/{{id}}", self._job_delete, "DELETE"),
            *self._routes(f"{jobs}/{{id}}/results", self._job_results),
        ]
        app = Starlette(routes=routes, exception_handlers={404: _not_found, 405: _not_found})
        # SystemModstamp and the header Date are told by one clock.
        app.state.tells_date = True
        return app

    def expire_sessions(self) -> None:
        """All sessions end now."""
        self._sessions.clear()

    # What follows answers one kind of request each.

    async def _token(self, request: Request) -> Response:
        self.asked_for["log_in"] += 1
        form = dict(parse_qsl((await request.body()).decode()))
        host = request.headers.get("Host", "")
        instance = _instance(host)
        try:
            log_in.check_log_in(
                self.access,
                form,
                request.headers.get("Authorization", ""),
                host,
                instance,
                another_domain=self.trouble.another_domain,
            )
            if self._is_revoked():
                raise LogInRefused("invalid_grant", _revoked(form.get("grant_type", "")))
        except LogInRefused as refused:
            told = {"error": refused.error, "error_description": refused.description}
            return self._dated(JSONResponse(told, 400))
        return self._dated(
            JSONResponse(
                {
                    "access_token": self._new_session(),
                    "signature": token_urlsafe(32),
                    "scope": "api",
                    "instance_url": instance,
                    "id": f"{instance}/id/{log_in.ORGANISATION}/005",
                    "token_type": "Bearer",
                    "issued_at": str(int(self.org.clock.timestamp() * 1000)),
                }
            )
        )

    async def _soap(self, request: Request) -> Response:
        self.asked_for["log_in"] += 1
        body = (await request.body()).decode()
        if self._is_revoked() or not log_in.soap_session(self.access, body):
            return self._dated(Response(log_in.soap_refusal(), 500, media_type="text/xml"))
        instance = _instance(request.headers.get("Host", ""))
        place = f"{instance}/services/Soap/u/{request.path_params['version']}"
        answer = log_in.soap_answer(self._new_session(), place)
        return self._dated(Response(answer, media_type="text/xml"))

    def _versions(self, request: Request, body: bytes) -> Response:
        return JSONResponse(
            [
                {"label": version, "url": f"/services/data/v{version}", "version": version}
                for version in VERSIONS
            ]
        )

    def _limits(self, request: Request, body: bytes) -> Response:
        daily = self.trouble.daily_limit
        made = self._done["jobs"]
        return JSONResponse(
            {
                "DailyApiRequests": {"Max": daily, "Remaining": max(0, daily - self._used())},
                "DailyBulkV2QueryJobs": {"Max": DAILY_JOBS, "Remaining": DAILY_JOBS - made},
                "DailyBulkV2QueryFileStorageMB": {"Max": 976_562, "Remaining": 976_562},
            }
        )

    def _sobjects(self, request: Request, body: bytes) -> Response:
        version = request.path_params["version"]
        seen = [one.summary(version) for one in self.org.seen_objects()]
        return JSONResponse({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": seen})

    def _describe(self, request: Request, body: bytes) -> Response:
        found = self.org.seen_object(request.path_params["name"])
        if found is None:
            return _error(404, "NOT_FOUND", "The requested resource does not exist")
        hidden = self.org.hidden_fields(found.name)
        return JSONResponse(found.described(request.path_params["version"], hidden))

    def _blob(self, request: Request, body: bytes) -> Response:
        of = self.org.seen_object(request.path_params["name"])
        field = of and self.org.seen_field(of.name, request.path_params["field"])
        if of is None or field is None or field.type != "base64":
            return _error(404, "NOT_FOUND", "The requested resource does not exist")
        try:
            value = self.org.record(of.name, request.path_params["id"])[field.name]
        except KeyError:
            return _error(
                404, "NOT_FOUND", "Provided external ID field does not exist or is not accessible"
            )
        return Response(value or b"", media_type="application/octet-stream")

    def _query(self, request: Request, body: bytes) -> Response:
        return self._queried(request, bin_too=False)

    def _query_all(self, request: Request, body: bytes) -> Response:
        return self._queried(request, bin_too=True)

    def _queried(self, request: Request, *, bin_too: bool) -> Response:
        try:
            query = parsed(self.org, request.query_params.get("q", ""))
        except SoqlError as error:
            return _error(400, error.code, str(error))
        found = find(self.org, query, bin_too=bin_too)
        if query.aggregates == (("COUNT", None),):
            return JSONResponse({"totalSize": len(found), "done": True, "records": []})
        if query.aggregates:
            told = {name: json_value(value) for name, value in aggregated(query, found).items()}
            told = {"attributes": {"type": "AggregateResult"}, **told}
            return JSONResponse({"totalSize": 1, "done": True, "records": [told]})
        cursor = f"01g5g0000{next(self._numbers):06}"
        if len(found) > self._batch_size:
            self._cursors[cursor] = (query, found, bin_too)
        return self._batch(request, cursor, query, found, 0, bin_too)

    def _query_more(self, request: Request, body: bytes) -> Response:
        cursor, _, place = request.path_params["cursor"].rpartition("-")
        if cursor not in self._cursors or not place.isdecimal():
            return _error(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        query, found, bin_too = self._cursors[cursor]
        return self._batch(request, cursor, query, found, int(place), bin_too)

    def _batch(
        self, request: Request, cursor: str, query: Query, found: Found, begin: int, bin_too: bool
    ) -> Response:
        """A page of records, each as it is now; those that are gone by now are left out."""
        version = request.path_params["version"]
        end = begin + self._batch_size
        told = []
        with self.org.lock:
            table = self.org.table(query.of.name)
            for row in found.rows(begin, end):
                try:
                    now = table.get(row["Id"])
                except KeyError:
                    continue
                if bin_too or not now.get("IsDeleted"):
                    told.append(json_record(now, query.of, query.fields, version))
        answer: dict[str, Any] = {"totalSize": len(found), "done": end >= len(found)}
        if end < len(found):
            kind = "queryAll" if bin_too else "query"
            answer["nextRecordsUrl"] = f"/services/data/v{version}/{kind}/{cursor}-{end}"
        self._change(query.of.name)
        return JSONResponse({**answer, "records": told})

    def _job_list(self, request: Request, body: bytes) -> Response:
        version = request.path_params["version"]
        told = [job.told(version) for job in self._jobs.values()]
        return JSONResponse({"done": True, "nextRecordsUrl": None, "records": told})

    def _job_create(self, request: Request, body: bytes) -> Response:
        try:
            asked = json.loads(body)
        except ValueError:
            return _error(400, "JSON_PARSER_ERROR", "the body is no JSON")
        job = new_job(self.org, next(self._numbers), asked)
        job.polls_left = self.trouble.slow_polls
        job.fails = self._done["jobs"] < self.trouble.failing_jobs
        self._done["jobs"] += 1
        self._jobs[job.id] = job
        return JSONResponse(job.told(request.path_params["version"]))

    def _job(self, request: Request, body: bytes) -> Response:
        job = self._known_job(request)
        job.advance(self.org)
        return JSONResponse(job.told(request.path_params["version"]))

    def _job_abort(self, request: Request, body: bytes) -> Response:
        job = self._known_job(request)
        job.abort()
        return JSONResponse(job.told(request.path_params["version"]))

    def _job_delete(self, request: Request, body: bytes) -> Response:
        job = self._known_job(request)
        if job.state in ("UploadComplete", "InProgress"):
            raise JobError("INVALIDJOBSTATE", f"the job {job.id} has not ended")
        del self._jobs[job.id]
        return Response(status_code=204)

    def _job_results(self, request: Request, body: bytes) -> Response:
        job = self._known_job(request)
        asked = request.query_params.get("maxRecords", str(self._results_rows))
        if not asked.isdecimal() or int(asked) < 1:
            raise JobError("INVALIDJOB", f"maxRecords is no positive number: {asked}")
        self._done["results"] += 1
        if self._done["results"] <= self.trouble.results_unavailable:
            return _unavailable()
        text, rows, locator = job.page(request.query_params.get("locator", ""), int(asked))
        headers = {"Sforce-NumberOfRecords": str(rows), "Sforce-Locator": locator}
        self._change(job.query.of.name)
        content, media_type = text.encode(), "text/csv; charset=UTF-8"
        if self._done["results"] - self.trouble.results_unavailable <= self.trouble.results_cut:
            return _CutShort(content, headers=headers, media_type=media_type)
        return Response(content, headers=headers, media_type=media_type)

    def _known_job(self, request: Request) -> Job:
        job = self._jobs.get(request.path_params["id"])
        if job is None:
            raise JobError("NOT_FOUND", "The requested resource does not exist", 404)
        return job

    # What follows is common to all requests.

    def _routes(
        self, path: str, answer: Callable[[Request, bytes], Response], method: str = "GET"
    ) -> list[Route]:
        """A path with and without a slash at its end, as Salesforce takes both."""
        what = answer.__name__.strip("_")

        async def endpoint(request: Request) -> Response:
            body = await request.body()
            self.asked += 1
            self.asked_for[what] += 1
            response = self._refusal(request)
            if response is None:
                try:
                    response = await run_in_threadpool(answer, request, body)
                except JobError as error:
                    response = _error(error.status, error.code, str(error))
            used = f"api-usage={self._used()}/{self.trouble.daily_limit}"
            response.headers["Sforce-Limit-Info"] = used
            return self._dated(response)

        return [Route(each, endpoint, methods=[method]) for each in (path, f"{path}/")]

    def _refusal(self, request: Request) -> Response | None:
        """What stands between a request and its answer, if anything."""
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind not in ("Bearer", "OAuth") or self._is_expired(token):
            return _error(401, "INVALID_SESSION_ID", "Session expired or invalid")
        trouble, asked = self.trouble, self.asked
        if self._used() > trouble.daily_limit:
            return _error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        if trouble.limited_every and asked % trouble.limited_every == 0:
            wait = {"Retry-After": str(trouble.retry_after)}
            return _error(429, "TOO_MANY_REQUESTS", "Too many requests", wait)
        if trouble.failing_every and asked % trouble.failing_every == 0:
            return _error(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred.")
        if trouble.unavailable_every and asked % trouble.unavailable_every == 0:
            return _unavailable()
        if trouble.locked_every and asked % trouble.locked_every == 0:
            says = "unable to obtain exclusive access to this record or 1 records"
            return _error(400, "UNABLE_TO_LOCK_ROW", says)
        return None

    def _used(self) -> int:
        return self.trouble.used + self.asked

    def _is_revoked(self) -> bool:
        return 0 < self.trouble.revoked_after < self.asked

    def _is_expired(self, token: str) -> bool:
        if self._is_revoked() or token not in self._sessions:
            return True
        self._sessions[token] += 1
        return 0 < self.trouble.session_requests < self._sessions[token]

    def _new_session(self) -> str:
        token = f"{log_in.ORGANISATION[:15]}!{token_urlsafe(48)}"
        self._sessions[token] = 0
        return token

    def _change(self, of: str) -> None:
        """What others do to an object while it is read."""
        described = self.org.object(of)
        name = "Subject" if described.field("Subject") else "Name"
        with self.org.lock:
            living = [row["Id"] for row in self.org.records(of) if not row.get("IsDeleted")]
            if self._done["changes"] < self.trouble.changes:
                self._done["changes"] += 1
                value = f"Changed {self._done['changes']}"
                name = "LastName" if described.full_name else name
                if described.field(name) is None:
                    name, value = "Description", value
                if living and self._rng.random() < 0.7:
                    self.org.update(of, self._rng.choice(living), {name: value})
                else:
                    self.org.insert(of, {name: value})
            if self._done["deletions"] < self.trouble.deletions and living:
                self._done["deletions"] += 1
                self.org.delete(of, self._rng.choice(living))

    def _dated(self, response: Response) -> Response:
        now = max(self.org.clock, datetime.now(UTC)) if self.org.live else self.org.clock
        response.headers["Date"] = format_datetime(now.replace(microsecond=0), usegmt=True)
        return response


class _CutShort(Response):
    """A body that ends before its length does."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": self.raw_headers,
        }
        await send(start)
        half = bytes(self.body[: len(self.body) // 2])
        await send({"type": "http.response.body", "body": half, "more_body": True})
        # uvicorn closes the connection of an answer that is not completed.


class _QuietAboutCutBodies(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return "without completing response" not in record.getMessage()


logging.getLogger("uvicorn.error").addFilter(_QuietAboutCutBodies())


async def _not_found(request: Request, error: Exception) -> Response:
    return _error(404, "NOT_FOUND", "The requested resource does not exist")


def _unavailable() -> Response:
    return _error(503, "SERVER_UNAVAILABLE", "We are down for maintenance.")


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse([{"message": message, "errorCode": code}], status, headers)


def _instance(host: str) -> str:
    """The organisation's URL, as one who asked for that host is told."""
    if host in log_in.LOGIN_HOSTS:
        return f"https://{MY_DOMAIN}"
    return f"{'https' if host.endswith('.salesforce.com') else 'http'}://{host}"


def _revoked(grant: str) -> str:
    if grant == log_in.JWT_BEARER:
        return "user hasn't approved this consumer"
    return "no client credentials user enabled"
