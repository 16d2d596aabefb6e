"""The marts of the customer: each rule as cases in one handmade world."""

import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from novade_pipeline.defs.drift import tables as drift
from novade_pipeline.defs.marts.project import Project
from novade_pipeline.defs.marts.tables import mart_table
from novade_pipeline.defs.salesforce import tables as salesforce
from novade_pipeline.personal_data import PersonalDataPolicy
from novade_pipeline_tests.defs.marts.crm import ALL, Crm, Row, ago, day

# id: (fields, status, days open, days to close)
OPPORTUNITIES: dict[str, tuple[Row, str, int | None, int | None]] = {
    "won": ({"is_closed": True, "is_won": True, "close_date": day(10)}, "won", 30, 30),
    "lost": ({"is_closed": True, "close_date": day(0)}, "lost", 40, 40),
    "pipeline": ({"forecast_category": "Pipeline", "close_date": day(-5)}, "pipeline", 40, 45),
    "best case": ({"forecast_category": "Best Case"}, "pipeline", 40, None),
    "bestcase": ({"forecast_category": "BestCase"}, "pipeline", 40, None),
    "forecast": ({"forecast_category": " FORECAST "}, "pipeline", 40, None),
    "by its name": ({"forecast_category_name": "Best Case"}, "pipeline", 40, None),
    "omitted": ({"forecast_category": "Omitted"}, "other", 40, None),
    "nothing said": ({}, "other", 40, None),
    "closed before it opened": (
        {"is_closed": True, "is_won": True, "close_date": day(47)}, "won", -7, -7
    ),
}  # fmt: skip

# id of the conversation: (messages as (seconds, author, type), answered after, by whom, duration)
SAL, BOB, BOT, GUEST = 11, 12, 13, 21
CHATS: dict[int, tuple[list[tuple[int, int, str]], float | None, int | None, float | None]] = {
    1: ([(0, GUEST, "chat"), (5, BOT, "chat"), (60, SAL, "chat"), (90, BOB, "chat")], 60, SAL, 90),
    2: ([(0, GUEST, "chat"), (30, SAL, "private_note"), (45, BOB, "chat")], 45, BOB, 45),
    3: ([(0, SAL, "chat"), (100, GUEST, "chat"), (130, SAL, "chat")], 30, SAL, 130),
    4: ([(0, GUEST, "chat"), (5, BOT, "chat")], None, None, 5),
    5: ([(0, SAL, "chat"), (10, BOB, "chat")], None, None, 10),
    6: ([(0, GUEST, "edit"), (10, GUEST, "chat"), (20, SAL, "chat")], 10, SAL, 10),
    7: ([], None, None, None),
}

# amplitude_id: (user_id, user_properties, groups), account, way, key kind, candidates
Told = tuple[str | None, dict[str, Any], dict[str, Any]]
USERS: dict[int, tuple[Told, str | None, str | None, str | None, int]] = {
    1: (("Ann@Acme.example", {}, {}), "acme", "email", "contact_email", 1),
    2: (("a2@x.example", {"Email": " ANN@acme.example"}, {}), "acme", "email", "contact_email", 1),
    3: (("lea@freemail.example", {}, {}), "bolt", "email", "lead_email", 1),
    4: (("new@acme.example", {}, {}), "acme", "domain", "account_website", 1),
    5: (("new@cargo.example", {}, {}), "cargo", "domain", "contact_domain", 1),
    # The address says more than the group does, which is another account's.
    6: (("ann@acme.example", {}, {"company": ["Bolt Inc"]}), "acme", "email", "contact_email", 1),
    7: (("x@freemail.example", {}, {"company": [" bolt INC"]}), "bolt", "group", "account_name", 1),
    8: (("y@freemail.example", {}, {"Company": "Acme"}), "acme", "group", "account_name", 1),
    9: (("twice@freemail.example", {}, {"company": ["Acme"]}), None, "email", "contact_email", 2),
    10: (("z@shared.example", {}, {}), None, "domain", "account_website", 2),
    11: (("z@both.example", {}, {}), None, "domain", "contact_domain", 2),
    12: (("w@freemail.example", {}, {"company": ["Twin"]}), None, "group", "account_name", 2),
    13: (("w@nobody.example", {}, {}), None, None, None, 0),
    14: (("v@freemail.example", {}, {}), None, None, None, 0),
    15: (("gone@gone.example", {}, {}), None, None, None, 0),
    16: (("left@freemail.example", {}, {}), None, None, None, 0),
    17: (("a number", {"email": 17}, {"company": []}), None, None, None, 0),
    18: (("open@freemail.example", {}, {}), None, None, None, 0),
    # A contact's private domain does not outweigh whose website it is.
    19: (("new@bolt.example", {}, {}), "bolt", "domain", "account_website", 1),
}  # fmt: skip
# Without an address and without a group there is nothing to match by.
NOBODY = 20


