{{ config(meta={"description": "Each person has each kind of activity once a day."}) }}

select day, owner_id, kind
from {{ ref("daily_activity") }}
group by day, owner_id, kind
having count(*) > 1
