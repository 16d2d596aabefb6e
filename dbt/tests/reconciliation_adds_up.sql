{{ config(meta={
    "dagster": {"ref": {"name": "reconciliation"}},
    "description": "Segment's events are those that Amplitude has and those that it has not.",
}) }}

select event_date, event_type
from {{ ref("reconciliation") }}
where {{ to_check(ref("reconciliation")) }}
    and (
        segment_events <> matched + only_segment
        or other_time > matched
        or other_properties > matched
        or only_amplitude + amplitude_twice > amplitude_events
    )
