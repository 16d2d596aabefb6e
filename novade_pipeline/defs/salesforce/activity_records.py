"""Row models of activities: tasks, calls, e-mails and meetings.

Series and invitees: https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_event.htm
(GroupEventType, IsChild, IsRecurrence, RecurrenceActivityId).
"""

from datetime import date, datetime

from pydantic import Field

from novade_pipeline.defs.salesforce.records import PersonalText, Record, WhoId


class Task(Record):
    """A task, to do or done: a call, an e-mail."""

    who_id: WhoId = Field(None, description="The contact or lead.")
    what_id: str | None = Field(None, description="The account, opportunity, … it is about.")
    account_id: str | None = Field(None, description="The account.")
    owner_id: str | None = Field(None, description="The user whose task it is.")
    subject: PersonalText = Field(None, description="Its subject.")
    description: PersonalText = Field(None, description="Free text about it.")
    status: str | None = Field(None, description="Its status.")
    priority: str | None = Field(None, description="Its priority.")
    type: str | None = Field(None, description="Its kind.")
    task_subtype: str | None = Field(None, description="Task, Email, Call, …")
    activity_date: date | None = Field(None, description="When it is due.")
    is_closed: bool | None = Field(None, description="It is completed.")
    completed_date_time: datetime | None = Field(None, description="When it was completed, UTC.")
    call_duration_in_seconds: int | None = Field(None, description="How long a call took, seconds.")
    is_recurrence: bool | None = Field(
        None, description="Describes how a series recurs; its tasks are other records."
    )
    recurrence_activity_id: str | None = Field(
        None, description="The record that says how it recurs."
    )


class Event(Record):
    """A meeting."""

    who_id: WhoId = Field(None, description="The contact or lead.")
    what_id: str | None = Field(None, description="The account, opportunity, … it is about.")
    account_id: str | None = Field(None, description="The account.")
    owner_id: str | None = Field(None, description="The user in whose calendar it is.")
    subject: PersonalText = Field(None, description="Its subject.")
    description: PersonalText = Field(None, description="Free text about it.")
    location: PersonalText = Field(None, description="Where it is.")
    type: str | None = Field(None, description="Its kind.")
    start_date_time: datetime | None = Field(None, description="When it begins, UTC.")
    end_date_time: datetime | None = Field(None, description="When it ends, UTC.")
    activity_date: date | None = Field(None, description="Its day.")
    duration_in_minutes: int | None = Field(None, description="How long it is, minutes.")
    is_all_day_event: bool | None = Field(None, description="It lasts the whole day.")
    is_child: bool | None = Field(
        None, description="An invitee's copy of a meeting that another user owns."
    )
    group_event_type: str | None = Field(
        None,
        description="0: without invitees; 1: with invitees; 2: proposed, not agreed on; 3: how a "
        "series recurs.",
    )
    is_recurrence: bool | None = Field(
        None, description="Describes how a series recurs; its meetings are other records."
    )
    recurrence_activity_id: str | None = Field(
        None, description="The record that says how it recurs."
    )
