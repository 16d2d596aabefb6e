{{ config(meta={"description": "The upload day of each event is that of its upload hour."}) }}

select uuid
from {{ ref("event_enhanced") }}
where upload_date <> cast(upload_hour as date) and {{ to_check(ref("event_enhanced")) }}
