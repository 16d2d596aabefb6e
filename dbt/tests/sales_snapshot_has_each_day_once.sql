{{ config(meta={"description": "Each day has each status, stage and currency exactly once."}) }}

select day, status, stage_name, currency_iso_code
from {{ ref("sales_snapshot") }}
group by day, status, stage_name, currency_iso_code
having count(*) > 1
