"""The HTTP API of the Salesforce sandbox, with faults on request.

Log-in, describe, `query`, `queryAll`, query jobs of the Bulk API 2.0, `deleted` and `updated`,
`composite/batch` and limits; errors are JSON arrays of `{message, errorCode}`. Each module cites
the documentation of its rules.
"""

import logging
from collections import Counter
from datetime import date
from email.utils import format_datetime
from itertools import islice

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from novade_pipeline.sandbox.business import Person, companies_for, person
from novade_pipeline.sandbox.music_users import World
from novade_pipeline.sandbox.salesforce.bulk import JobError
from novade_pipeline.sandbox.salesforce.composite import CompositeEndpoint, Endpoint
from novade_pipeline.sandbox.salesforce.faults import FaultInjector, Faults
from novade_pipeline.sandbox.salesforce.jobs import JobEndpoints
from novade_pipeline.sandbox.salesforce.limits import limits
from novade_pipeline.sandbox.salesforce.log_in import Access
from novade_pipeline.sandbox.salesforce.org import Organisation
from novade_pipeline.sandbox.salesforce.replication import ReplicationEndpoints
from novade_pipeline.sandbox.salesforce.responses import QuietAboutCutBodies, error, not_found
from novade_pipeline.sandbox.salesforce.rest import RestEndpoints
from novade_pipeline.sandbox.salesforce.rows import Scenario
from novade_pipeline.sandbox.salesforce.sessions import Sessions
from novade_pipeline.sandbox.salesforce.transport import (
    compress,
    method_not_allowed,
    refused_length,
)
from novade_pipeline.sandbox.salesforce.versions import refused_version, resources, version_list

__all__ = ["Access", "Faults", "SalesforceApi"]

AS_OF = date(2026, 3, 2)
_DATA = "/services/data/v{version}"
_SOBJECT = f"{_DATA}/sobjects/{{name}}"
_JOBS = f"{_DATA}/jobs/query"


