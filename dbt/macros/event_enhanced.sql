{# Who an event belongs to: the Amplitude user after all merges; without one, a stand-in. #}
{% macro person_id(event, identity) %}
  coalesce(
    {{ identity }}.survivor_id,
    {{ event }}.amplitude_id,
    -- Negative, so that it is never one of Amplitude's own, and the same in every build.
    -1 - (md5_number_lower(
      case
        when {{ event }}.user_id is not null then 'user:' || {{ event }}.user_id
        when {{ event }}.device_id is not null then 'device:' || {{ event }}.device_id
        else 'event:' || {{ event }}.uuid
      end
    ) & 9223372036854775807)::bigint
  )
{% endmacro %}

{#
  The events whose standing copy may have changed: those with a copy in a changed upload day, then
  or now, and those that belong to somebody else since a merge.
#}
{% macro touch_events() %}
{% if is_in_part() %}
  {% set days = run_query(
    "select distinct day from novade.changed_days where model = '" ~ model.name ~ "' order by 1"
  ).columns[0].values() %}
  create or replace temp table touched_event_enhanced as
    select uuid from {{ source('amplitude', 'events') }}
    where {{ is_changed_day('upload_date', days) }}
    union
    select uuid from {{ this }} where {{ is_changed_day('upload_date', days) }}
    union
    select standing.uuid
    from {{ this }} as standing
    left join {{ source('amplitude', 'identities') }} as identity using (amplitude_id)
    where standing.amplitude_id is not null
      and standing.person_id <> coalesce(identity.survivor_id, standing.amplitude_id);

  create or replace temp table replaced_event_enhanced as
    select uuid, event_date, person_id, session_id from {{ this }}
    where uuid in (select uuid from touched_event_enhanced);

  create or replace temp table standing_copies as
    {{ standing_copies("uuid in (select uuid from touched_event_enhanced)") }};
{% endif %}
{% endmacro %}

{# Of several copies of an event, the one with the lowest (upload_hour, file, line) stands. #}
{% macro standing_copies(condition) %}
    select
      uuid,
      unnest(min(struct_pack(upload_hour := upload_hour, file := file, line := line)))
    from {{ source('amplitude', 'events') }}
    where {{ condition }}
    group by uuid
{% endmacro %}

{# A view of the few upload days that hold the standing copies of touched events. #}
{% macro narrow_events() %}
{% if is_in_part() %}
  {% set days = run_query(
    "select distinct cast(upload_hour as date) from standing_copies order by 1"
  ).columns[0].values() %}
  create or replace temp view candidate_events as
    select * from {{ source('amplitude', 'events') }} where {{ is_changed_day('upload_date', days) }};
{% endif %}
{% endmacro %}

{#
  Tells the models downstream what changed: where touched events were and are, and, since new users
  count on their first day, the first days that moved.
#}
{% macro log_event_changes() %}
{% if is_in_part() %}
  insert into novade.event_changes
    with replaced as (
      select event_date, person_id, session_id, 'old' as side from replaced_event_enhanced
      union all
      select event_date, person_id, session_id, 'new' as side from {{ this }}
      where uuid in (select uuid from touched_event_enhanced)
    ),
    untouched as (
      select person_id, min(event_date) as day from {{ this }}
      where person_id in (select person_id from replaced)
        and uuid not in (select uuid from touched_event_enhanced)
      group by person_id
    ),
    first_days as (
      select
        person_id,
        least(min(replaced.event_date) filter (side = 'old'), any_value(untouched.day)) as before,
        least(min(replaced.event_date) filter (side = 'new'), any_value(untouched.day)) as after
      from replaced left join untouched using (person_id)
      group by person_id
    )
    select distinct {{ this_generation() }}, event_date, person_id, session_id from replaced
    union
    select {{ this_generation() }}, unnest([before, after]), person_id, null from first_days
    where before is distinct from after;
  delete from novade.event_changes where event_date is null;
{% else %}
  delete from novade.event_changes;
{% endif %}
  {{ log_days(
    "select distinct event_date from (
       select event_date from replaced_event_enhanced
       union all
       select event_date from " ~ this ~ " where uuid in (select uuid from touched_event_enhanced)
     )"
  ) }}
{% endmacro %}
