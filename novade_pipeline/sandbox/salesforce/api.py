"""The HTTP interface of the made-up Salesforce organisation, with faults on request.

Log-in, describe, `query`, `queryAll`, query jobs of the Bulk API 2.0, `deleted` and `updated`,
`composite/batch` and limits, answered as the real one does; errors are its JSON arrays of
`{message, errorCode}`. Each module that answers names the page of the documentation for its rules.
"""

import logging
from collections import Counter
from datetime import date
from email.utils import format_datetime
from itertools import islice
from secrets import token_urlsafe
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from novade_pipeline.sandbox.business import Person, companies_for, person
from novade_pipeline.sandbox.music_users import World
from novade_pipeline.sandbox.salesforce import log_in
from novade_pipeline.sandbox.salesforce.bulk import JobError
from novade_pipeline.sandbox.salesforce.composite import Answer, CompositeAnswers
from novade_pipeline.sandbox.salesforce.faults import FaultInjector, Faults
from novade_pipeline.sandbox.salesforce.jobs import JobAnswers
from novade_pipeline.sandbox.salesforce.limits import limits
from novade_pipeline.sandbox.salesforce.log_in import Access, LogInRefused
from novade_pipeline.sandbox.salesforce.org import Organisation
from novade_pipeline.sandbox.salesforce.replication import ReplicationAnswers
from novade_pipeline.sandbox.salesforce.responses import QuietAboutCutBodies, error, not_found
from novade_pipeline.sandbox.salesforce.rest import RestAnswers
from novade_pipeline.sandbox.salesforce.rows import Setting
from novade_pipeline.sandbox.salesforce.transport import (
    compressed,
    method_not_allowed,
    refused_length,
)
from novade_pipeline.sandbox.salesforce.versions import (
    refused_version,
    resources,
    version_list,
)

__all__ = ["Access", "Faults", "SalesforceApi"]

AS_OF = date(2026, 3, 2)
_MY_DOMAIN = "novade.my.salesforce.com"
_DATA = "/services/data/v{version}"
_SOBJECT = f"{_DATA}/sobjects/{{name}}"
_JOBS = f"{_DATA}/jobs/query"


