"""The Drift workspace of the sandbox keeps to the documented contract, and to its people."""

from collections.abc import Iterator
from datetime import date
from typing import Any, Literal

import httpx
import pytest
from starlette.testclient import TestClient

from novade_pipeline.sandbox.business import FREE_MAILBOX, OWN_DOMAIN, companies_for, company
from novade_pipeline.sandbox.drift_api import TOKEN, DriftApi, Faults
from novade_pipeline.sandbox.music_users import World

ASKING = {"Authorization": f"Bearer {TOKEN}"}
Paging = Literal["links", "pagination"]


def _client(service: DriftApi) -> TestClient:
    return TestClient(service.app(), headers=ASKING)


@pytest.fixture(scope="module")
def service() -> DriftApi:
    return DriftApi(conversations=130)


def _pages(client: TestClient, query: str, paging: Paging) -> Iterator[Any]:
    url: str | None = f"/conversations/list?{query}"
    while url is not None:
        body = client.get(url).json()
        yield body
        if paging == "links":
            assert "pagination" not in body
            url = body["links"].get("next")
        else:
            assert "links" not in body
            detail = body.get("pagination")
            assert detail is None or detail["more"] is True
            url = None if detail is None else f"/conversations/list?{query}&next={detail['next']}"


@pytest.mark.parametrize("paging", ["links", "pagination"])
@pytest.mark.parametrize(
    "query", ["limit=50", "limit=50&statusId=1", "limit=7&statusId=1&statusId=2"]
)
def test_pages_hold_every_conversation_once_newest_first(paging: Paging, query: str) -> None:
    service = DriftApi(conversations=130, paging=paging)
    with _client(service) as client:
        rows = [row for body in _pages(client, query, paging) for row in body["data"]]
    statuses = {"open", "closed"} if "=2" in query else {"open"}
    expected = [
        row
        for row in service.newest_first()
        if "statusId" not in query or row["status"] in statuses
    ]
    assert [row["id"] for row in rows] == [row["id"] for row in expected]
    times = [row["updatedAt"] for row in rows]
    assert times == sorted(times, reverse=True)
    assert set(rows[0]) == {"status", "contactId", "createdAt", "id", "inboxId", "updatedAt"}


def test_messages_are_paged_by_a_cursor(service: DriftApi) -> None:
    chat = DriftApi(conversations=1)
    (number,) = chat.state.conversations
    for _ in range(25):
        chat.write(number)
    rows: list[Any] = []
    with _client(chat) as client:
        body: Any = {"pagination": {"next": 0}}
        while "pagination" in body:
            cursor = body["pagination"]["next"]
            body = client.get(f"/conversations/{number}/messages?next={cursor}").json()
            rows += body["data"]["messages"]
    assert rows == chat.state.messages[number]


def test_accounts_are_paged_by_an_index(service: DriftApi) -> None:
    rows: list[Any] = []
    url: str | None = "/accounts/?index=0&size=25"
    with _client(service) as client:
        while url is not None:
            data = client.get(url).json()["data"]
            rows += data["accounts"]
            url = data.get("next")
    assert rows == service.state.accounts


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("/conversations/list?limit=51", 400, "validation_error"),
        ("/conversations/list?limit=0", 400, "validation_error"),
        ("/conversations/list?next=x", 400, "validation_error"),
        ("/accounts/?index=-1", 400, "validation_error"),
        ("/conversations/1", 404, "not_found"),
        ("/conversations/1/messages", 404, "not_found"),
        ("/contacts/1", 404, "not_found"),
        ("/nowhere", 404, "not_found"),
    ],
)
def test_errors_have_the_form_of_the_service(
    service: DriftApi, path: str, status: int, error: str
) -> None:
    with _client(service) as client:
        answer = client.get(path)
    assert answer.status_code == status
    (detail,) = answer.json()["errors"]
    assert detail["type"] == error
    assert set(detail) == {"type", "message"} | ({"param"} if status == 400 else set())


def test_requests_without_the_token_are_refused(service: DriftApi) -> None:
    with TestClient(service.app()) as client:
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            assert client.get("/users/list", headers=headers).status_code == 401


