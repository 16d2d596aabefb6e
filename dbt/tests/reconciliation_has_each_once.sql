{{ config(meta={
    "dagster": {"ref": {"name": "reconciliation"}},
    "description": "Each day and event type is in one row.",
}) }}

select event_date, event_type
from {{ ref("reconciliation") }}
where {{ to_check(ref("reconciliation")) }}
group by event_date, event_type
having count(*) > 1
