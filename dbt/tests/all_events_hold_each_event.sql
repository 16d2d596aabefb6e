{{ config(meta={
    "dagster": {"ref": {"name": "all_events"}},
    "description": "Each event of Segment is one of all_events, and each event of Amplitude with an id that Segment has not.",
}) }}

select total.events, counted.events
from (
    select
        (select count(*) from {{ ref("segment_events") }})
        + (select count(*) from {{ ref("event_enhanced") }})
        - (select count(*) from {{ ref("matched_events") }}) as events
) as total
cross join (select count(*) as events from {{ ref("all_events") }}) as counted
where total.events <> counted.events
