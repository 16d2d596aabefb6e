{#
  An id, or null for a placeholder that SDKs and their callers send for a missing id: values that
  Amplitude refuses (https://amplitude.com/docs/apis/analytics/http-v2), and texts of missing values.
  Zeros alone, with or without hyphens, are none either, nor is white space.
#}
{% macro meant_id(id) %}
  {%- set bare = "trim(translate(" ~ id ~ ", chr(9) || chr(10) || chr(13), '   '))" -%}
  case when lower({{ bare }}) not in (
      '', 'null', '(null)', '<null>', 'nil', 'none', 'undefined', 'nan', 'n/a', 'na', 'unknown',
      'anonymous', '-1', 'true', 'false', '[]', '{}', '[object object]'
    ) and replace(replace({{ bare }}, '-', ''), '0', '') <> ''
    then {{ id }}
  end
{% endmacro %}

{#
  Whether an event's clock is wrong: its time is further from its upload hour than the settings
  allow.
#}
{% macro clock_is_off(event) %}
  ({{ event }}.event_time > {{ event }}.upload_hour
      + interval {{ 1 + var("clock_ahead_hours") }} hour
    or {{ event }}.event_time < {{ event }}.upload_hour
      - interval {{ var("clock_behind_days") }} day)
{% endmacro %}

{# The person of an event: the Amplitude user after all merges, or a substitute. #}
{% macro person_id(event, identity) %}
  coalesce(
    {{ identity }}.survivor_id,
    {{ event }}.amplitude_id,
    -- Negative, so that it is never one of Amplitude's own, and the same in every build.
    -1 - {{ number_of_text(
      "case when " ~ event ~ ".user_id is not null then 'user:' || " ~ event ~ ".user_id"
      ~ " when " ~ event ~ ".device_id is not null then 'device:' || " ~ event ~ ".device_id"
      ~ " else 'event:' || " ~ event ~ ".uuid end"
    ) }}
  )
{% endmacro %}

{#
  The hours that are computed again, and, if merges have changed, the events of other hours that
  now belong to another person.
#}
{% macro touch_event_enhanced() %}
{% if is_in_part() %}
  create or replace temp table touched_event_enhanced as
    select distinct upload_hour from (
      {{ in_changed_windows(source("amplitude", "events"), "upload_hour") }}
      union all
      {{ in_changed_windows(this, "upload_hour") }}
    );
  {{ log_changes(this ~ " where upload_hour in (select upload_hour from touched_event_enhanced)") }}
{% endif %}
{% if is_in_part() and source_has_changed("amplitude", "identities") %}
  create or replace temp table moved as
    select
      coalesce(former.amplitude_id, present.amplitude_id) as amplitude_id,
      coalesce(present.survivor_id, former.amplitude_id) as person_id
    from novade.identity as former
    full join {{ source("amplitude", "identities") }} as present
      on former.amplitude_id = present.amplitude_id
    where former.survivor_id is distinct from present.survivor_id;
  create or replace temp table moved_events as
    select distinct upload_hour from {{ this }}
    where amplitude_id in (select amplitude_id from moved);
  {{ log_changes(this ~ " where amplitude_id in (select amplitude_id from moved)") }}
  update {{ this }} as event
  set
    person_id = moved.person_id,
    session_key = {{ session_key("moved.person_id", "event.session_id") }}
  from moved where event.amplitude_id = moved.amplitude_id;
  {{ log_changes(this ~ " where amplitude_id in (select amplitude_id from moved)") }}
  {{ log_touched("select upload_hour from moved_events") }}
{% endif %}
{% if not is_in_part() or source_has_changed("amplitude", "identities") %}
  create or replace table novade.identity as
    select amplitude_id, survivor_id from {{ source("amplitude", "identities") }};
{% endif %}
{% endmacro %}

{% macro session_key(person_id, session_id) %}{{ person_id }} || ':' || {{ session_id }}{% endmacro %}

{# Logs the persons and days of touched events for downstream models. #}
{% macro log_changes(events) %}
  insert into novade.changes (model, generation, event_date, person_id, session_id)
    select distinct {{ quoted_model() }}, {{ this_generation() }}, event_date, person_id, session_id
    from {{ events }};
{% endmacro %}

{% macro log_event_enhanced() %}
{% if is_in_part() %}
  {{ log_changes(this ~ " where upload_hour in (select upload_hour from touched_event_enhanced)") }}
  {{ log_touched("select upload_hour from touched_event_enhanced") }}
{% endif %}
{% endmacro %}
