{{ config(meta={"description": "Each day has each pair of status and stage exactly once."}) }}

select day, status, stage_name
from {{ ref("sales_snapshot") }}
group by day, status, stage_name
having count(*) > 1