class SalesforceApi:
    """The organisation and its server.

    Attributes:
        org: the state; it may be changed at any time.
        access: the valid credentials.
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
        """Make the organisation.

        Args:
            seed: the same seed, the same organisation.
            companies: how many accounts, at least 12.
            people: how many people it may know; two thirds work for a company.
            events_per_hour: those of the product's exports that tell of the same people, instead
                of `companies`; nothing: twice the companies.
            as_of: all of it happened before this day, and its clock begins here.
            faults: what goes wrong.
            access: the valid credentials.
            batch_size: records in an answer to a query, at most, whatever is asked for.
            results_rows: records in a page of a job's results, at most.
            live: its clock is never behind this machine's.

        Raises:
            ValueError: there are too few companies.
        """
        if companies < companies_for(1):
            raise ValueError(f"companies must be at least {companies_for(1)}, not {companies}")
        world = World(seed, events_per_hour or 2 * companies)
        companies = companies_for(world.events_per_hour)
        self.org = Organisation(
            Setting(seed, companies, _people(world, companies, people, as_of), as_of), live=live
        )
        self.access = access or Access()
        self.request_count = 0
        self.request_counts: Counter[str] = Counter()
        self._counted = 0
        self._sessions: dict[str, int] = {}
        self._injector = FaultInjector(faults or Faults(), self.org, seed)
        self._rest = RestAnswers(self.org, self._injector, batch_size)
        self._jobs = JobAnswers(self.org, self._injector, results_rows)
        self._replication = ReplicationAnswers(self.org)
        self._in_batches: list[tuple[Route, Answer]] = []
        self._composite = CompositeAnswers(self._in_batches, self._count)

    @property
    def faults(self) -> Faults:
        """What goes wrong; it may be exchanged at any time."""
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
        # SystemModstamp and the header Date are told by one clock.
        app.state.tells_date = True
        logging.getLogger("uvicorn.error").addFilter(QuietAboutCutBodies())
        return app

    def _resources(self) -> list[tuple[Route, Answer]]:
        """What a batch may ask for as well."""
        rest, replication = self._rest, self._replication
        answers: dict[str, Answer] = {
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
            (route, answer)
            for path, answer in answers.items()
            for route in self._routes(path, answer)
        ]

    def expire_sessions(self) -> None:
        """All sessions end now."""
        self._sessions.clear()

    async def _token(self, request: Request) -> Response:
        self.request_counts["log_in"] += 1
        form = dict(parse_qsl((await request.body()).decode()))
        host = request.headers.get("Host", "")
        instance = _instance(host)
        try:
            log_in.check(
                self.access,
                form,
                request.headers.get("Authorization", ""),
                host,
                instance,
                another_domain=self.faults.another_domain,
                revoked=self._is_revoked(),
            )
        except LogInRefused as refused:
            told = {"error": refused.error, "error_description": refused.description}
            return self._dated(JSONResponse(told, 400))
        told = {
            "access_token": self._new_session(),
            "signature": token_urlsafe(32),
            "scope": "api",
            "instance_url": instance,
            "id": f"{instance}/id/{log_in.ORGANISATION}/005",
            "token_type": "Bearer",
            "issued_at": f"{self.org.now().timestamp() * 1000:.0f}",
        }
        return self._dated(JSONResponse(told))

    async def _soap(self, request: Request) -> Response:
        self.request_counts["log_in"] += 1
        body = (await request.body()).decode()
        if self._is_revoked() or not log_in.is_right_password(self.access, body):
            return self._dated(Response(log_in.soap_refusal(), 500, media_type="text/xml"))
        instance = _instance(request.headers.get("Host", ""))
        place = f"{instance}/services/Soap/u/{request.path_params['version']}"
        answer = log_in.soap_answer(self._new_session(), place)
        return self._dated(Response(answer, media_type="text/xml"))

    async def _versions(self, request: Request) -> Response:
        """The versions of the API; anybody may ask."""
        return self._dated(await version_list(request))

    async def _no_such_path(self, request: Request, reason: Exception) -> Response:
        return self._dated(not_found())

    async def _no_such_method(self, request: Request, reason: Exception) -> Response:
        return self._dated(method_not_allowed(request))

    def _limits(self, request: Request, body: bytes) -> Response:
        return JSONResponse(limits(self.faults.daily_limit, self._used(), self._jobs.made))

    def _routes(self, path: str, answer: Answer, method: str = "GET") -> list[Route]:
        """A path with and without a slash at its end, as Salesforce takes both."""
        what = answer.__name__.strip("_")

        async def endpoint(request: Request) -> Response:
            body = await request.body()
            self.request_count += 1
            self.request_counts[what] += 1
            response = (
                refused_length(request)
                or self._refusal(request)
                or refused_version(request)
                or self._injector.instead_of(self.request_count)
            )
            if response is None:
                try:
                    response = await run_in_threadpool(answer, request, body)
                except JobError as refused:
                    response = error(refused.status, refused.code, str(refused))
            usage = f"api-usage={self._used()}/{self.faults.daily_limit}"
            response.headers["Sforce-Limit-Info"] = usage
            return self._dated(await run_in_threadpool(compressed, request, response))

        return [Route(each, endpoint, methods=[method]) for each in (path, f"{path}/")]

    def _refusal(self, request: Request) -> Response | None:
        """The answer to one whose session has ended, or whose day has no requests left."""
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind not in ("Bearer", "OAuth") or self._has_ended(token):
            return error(401, "INVALID_SESSION_ID", "Session expired or invalid")
        if self._used() >= self.faults.daily_limit:
            return error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        self._count()
        return None

    def _count(self) -> None:
        self._counted += 1

    def _used(self) -> int:
        return self.faults.used + self._counted

    def _is_revoked(self) -> bool:
        return 0 < self.faults.revoked_after <= self._counted

    def _has_ended(self, token: str) -> bool:
        if self._is_revoked() or token not in self._sessions:
            return True
        self._sessions[token] += 1
        return 0 < self.faults.session_requests < self._sessions[token]

    def _new_session(self) -> str:
        token = f"{log_in.ORGANISATION[:15]}!{token_urlsafe(48)}"
        self._sessions[token] = 0
        return token

    def _dated(self, response: Response) -> Response:
        response.headers["Date"] = format_datetime(self.org.now(), usegmt=True)
        return response


def _people(world: World, companies: int, people: int, as_of: date) -> tuple[Person, ...]:
    """Those whom the CRM may know: the product's users who came last, and a few others."""
    day_before = (as_of - date(1970, 1, 1)).days - 1
    others = people // 5
    users = islice(world.known_until(day_before), people - others)
    strangers = (person(world.seed, companies, -number) for number in range(1, others + 1))
    return (*(user.person for user in users), *strangers)


def _instance(host: str) -> str:
    """The organisation's URL, as one who asked for that host is told."""
    if host in log_in.LOGIN_HOSTS:
        return f"https://{_MY_DOMAIN}"
    return f"{'https' if host.endswith('.salesforce.com') else 'http'}://{host}"
