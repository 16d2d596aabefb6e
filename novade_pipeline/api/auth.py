"""Who we are to an API, as plain values; a secret shows in no repr, log or error."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Basic:
    """RFC 7617; many APIs want a key as the user."""

    user: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True)
class Bearer:
    """RFC 6750: a token in the header `Authorization`."""

    token: str = field(repr=False)


@dataclass(frozen=True)
class HeaderKey:
    """A key in a header of the API's own."""

    name: str
    key: str = field(repr=False)


@dataclass(frozen=True)
class QueryKey:
    """A key in the query string; the log of requests is told without it."""

    name: str
    key: str = field(repr=False)


@dataclass(frozen=True)
class Login:
    """A bearer token that `fetch` gets; it is fetched again once a request is answered by 401."""

    fetch: Callable[[], str] = field(repr=False)


Auth = Basic | Bearer | HeaderKey | QueryKey | Login


@dataclass(frozen=True)
class Signature:
    """What a request carries, and the texts in it that nobody may read."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


def sign(auth: Auth | None) -> Signature:
    """What a request carries under a scheme; a `Login` is asked for its token now."""
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