def _write(crm: Crm) -> None:
    crm.write(
        salesforce.ACCOUNT,
        [
            {"id": "acme", "name": "Acme", "website": "https://www.Acme.example", "owner_id": "u1"},
            {"id": "bolt", "name": "Bolt Inc", "website": "bolt.example:8080", "owner_id": "u2"},
            {"id": "cargo", "name": "Cargo"},
            {"id": "dune", "name": "Twin", "website": "http://shared.example"},
            {"id": "echo", "name": " twin", "website": "shared.example/"},
            {"id": "gone", "name": "Gone", "website": "gone.example", "is_deleted": True},
            {"id": "idle", "name": "Idle", "website": "idle.example"},
        ],
    )  # fmt: skip
    contacts = [
        ("c1", "acme", "ann@ACME.example "),
        ("c2", "cargo", "carl@cargo.example"),
        ("c3", "dune", "twice@freemail.example"),
        ("c4", "echo", "Twice@Freemail.example"),
        ("c5", "dune", "d@both.example"),
        ("c6", "echo", "e@both.example"),
        ("c7", "gone", "gone@gone.example"),
        ("c8", "cargo", "consultant@bolt.example"),
        ("c9", "cargo", "no address"),
    ]
    left = {"id": "c0", "account_id": "acme", "email": "left@freemail.example", "is_deleted": True}
    crm.write(
        salesforce.CONTACT,
        [*({"id": id_, "account_id": of, "email": email} for id_, of, email in contacts), left],
    )
    crm.write(
        salesforce.LEAD,
        [
            {
                "id": "l1",
                "email": "lea@freemail.example",
                "is_converted": True,
                "converted_account_id": "bolt",
            },
            {"id": "l2", "email": "open@freemail.example", "is_converted": False},
        ],
    )
    crm.write(
        salesforce.USER,
        [
            {"id": "u1", "name": "Sal Secret", "email": "sal@novade.example", "user_role_id": "r"},
            {"id": "u2", "name": "Una Secret", "email": "una@novade.example", "is_active": True},
        ],
    )
    crm.write(salesforce.USER_ROLE, [{"id": "r", "name": "Sales"}])
    crm.write(
        salesforce.OPPORTUNITY,
        [
            {
                "id": id_,
                "account_id": "acme",
                "owner_id": "u1",
                "amount": 100.0,
                "probability": 50.0,
                "created_date": ago(40),
                "is_closed": False,
                "is_won": False,
                **fields,
            }
            for id_, (fields, *_) in OPPORTUNITIES.items()
        ]
        + [{"id": "deleted", "account_id": "acme", "owner_id": "u1", "is_deleted": True}],
    )
    crm.write(salesforce.PRODUCT, [{"id": "p1", "family": "B"}, {"id": "p2", "family": "A"}])
    item = {"opportunity_id": "won", "quantity": 2.0, "total_price": 10.5}
    crm.write(
        salesforce.OPPORTUNITY_LINE_ITEM,
        [
            *({"id": n, **item, "product2_id": p} for n, p in (("i1", "p1"), ("i2", "p2"))),
            {"id": "i3", **item, "product2_id": "p2"},
            {"id": "i4", **item, "is_deleted": True},
        ],
    )
    crm.write(salesforce.ORDER, [{"id": "or1", "account_id": "acme", "total_amount": 7.0}])
    done = {"is_closed": True, "owner_id": "u1", "account_id": "acme"}
    nowhere = {**done, "account_id": None}
    crm.write(
        salesforce.TASK,
        [
            {"id": "t1", **done, "task_subtype": "Task", "completed_date_time": ago(3)},
            {"id": "t2", **done, "task_subtype": "Call", "completed_date_time": ago(3),
             "call_duration_in_seconds": 90},
            {"id": "t3", **done, "type": "Call", "completed_date_time": ago(3),
             "call_duration_in_seconds": 10},
            {"id": "t4", **done, "task_subtype": "Email", "activity_date": day(4)},
            {"id": "t5", **done, "task_subtype": "ListEmail", "completed_date_time": ago(4)},
            {"id": "t6", **done, "is_closed": False, "activity_date": day(1)},
            {"id": "t7", **done, "is_deleted": True, "completed_date_time": ago(1)},
            # Whose account is that of its contact, of its opportunity, or what it is about.
            {"id": "t8", **nowhere, "who_id": "c2", "completed_date_time": ago(8)},
            {"id": "t9", **nowhere, "what_id": "won", "completed_date_time": ago(9)},
            {"id": "tA", **nowhere, "what_id": "dune", "completed_date_time": ago(9)},
        ],
    )  # fmt: skip
    crm.write(
        salesforce.EVENT,
        [
            {"id": "m1", "owner_id": "u2", "account_id": "bolt", "start_date_time": ago(2),
             "duration_in_minutes": 30},
            {"id": "m2", "owner_id": "u2", "account_id": "acme", "start_date_time": ago(-2)},
        ],
    )  # fmt: skip
    _write_chats(crm)
    crm.use(*_events())


