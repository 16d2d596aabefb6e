{{ config(meta={
    "dagster": {"ref": {"name": "event_enhanced"}},
    "description": "Each uuid of amplitude/events stands exactly once, and no other does.",
}) }}

-- Counts instead of a join of all uuids: `unique` says that none stands twice.
select landed.uuids, standing.uuids
from (select count(distinct uuid) as uuids from {{ source("amplitude", "events") }}) as landed
cross join (select count(*) as uuids from {{ ref("event_enhanced") }}) as standing
where landed.uuids <> standing.uuids
