{{ config(meta={
    "dagster": {"ref": {"name": "user_days"}},
    "description": "The events of all days of all persons are all events.",
}) }}

select total.events, counted.events
from (select count(*) as events from {{ ref("event_enhanced") }}) as total
cross join (select coalesce(sum(events), 0) as events from {{ ref("user_days") }}) as counted
where total.events <> counted.events
