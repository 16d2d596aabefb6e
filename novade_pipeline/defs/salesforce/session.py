"""The HTTP session under simple-salesforce: log-in, retries, and the organisation's quota.

simple-salesforce neither retries nor renews a token that it was given; its session does.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import requests
from requests.adapters import HTTPAdapter
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from typing_extensions import override

from novade_pipeline.api.retry import Retry, RetryableError, RetryWait, retry_after_seconds
from novade_pipeline.defs.salesforce.log_in import (
    TOKEN_PATH,
    Token,
    grant,
    is_loopback,
    refusal,
    token_of,
)
from novade_pipeline.defs.salesforce.responses import (
    BUSY_STATUSES,
    PASSING_CODES,
    Refused,
    error_of,
    json_of,
    request_name,
    require_data,
)
from novade_pipeline.defs.salesforce.settings import SalesforceSettings
from novade_pipeline.errors import PermanentFailure, TransientFailure

Answered = TypeVar("Answered")

_USAGE = re.compile(r"(?<!-)\bapi-usage=(\d+)/(\d+)")


@dataclass(frozen=True)
class Usage:
    """Requests so far, and API calls that are left.

    Attributes:
        requests: sent, failed tries and log-ins included.
        retries: of them the repetitions of failed ones.
        log_ins: requests for a token.
        left: API calls of the day that the organisation has left; None where still unknown.
        total: API calls of a day.
    """

    requests: int = 0
    retries: int = 0
    log_ins: int = 0
    left: int | None = None
    total: int | None = None


class SalesforceSession(requests.Session):
    """A session with one organisation as one user; to be used by one thread."""

    def __init__(
        self,
        settings: SalesforceSettings,
        retry: Retry | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__()
        self._settings = settings
        self._retry = retry or Retry()
        self._sleep = sleep
        self._token: Token | None = None
        self._has_logged_in = False
        self._closed_by: PermanentFailure | None = None
        self._requests = self._retries = self._log_ins = 0
        self._left: int | None = None
        self._total: int | None = None
        self.server_time: datetime | None = None
        """The `Date` of the newest answer, UTC: the organisation's clock."""
        # Whatever a header, a URL or a .netrc says, a request is signed with the newest token.
        self.auth = self._sign
        if is_loopback(settings.url or ""):
            self.mount("https://", _Plain())

    @property
    def usage(self) -> Usage:
        """The requests so far."""
        return Usage(self._requests, self._retries, self._log_ins, self._left, self._total)

    @property
    def token(self) -> Token:
        """The token in use; logs in where there is none yet."""
        if self._token is None:
            self._token = self._until_answered("POST", TOKEN_PATH, self._log_in)
            self._has_logged_in = True
        return self._token

    @override
    def request(self, method: Any, url: Any, *args: Any, **options: Any) -> requests.Response:
        """Sends a request until it has an answer with a status below 300.

        Raises:
            Refused: Salesforce refuses the request, with its code.
            PermanentFailure: the log-in fails, or the quota is used up.
            TransientFailure: every try failed transiently.
        """
        del args
        # A body is read as a whole here, so that one that is cut short is requested again.
        options |= {"timeout": self._settings.timeout_seconds, "stream": False}
        options["allow_redirects"] = False
        return self._until_answered(
            str(method), str(url), lambda: self._signed_answer(str(method), str(url), options)
        )

    def _until_answered(self, method: str, url: str, ask: Callable[[], Answered]) -> Answered:
        tries = Retrying(
            stop=stop_after_attempt(self._retry.attempts),
            wait=RetryWait(self._retry),
            retry=retry_if_exception_type(RetryableError),
            sleep=self._sleep,
            before_sleep=self._count_retry,
            reraise=True,
        )
        try:
            return tries(ask)
        except RetryableError as failure:
            raise TransientFailure(
                f"Salesforce: {request_name(method, url)} failed {self._retry.attempts} times, at "
                f"last: {failure}; look at NOVADE_SALESFORCE_URL."
            ) from None

    def _signed_answer(self, method: str, url: str, options: dict[str, Any]) -> requests.Response:
        """Tries once; renews an expired session once."""
        name = request_name(method, url)
        for renewed in (False, True):
            self._refuse_at_the_floor()
            used = self.token
            answer = self._sent(method, url, options)
            if answer.status_code < 300:
                return require_data(name, answer)
            code, message = error_of(answer)
            if answer.status_code == 401 and not renewed:
                self._token = None if self._token is used else self._token
                continue
            raise self._failure(name, answer, code, message)
        raise AssertionError("the second try returns or raises")

    def _sent(self, method: str, url: str, options: dict[str, Any]) -> requests.Response:
        self._requests += 1
        try:
            answer = super().request(method, url, **options)
        except requests.Timeout:
            raise RetryableError(f"no answer within {self._settings.timeout_seconds:g} s") from None
        except requests.exceptions.SSLError:
            raise PermanentFailure(
                f"Salesforce: expected a certificate that is valid at {self._settings.url}, found "
                "one that is not; look at NOVADE_SALESFORCE_URL."
            ) from None
        except requests.RequestException as error:
            raise RetryableError(f"it cannot be reached ({type(error).__name__})") from None
        if used := _USAGE.search(answer.headers.get("Sforce-Limit-Info", "")):
            self._total = int(used[2])
            self._left = self._total - int(used[1])
        if "Date" in answer.headers:
            self.server_time = parsedate_to_datetime(answer.headers["Date"]).astimezone(UTC)
        return answer

    def _failure(
        self, request: str, answer: requests.Response, code: str, message: str
    ) -> Exception:
        status = answer.status_code
        error = f"{status} {code or answer.reason}" + (f": {message}" if message else "")
        if code == "REQUEST_LIMIT_EXCEEDED":
            self._closed_by = self._used_up()
            return self._closed_by
        if status == 401:
            self._closed_by = PermanentFailure(
                f"Salesforce: expected a new token to be accepted, found {error!r}; the token "
                "was revoked or the app is blocked: let an administrator look at the connected app."
            )
            return self._closed_by
        if status >= 500 or status in BUSY_STATUSES or code in PASSING_CODES:
            wait = retry_after_seconds(answer.headers)
            if wait is not None and wait > self._retry.longest_retry_after:
                return TransientFailure(
                    f"Salesforce: {request} answered {error}, to be repeated in {wait:,.0f} s; "
                    f"the longest wait is {self._retry.longest_retry_after:g} s."
                )
            return RetryableError(f"it answered {error}", wait)
        if code == "INVALID_QUERY_LOCATOR":
            return TransientFailure(f"Salesforce: {request} answered {error}; it is read again.")
        return Refused(f"Salesforce: {request} answered {error}.", code, status)

    def _refuse_at_the_floor(self) -> None:
        if self._closed_by is None and self._left is not None:
            floor = self._settings.api_floor
            if self._left <= floor:
                self._closed_by = PermanentFailure(
                    f"Salesforce: expected more than {floor:,} API calls of the day to be left, "
                    f"found {self._left:,} of {self._total:,}; the rest is for other users "
                    "(NOVADE_SALESFORCE_API_FLOOR). The load resumes where it stopped, once calls "
                    "of the last 24 hours come free."
                )
        if self._closed_by is not None:
            raise self._closed_by

    def _used_up(self) -> PermanentFailure:
        free = (self.server_time or datetime.now(UTC)) + timedelta(hours=24)
        return PermanentFailure(
            "Salesforce: expected API calls of the day to be left, found that all "
            f"{f'{self._total:,} ' if self._total else ''}are used up (REQUEST_LIMIT_EXCEEDED); "
            "Salesforce counts the last 24 hours: calls come free as they grow that old, all by "
            f"{free:%Y-%m-%d %H:%M} UTC. The load resumes where it stopped."
        )

    def _log_in(self) -> Token:
        """Tries once."""
        self._log_ins += 1
        answer = self._sent(
            "POST",
            f"{self._settings.url}{TOKEN_PATH}",
            {
                "data": grant(self._settings),
                "auth": _unsigned,
                "timeout": self._settings.timeout_seconds,
                "allow_redirects": False,
            },
        )
        if answer.status_code >= 500 or answer.status_code in BUSY_STATUSES:
            raise RetryableError(
                f"the log-in was answered {answer.status_code}", retry_after_seconds(answer.headers)
            )
        body = json_of(answer)
        if answer.status_code >= 300 and isinstance(body, dict) and "error" in body:
            description = str(body.get("error_description") or "")[:200]
            raise refusal(
                self._settings, str(body["error"]), description, is_renewal=self._has_logged_in
            )
        return token_of(self._settings, body if answer.status_code < 300 else None)

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.token.access_token}"
        return request

    def _count_retry(self, state: RetryCallState) -> None:
        self._retries += 1


class _Plain(HTTPAdapter):
    """simple-salesforce speaks https only; the sandbox on loopback has no certificate."""

    @override
    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> Any:
        if request.url and is_loopback(request.url):
            request.url = request.url.replace("https://", "http://", 1)
        return super().send(request, *args, **options)


def _unsigned(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
