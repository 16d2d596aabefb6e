{{ config(meta={
    "dagster": {"ref": {"name": "event_enhanced"}},
    "description": "Each event of amplitude/events stands exactly once, or is one of amplitude/repeats.",
}) }}

-- Counts by upload hour instead of a join of all uuids: `unique` says that none stands twice.
select coalesce(landed.upload_hour, standing.upload_hour) as upload_hour, landed.events, standing.events
from (
    select upload_hour, count(*) as events
    from {{ source("amplitude", "events") }}
    where {{ to_check(ref("event_enhanced")) }}
    group by upload_hour
) as landed
full join (
    select upload_hour, count(*) as events
    from (
        select upload_hour from {{ ref("event_enhanced") }} where {{ to_check(ref("event_enhanced")) }}
        union all
        select upload_hour from {{ source("amplitude", "repeats") }} where {{ to_check(ref("event_enhanced")) }}
    ) as known
    group by upload_hour
) as standing on landed.upload_hour = standing.upload_hour
where landed.events is distinct from standing.events
