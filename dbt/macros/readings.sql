{# Hours in the changed windows: with readings now, or before. #}
{% macro touch_readings_hourly() %}
{% if is_in_part() %}
  create or replace temp table touched_readings_hourly as
    select distinct measured_hour from (
      {{ in_changed_windows(source("iot", "readings"), "measured_hour", "measured_date", "measured_hour") }}
      union all
      {{ in_changed_windows(this, "measured_hour", "measured_date", "measured_hour") }}
    ) as hours;
  {{ log_touched("select measured_hour from touched_readings_hourly") }}
{% endif %}
{% endmacro %}
