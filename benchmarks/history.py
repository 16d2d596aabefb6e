"""Three years of Amplitude's history, in one backfill that is killed ten times, against a download.

    .venv/bin/python benchmarks/history.py [--days 1096] [--kilobytes 20] [--kills 10]

The sandbox's Export API serves an hour of random bytes for each hour. The peer is what a script
would do: the same spans, one zip after the other, unpacked into a folder; it records nothing and
can be cut off only once. It is a benchmark, not a test: a missed goal ends with 0 too.
"""

import argparse
import io
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import httpx
from harness import verdict
from starlette.requests import Request
from starlette.responses import Response

from novade_pipeline.api.client import Client
from novade_pipeline.defs.amplitude.export_api import HOUR, PATH, api_of, spans
from novade_pipeline.defs.amplitude.history import FOLDER, fetch_history
from novade_pipeline.defs.amplitude.settings import AmplitudeSettings
from novade_pipeline.defs.amplitude.tables import HISTORY
from novade_pipeline.lake.read import read
from novade_pipeline.lake.windows import Window
from novade_pipeline.sandbox.amplitude_api import AmplitudeApi
from novade_pipeline.sandbox.serving import serving
from novade_pipeline.storage.locations import store

FIRST = datetime(2023, 1, 1, tzinfo=UTC)
PROCESSES = multiprocessing.get_context("spawn")
MOST_BYTES_AGAIN = 1.1
MOST_SECONDS_OF_PEER = 3.0


class Service(AmplitudeApi):
    """An API that kills the process that asks, at requests chosen at random."""

    def __init__(self, kilobytes: int, requests: int, kills: int) -> None:
        content = random.Random(1).randbytes(kilobytes * 1000)

        def files_of(start: datetime, hours: int) -> dict[str, bytes]:
            each = (start + number * HOUR for number in range(hours))
            return {f"187520_{h:%Y-%m-%d}_{h.hour}#0.json.gz": content for h in each}

        super().__init__(files_of)
        self.victim: int | None = None
        self._kill_at = set(random.Random(2).sample(range(2, requests), kills))

    def _export(self, request: Request) -> Response:
        answer = super()._export(request)
        if self.victim is not None and self.request_count in self._kill_at:
            os.kill(self.victim, signal.SIGKILL)
            self.victim = None
        return answer


def backfill(root: Path, settings: AmplitudeSettings, window: Window) -> None:
    """One backfill, to its end."""
    with Client(api_of(settings)) as client:
        fetch_history(
            client, store(str(root / "landing")), store(str(root / "lake")), window, settings
        )


def download(root: Path, settings: AmplitudeSettings, days: int) -> None:
    """What a script would do."""
    keys = (settings.api_key, settings.secret_key)
    auth = httpx.BasicAuth(*(key.get_secret_value() for key in keys if key))
    hours = [FIRST + number * HOUR for number in range(days * 24)]
    with httpx.Client(auth=auth, timeout=60) as client:
        for span in spans(hours, settings.api_hours_per_request):
            params = {
                "start": f"{span.start:%Y%m%dT%H}",
                "end": f"{span.end - HOUR:%Y%m%dT%H}",
            }
            answer = client.get(f"{settings.url}/{PATH}", params=params)
            with zipfile.ZipFile(io.BytesIO(answer.raise_for_status().content)) as archive:
                archive.extractall(root)


def timed(folder: Path, work: Callable[..., None], *args: object) -> None:
    """Do work and leave its seconds, without those of imports, in a file."""
    started = time.monotonic()
    work(*args)
    (folder / "seconds").write_text(str(time.monotonic() - started))


def seconds_of(folder: Path, work: Callable[..., None], *args: object) -> float:
    """The seconds of work in a process of its own, apart from the server's."""
    process = PROCESSES.Process(target=timed, args=(folder, work, *args))
    process.start()
    process.join()
    return float((folder / "seconds").read_text())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--days", type=int, default=1096)
    parser.add_argument("--kilobytes", type=int, default=20, help="of an hour's file")
    parser.add_argument("--kills", type=int, default=10)
    args = parser.parse_args()
    window = Window(FIRST, FIRST + timedelta(days=args.days))
    service = Service(args.kilobytes, args.days, args.kills)
    with tempfile.TemporaryDirectory() as folder, serving(service.app()) as url:
        settings = AmplitudeSettings(
            api_url=url, api_key=service.api_key, secret_key=service.secret_key
        )
        root, runs, seconds = Path(folder), 0, 0.0
        (root / "landing").mkdir()
        while True:
            process = PROCESSES.Process(target=backfill, args=(root, settings, window))
            started = time.monotonic()
            process.start()
            service.victim = process.pid
            process.join()
            seconds += time.monotonic() - started
            runs += 1
            if process.exitcode == 0:
                break
        killed = seconds
        hours = read(store(str(root / "lake")), HISTORY)["upload_hour"].to_pylist()
        files = sum(path.is_file() for path in (root / "landing" / FOLDER).rglob("*"))
        sent = len(service.hours)
        service.victim = None
        (root / "whole" / "landing").mkdir(parents=True)
        seconds = seconds_of(root, backfill, root / "whole", settings, window)
        peer = seconds_of(root, download, root / "peer", settings, args.days)
    expected = args.days * 24
    exact = len(hours) == len(set(hours)) == files == expected
    again = sent / expected
    print(f"{expected:,} hours of {args.kilobytes} kB, {runs - 1} kills")
    print(f"killed        {killed:7.1f} s   {sent:,} hours sent   exact: {verdict(exact)}")
    print(f"not killed    {seconds:7.1f} s")
    print(f"the script    {peer:7.1f} s")
    print(
        f"hours sent / hours {again:7.3f}   wanted <= {MOST_BYTES_AGAIN}   "
        f"{verdict(again <= MOST_BYTES_AGAIN)}"
    )
    ratio = seconds / peer
    print(
        f"seconds / script   {ratio:7.2f}   wanted <= {MOST_SECONDS_OF_PEER}   "
        f"{verdict(ratio <= MOST_SECONDS_OF_PEER)}"
    )


if __name__ == "__main__":
    main()
