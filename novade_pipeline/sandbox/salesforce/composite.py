"""Several requests in one: the resource `composite/batch`.

Up to 25 subrequests are answered in their order; each counts against the day's requests. Source:
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
from novade_pipeline.sandbox.salesforce.wire import kept_numbers

MOST_SUBREQUESTS = 25

Answer = Callable[[Request, bytes], Response]


class CompositeAnswers:
    """The answers to batches, of which each part goes to a resource of its own."""

    def __init__(
        self, resources: Sequence[tuple[Route, Answer]], count: Callable[[], None]
    ) -> None:
        """Answer by the resources.

        Args:
            resources: those that a subrequest may ask for; the list may still grow.
            count: called for each subrequest.
        """
        self._resources = resources
        self._count = count

    def batch(self, request: Request, body: bytes) -> Response:
        """The answers to all subrequests, in their order."""
        try:
            posted = json.loads(body)
            subrequests = [(str(one["method"]), str(one["url"])) for one in posted["batchRequests"]]
            inputs = [one.get("richInput") for one in posted["batchRequests"]]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return error(400, "JSON_PARSER_ERROR", "the body is no collection of batchRequests")
        if not 0 < len(subrequests) <= MOST_SUBREQUESTS:
            says = f"a batch has 1 to {MOST_SUBREQUESTS} subrequests, not {len(subrequests)}"
            return error(400, "LIMIT_EXCEEDED", says)
        results: list[dict[str, Any]] = []
        failed = halted = False
        for (method, url), rich_input in zip(subrequests, inputs, strict=True):
            if halted:
                results.append({"statusCode": 412, "result": _HALTED})
                continue
            self._count()
            answer = self._answer(request, method, url, json.dumps(rich_input).encode())
            failed = failed or answer.status_code >= 400
            halted = failed and bool(posted.get("haltOnError"))
            result = kept_numbers(bytes(answer.body)) if answer.body else None
            results.append({"statusCode": answer.status_code, "result": result})
        return Json({"hasErrors": failed, "results": results})

    def _answer(self, request: Request, method: str, url: str, body: bytes) -> Response:
        """What a resource answers; its place may be told from the version on, as in `v60.0/…`."""
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
        for route, answer in self._resources:
            match, found = route.matches(scope)
            if match is Match.FULL:
                subrequest = Request({**scope, **found})
                return refused_version(subrequest) or answer(subrequest, body)
        return not_found()


_HALTED = [
    {
        "errorCode": "BATCH_PROCESSING_HALTED",
        "message": "Batch processing halted per request because of an error in a prior subrequest.",
    }
]
