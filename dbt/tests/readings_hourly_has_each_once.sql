{{ config(meta={"description": "Each hour, device, metric and unit stands once."}) }}

select measured_hour, device_id, metric, unit
from {{ ref("readings_hourly") }}
where {{ to_check(ref("readings_hourly")) }}
group by measured_hour, device_id, metric, unit
having count(*) > 1
