{{ config(meta={"description": "Each user, contact and account of the chat has a key once."}) }}

select kind, subject_id, way, key
from {{ ref("customer_keys") }}
group by kind, subject_id, way, key
having count(*) > 1
