{{ config(meta={"description": "Each user, contact and account of the chat is matched once."}) }}

select kind, subject_id
from {{ ref("customer_matches") }}
group by kind, subject_id
having count(*) > 1
