{{ config(meta={"description": "Each day, team and priority stands once."}) }}

select request_date, team, priority
from {{ ref("ticket_volume") }}
where {{ to_check(ref("ticket_volume")) }}
group by request_date, team, priority
having count(*) > 1
