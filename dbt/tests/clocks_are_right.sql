{{ config(severity="warn", meta={
    "dagster": {"ref": {"name": "event_enhanced"}},
    "description": "No event's time lies further from its upload than NOVADE_MARTS_CLOCK_AHEAD_HOURS and NOVADE_MARTS_CLOCK_BEHIND_DAYS allow; those that do count at their upload hour.",
    "remedy": "They are kept and bend no figure; correct the clocks of the devices or of the sender, or raise the settings.",
}) }}

select uuid, event_time, upload_hour from {{ ref("event_enhanced") }} where clock_is_off
