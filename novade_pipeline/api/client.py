"""One request to an API and all that can become of it, in a form that many threads may use.

What passes (429, 5xx, time-outs, cut connections) is tried again within the budget; what does not
is a `Refused` or another `PermanentFailure` in one sentence. Redirects and links are followed on
the API's own host only: nobody else gets what the request is signed with.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Lock
from types import TracebackType
from typing import Any, Self

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from novade_pipeline.api.auth import Login, Signature, sign
from novade_pipeline.api.contract import MIB, Answer, Api, Params, Receipt, Refused
from novade_pipeline.api.log_redaction import redact_queries
from novade_pipeline.api.messages import message_of
from novade_pipeline.api.request_budget import Clock, RateLimiter
from novade_pipeline.api.retry import RetryableError, RetryWait, retry_after_seconds
from novade_pipeline.errors import PermanentFailure, TransientFailure
from novade_pipeline.privacy.json_text import parse_float, repair_surrogates

REDIRECTS = 5


class Client:
    """Asks one API; to be used as a context, and by as many threads as its budget allows."""

    def __init__(self, api: Api, clock: Clock | None = None) -> None:
        redact_queries()
        self.api = api
        self._stopped = Event()
        self._clock = clock or Clock()
        self._pace = RateLimiter(api.budget, self._clock)
        self._lock = Lock()
        self._login_lock = Lock()
        self._signature: Signature | None = None
        self._requests = self._retries = self._bytes = self._repaired = 0
        self._waited = 0.0
        self._http = httpx.Client(
            timeout=api.timeout,
            limits=httpx.Limits(max_connections=api.budget.concurrent + 1),
            headers={"Accept": "application/json", **api.headers},
            # Reading the certificates takes 50 ms; without TLS none count.
            verify=not api.url.startswith("http://"),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._http.close()

    @property
    def receipt(self) -> Receipt:
        """What was asked for so far."""
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
        """Ask, until there is an answer.

        Args:
            path: below the API's URL, or a URL on the same host.
            params: of the query string; messages show them, a key belongs in `Api.auth`.
            body: sent as JSON.
            form: sent as a form.
            headers: of this request.
            stopped: once it is set, waits end and the request is given up.

        Raises:
            Refused: a 4xx that does not pass, with the message of its body.
            PermanentFailure: the answer is too large, or leads to another host.
            TransientFailure: every try failed in a way that passes.
        """
        content = {"json": body} if body is not None else {"data": form} if form else {}

        def keep(response: httpx.Response) -> bytes:
            parts, size = [], 0
            for part in response.iter_bytes():
                parts.append(part)
                size += len(part)
                if size > self.api.largest_answer:
                    raise PermanentFailure(
                        f"{self._told(method, path, params)}: expected at most "
                        f"{self.api.largest_answer / MIB:g} MiB in one answer, found more; "
                        f"{self.api.hint}."
                    )
            return b"".join(parts)

        stopped = stopped or self._stopped
        return self._until_answered(method, path, params, content, headers, keep, stopped)

    def get(self, path: str, params: Params | None = None, stopped: Event | None = None) -> Answer:
        """`request` with the method GET."""
        return self.request("GET", path, params=params, stopped=stopped)

    def json(self, answer: Answer) -> Any:
        """Parse an answer as JSON; NaN and Infinity are left for `items` to refuse.

        Raises:
            PermanentFailure: it holds something else; in one sentence, without its content.
        """
        try:
            text = answer.body.decode(json.detect_encoding(answer.body), "surrogatepass")
            text, repaired = repair_surrogates(text)
            value = json.loads(text, parse_float=parse_float)
        except (ValueError, RecursionError):
            kind = answer.headers.get("content-type", "").partition(";")[0] or "unnamed content"
            found = f"{len(answer.body):,} bytes of {kind}" if answer.body else "an empty answer"
            raise PermanentFailure(
                f"{self.api.name}: expected JSON from {answer.where}, found {found}; "
                f"{self.api.hint}."
            ) from None
        with self._lock:
            self._repaired += repaired
        return value

    def download(self, path: str, to: Path, params: Params | None = None) -> Answer:
        """Write an answer of any size into a file; what a failed try wrote is overwritten.

        Raises:
            As `request`; the file then holds nothing that may be used.
        """

        def keep(response: httpx.Response) -> bytes:
            with to.open("wb") as file:
                for part in response.iter_bytes():
                    file.write(part)
            return b""

        return self._until_answered("GET", path, params, {}, None, keep, self._stopped)

    def join(self, base: str, link: str) -> str:
        """A link of an answer as a URL that may be asked for."""
        return str(httpx.URL(base).join(link))

    def _until_answered(
        self,
        method: str,
        path: str,
        params: Params | None,
        content: Mapping[str, Any],
        headers: Mapping[str, str] | None,
        keep: Callable[[httpx.Response], bytes],
        stopped: Event,
    ) -> Answer:
        where = self._told(method, path, params)
        url = httpx.URL(self._url(path, where))
        if params:
            url = url.copy_merge_params({k: str(v) for k, v in params.items()})
        retry = self.api.retry
        tries = Retrying(
            stop=stop_after_attempt(retry.attempts),
            wait=RetryWait(retry),
            retry=retry_if_exception_type(RetryableError),
            sleep=lambda seconds: self._sleep(seconds, stopped),
            before_sleep=self._count_retry,
            reraise=True,
        )
        try:
            return tries(self._follow, method, url, where, content, headers or {}, keep, stopped)
        except RetryableError as failure:
            told = f"{where} failed {retry.attempts} times, at last: {failure}"
            if failure.asked is not None and failure.asked > retry.longest_retry_after:
                told = f"{where}: {failure}"
            raise TransientFailure(self._without_secrets(f"{told}; {self.api.hint}.")) from None

    def _follow(
        self,
        method: str,
        url: httpx.URL,
        where: str,
        content: Mapping[str, Any],
        headers: Mapping[str, str],
        keep: Callable[[httpx.Response], bytes],
        stopped: Event,
    ) -> Answer:
        """One try: through redirects on the same host, and a second login where one is due."""
        logged_in_again = False
        for _ in range(REDIRECTS):
            signature = self._signed()
            self._await_turn(where, stopped)
            with self._sent(method, url, where, content, headers, signature) as response:
                status = response.status_code
                if status < 300:
                    return Answer(
                        status, dict(response.headers), keep(response), str(response.url), where
                    )
                if status == 401 and isinstance(self.api.auth, Login) and not logged_in_again:
                    logged_in_again = True
                    self._forget(signature)
                    continue
                if status < 400:
                    url = self._redirected(url, response, where)
                    continue
                raise self._failure(response, where)
        raise PermanentFailure(f"{where}: expected an answer, found redirects without an end.")

    @contextmanager
    def _sent(
        self,
        method: str,
        url: httpx.URL,
        where: str,
        content: Mapping[str, Any],
        headers: Mapping[str, str],
        signature: Signature,
    ) -> Iterator[httpx.Response]:
        signed = url.copy_merge_params(signature.params) if signature.params else url
        request = self._http.build_request(
            method, signed, headers={**headers, **signature.headers}, **content
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

    def _await_turn(self, where: str, stopped: Event) -> None:
        with self._lock:
            self._requests += 1
            spent = self.api.budget.max_requests
            if spent is not None and self._requests > spent:
                raise PermanentFailure(
                    f"{where}: the budget of {spent:,} requests is used up; the rest is for "
                    "another run, or for a greater budget."
                )
        self._sleep(self._pace.take(), stopped)
        while (held := self._pace.held()) > 0:
            self._sleep(held, stopped)

    def _sleep(self, seconds: float, stopped: Event) -> None:
        if seconds > 0:
            with self._lock:
                self._waited += seconds
            self._clock.wait(seconds, stopped)
        if stopped.is_set():
            raise TransientFailure(f"{self.api.name}: the request was given up.")

    def _count_retry(self, state: RetryCallState) -> None:
        with self._lock:
            self._retries += 1

    def _failure(self, response: httpx.Response, where: str) -> Exception:
        status = response.status_code
        message = message_of(response)
        told = f"{status} {response.reason_phrase}".strip() + (f": {message}" if message else "")
        if status not in self.api.retryable and status < 500:
            return Refused(
                self._without_secrets(f"{where} answered {told}; {self.api.hint}."), status
            )
        asked = retry_after_seconds(response.headers)
        if asked is not None and asked > self.api.retry.longest_retry_after:
            return TransientFailure(
                self._without_secrets(
                    f"{where} answered {told}, to be asked again in {asked:,.0f} s; more than the "
                    f"{self.api.retry.longest_retry_after:g} s that we wait."
                )
            )
        if asked is not None:
            self._pace.hold(asked)
        return RetryableError(self._without_secrets(f"answered {told}"), asked)

    def _redirected(self, url: httpx.URL, response: httpx.Response, where: str) -> httpx.URL:
        try:
            target = url.join(response.headers.get("Location", ""))
        except httpx.InvalidURL:
            target = httpx.URL("")
        if _origin(target) != _origin(url):
            raise PermanentFailure(
                f"{where}: expected an answer, found a redirect to "
                f"{target.scheme}://{target.netloc.decode()}, which is not followed; "
                f"{self.api.hint}."
            )
        return target

    def _signed(self) -> Signature:
        with self._login_lock:
            if self._signature is None:
                self._signature = sign(self.api.auth)
            return self._signature

    def _forget(self, used: Signature) -> None:
        """Another thread may have logged in meanwhile: then its token is as good."""
        with self._login_lock:
            if self._signature is used:
                self._signature = None

    def _url(self, path: str, where: str) -> str:
        if "://" not in path:
            return f"{self.api.url.rstrip('/')}/{path.lstrip('/')}"
        if _origin(httpx.URL(path)) != _origin(httpx.URL(self.api.url)):
            raise PermanentFailure(
                f"{where}: expected a link on the API's own host, found one to another; nothing "
                "is sent there."
            )
        return path

    def _told(self, method: str, path: str, params: Params | None) -> str:
        shown = path.partition("?")[0]
        shown = shown.partition("://")[2] if "://" in shown else shown
        query = "&".join(f"{name}={str(value)[:60]}" for name, value in (params or {}).items())
        return f"{self.api.name}: {method} /{shown.lstrip('/')}{'?' + query if query else ''}"

    def _without_secrets(self, text: str) -> str:
        signature = self._signature
        for secret in signature.secrets if signature is not None else ():
            if secret:
                text = text.replace(secret, "***")
        return text


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
