{{ config(meta={
    "dagster": {"ref": {"name": "sessions"}},
    "description": "The events of all sessions are the events that have one.",
}) }}

select total.events, counted.events
from (select count(session_id) as events from {{ ref("event_enhanced") }}) as total
cross join (select coalesce(sum(events), 0) as events from {{ ref("sessions") }}) as counted
where total.events <> counted.events
