"""Amplitude's Export API: spans of upload hours, each answered by a zip of export files.

Source: https://amplitude.com/docs/apis/analytics/export. A span of more than 4 GB is refused with
400, one that takes too long to pack with 504; 404 means that nothing was uploaded in it.
"""

import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

from novade_pipeline.api.auth import Basic
from novade_pipeline.api.client import Client
from novade_pipeline.api.contract import Api, Refused
from novade_pipeline.api.request_budget import Budget
from novade_pipeline.defs.amplitude.export_files import events_hour
from novade_pipeline.defs.amplitude.settings import AmplitudeSettings
from novade_pipeline.errors import PermanentFailure, TransientFailure

HOUR = timedelta(hours=1)
PATH = "api/2/export"
MOST_HOURS = 24 * 365
"""The longest span that the API answers."""
ZIP_ATTEMPTS = 3
"""How often a span is asked for whose zip is damaged."""
_ENTRY = re.compile(r"\d+/[^/\\]+")
_NOTHING, _TOO_LARGE, _TOO_SLOW = 404, 400, 504
_DENIED = (401, 403)


@dataclass(frozen=True)
class Span:
    """Consecutive upload hours, UTC."""

    start: datetime
    hours: int

    @property
    def end(self) -> datetime:
        """Where the last hour ends."""
        return self.start + self.hours * HOUR

    def split(self) -> tuple["Span", "Span"]:
        """The span in two, each of whole hours."""
        first = self.hours // 2
        return Span(self.start, first), Span(self.start + first * HOUR, self.hours - first)

    def __iter__(self) -> Iterator[datetime]:
        return (self.start + number * HOUR for number in range(self.hours))

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%dT%H}..{self.end - HOUR:%Y-%m-%dT%H}"


@dataclass(frozen=True)
class Archive:
    """A span's answer: the whole zip in a file; None where nothing was uploaded in it."""

    span: Span
    path: Path | None

    def entries(self) -> Iterator[tuple[str, datetime, int, IO[bytes]]]:
        """Yields name, upload hour, size in bytes and content of each file.

        Raises:
            PermanentFailure: some name is not that of an export file of the span.
        """
        if self.path is None:
            return
        with zipfile.ZipFile(self.path) as archive:
            files = [entry for entry in archive.infolist() if not entry.is_dir()]
            hours = [self._hour_of(entry.filename) for entry in files]
            for entry, hour in zip(files, hours, strict=True):
                with archive.open(entry) as content:
                    yield entry.filename, hour, entry.file_size, content

    def _hour_of(self, name: str) -> datetime:
        hour = events_hour(name.rpartition("/")[2])
        if hour is None or _ENTRY.fullmatch(name) is None:
            raise PermanentFailure(
                f"Amplitude Export API: expected files as 187520/187520_2018-11-05_9#0.json.gz in "
                f"the answer for {self.span}, found {name!r}; nothing of it has landed."
            )
        if not self.span.start <= hour < self.span.end:
            raise PermanentFailure(
                f"Amplitude Export API: expected hours of {self.span} in the answer, found "
                f"{name}; nothing of it has landed."
            )
        return hour


def api_of(settings: AmplitudeSettings) -> Api:
    """The Export API as the settings describe it; its keys must be set."""
    assert settings.api_key is not None
    assert settings.secret_key is not None
    return Api(
        name="Amplitude Export API",
        url=settings.url,
        auth=Basic(settings.api_key.get_secret_value(), settings.secret_key.get_secret_value()),
        budget=Budget(
            concurrent=settings.api_concurrency,
            requests=settings.api_requests_per_minute,
            seconds=60.0,
            max_requests=settings.api_max_requests,
        ),
        timeout=settings.api_timeout_seconds,
        headers={"Accept": "*/*"},
        hint="look at NOVADE_AMPLITUDE_REGION and NOVADE_AMPLITUDE_API_URL",
    )


def spans(hours: Sequence[datetime], longest: int) -> list[Span]:
    """The hours, ascending, as spans of consecutive ones.

    Args:
        longest: hours of a span at most.
    """
    joined: list[Span] = []
    for hour in hours:
        last = joined[-1] if joined else None
        if last is not None and last.end == hour and last.hours < min(longest, MOST_HOURS):
            joined[-1] = Span(last.start, last.hours + 1)
        else:
            joined.append(Span(hour, 1))
    return joined


def fetch(client: Client, span: Span, folder: Path) -> Iterator[Archive]:
    """Yields the answers for a span, in its order; one that is too large or too slow in halves.

    Args:
        folder: for the zip, which the caller deletes.

    Raises:
        PermanentFailure: the keys are refused, or an hour alone is too large.
        TransientFailure: the API does not answer, or its zip is damaged each time.
    """
    path = folder / f"{span}.zip"
    try:
        yield Archive(span, path if _download(client, span, path) else None)
    except Refused as refused:
        path.unlink(missing_ok=True)
        if refused.status in _DENIED:
            raise PermanentFailure(
                f"{refused} Expected the API key and the secret key of a project whose data may be "
                "exported: look whether NOVADE_AMPLITUDE_API_KEY and NOVADE_AMPLITUDE_SECRET_KEY "
                "are swapped, and whether the region is right."
            ) from None
        if refused.status not in (_TOO_LARGE, _TOO_SLOW):
            raise
        if span.hours == 1 and refused.status == _TOO_SLOW:
            raise TransientFailure(f"{refused} An hour cannot be split; run it again.") from None
        if span.hours == 1:
            raise PermanentFailure(
                f"{refused} An hour cannot be split; have Amplitude export it to the storage."
            ) from None
        for part in span.split():
            yield from fetch(client, part, folder)


def _download(client: Client, span: Span, path: Path) -> bool:
    """Downloads a span's zip, whole; whether anything was uploaded in it."""
    params = {"start": f"{span.start:%Y%m%dT%H}", "end": f"{span.end - HOUR:%Y%m%dT%H}"}
    for _ in range(ZIP_ATTEMPTS):
        try:
            client.download(PATH, path, params, final_statuses=(_TOO_SLOW,))
        except Refused as refused:
            if refused.status == _NOTHING:
                path.unlink(missing_ok=True)
                return False
            raise
        if _is_whole(path):
            return True
    path.unlink()
    raise TransientFailure(
        f"Amplitude Export API: expected a zip for {span}, found a damaged one {ZIP_ATTEMPTS} "
        "times; nothing of it has landed; run it again."
    )


def _is_whole(path: Path) -> bool:
    """Whether every entry of a zip has the bytes that its checksum says."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, zlib.error, EOFError):
        return False
