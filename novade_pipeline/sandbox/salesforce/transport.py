"""HTTP itself: long URIs, wrong methods, compressed responses.

Source: REST API Developer Guide, "Status Codes and Error Responses" (errorcodes.htm) for 405, 414
and 431, "Use Compression" (intro_rest_compression.htm), and Bulk API 2.0 Developer Guide, "Use
Compression for Bulk API 2.0 Query Responses" (query_compression.htm): gzip where `Accept-Encoding`
is accepted, any other encoding is ignored. The text for 405 is the one that people report, as in
https://github.com/omniphx/forrest/issues/191; codes and texts of 414 and 431 are made up.
"""

from collections.abc import Iterable

from isal import igzip
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route

from novade_pipeline.sandbox.salesforce.responses import error

LONGEST_URI = 16_384
"""Bytes of a URI, and of a URI with all headers."""

_METHODS = ("HEAD", "GET", "POST", "PATCH", "PUT", "DELETE")


def refused_length(request: Request) -> Response | None:
    """The error for a URI that is too long, alone or with its headers; None for a good one."""
    path, query = request.scope["raw_path"], request.scope["query_string"]
    uri = len(path) + len(query) + bool(query)
    if uri > LONGEST_URI:
        message = f"The length of the URI exceeds the {LONGEST_URI:,}-byte limit."
        return error(414, "URI_TOO_LONG", message)
    if uri + sum(len(name) + len(value) for name, value in request.headers.raw) > LONGEST_URI:
        message = f"The length of the URI and headers exceeds the {LONGEST_URI:,}-byte limit."
        return error(431, "REQUEST_HEADER_FIELDS_TOO_LARGE", message)
    return None


def method_not_allowed(request: Request) -> Response:
    """The error for a method that a resource does not have."""
    allowed = ",".join(_allowed(request.app.routes, request))
    message = f"HTTP Method '{request.method}' not allowed. Allowed are {allowed}"
    return error(405, "METHOD_NOT_ALLOWED", message, {"Allow": allowed})


def compress(request: Request, response: Response) -> Response:
    """Compress a response if the client accepts that."""
    if response.body and _accepts_gzip(request.headers.get("Accept-Encoding", "")):
        response.body = igzip.compress(bytes(response.body), 1)
        response.headers["Content-Length"] = str(len(response.body))
        response.headers["Content-Encoding"] = "gzip"
    return response


def _allowed(routes: Iterable[BaseRoute], request: Request) -> list[str]:
    methods: set[str] = set()
    for route in routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    return [method for method in _METHODS if method in methods]


def _accepts_gzip(accepted: str) -> bool:
    for coding in accepted.lower().split(","):
        name, _, weight = (part.strip() for part in coding.partition(";"))
        if name == "gzip":
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
