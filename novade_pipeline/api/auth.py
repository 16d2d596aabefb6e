"""How requests to an API are authenticated; no secret shows in a repr, log or error."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock


@dataclass(frozen=True)
class Basic:
    """RFC 7617; many APIs expect a key as the user."""

    user: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True)
class Bearer:
    """RFC 6750: a token in the header `Authorization`."""

    token: str = field(repr=False)


@dataclass(frozen=True)
class HeaderKey:
    """A key in a custom header."""

    name: str
    key: str = field(repr=False)


@dataclass(frozen=True)
class QueryKey:
    """A key in the query string; the log of requests does not contain it."""

    name: str
    key: str = field(repr=False)


@dataclass(frozen=True)
class Login:
    """A bearer token from `fetch`, which is called again after a 401."""

    fetch: Callable[[], str] = field(repr=False)


Auth = Basic | Bearer | HeaderKey | QueryKey | Login


@dataclass(frozen=True)
class Signature:
    """What is added to a request, and the secrets in it."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


class Credentials:
    """The current signature of an API's requests, shared by all threads."""

    def __init__(self, auth: Auth | None) -> None:
        self._auth = auth
        self._lock = Lock()
        self._signature: Signature | None = None

    def current(self) -> Signature:
        """The signature; the first call logs in."""
        with self._lock:
            if self._signature is None:
                self._signature = sign(self._auth)
            return self._signature

    def discard(self, rejected: Signature) -> None:
        """Log in again, unless another thread already has."""
        with self._lock:
            if self._signature is rejected:
                self._signature = None

    def redact(self, text: str) -> str:
        """The text without the signature's secrets."""
        for secret in self._signature.secrets if self._signature is not None else ():
            if secret:
                text = text.replace(secret, "***")
        return text


def sign(auth: Auth | None) -> Signature:
    """The signature of a scheme; a `Login` fetches its token."""
    match auth:
        case None:
            return Signature()
        case Basic(user, password):
            pair = b64encode(f"{user}:{password}".encode()).decode()
            return Signature({"Authorization": f"Basic {pair}"}, {}, (pair, user, password))
        case Bearer(token):
            return _bearer(token)
        case HeaderKey(name, key):
            return Signature({name: key}, {}, (key,))
        case QueryKey(name, key):
            return Signature({}, {name: key}, (key,))
        case Login(fetch):
            return _bearer(fetch())


def _bearer(token: str) -> Signature:
    return Signature({"Authorization": f"Bearer {token}"}, {}, (token,))