def _write_chats(crm: Crm) -> None:
    crm.write(
        drift.USERS,
        [
            {"id": SAL, "name": "Sal", "email": "SAL@novade.example", "bot": False},
            {"id": BOB, "alias": "Bob", "email": "bob@novade.example"},
            # The message does not say that this one is a bot.
            {"id": BOT, "name": "Bot", "bot": True},
        ],
    )
    contacts = [
        (GUEST, "ann@acme.example", False),
        (22, "somebody@bolt.example", False),
        (23, "p@freemail.example", False),
        (24, None, False),
        (25, "carl@cargo.example", True),
    ]
    crm.write(
        drift.CONTACTS,
        [{"id": id_, "email": email, "is_deleted": gone} for id_, email, gone in contacts],
    )
    crm.write(
        drift.ACCOUNTS,
        [
            {"account_id": "a1", "domain": "acme.example"},
            {"account_id": "a2", "domain": "nobody.example"},
            {"account_id": "a3", "domain": "bolt.example", "is_deleted": True},
        ],
    )
    begun = ago(5)
    crm.write(
        drift.CONVERSATIONS,
        [
            {"id": id_, "contact_id": contact, "status": status, "created_at": begun}
            for id_, contact, status in [
                *((id_, GUEST, "closed") for id_ in CHATS),
                (8, 22, "open"),
                (9, 23, "open"),
                (10, 24, "open"),
                (11, 25, "closed"),
            ]
        ],
    )
    crm.write(
        drift.MESSAGES,
        [
            {
                "id": f"{id_}-{n}",
                "conversation_id": id_,
                "type": kind,
                "author_type": "contact" if author == GUEST else "user",
                "author_id": author,
                "body": "secret",
                "created_at": begun + timedelta(seconds=seconds),
            }
            for id_, (messages, *_) in CHATS.items()
            for n, (seconds, author, kind) in enumerate(messages)
        ],
    )


def _events() -> list[Row]:
    told = {id_: case[0] for id_, case in USERS.items()} | {NOBODY: (None, {}, {})}
    rows = [
        {
            "amplitude_id": id_,
            "user_id": user_id,
            "user_properties": json.dumps(properties),
            "groups": json.dumps(groups),
            "event_time": ago(100),
        }
        for id_, (user_id, properties, groups) in told.items()
    ]
    # Of acme: user 1 today twice in one session and 6 days ago, user 4 at the edges of the spans.
    for id_, days in [(1, 0), (1, 6), (4, 7), (4, 27), (4, 28), (4, 89), (4, 90), (19, 1.5)]:
        first = next(row for row in rows if row["amplitude_id"] == id_)
        rows.append({**first, "event_time": ago(days)})
    rows.append({**rows[len(told)], "event_type": "Song"})
    # The newest state of a user decides: this one once named another group.
    older = {**rows[6], "groups": '{"company":["Acme"]}', "event_time": ago(200)}
    return [*rows, older]


