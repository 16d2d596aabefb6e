{#
  The calendar of reports. `NOVADE_REPORTING_TIME_ZONE` says the zone of all marts' days. Where it
  is not set, the product's and the chat's days are those of UTC, and the CRM's those of the zone
  that the Salesforce organisation is in; UTC where that is not known.
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
