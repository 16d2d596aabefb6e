{{ config(meta={"description": "Each event and property stands exactly once."}) }}

select event_type, property
from {{ ref("tracking_plan_coverage") }}
group by event_type, property
having count(*) > 1
