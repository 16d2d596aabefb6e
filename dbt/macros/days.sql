{#
  The calendar of reports. `NOVADE_REPORTING_TIME_ZONE` is the time zone of days in all marts. Without
  it, days of product and chats are in UTC, and days of the CRM in the time zone of the Salesforce
  organisation, or in UTC if that is unknown.
#}

{#
  The day of a moment in the reporting zone, UTC by default; of a time without a zone, which is UTC.
  `date_trunc` would give that of the session.
#}
{% macro local_day(moment) %}
  {%- set zone = var("reporting_time_zone") or "UTC" -%}
  {%- if zone == "UTC" -%}
  cast({{ moment }} as date)
  {%- else -%}
  {{ day_in("'" ~ zone ~ "'", moment) }}
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
      where {{ is_zone("time_zone_sid_key") }}
    ),
    'UTC'
  )
  {%- endif -%}
{% endmacro %}

{# The day of a moment in the organisation's zone. #}
{% macro organisation_day(moment) %}{{ day_in(organisation_zone(), moment) }}{% endmacro %}

{# The moment at which a day of the organisation begins. #}
{% macro organisation_midnight(day) %}{{ midnight_in(organisation_zone(), day) }}{% endmacro %}
