"""The music API of the sandbox keeps to its documented contract."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from novade_pipeline.sandbox.music_api import ENDPOINTS, Faults, MusicApi
from novade_pipeline.sandbox.serving import serving


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(MusicApi().app()) as url:
        yield url


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_pages_hold_every_row_once(url: str, endpoint: str) -> None:
    rows = MusicApi().tables[endpoint]
    items: list[Any] = []
    for page in range(1, 6):
        answer = httpx.get(f"{url}/{endpoint}", params={"page": page, "size": 100}).json()
        assert set(answer) == {"items", "total", "page", "size", "pages"}
        assert (answer["page"], answer["size"]) == (page, 100)
        assert (answer["total"], answer["pages"]) == (len(rows), -(-len(rows) // 100))
        items += answer["items"]
    assert items == rows


@pytest.mark.parametrize(
    "query", ["page=0", "page=-1", "page=x", "size=0", "size=101", "size=x", "page="]
)
def test_bad_parameters_are_answered_by_422(url: str, query: str) -> None:
    answer = httpx.get(f"{url}/tracks?{query}")
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", query.partition("=")[0]]


def test_a_page_past_the_end_has_no_items(url: str) -> None:
    answer = httpx.get(f"{url}/tracks?page=99&size=100")
    assert (answer.status_code, answer.json()["items"]) == (200, [])


def test_the_same_seed_is_the_same_world() -> None:
    assert MusicApi(seed=4).tables == MusicApi(seed=4).tables
    assert MusicApi(seed=4).tables != MusicApi(seed=5).tables


def test_faults_come_as_often_as_configured() -> None:
    service = MusicApi(faults=Faults(limited_every=3, failing_every=4))
    with TestClient(service.app()) as client:
        answers = [client.get("/tracks") for _ in range(12)]
    statuses = [answer.status_code for answer in answers]
    assert statuses == [200, 200, 429, 500, 200, 429, 200, 500, 429, 200, 200, 429]
    retry_after = [answer.headers["Retry-After"] for answer in answers if answer.status_code == 429]
    assert [text.isdecimal() for text in retry_after] == [True, False, True, False]


def test_data_changes_so_many_times_while_it_is_read() -> None:
    service = MusicApi(faults=Faults(changes=2))
    before = [list(map(dict, service.tables["tracks"]))]
    with TestClient(service.app()) as client:
        for _ in range(4):
            client.get("/tracks")
            before.append(list(map(dict, service.tables["tracks"])))
    assert [before[n] != before[n + 1] for n in range(4)] == [True, True, False, False]


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_rows_return_to_an_older_state_as_often_as_configured(endpoint: str) -> None:
    service = MusicApi(faults=Faults(restores=2))
    before = list(map(dict, service.tables[endpoint]))
    with TestClient(service.app()) as client:
        for _ in range(4):
            client.get(f"/{endpoint}")
    changed = [
        (old, new) for old, new in zip(before, service.tables[endpoint], strict=True) if old != new
    ]
    assert len(changed) == 2
    assert all(new["updated_at"] < old["updated_at"] for old, new in changed)


def test_a_port_that_is_taken_is_said() -> None:
    with (
        serving(MusicApi().app()) as url,
        pytest.raises(OSError, match="in use"),
        serving(MusicApi().app(), int(url.rpartition(":")[2])),
    ):
        pass
