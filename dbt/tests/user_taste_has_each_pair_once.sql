{{ config(meta={"description": "Each user and genre stand once, and shares are no more than all."}) }}

select user_id, sum(share) as share
from {{ ref("user_taste") }}
group by user_id
having sum(share) > 1.000001 or count(*) <> count(distinct genre)
