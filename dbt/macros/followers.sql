{# What the models that follow event_enhanced compute again; each fills `touched_<model>`. #}

{% macro touch_sessions() %}
{% if is_in_part() %}
  create or replace temp table touched_sessions as
    select distinct person_id, session_id from novade.event_changes
    where {{ is_new('event_enhanced') }} and session_id is not null;

  create or replace temp table replaced_sessions as
    select session_date from {{ this }}
    where (person_id, session_id) in (select (person_id, session_id) from touched_sessions);
{% endif %}
{% endmacro %}

{% macro log_session_days() %}
  {{ log_days(
    "select distinct session_date from (
       select session_date from replaced_sessions
       union all
       select session_date from " ~ this ~ "
       where (person_id, session_id) in (select (person_id, session_id) from touched_sessions)
     )"
  ) }}
{% endmacro %}

{% macro touch_users() %}
{% if is_in_part() %}
  create or replace temp table touched_user_enhanced as
    select distinct person_id from novade.event_changes where {{ is_new('event_enhanced') }};
{% endif %}
{% endmacro %}

{#
  Days with touched events, and days whose row of event types is not what it should be: the range
  of days grew or shrank, an event type appeared or is gone.
#}
{% macro touch_days() %}
{% if is_in_part() %}
  create or replace temp table touched_daily_performance as
    with grid as ({{ days_by_event_type() }})
    select distinct event_date from novade.event_changes where {{ is_new('event_enhanced') }}
    union
    select event_date from grid anti join {{ this }} as present using (event_date, event_type)
    union
    select event_date from {{ this }} as present anti join grid using (event_date, event_type);
{% endif %}
{% endmacro %}

{# Every day between the first and the last event, with every event type. #}
{% macro days_by_event_type() %}
    select days.event_date, types.event_type
    from (
      select unnest(generate_series(min(event_date), max(event_date), interval 1 day))::date
        as event_date
      from {{ ref('event_enhanced') }}
    ) as days
    cross join (select distinct event_type from {{ ref('event_enhanced') }}) as types
{% endmacro %}
