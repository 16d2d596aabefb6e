"""Tasks and events: calls, e-mails, meetings."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import count
from random import Random

from novade_pipeline.sandbox.salesforce import objects
from novade_pipeline.sandbox.salesforce.rows import Record, Rows, Scenario, moment, record

_TALKS = ("Kick-off", "Quarterly review", "Pricing", "Onboarding", "Renewal", "Question on invoice")
ARCHIVED_AFTER_DAYS = 365
_RECENT = timedelta(days=180)
_CHANNELS = ("Call", "Call", "Email", "Email", "Email", "Other")


def tasks(
    scenario: Scenario,
    people: Rows,
    prospects: Rows,
    deals: Rows,
) -> list[Record]:
    """Calls, e-mails and to-dos."""
    of_account = _by_account(deals)
    numbers = count()
    tasks = []
    for who in (*people, *prospects):
        rng = scenario.random("tasks", who["Id"])
        for _ in range(rng.choice((0, 0, 1, 1, 2, 4))):
            values = _task(scenario, rng, who)
            deal = rng.choice(of_account.get(who.get("AccountId"), [None]))
            values["WhatId"] = deal["Id"] if deal and rng.random() < 0.6 else who.get("AccountId")
            created = values["CompletedDateTime"] or scenario.now
            created = max(scenario.begin, created - timedelta(days=rng.randint(1, 9)))
            tasks.append(
                record(scenario, objects.TASK, next(numbers), created, who["OwnerId"], values)
            )
    return [*tasks, *_old_tasks(scenario, people, numbers)]


def _old_tasks(scenario: Scenario, people: Rows, numbers: Iterator[int]) -> Iterator[Record]:
    """Archived tasks, completed more than a year ago."""
    for who in people:
        rng = scenario.random("old tasks", who["Id"])
        if rng.random() < 0.9:
            continue
        day = scenario.now - timedelta(days=rng.randint(ARCHIVED_AFTER_DAYS + 10, 700))
        values = {**_task(scenario, rng, who, day), "WhatId": who["AccountId"]}
        made = record(scenario, objects.TASK, next(numbers), day, who["OwnerId"], values)
        yield archived(made, scenario.as_of)


def _task(scenario: Scenario, rng: Random, who: Record, day: datetime | None = None) -> Record:
    """A task; with a day, one that was completed within a week of it."""
    channel, talk = rng.choice(_CHANNELS), rng.choice(_TALKS)
    done = rng.random() < 0.8 or day is not None
    since, until = (day, day + timedelta(days=7)) if day else (scenario.now - _RECENT, scenario.now)
    when = moment(rng, since, until)
    due = when.date() if done else scenario.as_of + timedelta(days=rng.randint(-5, 30))
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


def events(scenario: Scenario, people: Rows, deals: Rows) -> list[Record]:
    """Meetings, some of them in the future."""
    of_account = _by_account(deals)
    events: list[Record] = []
    for who in people:
        rng = scenario.random("events", who["Id"])
        if rng.random() < 0.7:
            continue
        day = scenario.now + timedelta(days=rng.randint(-150, 30))
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
        created = min(begin, scenario.now) - timedelta(days=rng.randint(1, 20))
        events.append(record(scenario, objects.EVENT, len(events), created, who["OwnerId"], values))
    return [*events, *_old_events(scenario, people, len(events))]


def _old_events(scenario: Scenario, people: Rows, number: int) -> list[Record]:
    """Archived meetings of more than a year ago."""
    events: list[Record] = []
    for who in people:
        rng = scenario.random("old events", who["Id"])
        if rng.random() < 0.9:
            continue
        begin = scenario.now - timedelta(days=rng.randint(ARCHIVED_AFTER_DAYS + 10, 700), hours=9)
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
        created = max(scenario.begin, begin - timedelta(days=rng.randint(1, 20)))
        made = record(
            scenario, objects.EVENT, number + len(events), created, who["OwnerId"], values
        )
        events.append(archived(made, scenario.as_of))
    return events


def archived(row: Record, today: date) -> Record:
    """An activity after the nightly archiving.

    `queryAll` still returns archived activities, `query` does not. `SystemModstamp` stays: the
    guide does not say that it changes. Source: Object Reference, "Archived Activities"
    (sforce_api_guidelines_archive.htm): events whose day, and closed tasks whose due date or,
    without one, day of creation is at least 365 days ago.
    """
    day = row.get("ActivityDate") or row["CreatedDate"].date()
    is_past = row.get("IsClosed", True) and (today - day).days >= ARCHIVED_AFTER_DAYS
    return {**row, "IsArchived": True} if is_past else row


def _by_account(deals: Rows) -> dict[str | None, list[Record | None]]:
    deals_by_account: defaultdict[str | None, list[Record | None]] = defaultdict(list)
    for deal in deals:
        deals_by_account[deal["AccountId"]].append(deal)
    return deals_by_account


def set_last_activity(scenario: Scenario, rows: Rows, activities: Rows) -> None:
    """Set each record's `LastActivityDate`: its last completed task or past event."""
    last: dict[str, date] = {}
    for activity in activities:
        past = (
            activity["IsClosed"]
            if "IsClosed" in activity
            else activity["ActivityDate"] < scenario.as_of
        )
        for name in ("WhoId", "WhatId", "AccountId"):
            if past and activity[name] and not activity["IsDeleted"]:
                last[activity[name]] = max(
                    last.get(activity[name], date.min), activity["ActivityDate"]
                )
    for row in rows:
        row["LastActivityDate"] = last.get(row["Id"])
