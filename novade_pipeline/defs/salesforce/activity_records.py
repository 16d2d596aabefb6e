"""What people do for customers: tasks, calls, e-mails and meetings, as `records` has the others.

Series and invitees: https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_event.htm
(GroupEventType, IsChild, IsRecurrence, RecurrenceActivityId).
"""

from datetime import date, datetime

from pydantic import Field

from novade_pipeline.defs.salesforce.records import PersonalText, Record, WhoId


class Task(Record):
    """Something to do, or done: a call, an e-mail."""

    who_id: WhoId = Field(None, alias="WhoId", description="The contact or lead.")
    what_id: str | None = Field(
        None, alias="WhatId", description="The account, opportunity, … that it is about."
    )
    account_id: str | None = Field(None, alias="AccountId", description="The account.")
    owner_id: str | None = Field(None, alias="OwnerId", description="Who is to do it.")
    subject: PersonalText = Field(None, alias="Subject", description="What it is.")
    description: PersonalText = Field(
        None, alias="Description", description="What people wrote of it."
    )
    status: str | None = Field(None, alias="Status", description="How far it has come.")
    priority: str | None = Field(None, alias="Priority", description="How urgent it is.")
    type: str | None = Field(None, alias="Type", description="Its kind.")
    task_subtype: str | None = Field(None, alias="TaskSubtype", description="Task, Email, Call, …")
    activity_date: date | None = Field(None, alias="ActivityDate", description="When it is due.")
    is_closed: bool | None = Field(None, alias="IsClosed", description="It is done.")
    completed_date_time: datetime | None = Field(
        None, alias="CompletedDateTime", description="When it was done, UTC."
    )
    call_duration_in_seconds: int | None = Field(
        None, alias="CallDurationInSeconds", description="How long a call took, seconds."
    )
    is_recurrence: bool | None = Field(
        None,
        alias="IsRecurrence",
        description="Holds how a series recurs; each task of the series is a record of its own.",
    )
    recurrence_activity_id: str | None = Field(
        None, alias="RecurrenceActivityId", description="The record that holds how it recurs."
    )


class Event(Record):
    """A meeting."""

    who_id: WhoId = Field(None, alias="WhoId", description="The contact or lead.")
    what_id: str | None = Field(
        None, alias="WhatId", description="The account, opportunity, … that it is about."
    )
    account_id: str | None = Field(None, alias="AccountId", description="The account.")
    owner_id: str | None = Field(None, alias="OwnerId", description="Whose calendar it is in.")
    subject: PersonalText = Field(None, alias="Subject", description="What it is.")
    description: PersonalText = Field(
        None, alias="Description", description="What people wrote of it."
    )
    location: PersonalText = Field(None, alias="Location", description="Where it is.")
    type: str | None = Field(None, alias="Type", description="Its kind.")
    start_date_time: datetime | None = Field(
        None, alias="StartDateTime", description="When it begins, UTC."
    )
    end_date_time: datetime | None = Field(
        None, alias="EndDateTime", description="When it ends, UTC."
    )
    activity_date: date | None = Field(None, alias="ActivityDate", description="Its day.")
    duration_in_minutes: int | None = Field(
        None, alias="DurationInMinutes", description="How long it is, minutes."
    )
    is_all_day_event: bool | None = Field(
        None, alias="IsAllDayEvent", description="It takes the whole day."
    )
    is_child: bool | None = Field(
        None,
        alias="IsChild",
        description="It is an invitee's copy of a meeting that another user owns.",
    )
    group_event_type: str | None = Field(
        None,
        alias="GroupEventType",
        description="0: without invitees; 1: with invitees; 2: proposed, not agreed on; 3: how a "
        "series recurs.",
    )
    is_recurrence: bool | None = Field(
        None,
        alias="IsRecurrence",
        description="Holds how a series recurs; each meeting of the series is a record of its own.",
    )
    recurrence_activity_id: str | None = Field(
        None, alias="RecurrenceActivityId", description="The record that holds how it recurs."
    )
