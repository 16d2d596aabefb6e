{{ config(severity="warn", meta={
    "dagster": {"ref": {"name": "event_enhanced"}},
    "description": "No event's time lies further from its upload than NOVADE_MARTS_CLOCK_AHEAD_HOURS and NOVADE_MARTS_CLOCK_BEHIND_DAYS allow; those that do count at their upload hour.",
}) }}

select uuid, event_time, upload_hour from {{ ref("event_enhanced") }} where clock_is_off
