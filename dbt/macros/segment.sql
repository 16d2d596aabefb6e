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
        date_trunc('hour', coalesce(received_at, timestamp)) as received_hour,
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
  Hours that event_enhanced has touched, and the hours of the events of Segment that these match,
  found by Segment's ids alone.
#}
{% macro touch_matched_events() %}
{% if is_in_part() %}
  create or replace temp table touched_matched_events as
    select distinct window_start as upload_hour from {{ touched_by("event_enhanced") }};
  create or replace temp table matched_hours as
    select distinct received_hour from {{ ref("segment_events") }}
    where id in (
      select insert_id from {{ ref("event_enhanced") }}
      where upload_hour in (select upload_hour from touched_matched_events)
    );
  {{ log_matched_events() }}
{% endif %}
{% endmacro %}

{#
  The ids in touched hours, with the days on which either side has them: called before the hours are
  computed again, and after.
#}
{% macro log_matched_events() %}
{% if is_in_part() %}
  create or replace temp table changed_ids as
    select distinct insert_id, segment_date from {{ this }}
    where upload_hour in (select upload_hour from touched_matched_events);
  insert into novade.changes (model, generation, event_date, kind, subject_id)
    select {{ quoted_model() }}, {{ this_generation() }}, segment_date, 'insert_id', insert_id
    from changed_ids
    union
    select {{ quoted_model() }}, {{ this_generation() }}, event_date, 'insert_id', insert_id
    from {{ this }} where insert_id in (select insert_id from changed_ids);
  {{ log_touched("select upload_hour from touched_matched_events") }}
{% endif %}
{% endmacro %}

{#
  Events of Amplitude with an id of Segment, in the order in which they came: the first, of place 1,
  is the copy of Segment's event, and the others are repeated.

  Args:
    condition: the ids that are needed.
#}
{% macro copies_in_amplitude(condition) %}
    select
        matched.*,
        row_number() over (partition by insert_id order by upload_hour, file, line) as place
    from {{ ref("matched_events") }} as matched
    where {{ condition }}
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
  Hours that event_enhanced has touched, and hours of Segment's events whose copy, person or side has
  changed.
#}
{% macro touch_all_events() %}
{% if is_in_part() %}
  create or replace temp table ids_of_another_side as
    select insert_id from {{ ref("matched_events") }}
    where not exists (select 1 from novade.cut_over where day = cast({{ cut_over() }} as date))
    union
    select subject_id from {{ changes_of("matched_events") }};
  create or replace temp table touched_all_events as
    select window_start as upload_hour from {{ touched_by("event_enhanced") }}
    union
    -- It may have followed event_enhanced later than this model.
    select window_start from {{ touched_by("matched_events") }}
    union
    select upload_hour from {{ ref("matched_events") }}
    where insert_id in (select insert_id from ids_of_another_side)
    union
    select received_hour from {{ ref("segment_events") }}
    where id in (select insert_id from ids_of_another_side)
    {% for kind, column in (("user", "known_user_id"), ("device", "device_id")) -%}
    union
    select received_hour from {{ ref("segment_events") }} where {{ column }} in (
      select subject_id from {{ changes_of("segment_persons") }} where kind = '{{ kind }}'
    )
    {% endfor %};
  {{ log_touched("select upload_hour from touched_all_events") }}
{% endif %}
  create or replace table novade.cut_over as select cast({{ cut_over() }} as date) as day;
{% endmacro %}
