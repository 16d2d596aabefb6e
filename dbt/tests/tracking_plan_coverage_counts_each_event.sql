{{ config(meta={
    "dagster": {"ref": {"name": "tracking_plan_coverage"}},
    "description": "The events of the events' own rows are all events.",
}) }}

select total.events, counted.events
from (select count(*) as events from {{ ref("event_enhanced") }}) as total
cross join (
    select coalesce(sum(events), 0) as events
    from {{ ref("tracking_plan_coverage") }}
    where property = ''
) as counted
where total.events <> counted.events
