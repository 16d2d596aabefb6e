"""What the made-up organisation's people do: calls, e-mails, meetings."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import count
from random import Random

from novade_pipeline.sandbox.salesforce import objects
from novade_pipeline.sandbox.salesforce.rows import Record, Setting, moment, record

_TALKS = ("Kick-off", "Quarterly review", "Pricing", "Onboarding", "Renewal", "Question on invoice")
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
    return tasks


def _task(setting: Setting, rng: Random, who: Record) -> Record:
    channel, talk = rng.choice(_CHANNELS), rng.choice(_TALKS)
    done = rng.random() < 0.8
    when = moment(rng, setting.now - timedelta(days=180), setting.now)
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
    return events


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
