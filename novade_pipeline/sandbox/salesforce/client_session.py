"""A `requests` session that sends requests for Salesforce's hosts to a sandbox on this machine.

`simple-salesforce` uses https to `*.salesforce.com` or to the instance that the log-in returned,
and takes such a session as its argument `session=`.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter


def sandbox_session(url: str) -> requests.Session:
    """A session whose https requests all go to the server at `url`, with the original host."""
    session = requests.Session()
    session.mount("https://", _ToSandbox(url))
    return session


class _ToSandbox(HTTPAdapter):
    def __init__(self, url: str) -> None:
        self._to = urlsplit(url)
        super().__init__()

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        meant = urlsplit(request.url or "")
        routed = request.copy()
        routed.headers["Host"] = meant.netloc
        routed.url = urlunsplit((self._to.scheme, self._to.netloc, *meant[2:]))
        return super().send(routed, stream, timeout, verify, cert, proxies)