def test_too_many_requests_say_when_to_come_back_now_and_then() -> None:
    service = DriftApi(conversations=1, faults=Faults(limited_every=2))
    with _client(service) as client:
        answers = [client.get("/users/list") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200, 429] * 3
    retry_after = [answer.headers.get("Retry-After", "") for answer in answers[1::2]]
    assert [text.isdecimal() for text in retry_after] == [True, False, False]
    assert [bool(text) for text in retry_after] == [True, True, False]


def test_the_same_seed_and_day_are_the_same_workspace() -> None:
    first, same, different = (DriftApi(conversations=20, seed=seed).state for seed in (4, 4, 5))
    assert first == same
    assert first.messages != different.messages
    assert DriftApi(conversations=20, seed=4, as_of=date(2026, 11, 20)).state != first


def test_who_chats_uses_the_product_or_is_a_stranger(service: DriftApi) -> None:
    people = service.state.people.values()
    day = (date(2026, 11, 24) - date(1970, 1, 1)).days
    users = {u.index: u.user_id for ago in range(1, 14) for u in World(1, 120).users_on(day - ago)}
    using = [person for person in people if person.index >= 0]
    assert 0 < len(using) < len(people)
    assert {users[person.index] for person in using} == {person.email for person in using}
    for number, person in service.state.people.items():
        assert service.state.contacts[number]["attributes"]["email"].lower() == person.email.lower()


def test_accounts_are_the_companies_and_users_are_our_staff(service: DriftApi) -> None:
    domains = {company(1, number).domain for number in range(companies_for(120))}
    assert {row["domain"] for row in service.state.accounts} == domains
    assert FREE_MAILBOX not in domains
    bots = [row for row in service.state.users if row["bot"]]
    assert len(bots) == 1
    assert all(r["email"].endswith(f"@{OWN_DOMAIN}") for r in service.state.users if not r["bot"])


def test_chats_change_as_people_change_them() -> None:
    service = DriftApi(conversations=60)
    oldest = service.newest_first()[-1]["id"]
    service.write(oldest)
    assert service.newest_first()[0]["id"] == oldest
    begun = service.chat()
    assert service.newest_first()[0]["id"] == begun
    service.close(oldest)
    assert service.newest_first()[0] | {"participants": []} == service.state.conversations[
        oldest
    ] | {"participants": []}
    assert service.state.conversations[oldest]["status"] == "closed"
    assert service.state.now == service.newest_first()[0]["updatedAt"]


def test_chats_go_on_while_the_list_is_read() -> None:
    service = DriftApi(conversations=60, faults=Faults(changes=1))
    before = [row["id"] for row in service.newest_first()]
    with _client(service) as client:
        client.get("/conversations/list?limit=50")
        moved = service.newest_first()[0]["id"]
        assert moved in before[50:]
        client.get("/conversations/list?limit=50")
    assert service.newest_first()[0]["id"] == moved


def test_a_token_in_a_link_is_all_that_the_next_page_needs() -> None:
    service = DriftApi(conversations=60, links_to="https://api.drift.example")
    with _client(service) as client:
        link = httpx.URL(client.get("/conversations/list?limit=50").json()["links"]["next"])
        assert (link.host, link.path) == ("api.drift.example", "/conversations/list")
        token = link.params["page_token"]
        rest = client.get("/conversations/list", params={"page_token": token}).json()
    assert len(rest["data"]) == 10


def test_every_nth_changed_chat_keeps_its_position_in_the_list() -> None:
    service = DriftApi(conversations=60, faults=Faults(misplaced_every=2))
    moved, misplaced = (service.newest_first()[at]["id"] for at in (40, 50))
    service.write(moved)
    service.close(misplaced)
    order = [row["id"] for row in service.newest_first()]
    assert (order[0], order[50]) == (moved, misplaced)
    assert service.newest_first()[50]["updatedAt"] == service.state.now
    service.write(misplaced)
    assert service.newest_first()[0]["id"] == misplaced


def test_a_chat_can_be_restored_to_an_older_state() -> None:
    service = DriftApi(conversations=60)
    before = [dict(row) for row in service.newest_first()]
    service.write(before[30]["id"])
    service.restore(before[30])
    assert service.newest_first() == before
