{{ config(meta={"description": "Each day has each event type exactly once."}) }}

select event_date, event_type, count(*) as times
from {{ ref("daily_performance") }}
group by event_date, event_type
having count(*) > 1
union all
select null, null, count(*)
from {{ ref("daily_performance") }}
having count(*) <> coalesce(
    (max(event_date) - min(event_date) + 1) * count(distinct event_type), 0
)
