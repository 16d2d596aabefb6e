{{ config(
    materialized="touched",
    unique_key="measured_hour",
    pre_hook="{{ touch_readings_hourly() }}",
) }}

with readings as (
    {% if is_incremental() %}
    {{ in_changed_windows(source("iot", "readings"), "*", "measured_date", "measured_hour") }}
    {% else %}
    select * from {{ source("iot", "readings") }}
    {% endif %}
),

gaps as (
    {% if is_incremental() %}
    {{ in_changed_windows(source("iot", "gaps"), "*", "measured_date", "measured_hour") }}
    {% else %}
    select * from {{ source("iot", "gaps") }}
    {% endif %}
),

-- A gap counts where its device was heard of again: with the reading after it.
measured as (
    select
        readings.measured_date,
        readings.measured_hour,
        readings.device_id,
        coalesce(readings.metric, '') as metric,
        coalesce(readings.unit, '') as unit,
        case when not readings.is_out_of_range then readings.value end as value,
        readings.is_out_of_range,
        readings.is_text,
        gaps.missing
    from readings
    left join gaps
        on readings.measured_hour = gaps.measured_hour
        and readings.device_id = gaps.device_id
        and readings.sequence = gaps.before_sequence
)

select
    measured_date,
    measured_hour,
    device_id,
    metric,
    unit,
    count(*) as readings,
    min(value) as min_value,
    max(value) as max_value,
    -- Of decimals, whose sum is the same in every order.
    cast(sum(cast(value as decimal(38, 12))) as double) / nullif(count(value), 0) as mean_value,
    count(*) filter (is_out_of_range) as out_of_range,
    count(*) filter (is_text) as sent_as_text,
    count(missing) as gaps,
    cast(coalesce(sum(missing), 0) as bigint) as missing_readings
from measured
group by measured_date, measured_hour, device_id, metric, unit
