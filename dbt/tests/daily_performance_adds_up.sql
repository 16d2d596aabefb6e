{{ config(meta={
    "dagster": {"ref": {"name": "daily_performance"}},
    "description": "The events of all days are all events.",
}) }}

select total.events, counted.events
from (select count(*) as events from {{ ref("event_enhanced") }}) as total
cross join (select coalesce(sum(events), 0) as events from {{ ref("daily_performance") }}) as counted
where total.events <> counted.events
