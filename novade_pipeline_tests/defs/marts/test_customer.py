"""The marts of the customer: each rule as cases in one handmade world."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from novade_pipeline.defs.marts.project import Project
from novade_pipeline.defs.salesforce import tables as salesforce
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline_tests.defs.marts.crm import ALL, PRODUCT, Crm, Row, ago, day
from novade_pipeline_tests.defs.marts.customer_world import (
    BOB,
    BOT,
    CHATS,
    CLIENTS,
    GUEST,
    OPPORTUNITIES,
    USERS,
    events,
    write_world,
)


@pytest.fixture(scope="module")
def crm(tmp_path_factory: pytest.TempPathFactory, project: Project) -> Crm:
    crm = Crm(tmp_path_factory.mktemp("crm"), project)
    empty = crm.refresh(checks=True)
    assert not empty.failures
    assert {name: mart.rows for name, mart in empty.marts.items() if name != "match_rates"} == (
        dict.fromkeys(set(ALL) - {"match_rates"}, 0)
    )
    assert [report.check.name for report in empty.checks if not report.passed] == []
    write_world(crm)
    done = crm.refresh(checks=True)
    assert not done.failures
    results = {report.check.name for report in done.checks if not report.passed}
    assert results == {"opportunity_closes_after_it_was_made", "account_has_a_domain"}
    return crm


def _row(crm: Crm, mart: str, **key: Any) -> Row:
    (rows,) = [row for row in crm.rows(mart) if key.items() <= row.items()]
    return rows


@pytest.mark.parametrize("id_", OPPORTUNITIES)
def test_an_opportunity_has_its_status_and_its_days(crm: Crm, id_: str) -> None:
    _, status, days_open, days_to_close = OPPORTUNITIES[id_]
    row = _row(crm, "opportunity_enhanced", opportunity_id=id_)
    assert (row["status"], row["days_open"]) == (status, days_open)
    assert row["days_to_close"] == days_to_close


def test_an_opportunity_has_its_owner_and_its_line_items(crm: Crm) -> None:
    row = _row(crm, "opportunity_enhanced", opportunity_id="won")
    assert (row["account_name"], row["owner_name"]) == ("Acme", "Sal Secret")
    assert (row["line_items"], row["line_item_quantity"], row["line_item_amount"]) == (3, 6.0, 31.5)
    assert (row["product_families"], row["expected_amount"]) == ("A, B", 50.0)
    assert "deleted" not in {row["opportunity_id"] for row in crm.rows("opportunity_enhanced")}


def test_an_owner_is_reported_by_what_came_of_it(crm: Crm) -> None:
    row = _row(crm, "owner_performance", owner_id="u1")
    assert {name: row[name] for name in ("opportunities", "won", "lost", "pipeline", "other")} == {
        **{"opportunities": 10, "won": 2, "lost": 1},
        **{"pipeline": 5, "other": 2},
    }
    assert (row["won_amount"], row["pipeline_amount"]) == (200.0, 500.0)
    assert row["win_rate"] == pytest.approx(2 / 3)
    assert row["average_days_to_win"] == pytest.approx((30 - 7) / 2)
    assert row["average_days_to_close"] == pytest.approx((30 - 7 + 40) / 3)
    assert (row["tasks"], row["calls"], row["emails"], row["meetings"]) == (4, 2, 2, 0)
    assert row["role_name"] == "Sales"
    other = _row(crm, "owner_performance", owner_id="u2")
    assert (other["opportunities"], other["win_rate"], other["meetings"]) == (0, None, 1)


def test_a_day_has_the_activities_of_each_person(crm: Crm) -> None:
    rows = {
        (row["day"], row["owner_id"], row["kind"]): (row["activities"], row["seconds"])
        for row in crm.rows("daily_activity")
    }
    assert rows == {
        (day(3), "u1", "task"): (1, 0),
        (day(3), "u1", "call"): (2, 100),
        (day(4), "u1", "email"): (2, 0),
        (day(8), "u1", "task"): (1, 0),
        (day(9), "u1", "task"): (2, 0),
        (day(2), "u2", "meeting"): (1, 1800),
        # Who answers chats is the seller with the same address; the other one is none.
        (day(5), "u1", "chat"): (4, 0),
        (day(5), f"drift:{BOB}", "chat"): (3, 0),
    }
    names = {row["owner_id"]: row["owner_name"] for row in crm.rows("daily_activity")}
    assert names == {"u1": "Sal Secret", "u2": "Una Secret", f"drift:{BOB}": "Bob"}


@pytest.mark.parametrize("id_", CHATS)
def test_a_chat_is_answered_by_the_first_person_after_the_contact_wrote(crm: Crm, id_: int) -> None:
    messages, seconds, responder, duration = CHATS[id_]
    row = _row(crm, "conversation_enhanced", conversation_id=id_)
    assert (row["first_response_seconds"], row["first_responder_id"]) == (seconds, responder)
    assert (row["is_answered"], row["duration_seconds"]) == (seconds is not None, duration)
    chats = [author for _, author, kind in messages if kind == "chat"]
    assert (row["messages"], row["bot_messages"]) == (len(chats), chats.count(BOT))
    assert row["private_notes"] == sum(kind == "private_note" for _, _, kind in messages)
    assert row["contact_email"] == "ann@acme.example"


def test_a_deleted_contact_gives_no_address(crm: Crm) -> None:
    assert _row(crm, "conversation_enhanced", conversation_id=11)["contact_email"] is None


@pytest.mark.parametrize("id_", USERS)
def test_a_user_is_matched_once_by_the_first_way_that_finds_an_account(crm: Crm, id_: int) -> None:
    _, account, way, key_kind, candidates = USERS[id_]
    rows = [
        (row["account_id"], row["matched_by"], row["key_kind"], row["candidates"], row["outcome"])
        for row in crm.rows("customer_matches")
        if (row["kind"], row["subject_id"]) == ("product_user", str(id_))
    ]
    outcome = "matched" if candidates == 1 else "ambiguous" if candidates else "unmatched"
    # Who tells nothing is not there.
    expected = [] if id_ == 17 else [(account, way, key_kind, candidates, outcome)]
    assert rows == expected


def test_contacts_and_accounts_of_the_chat_are_matched_likewise(crm: Crm) -> None:
    rows = {
        (row["kind"], row["subject_id"]): (row["account_id"], row["key_kind"], row["outcome"])
        for row in crm.rows("customer_matches")
        if row["kind"] not in ("product_user", "ticket_client")
    }
    assert rows == {
        ("chat_contact", str(GUEST)): ("acme", "contact_email", "matched"),
        ("chat_contact", "22"): ("bolt", "account_website", "matched"),
        ("chat_contact", "23"): (None, None, "unmatched"),
        ("chat_account", "a1"): ("acme", "account_website", "matched"),
        ("chat_account", "a2"): (None, None, "unmatched"),
    }


def test_an_account_has_the_usage_of_its_users(crm: Crm) -> None:
    row = _row(crm, "customer_360", account_id="acme")
    assert (row["users"], row["users_by_email"], row["users_by_domain"]) == (5, 3, 1)
    assert (row["users_by_group"], row["usage_until"]) == (1, day(0))
    rows = {
        days: tuple(
            row[f"{measure}_{days}_days"]
            for measure in ("events", "active_users", "sessions", "active_days")
        )
        for days in (7, 28, 90)
    }
    # 28 days ago lies before the last 28 days: today is the first of them.
    assert rows == {7: (3, 1, 2, 2), 28: (5, 2, 4, 4), 90: (7, 2, 6, 6)}


def test_an_account_has_its_sales_and_chats(crm: Crm) -> None:
    row = _row(crm, "customer_360", account_id="acme")
    assert (row["domain"], row["owner_name"], row["contacts"]) == ("acme.example", "Sal Secret", 1)
    assert (row["opportunities"], row["won"], row["lost"], row["pipeline"]) == (10, 2, 1, 5)
    assert (row["won_amount"], row["pipeline_amount"]) == (200.0, 500.0)
    assert (row["last_won_date"], row["next_close_date"]) == (day(10), day(-5))
    assert (row["orders"], row["order_amount"]) == (1, 7.0)
    assert (row["conversations"], row["open_conversations"]) == (7, 0)
    assert (row["answered_conversations"], row["conversations_by_email"]) == (4, 7)
    assert row["median_first_response_seconds"] == 37.5
    assert row["chat_accounts"] == 1


def test_an_account_has_the_tickets_of_its_known_clients(crm: Crm) -> None:
    rows = {row["account_id"]: row for row in crm.rows("customer_360")}
    for account, row in rows.items():
        of_account = [is_open for _, is_open, known in CLIENTS if known == account]
        assert (row["tickets"], row["open_tickets"]) == (len(of_account), sum(of_account))
        assert row["last_ticket_at"] == (ago(200) if of_account else None)


@pytest.mark.parametrize(
    ("account", "kind", "days"),
    [
        ("acme", "event", 0),
        # A meeting that is planned is none yet; a chat without a message is as old as itself.
        ("bolt", "event", 1.5),
        ("cargo", "task", 8),
        ("dune", "task", 9),
        ("idle", None, None),
    ],
)
def test_the_last_touch_is_the_newest_with_its_kind(
    crm: Crm, account: str, kind: str | None, days: float | None
) -> None:
    row = _row(crm, "customer_360", account_id=account)
    expected = None if days is None else ago(days)
    assert (row["last_touch_kind"], row["last_touch_at"]) == (kind, expected)


def test_a_deleted_account_is_absent(crm: Crm) -> None:
    assert {row["account_id"] for row in crm.rows("customer_360")} == {
        *("acme", "bolt", "cargo", "dune", "echo", "idle")
    }


def test_the_match_rates_count_what_could_be_matched(crm: Crm) -> None:
    rates = {row.pop("what"): tuple(row.values()) for row in crm.rows("match_rates")}
    companies = {id_ for id_ in USERS if id_ not in (3, 9, 14, 16, 17, 18)} | {9}
    matched = {id_ for id_ in companies if USERS[id_][1]}
    assert rates["users_at_companies"] == (
        len(companies), len(matched), 4, pytest.approx(len(matched) / len(companies))
    )  # fmt: skip
    assert rates["conversations"] == (9, 8, 0, pytest.approx(8 / 9))
    assert rates["accounts_with_usage"][:2] == (6, 2)


def test_a_rate_below_its_setting_is_a_warning_and_the_setting_is_heard_at_once(crm: Crm) -> None:
    def results(**variables: float) -> dict[str, tuple[bool, bool]]:
        done = crm.refresh("match_rates", checks=True, **variables)
        return {r.check.name: (r.passed, r.fresh) for r in done.checks if "rate_of" in r.check.name}

    assert results()["match_rate_of_users"] == (True, False)
    strict = results(matched_users=0.99, matched_conversations=0.1)
    assert strict["match_rate_of_users"] == (False, True)
    # It stands, and is told without being run again.
    again = results(matched_users=0.99, matched_conversations=0.1)
    assert again["match_rate_of_users"] == (False, False)
    assert strict["match_rate_of_conversations"] == (True, True)
    assert not {c.name for c in crm.project.checks if c.blocking and "rate_of" in c.name}
    assert results() == dict.fromkeys(strict, (True, True)) | {
        "match_rate_of_accounts": (True, False)
    }


def test_a_check_that_could_not_be_run_does_not_pass_and_is_run_again(crm: Crm) -> None:
    for _ in range(2):
        done = crm.refresh("match_rates", checks=True, matched_users="no_such_column")
        (report,) = (r for r in done.checks if r.check.name == "match_rate_of_users")
        assert (report.passed, report.fresh) == (False, True)
        assert "no_such_column" in report.message


def test_the_marts_are_the_same_when_personal_data_is_hashed(crm: Crm, tmp_path: Path) -> None:
    other = Crm(tmp_path, crm.project, PersonalDataPolicy("hash", b"a key"))
    write_world(other)
    assert not other.refresh(checks=True).failures
    for name in ALL:
        table = crm.project.tables[name]
        columns = [c.name for c in table.columns if c.personal is None]
        if name == "customer_360":
            # A client that is an account by its id is a hash.
            columns = [c for c in columns if c not in ("tickets", "open_tickets", "last_ticket_at")]
        assert _shown(other, name, columns) == _shown(crm, name, columns), name
    everything = str([other.rows(name) for name in ALL])
    assert "ecret" not in everything
    assert "ann@" not in everything


def test_without_personal_data_the_group_is_what_is_left_of_a_user(
    crm: Crm, tmp_path: Path
) -> None:
    other = Crm(tmp_path, crm.project, PersonalDataPolicy("drop"))
    write_world(other)
    users = ("event_enhanced", "sessions", "user_days", "user_enhanced")
    assert not other.refresh(*users, "customer_keys", "customer_matches").failures
    rows = {
        int(row["subject_id"]): row["account_id"]
        for row in other.rows("customer_matches")
        if row["kind"] == "product_user"
    }
    assert rows == {6: "bolt", 7: "bolt", 8: "acme", 9: "acme", 12: None}


def _shown(crm: Crm, mart: str, columns: list[str]) -> list[Row]:
    return sorted(({name: row[name] for name in columns} for row in crm.rows(mart)), key=repr)


def test_a_mart_that_follows_changes_is_what_a_new_warehouse_makes(
    crm: Crm, tmp_path: Path
) -> None:
    shutil.copytree(crm.warehouse.parent, tmp_path, dirs_exist_ok=True)
    changed = Crm(tmp_path, crm.project)
    changed.write(
        salesforce.ACCOUNT,
        [{"id": "acme", "name": "Acme", "is_deleted": True, "system_modstamp": ago(-1)}],
    )
    changed.write(
        salesforce.OPPORTUNITY,
        [{"id": "won", "account_id": "bolt", "amount": 5.0, "system_modstamp": ago(-1)}],
    )
    changed.use(*events()[:-4])
    assert not changed.refresh(checks=True).failures
    assert "acme" not in {row["account_id"] for row in changed.rows("customer_matches")}
    rows = {name: changed.rows(name) for name in ALL}
    changed.warehouse.unlink()
    assert not changed.refresh().failures
    assert {name: changed.rows(name) for name in ALL} == rows


def test_what_names_a_person_is_marked(project: Project) -> None:
    marked = {
        (name, column.name)
        for name in ALL
        if name not in PRODUCT
        for column in project.tables[name].columns
        if column.personal is not None
    }
    assert marked == {
        ("opportunity_enhanced", "owner_name"),
        ("owner_performance", "owner_name"),
        ("conversation_enhanced", "contact_email"),
        ("conversation_enhanced", "first_responder_name"),
        ("customer_360", "owner_name"),
        ("customer_keys", "key"),
        # That of a client of tickets is what the client is called.
        ("customer_keys", "subject_id"),
        ("customer_matches", "subject_id"),
        ("client_tickets", "client_id"),
        ("daily_activity", "owner_name"),
    }


def test_previews_show_no_person(crm: Crm) -> None:
    done = crm.refresh()
    for name in set(ALL):
        shown = done.marts[name].preview or ""
        assert "ecret" not in shown, name
        assert "@" not in shown, name
