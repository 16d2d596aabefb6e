"""The resource `composite/batch`: several requests in one.

Up to 25 subrequests are answered in order; each counts against the day's requests. Source:
REST API Developer Guide, "Composite Batch" (resources_composite_batch.htm), "Batch Request Body"
(requests_composite_batch.htm) and "Batch Response Body" (responses_composite_batch.htm).
"""

import json
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from novade_pipeline.sandbox.salesforce.responses import Json, error, not_found
from novade_pipeline.sandbox.salesforce.versions import refused_version
from novade_pipeline.sandbox.salesforce.wire import load_keeping_numbers

MOST_SUBREQUESTS = 25

Endpoint = Callable[[Request, bytes], Response]


class CompositeEndpoint:
    """Answers batches by the resources of their subrequests."""

    def __init__(
        self, resources: Sequence[tuple[Route, Endpoint]], count: Callable[[], None]
    ) -> None:
        """Answer by `resources`, a list that may still grow; `count` is called per subrequest."""
        self._resources = resources
        self._count = count

    def batch(self, request: Request, body: bytes) -> Response:
        """The responses to all subrequests, in their order."""
        try:
            posted = json.loads(body)
            requests = posted["batchRequests"]
            subrequests = [(str(r["method"]), str(r["url"]), r.get("richInput")) for r in requests]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return error(400, "JSON_PARSER_ERROR", "the body is no collection of batchRequests")
        if not 0 < len(subrequests) <= MOST_SUBREQUESTS:
            message = f"a batch has 1 to {MOST_SUBREQUESTS} subrequests, not {len(subrequests)}"
            return error(400, "LIMIT_EXCEEDED", message)
        results: list[dict[str, Any]] = []
        failed = halted = False
        for method, url, rich_input in subrequests:
            if halted:
                results.append({"statusCode": 412, "result": _HALTED})
                continue
            self._count()
            response = self._answer(request, method, url, json.dumps(rich_input).encode())
            failed = failed or response.status_code >= 400
            halted = failed and bool(posted.get("haltOnError"))
            result = load_keeping_numbers(bytes(response.body)) if response.body else None
            results.append({"statusCode": response.status_code, "result": result})
        return Json({"hasErrors": failed, "results": results})

    def _answer(self, request: Request, method: str, url: str, body: bytes) -> Response:
        """A resource's response; the URL may begin with the version, as in `v60.0/…`."""
        parts = urlsplit(url)
        path = parts.path if parts.path.startswith("/services/") else f"/services/data/{parts.path}"
        scope = {
            **request.scope,
            "method": method.upper(),
            "path": path,
            "raw_path": quote(path).encode(),
            "query_string": quote(parts.query, safe="=&%+,()'").encode(),
            "path_params": {},
        }
        for route, response in self._resources:
            match, child_scope = route.matches(scope)
            if match is Match.FULL:
                subrequest = Request({**scope, **child_scope})
                return refused_version(subrequest) or response(subrequest, body)
        return not_found()


_HALTED = [
    {
        "errorCode": "BATCH_PROCESSING_HALTED",
        "message": "Batch processing halted per request because of an error in a prior subrequest.",
    }
]
