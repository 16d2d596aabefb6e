"""The supported versions of the API, and the resources of each.

Those before 31.0 are retired. Source: REST API Developer Guide, "API End-of-Life Policy"
(api_rest_eol.htm), and "Versions" (resources_versions.htm) for the list.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from novade_pipeline.sandbox.salesforce.responses import error, not_found

_FIRST, _OLDEST, _NEWEST = 7, 31, 66
_SEASONS = ("Spring", "Summer", "Winter")
_SPRING_24 = 60
_RESOURCES = ("composite", "jobs", "limits", "query", "queryAll", "sobjects")

VERSIONS = tuple(f"{number}.0" for number in range(_OLDEST, _NEWEST + 1))
RETIRED = frozenset(f"{number}.0" for number in range(_FIRST, _OLDEST))


async def version_list(request: Request) -> Response:
    """The versions; no session is needed."""
    versions = [
        {"label": _label(version), "url": f"/services/data/v{version}", "version": version}
        for version in VERSIONS
    ]
    return JSONResponse(versions)


def resources(request: Request, body: bytes) -> Response:
    """The URLs of a version's resources."""
    place = f"/services/data/v{request.path_params['version']}"
    return JSONResponse({name: f"{place}/{name}" for name in _RESOURCES})


def refused_version(request: Request) -> Response | None:
    """The error for a version that does not exist or is retired; None for a good one."""
    version = request.path_params.get("version", _OLDEST)
    if version in RETIRED:
        return error(410, "UNSUPPORTED_API_VERSION", f"API version {version} is retired.")
    return not_found() if version not in VERSIONS else None


def _label(version: str) -> str:
    """The release of a version: three a year."""
    since = int(float(version)) - _SPRING_24
    return f"{_SEASONS[since % len(_SEASONS)]} '{24 + (since + 1) // len(_SEASONS)}"
