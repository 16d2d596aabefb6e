"""One request to an API: signing, the request budget, retries and redirects, for many threads.

Transient failures (429, 5xx, time-outs, cut connections) are retried within the budget; any other
is a `Refused` or another `PermanentFailure`. Requests go to the API's own host only.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Lock
from typing import Any, Self

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from novade_pipeline.api.auth import Credentials, Login, Signature
from novade_pipeline.api.contract import MIB, Answer, Api, Params, Receipt, Refused
from novade_pipeline.api.log_redaction import redact_queries
from novade_pipeline.api.messages import message_of
from novade_pipeline.api.request_budget import Clock, RateLimiter
from novade_pipeline.api.retry import RetryableError, RetryWait, retry_after_seconds
from novade_pipeline.api.urls import describe_request, redirect_target, request_url
from novade_pipeline.errors import PermanentFailure, TransientFailure
from novade_pipeline.privacy.json_text import parse_float, repair_surrogates

# The requests of one attempt: the first, one more after a new login, and redirects.
MOST_HOPS = 5


class Client:
    """The client of one API; a context manager, shared by as many threads as the budget allows."""

    def __init__(self, api: Api, clock: Clock | None = None) -> None:
        # httpx logs whole URLs, and a query string may contain a key.
        redact_queries()
        self.api = api
        self._stopped = Event()
        self._clock = clock or Clock()
        self._rate_limiter = RateLimiter(api.budget, self._clock)
        self._lock = Lock()
        self._credentials = Credentials(api.auth)
        self._requests = self._retries = self._bytes = self._repaired = 0
        self._waited = 0.0
        self._http = httpx.Client(
            timeout=api.timeout,
            limits=httpx.Limits(max_connections=api.budget.concurrent + 1),
            headers={"Accept": "application/json", **api.headers},
            # Loading the certificates takes 50 ms, and plain HTTP needs none.
            verify=not api.url.startswith("http://"),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._http.close()

    @property
    def receipt(self) -> Receipt:
        """The requests so far."""
        with self._lock:
            return Receipt(self._requests, self._retries, self._bytes, self._waited, self._repaired)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: Any = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        stopped: Event | None = None,
    ) -> Answer:
        """Send a request; transient failures are retried, as often as `api.retry` allows.

        Args:
            path: below the API's URL, or a URL on the same host.
            params: of the query string; messages show them, a key belongs in `Api.auth`.
            body: sent as JSON.
            form: sent URL-encoded; ignored where there is a `body`.
            headers: sent in addition to those of `Api.headers`; one of the same name replaces it.
            stopped: an event that ends waits and gives the request up once it is set.

        Raises:
            Refused: a 4xx that is not retried, with the message of its body.
            PermanentFailure: the answer is too large, or redirects to another host.
            TransientFailure: every attempt failed.
        """
        body_options: dict[str, Any] = {}
        if body is not None:
            body_options = {"json": body}
        elif form:
            body_options = {"data": form}

        def read_body(response: httpx.Response) -> bytes:
            parts, size = [], 0
            for part in response.iter_bytes():
                parts.append(part)
                size += len(part)
                if size > self.api.largest_answer:
                    raise PermanentFailure(
                        f"{describe_request(self.api, method, path, params)}: expected at most "
                        f"{self.api.largest_answer / MIB:g} MiB in one answer, found more; "
                        f"{self.api.hint}."
                    )
            return b"".join(parts)

        stopped = stopped or self._stopped
        return self._send_with_retries(
            method, path, params, body_options, headers, read_body, stopped
        )

    def get(self, path: str, params: Params | None = None, stopped: Event | None = None) -> Answer:
        """`request` with the method GET."""
        return self.request("GET", path, params=params, stopped=stopped)

    def json(self, answer: Answer) -> Any:
        """Parse an answer as JSON; NaN and Infinity are parsed, for `items` to refuse.

        Raises:
            PermanentFailure: the answer is not JSON; the message does not quote it.
        """
        try:
            text = answer.body.decode(json.detect_encoding(answer.body), "surrogatepass")
            text, repaired = repair_surrogates(text)
            value = json.loads(text, parse_float=parse_float)
        except (ValueError, RecursionError):
            kind = answer.headers.get("content-type", "").partition(";")[0] or "unnamed content"
            content = f"{len(answer.body):,} bytes of {kind}" if answer.body else "an empty answer"
            raise PermanentFailure(
                f"{self.api.name}: expected JSON from {answer.where}, found {content}; "
                f"{self.api.hint}."
            ) from None
        with self._lock:
            self._repaired += repaired
        return value

    def download(
        self,
        path: str,
        to: Path,
        params: Params | None = None,
        *,
        final_statuses: Collection[int] = (),
    ) -> Answer:
        """Write an answer of any size to a file; a retry overwrites it.

        Args:
            final_statuses: raise `Refused` at once, although they are usually retried.

        Raises:
            As `request`; the content of the file is then undefined.
        """

        def read_body(response: httpx.Response) -> bytes:
            with to.open("wb") as file:
                for part in response.iter_bytes():
                    file.write(part)
            return b""

        return self._send_with_retries(
            "GET", path, params, {}, None, read_body, self._stopped, final_statuses
        )

    def join(self, base: str, link: str) -> str:
        """The absolute URL of a link in an answer."""
        return str(httpx.URL(base).join(link))

    def _send_with_retries(
        self,
        method: str,
        path: str,
        params: Params | None,
        body_options: Mapping[str, Any],
        headers: Mapping[str, str] | None,
        read_body: Callable[[httpx.Response], bytes],
        stopped: Event,
        final_statuses: Collection[int] = (),
    ) -> Answer:
        """Attempt a request until one succeeds, as often as `api.retry` allows."""
        where = describe_request(self.api, method, path, params)
        url = request_url(self.api, path, where)
        if params:
            url = url.copy_merge_params({k: str(v) for k, v in params.items()})
        retry = self.api.retry
        retrying = Retrying(
            stop=stop_after_attempt(retry.attempts),
            wait=RetryWait(retry),
            retry=retry_if_exception_type(RetryableError),
            sleep=lambda seconds: self._sleep(seconds, stopped),
            before_sleep=self._count_retry,
            reraise=True,
        )
        try:
            return retrying(
                self._attempt,
                *(method, url, where, body_options, headers or {}),
                *(read_body, stopped, final_statuses),
            )
        except RetryableError as failure:
            message = f"{where} failed {retry.attempts} times, at last: {failure}; {self.api.hint}."
            raise TransientFailure(self._credentials.redact(message)) from None

    def _attempt(
        self,
        method: str,
        url: httpx.URL,
        where: str,
        body_options: Mapping[str, Any],
        headers: Mapping[str, str],
        read_body: Callable[[httpx.Response], bytes],
        stopped: Event,
        final_statuses: Collection[int],
    ) -> Answer:
        """One attempt: follows redirects on the same host, and logs in again after a 401."""
        logged_in_again = False
        for _ in range(MOST_HOPS):
            signature = self._credentials.current()
            self._await_budget(where, stopped)
            with self._send(method, url, body_options, headers, signature) as response:
                status = response.status_code
                if status < 300:
                    return Answer(
                        status,
                        dict(response.headers),
                        read_body(response),
                        str(response.url),
                        where,
                    )
                if status == 401 and isinstance(self.api.auth, Login) and not logged_in_again:
                    logged_in_again = True
                    self._credentials.discard(signature)
                    continue
                if status < 400:
                    url = redirect_target(self.api, url, response, where)
                    continue
                error = self._error_of(response, where, final_statuses)
                if isinstance(error, RetryableError) and error.retry_after is not None:
                    # All threads of the client wait, not only this one.
                    self._rate_limiter.pause(error.retry_after)
                raise error
        raise PermanentFailure(f"{where}: expected an answer, found redirects without an end.")

    @contextmanager
    def _send(
        self,
        method: str,
        url: httpx.URL,
        body_options: Mapping[str, Any],
        headers: Mapping[str, str],
        signature: Signature,
    ) -> Iterator[httpx.Response]:
        """Send a signed request; a failure to send it or to read its answer is retryable."""
        signed = url.copy_merge_params(signature.params) if signature.params else url
        request = self._http.build_request(
            method, signed, headers={**headers, **signature.headers}, **body_options
        )
        response = None
        try:
            response = self._http.send(request, stream=True)
            yield response
        except httpx.TimeoutException:
            raise RetryableError(f"no answer within {self.api.timeout:g} s") from None
        except httpx.ConnectError as error:
            raise RetryableError(f"cannot be reached ({error})") from None
        except httpx.RequestError as error:
            raise RetryableError(f"the connection broke ({type(error).__name__})") from None
        finally:
            if response is not None:
                response.close()
                with self._lock:
                    self._bytes += response.num_bytes_downloaded

    def _await_budget(self, where: str, stopped: Event) -> None:
        """Count the request and wait for its turn; raise once `max_requests` are used."""
        with self._lock:
            self._requests += 1
            budget = self.api.budget.max_requests
            if budget is not None and self._requests > budget:
                raise PermanentFailure(
                    f"{where}: the budget of {budget:,} requests is used up; run it again "
                    "for the rest, or raise the budget."
                )
        self._sleep(self._rate_limiter.reserve(), stopped)
        while (pause := self._rate_limiter.pause_left()) > 0:
            self._sleep(pause, stopped)

    def _sleep(self, seconds: float, stopped: Event) -> None:
        """Wait; raise `TransientFailure` once `stopped` is set."""
        if seconds > 0:
            with self._lock:
                self._waited += seconds
            self._clock.wait(seconds, stopped)
        if stopped.is_set():
            raise TransientFailure(f"{self.api.name}: the request was given up.")

    def _count_retry(self, state: RetryCallState) -> None:
        with self._lock:
            self._retries += 1

    def _error_of(
        self, response: httpx.Response, where: str, final_statuses: Collection[int]
    ) -> Exception:
        """The exception for an answer with an error status."""
        status = response.status_code
        message = message_of(response)
        status_line = f"{status} {response.reason_phrase}".strip()
        answer = f"{status_line}: {message}" if message else status_line
        redact = self._credentials.redact
        if status in final_statuses or (status not in self.api.retryable and status < 500):
            return Refused(redact(f"{where} answered {answer}; {self.api.hint}."), status)
        retry_after = retry_after_seconds(response.headers)
        if retry_after is not None and retry_after > self.api.retry.longest_retry_after:
            message = (
                f"{where} answered {answer}, to be asked again in {retry_after:,.0f} s; more than "
                f"the {self.api.retry.longest_retry_after:g} s that we wait."
            )
            return TransientFailure(redact(message))
        return RetryableError(redact(f"answered {answer}"), retry_after)
