"""How fast a paged API is read: the kernel beside dlt's REST client, on one server, in one run.

    .venv/bin/python benchmarks/api.py [--pages 1000] [--milliseconds 20] [--concurrent 4 8]

The server takes so long for each page, so with so many requests at once it allows no less than
pages x time / requests; its own rate is what a bare client gets that looks at no answer. dlt's
client asks for one page after the other, so the kernel is measured that way too. Each reads in a
process of its own. It is a benchmark, not a test: a missed goal ends with 0 too.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread

from harness import Measured, report, sampled, timed

ROWS = 100
ALLOWED = 1.2


def main() -> None:
    """Print a line a reader, and the figures as JSON."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pages", type=int, default=1000)
    options.add_argument("--milliseconds", type=float, default=20.0)
    options.add_argument("--concurrent", type=int, nargs="+", default=[1, 4, 8])
    options.add_argument("--times", type=int, default=1, help="Runs of each; the best counts.")
    asked = options.parse_args()
    figures = {}
    with server(asked.pages, asked.milliseconds) as url:
        for concurrent in asked.concurrent:
            bare = 0.0
            for reader in ("bare", "novade", *(["dlt"] if concurrent == 1 else [])):
                arguments = ["--read", reader, url, str(concurrent), str(asked.pages)]
                found = Measured(
                    tuple(sampled(Path(__file__), arguments) for _ in range(asked.times))
                )
                assert found.samples[0].events == asked.pages * ROWS, "rows are missing"
                least = asked.pages * asked.milliseconds / 1000 / concurrent
                bare = bare or found.seconds
                is_slow = reader == "novade" and found.seconds > ALLOWED * bare
                figures[f"{reader}_{concurrent}"] = found.as_dict() | {"bare_seconds": bare}
                print(
                    f"{concurrent} at once, {reader:7}{found.seconds:6.2f} s, "
                    f"{found.seconds / bare:5.2f} times the bare client, "
                    f"{found.seconds / least:5.2f} times {least:.2f} s; "
                    f"{found.rate:8,.0f} rows/s, {found.cpu_seconds:5.2f} s of CPU, "
                    f"{found.peak_mib:.0f} MiB"
                    f"{f'   missed: wanted <= {ALLOWED}' if is_slow else ''}",
                    flush=True,
                )
    print(json.dumps(figures))


@contextmanager
def server(pages: int, milliseconds: float) -> Iterator[str]:
    """The sandbox's music API in a process of its own."""
    arguments = [sys.executable, __file__, "--serve", str(pages), str(milliseconds)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def serve(pages: int, milliseconds: float) -> None:
    """Serve until the process is ended."""
    from novade_pipeline.sandbox.music_api import MusicApi
    from novade_pipeline.sandbox.serving import listen, serve_for_ever

    service = MusicApi(tracks=pages * ROWS, users=0, histories=0, page_seconds=milliseconds / 1000)
    listening = listen(0)
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    serve_for_ever(service.app(), listening)


def bare(url: str, concurrent: int, pages: int) -> Callable[[], int]:
    """As fast as the server goes: connections that stay open, answers that nobody looks at."""
    host = url.removeprefix("http://")

    def ask(first: int) -> None:
        connection = HTTPConnection(host)
        for page in range(first, pages + 1, concurrent):
            connection.request("GET", f"/tracks?page={page}&size={ROWS}")
            connection.getresponse().read()
        connection.close()

    def read() -> int:
        threads = [Thread(target=ask, args=(n,)) for n in range(1, concurrent + 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return pages * ROWS

    return read


def novade(url: str, concurrent: int) -> Callable[[], int]:
    """The kernel's pages."""
    from novade_pipeline.api.client import Client
    from novade_pipeline.api.contract import Api
    from novade_pipeline.api.paging import PageNumber, pages
    from novade_pipeline.api.request_budget import Budget

    def read() -> int:
        with Client(Api("music", url, budget=Budget(concurrent=concurrent))) as client:
            return _counted(page.items for page in pages(client, "tracks", PageNumber(rows=ROWS)))

    return read


def dlt(url: str) -> Callable[[], int]:
    """The pages of dlt's REST client."""
    from dlt.sources.helpers.rest_client import RESTClient
    from dlt.sources.helpers.rest_client.paginators import PageNumberPaginator

    def read() -> int:
        paginator = PageNumberPaginator(base_page=1, page_param="page", total_path="pages")
        client = RESTClient(base_url=url, paginator=paginator, data_selector="items")
        return _counted(iter(client.paginate("tracks", params={"size": ROWS})))

    return read


def _counted(pages: Iterator[list[dict[str, int]]]) -> int:
    rows = 0
    for page in pages:
        assert page[0]["id"] == rows + 1, "pages are out of order"
        rows += len(page)
    return rows


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--serve", pages, milliseconds]:
            serve(int(pages), float(milliseconds))
        case ["--read", "bare", url, concurrent, pages]:
            report(timed(bare(url, int(concurrent), int(pages))))
        case ["--read", "novade", url, concurrent, _]:
            report(timed(novade(url, int(concurrent))))
        case ["--read", "dlt", url, _, _]:
            report(timed(dlt(url)))
        case _:
            main()
