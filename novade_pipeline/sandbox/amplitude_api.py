"""Amplitude's Export API over made-up or given export files, with faults on request.

`GET /api/2/export?start=YYYYMMDDTHH&end=YYYYMMDDTHH`, both hours included, with Basic
authentication: a zip of `<project>/<project>_<YYYY-MM-DD>_<H>#<part>.json.gz`. A span of more than
`most_bytes` or 365 days is answered with 400, one without data with 404.
Source: https://amplitude.com/docs/apis/analytics/export.
"""

import io
import re
import tempfile
import zipfile
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from novade_pipeline.sandbox import amplitude_exports

HOUR = timedelta(hours=1)
DELAY = 2 * HOUR
"""How long after its end an hour is exported."""
MOST_BYTES = 4 * 10**9
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
"""The first hour of the made-up history."""
_SPAN = re.compile(r"(\d{8})T(\d{1,2})", re.ASCII)
_NAME = re.compile(r"(?P<project>\d+)_(?P<day>\d{4}-\d{2}-\d{2})_(?P<hour>\d{1,2})#\d+\.json\.gz")

FilesOf = Callable[[datetime, int], Mapping[str, bytes]]
"""From the first upload hour and a number of hours to their files: name -> content."""


@dataclass(frozen=True)
class Faults:
    """Which faults to inject; none by default.

    Attributes:
        limited_every: every n-th request gets a 429 with `Retry-After`.
        retry_after: its seconds.
        failing_every: every n-th request gets a 500.
        slow_hours: spans of more hours get a 504; 0: none.
        cut_every: every n-th zip ends in its middle.
        damaged_every: every n-th zip has a byte that is wrong.
    """

    limited_every: int = 0
    retry_after: int = 1
    failing_every: int = 0
    slow_hours: int = 0
    cut_every: int = 0
    damaged_every: int = 0


class AmplitudeApi:
    """The API of one project.

    Attributes:
        api_key, secret_key: that requests must have.
        request_count: number of answered requests, of any status.
        hours: each hour that a zip was sent for, once for each zip.
        bytes_sent: of the zips.
    """

    def __init__(
        self,
        files_of: FilesOf,
        *,
        keys: tuple[str, str] = ("lantern-key", "lantern-secret"),
        may_export: bool = True,
        most_bytes: int = MOST_BYTES,
        faults: Faults | None = None,
    ) -> None:
        self.api_key, self.secret_key = keys
        self.may_export = may_export
        self.most_bytes = most_bytes
        self.faults = faults or Faults()
        self.request_count = self.bytes_sent = 0
        self.hours: list[datetime] = []
        self._files_of = files_of
        self._zips = 0

    def app(self) -> Starlette:
        """The API as an ASGI app."""
        return Starlette(routes=[Route("/api/2/export", self._export)])

    def _export(self, request: Request) -> Response:
        self.request_count += 1
        number, faults = self.request_count, self.faults
        pair = b64encode(f"{self.api_key}:{self.secret_key}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {pair}":
            return Response("Invalid API key or secret key", 401)
        if not self.may_export:
            return Response("This project may not be exported", 403)
        if faults.limited_every and number % faults.limited_every == 0:
            return Response("Too Many Requests", 429, {"Retry-After": str(faults.retry_after)})
        if faults.failing_every and number % faults.failing_every == 0:
            return Response("Internal Server Error", 500)
        span = _span(request)
        if isinstance(span, str):
            return JSONResponse({"error": span}, 400)
        start, hours = span
        if faults.slow_hours and hours > faults.slow_hours:
            return Response("Gateway Timeout", 504)
        exported = (datetime.now(UTC) - DELAY - start) // HOUR
        files = self._files_of(start, min(hours, exported)) if exported > 0 else {}
        if not files:
            return Response("Raw data files were not found", 404)
        if sum(map(len, files.values())) > self.most_bytes:
            return JSONResponse({"error": "The file size of the exported data is too large"}, 400)
        content = self._damaged(_zip(files))
        self.hours += [start + n * HOUR for n in range(hours)]
        self.bytes_sent += len(content)
        return Response(content, media_type="application/zip")

    def _damaged(self, content: bytes) -> bytes:
        self._zips += 1
        if self.faults.cut_every and self._zips % self.faults.cut_every == 0:
            return content[: len(content) // 2]
        if self.faults.damaged_every and self._zips % self.faults.damaged_every == 0:
            # In the content of the first file, behind its header and name.
            place = 30 + int.from_bytes(content[26:28], "little") + 4
            return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]
        return content


def made_up(seed: int, events_per_hour: int, since: datetime = BEGIN) -> FilesOf:
    """The exports of the made-up music service, without faults; none before `since`."""

    def files_of(start: datetime, hours: int) -> dict[str, bytes]:
        first = max(start, since)
        left = (start + hours * HOUR - first) // HOUR
        if left < 1:
            return {}
        with tempfile.TemporaryDirectory() as folder:
            amplitude_exports.land(
                folder,
                first_hour=first,
                hours=left,
                events_per_hour=events_per_hour,
                seed=seed,
                faults=False,
            )
            landed = Path(folder, "amplitude", "events").iterdir()
            return {path.name: path.read_bytes() for path in landed}

    return files_of


def those_in(folder: Path) -> FilesOf:
    """The export files of a folder, as they are named."""
    by_hour: dict[datetime, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if name := _NAME.fullmatch(path.name):
            day = datetime.fromisoformat(name["day"]).replace(tzinfo=UTC)
            by_hour.setdefault(day + int(name["hour"]) * HOUR, []).append(path)

    def files_of(start: datetime, hours: int) -> dict[str, bytes]:
        spanned = (by_hour.get(start + n * HOUR, ()) for n in range(hours))
        return {path.name: path.read_bytes() for paths in spanned for path in paths}

    return files_of


def _span(request: Request) -> tuple[datetime, int] | str:
    """The first hour and the number of hours, or what is wrong."""
    ends = []
    for name in ("start", "end"):
        match = _SPAN.fullmatch(request.query_params.get(name, ""))
        if match is None or int(match[2]) > 23:
            return f"{name} must be of the form YYYYMMDDTHH"
        ends.append(
            datetime.strptime(match[1], "%Y%m%d").replace(tzinfo=UTC) + int(match[2]) * HOUR
        )
    start, end = ends
    if end < start:
        return "end must not be before start"
    hours = (end - start) // HOUR + 1
    return (start, hours) if hours <= 365 * 24 else "The range must be at most 365 days"


def _zip(files: Mapping[str, bytes]) -> bytes:
    """The files in the folder of their project; they are compressed already."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for name, file in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(f"{name.partition('_')[0]}/{name}"), file)
    return content.getvalue()
