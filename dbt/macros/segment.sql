{# Events of Segment's warehouse, and one history of them and Amplitude's. #}

{# The columns of a call that each table of the warehouse has, and its time in the house's sense. #}
{% macro segment_columns() %}
        case
            when timestamp > received_at + interval {{ 1 + var("clock_ahead_hours") }} hour
                or timestamp < received_at - interval {{ var("clock_behind_days") }} day
            then received_at
            else timestamp
        end as effective_time,
        timestamp as event_time,
        {{ meant_id("user_id") }} as user_id,
        {{ meant_id("anonymous_id") }} as device_id,
        received_at,
        properties as event_properties,
        context
{% endmacro %}

{#
  Users and devices of Segment's events, each with the person that Amplitude's marts know.

  Args:
    subjects: a relation of `kind` and `subject`.
#}
{% macro persons_of_segment(subjects) %}
    select
        subjects.kind,
        subjects.subject,
        coalesce(
            known.person_id,
            -- As `person_id` has it for events that Amplitude gave no user.
            -1 - {{ number_of_text("subjects.kind || ':' || subjects.subject") }}
        ) as person_id
    from {{ subjects }} as subjects
    left join (
        select 'user' as kind, user_id as subject, max(person_id) as person_id
        from {{ ref("user_enhanced") }} where user_id is not null group by user_id
        union all
        select 'device', device_id, max(person_id)
        from {{ ref("user_enhanced") }} where device_id is not null group by device_id
        having min(person_id) = max(person_id)
    ) as known on subjects.kind = known.kind and subjects.subject = known.subject
{% endmacro %}

{# Subjects that are another person now: few, and found by comparing persons, not events. #}
{% macro touch_segment_persons() %}
{% if is_in_part() %}
  create or replace temp table touched_segment_persons as
    select former.kind, former.subject
    from {{ this }} as former
    inner join ({{ persons_of_segment(this) }}) as present
      on former.kind = present.kind and former.subject = present.subject
    where former.person_id <> present.person_id;
  insert into novade.changes (model, generation, kind, subject_id)
    select {{ quoted_model() }}, {{ this_generation() }}, kind, subject
    from touched_segment_persons;
{% endif %}
{% endmacro %}

{#
  The day from which on an event that both sides have is taken from Amplitude: that of the settings,
  or the day after the first upload, which is the first that Amplitude has whole.
#}
{% macro cut_over() %}
  {%- if var("cut_over") -%}
  cast('{{ var("cut_over") }}' as date)
  {%- else -%}
  coalesce(
    (select min(upload_date) + interval 1 day from {{ ref("event_enhanced") }}),
    cast('9999-12-31' as date)
  )
  {%- endif -%}
{% endmacro %}

{#
  Hours that event_enhanced has touched, with the events of Segment that they match or matched;
  events of persons who are another one now; and, if the cut-over has moved, all that both have.
#}
{% macro touch_all_events() %}
{% if is_in_part() %}
  create or replace temp table touched_hours as
    select distinct window_start as upload_hour from {{ touched_by("event_enhanced") }};
  create or replace temp table touched_ids as
    select id from {{ ref("segment_events") }} where id in (
      select insert_id from {{ ref("event_enhanced") }}
      where upload_hour in (select upload_hour from touched_hours)
      union
      select insert_id from {{ this }}
      where recorded_by = 'both' and upload_hour in (select upload_hour from touched_hours)
    )
    {% for kind, column in (("user", "known_user_id"), ("device", "device_id")) -%}
    union
    select id from {{ ref("segment_events") }} where {{ column }} in (
      select subject_id from {{ changes_of("segment_persons") }} where kind = '{{ kind }}'
    )
    {% endfor -%}
    union
    select insert_id from {{ this }}
    where recorded_by = 'both'
      and not exists (select 1 from novade.cut_over where day = cast({{ cut_over() }} as date));
  create or replace temp table touched_all_events as
    select 'segment:' || id as event_key from touched_ids
    union
    select 'amplitude:' || uuid from {{ ref("event_enhanced") }}
    where upload_hour in (select upload_hour from touched_hours)
    union
    select event_key from {{ this }}
    where upload_hour in (select upload_hour from touched_hours);
  {{ log_all_events() }}
{% endif %}
{% endmacro %}

{# The days of touched events: called before they are computed again, and after. #}
{% macro log_all_events() %}
  {{ log_touched(
    "select distinct event_date from " ~ this ~ " as event where event_key in"
    ~ " (select event_key from touched_all_events)"
  ) }}
  create or replace table novade.cut_over as select cast({{ cut_over() }} as date) as day;
{% endmacro %}
