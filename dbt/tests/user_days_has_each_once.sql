{{ config(meta={"description": "Each person has each day once."}) }}

select event_date, person_id
from {{ ref("user_days") }}
where {{ to_check(ref("user_days")) }}
group by event_date, person_id
having count(*) > 1
