"""A handmade world of accounts, people, sales, chats and events: each rule as cases in it."""

import json
from datetime import timedelta
from typing import Any

from novade_pipeline.defs.drift import tables as drift
from novade_pipeline.defs.salesforce import tables as salesforce
from novade_pipeline.defs.tickets import tables as tickets
from novade_pipeline_tests.defs.marts.crm import Crm, Row, ago, day

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


# The client of a ticket, whether it is open, its account.
CLIENTS: tuple[tuple[str | None, bool, str | None], ...] = (
    ("acme", True, "acme"),
    (" Ann@ACME.example", True, "acme"),
    ("someone@acme.example", False, "acme"),
    # A user of the product by group only.
    ("x@freemail.example", True, "bolt"),
    ("CLIENT-0001", True, None),
    ("gone", True, None),
    (None, True, None),
)


def _write_tickets(crm: Crm) -> None:
    ticket = {
        **{"request_type": "billing", "request_type_kind": "exact", "team": "Billing Team"},
        **{"requested_at": ago(200), "request_date": day(200), "order_time": ago(200)},
        **{"generation": 1, "partition": 0, "offset": 0, "changed_in": 1},
    }
    crm.write(
        tickets.TICKETS,
        [
            {"ticket_id": f"t{n}", "client_id": client, "is_deleted": not is_open, **ticket}
            for n, (client, is_open, _) in enumerate(CLIENTS)
        ],
    )


def write_world(crm: Crm) -> None:
    """Write all of it into a lake."""
    _write_tickets(crm)
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
    crm.use(*events())


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


def events() -> list[Row]:
    """What the users did with the product."""
    users = {id_: case[0] for id_, case in USERS.items()} | {NOBODY: (None, {}, {})}
    rows = [
        {
            "amplitude_id": id_,
            "user_id": user_id,
            "user_properties": json.dumps(properties),
            "groups": json.dumps(groups),
            "event_time": ago(100),
        }
        for id_, (user_id, properties, groups) in users.items()
    ]
    # Of acme: user 1 today twice in one session and 6 days ago, user 4 at the edges of the spans.
    for id_, days in [(1, 0), (1, 6), (4, 7), (4, 27), (4, 28), (4, 89), (4, 90), (19, 1.5)]:
        first = next(row for row in rows if row["amplitude_id"] == id_)
        rows.append({**first, "event_time": ago(days)})
    rows.append({**rows[len(users)], "event_type": "Song"})
    # The newest state of a user decides: this one once named another group.
    older = {**rows[6], "groups": '{"company":["Acme"]}', "event_time": ago(200)}
    return [*rows, older]
