{{ config(meta={
    "dagster": {"ref": {"name": "user_enhanced"}},
    "description": "The events of all persons are all events.",
}) }}

select total.events, counted.events
from (select count(*) as events from {{ ref("event_enhanced") }}) as total
cross join (select coalesce(sum(events), 0) as events from {{ ref("user_enhanced") }}) as counted
where total.events <> counted.events
