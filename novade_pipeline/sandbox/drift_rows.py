"""Rows of a Drift workspace: users, accounts, contacts, conversations and messages.

The people are those of `business`, so that chats belong to users of the product and to people of
the CRM. Rows are a function of the seed and the day; times are epoch milliseconds, and a contact's
fields are attributes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import count
from random import Random
from typing import Any

from novade_pipeline.sandbox.business import Person, companies_for, company, person, staff
from novade_pipeline.sandbox.music_users import World

Row = dict[str, Any]
ORGANISATION = 4021
INBOX = 62_491
BOT = 21_000
DAYS = 90
"""How many days back chats go."""

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_FIRST_CONTACT = 17_035_000_000
_FIRST_CONVERSATION = 3_782_000_000
_ACTIVE_USER_DAYS = 14
_GREETING = "<p>Hi there! What brings you here today?</p>"
_QUESTIONS = (
    "<p>Can I change my plan in the middle of the month?</p>",
    "<p>The app says that my address {email} is in use.</p>",
    "<p>Is there an invoice for {company}?</p>",
    "<p>Where do I see who of my team listened to what?</p>",
    "<p>Please call me back: {phone}.</p>",
)
_ANSWERS = (
    "<p>Let me look that up for you, {first}.</p>",
    "<p>That is done now. Anything else?</p>",
    "<p>I am sending it to {email}.</p>",
)
_NOTE = "<p>Asked sales to call {first} {last}.</p>"
_BROWSERS = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Chrome/131.0.0.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Firefox/133.0",
)
_TAGS = ("billing", "bug", "praise", "upgrade")


@dataclass
class Workspace:
    """The rows of the service.

    Attributes:
        conversations: id -> details.
        messages: conversation -> its messages, the oldest first.
        contacts: id -> contact.
        people: contact -> the person.
        now: the service's clock, epoch milliseconds.
    """

    users: list[Row]
    accounts: list[Row]
    now: int
    conversations: dict[int, Row] = field(default_factory=dict)
    messages: dict[int, list[Row]] = field(default_factory=dict)
    contacts: dict[int, Row] = field(default_factory=dict)
    people: dict[int, Person] = field(default_factory=dict)


def workspace(seed: int, as_of: date, conversations: int, events_per_hour: int) -> Workspace:
    """The workspace at the beginning of a day, UTC; the newest chats may end a little later.

    Args:
        seed: of the world.
        as_of: the day.
        conversations: their number; of three contacts two chat once.
        events_per_hour: the size of the product's world, whose users chat.
    """
    companies = companies_for(events_per_hour)
    now = int(datetime(as_of.year, as_of.month, as_of.day, tzinfo=UTC).timestamp()) * SECOND
    made = Workspace(_users(seed, now), _accounts(seed, companies, now), now)
    people = _people(seed, as_of, events_per_hour)
    for number in range(conversations):
        rng = Random(f"{seed}:drift:{as_of}:{number}")
        # The newest chat began within the hour.
        began = now - HOUR + rng.randrange(HOUR // 2)
        began -= int(DAYS * DAY * (1 - (number + 1) / conversations))
        known = len(made.contacts)
        if known and rng.random() < 0.35:
            contact_id = _contact_id(rng.randrange(known))
        else:
            contact_id = add_contact(made, next(people), began, rng)
        number = add_conversation(made, contact_id, began, rng)
        made.now = max(made.now, made.conversations[number]["updatedAt"])
    return made


def add_contact(made: Workspace, who: Person, at: int, rng: Random) -> int:
    """Add a contact; returns the id."""
    contact_id = _contact_id(len(made.people))
    attributes: Row = {
        "_END_USER_VERSION": 3,
        "email": who.email if rng.random() < 0.7 else who.email.title(),
        "name": f"{who.first_name} {who.last_name}",
        "phone": who.phone if rng.random() < 0.5 else None,
        "externalId": who.email if who.index >= 0 and rng.random() < 0.6 else None,
        "tags": [{"name": rng.choice(_TAGS), "color": "FFFFFF"}] if rng.random() < 0.3 else [],
        "socialProfiles": {},
        "events": {},
        "start_date": at,
        "job_title": who.title,
        "employment_name": who.company.name if who.company else None,
    }
    made.contacts[contact_id] = {"id": contact_id, "createdAt": at, "attributes": attributes}
    made.people[contact_id] = who
    return contact_id


def add_conversation(made: Workspace, contact_id: int, began: int, rng: Random) -> int:
    """Add a chat from greeting to end; returns the id."""
    number = _FIRST_CONVERSATION + 13 * (len(made.messages) + 1)
    made.messages[number] = []
    made.conversations[number] = {
        "status": "open",
        "contactId": contact_id,
        "createdAt": began,
        "id": number,
        "inboxId": INBOX,
        "updatedAt": began,
        "participants": [],
        "tags": [{"color": "FFFFFF", "name": rng.choice(_TAGS)}] if rng.random() < 0.4 else [],
        "relatedPlaybookId": 500 + rng.randrange(4) if rng.random() < 0.8 else None,
    }
    buttons = [{"label": "I have a question", "value": "question", "type": "reply", "style": "x"}]
    add_message(made, number, BOT, _GREETING, began, rng, buttons=buttons)
    at = began + rng.randint(5, 90) * SECOND
    agents = [user["id"] for user in made.users if not user["bot"]]
    agent = rng.choice(agents)
    for turn in range(rng.randint(1, 4)):
        add_message(made, number, contact_id, rng.choice(_QUESTIONS), at, rng)
        if turn == 0 and rng.random() < 0.15:
            break  # without an answer
        at += int(rng.expovariate(1 / 6) * MINUTE) + 10 * SECOND
        add_message(made, number, agent, rng.choice(_ANSWERS), at, rng)
        if rng.random() < 0.2:
            at += 20 * SECOND
            add_message(made, number, agent, _NOTE, at, rng, type_="private_note")
        at += rng.randint(20, 240) * SECOND
    if rng.random() < 0.75:
        close(made, number, min(at + rng.randint(1, 30) * MINUTE, began + HOUR // 2))
    return number


def add_message(
    made: Workspace,
    conversation_id: int,
    author: int,
    text: str,
    at: int,
    rng: Random,
    *,
    type_: str = "chat",
    buttons: list[Row] | None = None,
) -> Row:
    """Add a message, which makes its conversation the newest."""
    conversation = made.conversations[conversation_id]
    at = max(at, conversation["updatedAt"])
    is_contact = author in made.people
    who = made.people[conversation["contactId"]]
    message: Row = {
        "id": f"{conversation_id:x}{len(made.messages[conversation_id]):04x}",
        "orgId": ORGANISATION,
        "body": text.format(
            email=who.email,
            phone=who.phone,
            first=who.first_name,
            last=who.last_name,
            company=who.company.name if who.company else "us",
        ),
        "author": {
            "type": "contact" if is_contact else "user",
            "id": author,
            "bot": author == BOT,
        },
        "type": type_,
        "conversationId": conversation_id,
        "createdAt": at,
        "buttons": buttons or [],
        "context": {},
        "attributes": {},
    }
    if is_contact:
        address = f"203.0.113.{author % 250 + 1}"
        message["context"] = {"ip": address, "userAgent": rng.choice(_BROWSERS)}
    elif author not in (BOT, *conversation["participants"]):
        conversation["participants"].append(author)
    made.messages[conversation_id].append(message)
    conversation["updatedAt"] = at
    return message


def close(made: Workspace, conversation_id: int, at: int) -> None:
    """End a chat."""
    conversation = made.conversations[conversation_id]
    conversation["status"] = "closed"
    conversation["updatedAt"] = max(at, conversation["updatedAt"])


def _contact_id(nth: int) -> int:
    return _FIRST_CONTACT + 7 * nth


def _users(seed: int, now: int) -> list[Row]:
    made = now - 400 * DAY
    common = {"orgId": ORGANISATION, "locale": "en-US", "createdAt": made, "updatedAt": made}
    bot = {"id": BOT, "name": "Novabot", "alias": "Novabot", "email": None, "phone": None}
    rows = [{**common, **bot, "availability": "AVAILABLE", "role": "member", "bot": True}]
    for colleague in staff(seed):
        name = f"{colleague.first_name} {colleague.last_name}"
        is_admin = colleague.role == "Chief of Sales"
        rows.append(
            {
                **common,
                "id": BOT + 1 + colleague.index,
                "name": name,
                "alias": colleague.first_name,
                "email": colleague.email,
                "phone": None,
                "availability": "OFFLINE" if colleague.index % 3 else "AVAILABLE",
                "role": "admin" if is_admin else "agent",
                "bot": False,
            }
        )
    return [{**row, "timeZone": "Europe/Paris", "verified": not row["bot"]} for row in rows]


def _accounts(seed: int, companies: int, now: int) -> list[Row]:
    rows = []
    for number in range(companies):
        customer, rng = company(seed, number), Random(f"{seed}:drift-account:{number}")
        made = now - rng.randint(100, 500) * DAY
        size = {
            "label": "Employees",
            "name": "employees",
            "value": customer.employees,
            "type": "NUMBER",
        }
        rows.append(
            {
                "ownerId": BOT + 1 + rng.randrange(7),
                "name": customer.name,
                "domain": customer.domain,
                "accountId": f"{ORGANISATION}_{customer.domain}",
                "customProperties": [size] if rng.random() < 0.6 else [],
                "deleted": False,
                "createDateTime": made,
                "updateDateTime": made + rng.randint(0, 90) * DAY,
                "targeted": rng.random() < 0.3,
            }
        )
    return rows


def _people(seed: int, as_of: date, events_per_hour: int) -> Iterator[Person]:
    """Users of the product while there are some left, and people who never used it."""
    world = World(seed, events_per_hour)
    day = (as_of - date(1970, 1, 1)).days
    users_by_index = {
        user.index: user.person
        for ago in range(1, _ACTIVE_USER_DAYS)
        for user in world.users_on(day - ago)
    }
    users = [users_by_index[index] for index in sorted(users_by_index)]
    rng = Random(f"{seed}:drift-people:{as_of}")
    rng.shuffle(users)
    strangers = count(1)
    while True:
        if users and rng.random() < 0.8:
            yield users.pop()
        else:
            yield person(seed, companies_for(events_per_hour), -next(strangers))
