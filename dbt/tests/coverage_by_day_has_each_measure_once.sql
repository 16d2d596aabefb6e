{{ config(meta={"description": "Each measure of each event and property stands once a day."}) }}

select upload_date, event_type, property, measure, keyword
from {{ ref("coverage_by_day") }}
where {{ to_check(ref("coverage_by_day")) }}
group by upload_date, event_type, property, measure, keyword
having count(*) > 1