@pytest.fixture(scope="module")
def crm(tmp_path_factory: pytest.TempPathFactory, project: Project) -> Crm:
    crm = Crm(tmp_path_factory.mktemp("crm"), project)
    empty = crm.refresh(checks=True)
    assert not empty.failures
    assert {name: mart.rows for name, mart in empty.marts.items() if name != "match_rates"} == (
        dict.fromkeys(set(ALL) - {"match_rates"}, 0)
    )
    assert [report.check.name for report in empty.checks if not report.passed] == []
    _write(crm)
    done = crm.refresh(checks=True)
    assert not done.failures
    told = {report.check.name for report in done.checks if not report.passed}
    assert told == {"opportunity_closes_after_it_was_made", "account_has_a_domain"}
    return crm


def _row(crm: Crm, mart: str, **key: Any) -> Row:
    (found,) = [row for row in crm.rows(mart) if key.items() <= row.items()]
    return found


@pytest.mark.parametrize("id_", OPPORTUNITIES)
def test_an_opportunity_has_its_status_and_its_days(crm: Crm, id_: str) -> None:
    _, status, days_open, days_to_close = OPPORTUNITIES[id_]
    row = _row(crm, "opportunity_enhanced", opportunity_id=id_)
    assert (row["status"], row["days_open"]) == (status, days_open)
    assert row["days_to_close"] == days_to_close


def test_an_opportunity_tells_whose_it_is_and_what_it_is_made_of(crm: Crm) -> None:
    row = _row(crm, "opportunity_enhanced", opportunity_id="won")
    assert (row["account_name"], row["owner_name"]) == ("Acme", "Sal Secret")
    assert (row["line_items"], row["line_item_quantity"], row["line_item_amount"]) == (3, 6.0, 31.5)
    assert (row["product_families"], row["expected_amount"]) == ("A, B", 50.0)
    assert "deleted" not in {row["opportunity_id"] for row in crm.rows("opportunity_enhanced")}


def test_an_owner_is_told_by_what_came_of_it(crm: Crm) -> None:
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