class SalesforceApi:
    """The organisation and its server.

    Attributes:
        org: the state; it may be changed at any time.
        request_count: number of answered requests, of any status, without log-ins.
        request_counts: the same by kind, such as `job_results`, with `log_in`.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        companies: int = 12,
        people: int = 120,
        events_per_hour: int | None = None,
        as_of: date = AS_OF,
        faults: Faults | None = None,
        access: Access | None = None,
        batch_size: int = 2_000,
        results_rows: int = 50_000,
        live: bool = False,
    ) -> None:
        """Generate the organisation.

        Args:
            seed: the same seed gives the same organisation.
            companies: number of accounts, at least 12.
            people: number of people in the CRM; two thirds work for a company.
            events_per_hour: of the product's exports about the same people, instead of
                `companies`; by default twice the companies.
            as_of: the day when the organisation's clock begins; all records are older.
            faults: what goes wrong.
            access: the valid credentials.
            batch_size: maximum number of records in a response to a query.
            results_rows: maximum number of records in a page of a job's results.
            live: the organisation's clock is never behind this machine's.

        Raises:
            ValueError: there are too few companies.
        """
        if companies < companies_for(1):
            raise ValueError(f"companies must be at least {companies_for(1)}, not {companies}")
        world = World(seed, events_per_hour or 2 * companies)
        companies = companies_for(world.events_per_hour)
        self.org = Organisation(
            Scenario(seed, companies, _people(world, companies, people, as_of), as_of), live=live
        )
        self.request_count = 0
        self.request_counts: Counter[str] = Counter()
        self._injector = FaultInjector(faults or Faults(), self.org, seed)
        self._sessions = Sessions(self.org, access or Access(), self._injector)
        self._rest = RestEndpoints(self.org, self._injector, batch_size)
        self._jobs = JobEndpoints(self.org, self._injector, results_rows)
        self._replication = ReplicationEndpoints(self.org)
        self._in_batches: list[tuple[Route, Endpoint]] = []
        self._composite = CompositeEndpoint(self._in_batches, self._sessions.count)

    @property
    def access(self) -> Access:
        """The valid credentials; they may be replaced at any time."""
        return self._sessions.access

    @access.setter
    def access(self, access: Access) -> None:
        self._sessions.access = access

    @property
    def faults(self) -> Faults:
        """What goes wrong; it may be replaced at any time."""
        return self._injector.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._injector.faults = faults

    def app(self) -> Starlette:
        """The server as an ASGI app."""
        jobs = self._jobs
        self._in_batches[:] = self._resources()
        app = Starlette(
            routes=[
                Route("/services/oauth2/token", self._token, methods=["POST"]),
                Route("/services/Soap/u/{version}", self._soap, methods=["POST"]),
                Route("/services/data", self._versions),
                Route("/services/data/", self._versions),
                *(route for route, _ in self._in_batches),
                *self._routes(f"{_DATA}/composite/batch", self._composite.batch, "POST"),
                *self._routes(_JOBS, jobs.job_list),
                *self._routes(_JOBS, jobs.job_create, "POST"),
                *self._routes(f"{_JOBS}/{{id}}", jobs.job),
                *self._routes(f"{_JOBS}/{{id}}", jobs.job_abort, "PATCH"),
                *self._routes(f"{_JOBS}/{{id}}", jobs.job_delete, "DELETE"),
                *self._routes(f"{_JOBS}/{{id}}/results", jobs.job_results),
                *self._routes(f"{_JOBS}/{{id}}/resultPages", jobs.job_result_pages),
            ],
            exception_handlers={404: self._no_such_path, 405: self._no_such_method},
        )
        # The organisation's clock sets the header Date as well as SystemModstamp.
        app.state.sets_date_header = True
        logging.getLogger("uvicorn.error").addFilter(QuietAboutCutBodies())
        return app

    def _resources(self) -> list[tuple[Route, Endpoint]]:
        """The resources that a batch may request too."""
        rest, replication = self._rest, self._replication
        endpoints: dict[str, Endpoint] = {
            _DATA: resources,
            f"{_DATA}/limits": self._limits,
            f"{_DATA}/sobjects": rest.sobjects,
            f"{_SOBJECT}/describe": rest.describe,
            f"{_SOBJECT}/deleted": replication.deleted,
            f"{_SOBJECT}/updated": replication.updated,
            f"{_SOBJECT}/{{id}}/{{field}}": rest.blob,
            f"{_DATA}/query": rest.query,
            f"{_DATA}/queryAll": rest.query_all,
            f"{_DATA}/query/{{cursor}}": rest.query_more,
            f"{_DATA}/queryAll/{{cursor}}": rest.query_more,
        }
        return [
            (route, endpoint)
            for path, endpoint in endpoints.items()
            for route in self._routes(path, endpoint)
        ]

    def expire_sessions(self) -> None:
        """End all sessions."""
        self._sessions.clear()

    async def _token(self, request: Request) -> Response:
        self.request_counts["log_in"] += 1
        return self._dated(await self._sessions.token(request))

    async def _soap(self, request: Request) -> Response:
        self.request_counts["log_in"] += 1
        return self._dated(await self._sessions.soap(request))

    async def _versions(self, request: Request) -> Response:
        """The versions of the API; no session is needed."""
        return self._dated(await version_list(request))

    async def _no_such_path(self, request: Request, reason: Exception) -> Response:
        return self._dated(not_found())

    async def _no_such_method(self, request: Request, reason: Exception) -> Response:
        return self._dated(method_not_allowed(request))

    def _limits(self, request: Request, body: bytes) -> Response:
        return JSONResponse(limits(self.faults.daily_limit, self._sessions.used(), self._jobs.made))

    def _routes(self, path: str, endpoint: Endpoint, method: str = "GET") -> list[Route]:
        """The routes of a path with and without a final slash, as Salesforce accepts both."""

        async def respond(request: Request) -> Response:
            body = await request.body()
            self.request_count += 1
            self.request_counts[endpoint.__name__.strip("_")] += 1
            response = (
                refused_length(request)
                or self._refusal(request)
                or refused_version(request)
                or self._injector.response_instead_of(self.request_count)
            )
            if response is None:
                try:
                    response = await run_in_threadpool(endpoint, request, body)
                except JobError as refused:
                    response = error(refused.status, refused.code, str(refused))
            usage = f"api-usage={self._sessions.used()}/{self.faults.daily_limit}"
            response.headers["Sforce-Limit-Info"] = usage
            return self._dated(await run_in_threadpool(compress, request, response))

        return [Route(each, respond, methods=[method]) for each in (path, f"{path}/")]

    def _refusal(self, request: Request) -> Response | None:
        """The error for a session that has ended, or a day without requests left."""
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind not in ("Bearer", "OAuth") or self._sessions.has_ended(token):
            return error(401, "INVALID_SESSION_ID", "Session expired or invalid")
        if self._sessions.used() >= self.faults.daily_limit:
            return error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        self._sessions.count()
        return None

    def _dated(self, response: Response) -> Response:
        response.headers["Date"] = format_datetime(self.org.now(), usegmt=True)
        return response


def _people(world: World, companies: int, people: int, as_of: date) -> tuple[Person, ...]:
    """The people in the CRM: the newest users of the product, and a few others."""
    day_before = (as_of - date(1970, 1, 1)).days - 1
    strangers = people // 5
    users = islice(world.known_until(day_before), people - strangers)
    unknown = (person(world.seed, companies, -number) for number in range(1, strangers + 1))
    return (*(user.person for user in users), *unknown)
