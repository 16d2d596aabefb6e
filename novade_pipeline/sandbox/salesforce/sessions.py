"""Log-ins, the sessions that they open, and the number of requests used.

Log-ins do not count as requests.
"""

from secrets import token_urlsafe
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from novade_pipeline.sandbox.salesforce import log_in
from novade_pipeline.sandbox.salesforce.faults import FaultInjector
from novade_pipeline.sandbox.salesforce.log_in import Access, LogInRefused
from novade_pipeline.sandbox.salesforce.org import Organisation

_MY_DOMAIN = "novade.my.salesforce.com"


class Sessions:
    """The open sessions.

    Attributes:
        access: the valid credentials.
    """

    def __init__(self, org: Organisation, access: Access, injector: FaultInjector) -> None:
        self._org = org
        self.access = access
        self._injector = injector
        self._requests = 0
        self._requests_by_token: dict[str, int] = {}

    async def token(self, request: Request) -> Response:
        """The response of OAuth's token endpoint."""
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
                another_domain=self._injector.faults.another_domain,
                revoked=self._is_revoked(),
            )
        except LogInRefused as refused:
            body = {"error": refused.error, "error_description": refused.description}
            return JSONResponse(body, 400)
        body = {
            "access_token": self._open(),
            "signature": token_urlsafe(32),
            "scope": "api",
            "instance_url": instance,
            "id": f"{instance}/id/{log_in.ORGANISATION}/005",
            "token_type": "Bearer",
            "issued_at": f"{self._org.now().timestamp() * 1000:.0f}",
        }
        return JSONResponse(body)

    async def soap(self, request: Request) -> Response:
        """The response to a SOAP log-in."""
        body = (await request.body()).decode()
        if self._is_revoked() or not log_in.is_right_password(self.access, body):
            return Response(log_in.soap_refusal(), 500, media_type="text/xml")
        instance = _instance(request.headers.get("Host", ""))
        url = f"{instance}/services/Soap/u/{request.path_params['version']}"
        return Response(log_in.soap_answer(self._open(), url), media_type="text/xml")

    def has_ended(self, token: str) -> bool:
        """Whether a session has ended; counts the session's request."""
        if self._is_revoked() or token not in self._requests_by_token:
            return True
        self._requests_by_token[token] += 1
        return 0 < self._injector.faults.session_requests < self._requests_by_token[token]

    def clear(self) -> None:
        """End all sessions."""
        self._requests_by_token.clear()

    def count(self) -> None:
        """Count a request."""
        self._requests += 1

    def used(self) -> int:
        """The number of requests used today."""
        return self._injector.faults.used + self._requests

    def _is_revoked(self) -> bool:
        return 0 < self._injector.faults.revoked_after <= self._requests

    def _open(self) -> str:
        token = f"{log_in.ORGANISATION[:15]}!{token_urlsafe(48)}"
        self._requests_by_token[token] = 0
        return token


def _instance(host: str) -> str:
    """The organisation's URL, given the requested host."""
    if host in log_in.LOGIN_HOSTS:
        return f"https://{_MY_DOMAIN}"
    return f"{'https' if host.endswith('.salesforce.com') else 'http'}://{host}"
