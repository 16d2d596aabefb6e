"""The URL of a request, and how messages name it; requests go to the API's own host only."""

import httpx

from novade_pipeline.api.contract import Api, Params
from novade_pipeline.errors import PermanentFailure


def describe_request(api: Api, method: str, path: str, params: Params | None) -> str:
    """The request as messages name it: `music: GET /tracks?page=2`."""
    path = path.partition("?")[0]
    path = path.partition("://")[2] if "://" in path else path
    query = "&".join(f"{name}={str(value)[:60]}" for name, value in (params or {}).items())
    return f"{api.name}: {method} /{path.lstrip('/')}{'?' + query if query else ''}"


def request_url(api: Api, path: str, where: str) -> httpx.URL:
    """The URL of a path below the API's, or of a link on the same host.

    Raises:
        PermanentFailure: the link is on another host.
    """
    if "://" not in path:
        return httpx.URL(f"{api.url.rstrip('/')}/{path.lstrip('/')}")
    url = httpx.URL(path)
    if _origin(url) != _origin(httpx.URL(api.url)):
        raise PermanentFailure(
            f"{where}: expected a link on the API's own host, found one to another; nothing "
            "is sent there."
        )
    return url


def redirect_target(api: Api, url: httpx.URL, response: httpx.Response, where: str) -> httpx.URL:
    """Where a redirect leads.

    Raises:
        PermanentFailure: it leads to another host.
    """
    try:
        target = url.join(response.headers.get("Location", ""))
    except httpx.InvalidURL:
        target = httpx.URL("")
    if _origin(target) != _origin(url):
        raise PermanentFailure(
            f"{where}: expected an answer, found a redirect to "
            f"{target.scheme}://{target.netloc.decode()}, which is not followed; {api.hint}."
        )
    return target


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
