{#
  The calendar of reports. `NOVADE_REPORTING_TIME_ZONE` says the zone of all marts' days. Where it
  is not set, the product's and the chat's days are those of UTC, and the CRM's those of the zone
  that the Salesforce organisation is in; UTC where that is not known.
#}
{% macro is_utc(zone) %}
  {{- return(not zone or zone in ["UTC", "Etc/UTC"]) -}}
{% endmacro %}

{# The day of a moment in the reporting zone, UTC by default. #}
{% macro local_day(moment) %}
  {%- if is_utc(var("reporting_time_zone")) -%}
  cast({{ moment }} as date)
  {%- else -%}
  cast(({{ moment }}) at time zone '{{ var("reporting_time_zone") }}' as date)
  {%- endif -%}
{% endmacro %}

{# The zone of the CRM's days, as SQL. #}
{% macro organisation_zone() %}
  {%- if var("reporting_time_zone") -%}
  '{{ var("reporting_time_zone") }}'
  {%- else -%}
  coalesce(
    (
      select min(time_zone_sid_key) from {{ source("salesforce", "organization") }}
      where time_zone_sid_key in (select name from pg_timezone_names())
    ),
    'UTC'
  )
  {%- endif -%}
{% endmacro %}

{# The day of a moment in the organisation's zone. #}
{% macro organisation_day(moment) %}
  cast(({{ moment }}) at time zone {{ organisation_zone() }} as date)
{% endmacro %}

{# The moment at which a day of the organisation begins. #}
{% macro organisation_midnight(day) %}
  cast({{ day }} as timestamp) at time zone {{ organisation_zone() }}
{% endmacro %}
