"""What the made-up organisation's people do: calls, e-mails, meetings."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import count
from random import Random

from novade_pipeline.sandbox.salesforce import objects
from novade_pipeline.sandbox.salesforce.rows import Record, Setting, moment, record

_TALKS = ("Kick-off", "Quarterly review", "Pricing", "Onboarding", "Renewal", "Question on invoice")
ARCHIVED_AFTER_DAYS = 365
_RECENT = timedelta(days=180)
_CHANNELS = ("Call", "Call", "Email", "Email", "Email", "Other")


def tasks(
    setting: Setting, people: Sequence[Record], prospects: Sequence[Record], deals: Sequence[Record]
) -> list[Record]:
    """Calls, e-mails and things to do."""
    of_account = _by_account(deals)
    numbers = count()
    tasks = []
    for who in (*people, *prospects):
        rng = setting.random("tasks", who["Id"])
        for _ in range(rng.choice((0, 0, 1, 1, 2, 4))):
            values = _task(setting, rng, who)
            deal = rng.choice(of_account.get(who.get("AccountId"), [None]))
            values["WhatId"] = deal["Id"] if deal and rng.random() < 0.6 else who.get("AccountId")
            created = values["CompletedDateTime"] or setting.now
            created = max(setting.begin, created - timedelta(days=rng.randint(1, 9)))
            tasks.append(
                record(setting, objects.TASK, next(numbers), created, who["OwnerId"], values)
            )
    return [*tasks, *_old_tasks(setting, people, numbers)]


def _old_tasks(
    setting: Setting, people: Sequence[Record], numbers: Iterator[int]
) -> Iterator[Record]:
    """What was done more than a year ago, and is archived by now."""
    for who in people:
        rng = setting.random("old tasks", who["Id"])
        if rng.random() < 0.9:
            continue
        day = setting.now - timedelta(days=rng.randint(ARCHIVED_AFTER_DAYS + 10, 700))
        values = {**_task(setting, rng, who, day), "WhatId": who["AccountId"]}
        made = record(setting, objects.TASK, next(numbers), day, who["OwnerId"], values)
        yield archived(made, setting.as_of)


def _task(setting: Setting, rng: Random, who: Record, day: datetime | None = None) -> Record:
    """A task; where a day is told, one that was done within a week of it."""
    channel, talk = rng.choice(_CHANNELS), rng.choice(_TALKS)
    done = rng.random() < 0.8 or day is not None
    since, until = (day, day + timedelta(days=7)) if day else (setting.now - _RECENT, setting.now)
    when = moment(rng, since, until)
    due = when.date() if done else setting.as_of + timedelta(days=rng.randint(-5, 30))
    call = channel == "Call" and done
    return {
        "WhoId": who["Id"],
        "AccountId": who.get("AccountId"),
        "OwnerId": who["OwnerId"],
        "Subject": f"{channel if channel != 'Other' else 'Task'}: {talk} with {who['Name']}",
        "Description": f"To: {who['Email']}\n\nDear {who['FirstName']},\n{talk.lower()}, as agreed."
        if channel == "Email"
        else None,
        "Status": "Completed" if done else rng.choice(("Not Started", "In Progress")),
        "Priority": rng.choice(("Normal", "Normal", "High")),
        "Type": channel,
        "TaskSubtype": channel if channel != "Other" else "Task",
        "ActivityDate": due,
        "IsClosed": done,
        "CompletedDateTime": when if done else None,
        "CallDurationInSeconds": rng.randrange(20, 2_400) if call else None,
    }


def events(setting: Setting, people: Sequence[Record], deals: Sequence[Record]) -> list[Record]:
    """Meetings, a few of them planned."""
    of_account = _by_account(deals)
    events: list[Record] = []
    for who in people:
        rng = setting.random("events", who["Id"])
        if rng.random() < 0.7:
            continue
        day = setting.now + timedelta(days=rng.randint(-150, 30))
        begin, minutes = day + timedelta(minutes=30 * rng.randint(14, 34)), rng.choice((30, 60, 90))
        deal = rng.choice(of_account.get(who["AccountId"], [None]))
        values = {
            "WhoId": who["Id"],
            "WhatId": deal["Id"] if deal else who["AccountId"],
            "AccountId": who["AccountId"],
            "OwnerId": who["OwnerId"],
            "Subject": f"{rng.choice(_TALKS)} with {who['Name']}",
            "Location": rng.choice((None, "Video call", who["MailingStreet"])),
            "Type": rng.choice(("Meeting", "Demo", "Other")),
            "StartDateTime": begin,
            "EndDateTime": begin + timedelta(minutes=minutes),
            "ActivityDate": begin.date(),
            "DurationInMinutes": minutes,
        }
        created = min(begin, setting.now) - timedelta(days=rng.randint(1, 20))
        events.append(record(setting, objects.EVENT, len(events), created, who["OwnerId"], values))
    return [*events, *_old_events(setting, people, len(events))]


def _old_events(setting: Setting, people: Sequence[Record], number: int) -> list[Record]:
    """Meetings of more than a year ago, which are archived by now."""
    events: list[Record] = []
    for who in people:
        rng = setting.random("old events", who["Id"])
        if rng.random() < 0.9:
            continue
        begin = setting.now - timedelta(days=rng.randint(ARCHIVED_AFTER_DAYS + 10, 700), hours=9)
        values = {
            "WhoId": who["Id"],
            "WhatId": who["AccountId"],
            "AccountId": who["AccountId"],
            "OwnerId": who["OwnerId"],
            "Subject": f"{rng.choice(_TALKS)} with {who['Name']}",
            "Type": "Meeting",
            "StartDateTime": begin,
            "EndDateTime": begin + timedelta(minutes=30),
            "ActivityDate": begin.date(),
            "DurationInMinutes": 30,
        }
        created = max(setting.begin, begin - timedelta(days=rng.randint(1, 20)))
        made = record(setting, objects.EVENT, number + len(events), created, who["OwnerId"], values)
        events.append(archived(made, setting.as_of))
    return events


def archived(row: Record, today: date) -> Record:
    """An activity as the nightly run leaves it, which archives those that are a year old.

    Plain queries do not find them any more, `queryAll` does. `SystemModstamp` is left as it was:
    the guide does not say that it changes. Source: Object Reference, "Archived Activities"
    (sforce_api_guidelines_archive.htm): events whose day, and closed tasks whose due date or, where
    there is none, day of creation is 365 days old or older.
    """
    day = row.get("ActivityDate") or row["CreatedDate"].date()
    is_past = row.get("IsClosed", True) and (today - day).days >= ARCHIVED_AFTER_DAYS
    return {**row, "IsArchived": True} if is_past else row


def _by_account(deals: Sequence[Record]) -> dict[str | None, list[Record | None]]:
    found: defaultdict[str | None, list[Record | None]] = defaultdict(list)
    for deal in deals:
        found[deal["AccountId"]].append(deal)
    return found


def tell_last_activity(
    setting: Setting, rows: Sequence[Record], activities: Sequence[Record]
) -> None:
    """The last completed task or past event of each record."""
    last: dict[str, date] = {}
    for one in activities:
        past = one["IsClosed"] if "IsClosed" in one else one["ActivityDate"] < setting.as_of
        for name in ("WhoId", "WhatId", "AccountId"):
            if past and one[name] and not one["IsDeleted"]:
                last[one[name]] = max(last.get(one[name], date.min), one["ActivityDate"])
    for row in rows:
        row["LastActivityDate"] = last.get(row["Id"])