def test_a_day_tells_what_each_person_did(crm: Crm) -> None:
    found = {
        (row["day"], row["owner_id"], row["kind"]): (row["activities"], row["seconds"])
        for row in crm.rows("daily_activity")
    }
    assert found == {
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


def test_a_deleted_contact_tells_no_address(crm: Crm) -> None:
    assert _row(crm, "conversation_enhanced", conversation_id=11)["contact_email"] is None


@pytest.mark.parametrize("id_", USERS)
def test_a_user_is_matched_once_by_the_first_way_that_finds_an_account(crm: Crm, id_: int) -> None:
    _, account, way, key_kind, candidates = USERS[id_]
    found = [
        (row["account_id"], row["matched_by"], row["key_kind"], row["candidates"], row["outcome"])
        for row in crm.rows("customer_matches")
        if (row["kind"], row["subject_id"]) == ("product_user", str(id_))
    ]
    outcome = "matched" if candidates == 1 else "ambiguous" if candidates else "unmatched"
    # Who tells nothing is not there.
    expected = [] if id_ == 17 else [(account, way, key_kind, candidates, outcome)]
    assert found == expected


def test_contacts_and_accounts_of_the_chat_are_matched_likewise(crm: Crm) -> None:
    found = {
        (row["kind"], row["subject_id"]): (row["account_id"], row["key_kind"], row["outcome"])
        for row in crm.rows("customer_matches")
        if row["kind"] != "product_user"
    }
    assert found == {
        ("chat_contact", str(GUEST)): ("acme", "contact_email", "matched"),
        ("chat_contact", "22"): ("bolt", "account_website", "matched"),
        ("chat_contact", "23"): (None, None, "unmatched"),
        ("chat_account", "a1"): ("acme", "account_website", "matched"),
        ("chat_account", "a2"): (None, None, "unmatched"),
    }


def test_an_account_tells_how_its_users_use_the_product(crm: Crm) -> None:
    row = _row(crm, "customer_360", account_id="acme")
    assert (row["users"], row["users_by_email"], row["users_by_domain"]) == (5, 3, 1)
    assert (row["users_by_group"], row["usage_until"]) == (1, day(0))
    found = {
        days: tuple(
            row[f"{measure}_{days}_days"]
            for measure in ("events", "active_users", "sessions", "active_days")
        )
        for days in (7, 28, 90)
    }
    # 28 days ago lies before the last 28 days: today is the first of them.
    assert found == {7: (3, 1, 2, 2), 28: (5, 2, 4, 4), 90: (7, 2, 6, 6)}


def test_an_account_tells_what_was_sold_and_asked(crm: Crm) -> None:
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


def test_a_deleted_account_is_not_there(crm: Crm) -> None:
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
    def told(**variables: float) -> dict[str, tuple[bool, bool]]:
        done = crm.refresh("match_rates", checks=True, **variables)
        return {r.check.name: (r.passed, r.fresh) for r in done.checks if "rate_of" in r.check.name}

    assert told()["match_rate_of_users"] == (True, False)
    strict = told(matched_users=0.99, matched_conversations=0.1)
    assert strict["match_rate_of_users"] == (False, True)
    assert strict["match_rate_of_conversations"] == (True, True)
    assert not {c.name for c in crm.project.checks if c.blocking and "rate_of" in c.name}
    assert told() == dict.fromkeys(strict, (True, True)) | {"match_rate_of_accounts": (True, False)}


def test_the_marts_are_the_same_when_personal_data_is_hashed(crm: Crm, tmp_path: Path) -> None:
    other = Crm(tmp_path, crm.project, PersonalDataPolicy("hash", b"a key"))
    _write(other)
    assert not other.refresh(checks=True).failures
    for name in ALL:
        table = mart_table(crm.project.nodes[name])
        kept = [c.name for c in table.columns if c.personal is None]
        assert _shown(other, name, kept) == _shown(crm, name, kept), name
    everything = str([other.rows(name) for name in ALL])
    assert "ecret" not in everything
    assert "ann@" not in everything


def test_without_personal_data_the_group_is_what_is_left_of_a_user(
    crm: Crm, tmp_path: Path
) -> None:
    other = Crm(tmp_path, crm.project, PersonalDataPolicy("drop"))
    _write(other)
    assert not other.refresh("event_enhanced", "user_enhanced", "customer_matches").failures
    found = {
        int(row["subject_id"]): row["account_id"]
        for row in other.rows("customer_matches")
        if row["kind"] == "product_user"
    }
    assert found == {6: "bolt", 7: "bolt", 8: "acme", 9: "acme", 12: None}


def _shown(crm: Crm, mart: str, columns: list[str]) -> list[Row]:
    return [{name: row[name] for name in columns} for row in crm.rows(mart)]


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
    changed.use(*_events()[:-4])
    assert not changed.refresh(checks=True).failures
    assert "acme" not in {row["account_id"] for row in changed.rows("customer_matches")}
    found = {name: changed.rows(name) for name in ALL}
    changed.warehouse.unlink()
    assert not changed.refresh().failures
    assert {name: changed.rows(name) for name in ALL} == found


def test_what_names_a_person_is_marked(project: Project) -> None:
    marked = {
        (name, column.name)
        for name in ALL
        if name not in ("event_enhanced", "user_enhanced")
        for column in mart_table(project.nodes[name]).columns
        if column.personal is not None
    }
    assert marked == {
        ("opportunity_enhanced", "owner_name"),
        ("owner_performance", "owner_name"),
        ("conversation_enhanced", "contact_email"),
        ("conversation_enhanced", "first_responder_name"),
        ("customer_360", "owner_name"),
        ("daily_activity", "owner_name"),
    }


def test_previews_show_no_person(crm: Crm) -> None:
    done = crm.refresh()
    for name in set(ALL):
        shown = done.marts[name].preview or ""
        assert "ecret" not in shown, name
        assert "@" not in shown, name
